"""Losses of PyTorch's names as modules: they hand their options on, show them, and keep weights."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import nn
from tinygrad_bp.nn import functional as F  # noqa: N812 - as users write it

RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3))
P, Q = RNG.uniform(0.1, 0.9, (2, 4, 3))
SIGNS = np.where(RNG.random((4, 3)) < 0.5, 1, -1)
BITS = (SIGNS > 0) * 1
LABELS = np.array([2, 0, 1, 0])
SIGN = np.array([1, -1, -1, 1])
WEIGHT = np.array([0.5, 2.0, 1.5])

MODULES = {
    nn.NLLLoss: (F.nll_loss, (-P, LABELS), {"weight": WEIGHT, "ignore_index": 0}),
    nn.FocalLoss: (F.focal_loss, (X, LABELS), {"weight": WEIGHT, "gamma": 1.0, "ignore_index": 0}),
    nn.SigmoidFocalLoss: (F.sigmoid_focal_loss, (X, BITS), {"alpha": None, "gamma": 1.0}),
    nn.BCELoss: (F.binary_cross_entropy, (P, BITS), {"weight": WEIGHT}),
    nn.BCEWithLogitsLoss: (
        F.binary_cross_entropy_with_logits,
        (X, BITS),
        {"weight": WEIGHT, "pos_weight": WEIGHT},
    ),
    nn.CrossEntropyLoss: (
        F.cross_entropy,
        (X, LABELS),
        {"weight": WEIGHT, "ignore_index": 0, "label_smoothing": 0.1},
    ),
    nn.KLDivLoss: (F.kl_div, (-P, Q), {"log_target": True}),
    nn.GaussianNLLLoss: (F.gaussian_nll_loss, (X, Y, P), {"full": True, "eps": 0.5}),
    nn.PoissonNLLLoss: (
        F.poisson_nll_loss,
        (P, 3 * BITS),
        {"log_input": False, "full": True, "eps": 0.5},
    ),
    nn.HingeLoss: (F.hinge_loss, (X, SIGNS), {"squared": True}),
    nn.HingeEmbeddingLoss: (F.hinge_embedding_loss, (X, SIGNS), {"margin": 0.5}),
    nn.SoftMarginLoss: (F.soft_margin_loss, (X, SIGNS), {}),
    nn.MultiMarginLoss: (
        F.multi_margin_loss,
        (X, LABELS),
        {"p": 2, "margin": 0.5, "weight": WEIGHT},
    ),
    nn.MultiLabelMarginLoss: (F.multilabel_margin_loss, (X, np.full((4, 3), 1)), {}),
    nn.MultiLabelSoftMarginLoss: (
        F.multilabel_soft_margin_loss,
        (X, BITS),
        {"weight": WEIGHT},
    ),
    nn.CosineEmbeddingLoss: (F.cosine_embedding_loss, (X, Y, SIGN), {"margin": 0.5}),
    nn.TripletMarginLoss: (
        F.triplet_margin_loss,
        (X, Y, P),
        {"margin": 0.5, "p": 3.0, "eps": 0.1, "swap": True},
    ),
    nn.TripletMarginWithDistanceLoss: (
        F.triplet_margin_with_distance_loss,
        (X, Y, P),
        {"distance_function": F.cosine_similarity, "margin": 0.5, "swap": True},
    ),
    nn.MarginRankingLoss: (F.margin_ranking_loss, (X, Y, SIGNS), {"margin": 0.5}),
    nn.ContrastiveLoss: (F.contrastive_loss, (X, Y, SIGN > 0), {"margin": 2.5}),
    nn.SmoothL1Loss: (F.smooth_l1_loss, (X, Y), {"beta": 0.5}),
}


@pytest.mark.parametrize("kind", MODULES, ids=lambda kind: kind.__name__)
def test_modules_hand_all_their_options_on_and_show_them(kind):
    function, inputs, options = MODULES[kind]
    assert repr(kind()) == f"{kind.__name__}()"
    module = kind(**options, reduction="sum")
    expected = function(*inputs, **options, reduction="sum").item()
    assert module(*inputs).item() == pytest.approx(expected, rel=1e-14)
    for name in options:
        assert f"{name}=" in repr(module)
        assert kind(**{**options, name: kind().__dict__[name]}, reduction="sum")(
            *inputs
        ).item() != pytest.approx(expected), f"{name} makes no difference"
    with pytest.raises(tg.errors.ArgumentError, match=f"{kind.__name__}.*no reduction 'men'"):
        kind(reduction="men")


def test_a_distance_is_shown_by_its_name():
    loss = nn.TripletMarginWithDistanceLoss(distance_function=F.cosine_similarity)
    assert repr(loss) == "TripletMarginWithDistanceLoss(distance_function=cosine_similarity)"


def test_weights_are_buffers_that_are_saved():
    loss = nn.CrossEntropyLoss(WEIGHT)
    assert list(loss.state_dict()) == ["weight"]
    other = nn.CrossEntropyLoss(np.ones(3))
    other.load_state_dict(loss.state_dict())
    assert other(X, LABELS).item() == loss(X, LABELS).item()
    assert not list(loss.parameters())


def test_distances_as_modules():
    found = nn.PairwiseDistance(p=3.0, eps=0.1, keepdim=True)
    np.testing.assert_array_equal(found(X, Y).data, F.pairwise_distance(X, Y, 3.0, 0.1, True).data)
    assert repr(found) == "PairwiseDistance(p=3.0, eps=0.1, keepdim=True)"
    found = nn.CosineSimilarity(dim=0, eps=0.5)
    np.testing.assert_array_equal(found(X, Y).data, F.cosine_similarity(X, Y, 0, 0.5).data)
    assert repr(found) == "CosineSimilarity(dim=0, eps=0.5)"


@pytest.mark.parametrize(
    ("layer", "function"),
    [
        (
            {"type": "PairwiseDistance", "keepdim": True},
            lambda a, b: F.pairwise_distance(a, b, keepdim=True),
        ),
        ({"type": "CosineSimilarity"}, F.cosine_similarity),
    ],
)
def test_a_spec_may_end_in_a_distance_of_two_branches_with_one_encoder(layer, function):
    spec = nn.NetworkSpec(
        {"left": (4,), "right": (4,)},
        [
            {"type": "Linear", "name": "a", "out_features": 3, "inputs": ["left"]},
            {"type": "Shared", "name": "b", "of": "a", "inputs": ["right"]},
            {**layer, "inputs": ["a", "b"]},
        ],
    )
    network = spec.build(0)
    left, right = np.random.default_rng(0).normal(size=(2, 5, 4)).astype(np.float32)
    encoder = network.a if hasattr(network, "a") else dict(network.named_modules())["a"]
    expected = function(encoder(left), encoder(right)).data
    np.testing.assert_allclose(network(left, right).data, expected, rtol=1e-6)
    assert nn.NetworkSpec.from_module(network, spec.input_shape).to_dict() == spec.to_dict()
