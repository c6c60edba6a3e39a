"""Options that are scalars of NumPy: they do not turn float32 into float64."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import nn
from tinygrad_bp.nn import functional

X = np.random.default_rng(0).uniform(0.1, 0.9, (4, 6)).astype(np.float32)
Y, IMAGES = X[:, ::-1].copy(), X.reshape(2, 2, 3, 2)
CLASSES, SIGNS = np.arange(4), np.float32([1, -1, 1, -1])
PAIR, TRIPLE = (X, Y), (X, Y, X[::-1].copy())
# What a function, or the layer, of these options is called with, where that is not X.
CALLED_WITH = {
    **dict.fromkeys(["cosine_similarity", "pairwise_distance", "zoneout"], PAIR),
    **dict.fromkeys(["huber_loss", "smooth_l1_loss", "poisson_nll_loss"], PAIR),
    "sigmoid_focal_loss": PAIR,
    "gaussian_nll_loss": TRIPLE,
    "margin_ranking_loss": (X[:, 0], Y[:, 0], SIGNS),
    "hinge_embedding_loss": (X[:, 0], SIGNS),
    "contrastive_loss": (X, Y, SIGNS > 0),
    **dict.fromkeys(["triplet_margin_loss", "triplet_margin_with_distance_loss"], TRIPLE),
    "cosine_embedding_loss": (X, Y, SIGNS),
    **dict.fromkeys(["focal_loss", "cross_entropy", "multi_margin_loss"], (X, CLASSES)),
    "scaled_dot_product_attention": TRIPLE,
    **dict.fromkeys(["dropout1d", "dropout2d"], (X[None],)),
    **dict.fromkeys(["dropout3d", "instance_norm", "local_response_norm"], (IMAGES,)),
}
NEEDED = {
    "group_norm": {"num_groups": 2},
    "layer_norm": {"normalized_shape": 6},
    "rms_norm": {"normalized_shape": 6},
    "local_response_norm": {"size": 2},
    "pad": {"pad": (1, 1)},
    "threshold": {"threshold": 0.5, "value": 0.0},
    "batch_norm": {"training": True},
}
# Of integers, or of weights, or of a size; the options of these are checked where they are used.
LEFT_OUT = {"embedding", "embedding_bag", "interpolate"}
OPTIONS = [
    (name, option.name)
    for name, function in vars(functional).items()
    if inspect.isfunction(function) and name not in LEFT_OUT and "pool" not in name
    for option in inspect.signature(function).parameters.values()
    if "float" in str(option.annotation)
]


def number(default):
    return np.float64(default if isinstance(default, (int, float)) and default else 0.5)


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_an_option_of_numpy_leaves_float32_as_it_is(name, option):
    function = getattr(functional, name)
    parameters = inspect.signature(function).parameters
    given = {**NEEDED.get(name, {}), option: number(parameters[option].default)}
    if "generator" in parameters:
        given["generator"] = np.random.default_rng(0)
    leaf, *rest = CALLED_WITH.get(name, (X,))
    x = tg.Tensor(leaf, requires_grad=True)
    y = function(x, *rest, **given)
    assert y.dtype == np.float32
    y.sum().backward()
    assert x.grad.dtype == np.float32


def test_the_options_are_many():
    assert len(OPTIONS) > 45


@pytest.mark.parametrize(
    ("layer", "inputs"),
    [
        (nn.LeakyReLU(np.float64(0.2)), (X,)),
        (nn.ELU(np.float64(0.5)), (X,)),
        (nn.AlphaDropout(np.float64(0.5), generator=0), (X,)),
        (nn.GaussianNoise(np.float64(0.5), generator=0), (X,)),
        (nn.CrossEntropyLoss(label_smoothing=np.float64(0.1)), (X, CLASSES)),
        (nn.HuberLoss(delta=np.float64(1.0)), PAIR),
        (nn.TripletMarginLoss(margin=np.float64(1.0)), TRIPLE),
        (nn.RMSNorm(6, eps=np.float64(1e-5)), (X,)),
        (nn.BatchNorm1d(6, eps=np.float64(1e-5), momentum=np.float64(0.1)), (X,)),
        (nn.LocalResponseNorm(2, alpha=np.float64(1e-4), k=np.float64(1.0)), (IMAGES,)),
        (nn.Hardtanh(np.float64(-1), np.float64(1)), (X,)),
    ],
    ids=lambda x: type(x).__name__,
)
def test_so_do_the_options_of_layers(layer, inputs):
    assert layer(*inputs).dtype == np.float32
    assert all(b.dtype != np.float64 for _, b in layer.named_buffers())
