"""Networks at random, and whole ones of several families."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx_export.running import both_agree

from tinygrad_bp import nn
from tinygrad_bp.errors import ExportError
from tinygrad_bp.nn.parametrizations import spectral_norm, weight_norm
from tinygrad_bp.onnx import to_onnx
from tinygrad_bp.testing import strategies

G = {"generator": 0}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 3)).astype(np.float32)


@given(example=strategies.networks(dtype="float32"), opset=st.integers(17, 21))
def test_networks_of_any_layers_compute_the_same(example, opset):
    both_agree(example.model, example.x, opset=opset)


@given(pair=strategies.layers(dtype="float32"), opset=st.integers(17, 21))
def test_any_layer_that_a_spec_declares_computes_the_same(pair, opset):
    layer, x = pair
    both_agree(layer, x, opset=opset)


class Model(nn.Module):
    """Modules under names, and what is done with them."""

    def __init__(self, forward, **parts):
        vars(self).update(parts)
        self.call = forward

    def forward(self, *inputs):
        return self.call(self, *inputs)


def residual_images():
    block = nn.Residual(
        *(nn.Conv2d(4, 4, 3, padding=1, **G), nn.BatchNorm2d(4), nn.ReLU()),
        *(nn.Conv2d(4, 4, 3, padding=1, bias=False, **G), nn.BatchNorm2d(4)),
    )
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3, **G))
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, **G), block, nn.ReLU(), head)


def words():
    """A language model of two layers, which look back alone."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, causal=True, **G)
    return nn.Sequential(
        nn.Embedding(11, 8, **G),
        nn.SinusoidalPositions(8, batch_first=True),
        nn.TransformerEncoder(layer, 2, nn.LayerNorm(8)),
        nn.Linear(8, 11, **G),
    )


def letters():
    lstm = nn.LSTM(8, 6, 2, batch_first=True, **G)

    def forward(self, indices):
        states, (last, cells) = self.lstm(self.table(indices))
        return self.out(states), last[-1], cells

    return Model(forward, table=nn.Embedding(11, 8, **G), lstm=lstm, out=nn.Linear(6, 11, **G))


def autoencoder():
    down = nn.Sequential(nn.Conv2d(1, 3, 3, stride=2, padding=1, **G), nn.GELU())
    up = nn.Sequential(nn.ConvTranspose2d(3, 1, 4, stride=2, padding=1, **G), nn.Sigmoid())
    return nn.Sequential(down, nn.InstanceNorm2d(3), up)


@pytest.mark.parametrize(
    ("make", "draw"),
    [
        (residual_images, lambda n: RNG.random((n, 1, 8, 8), np.float32)),
        (words, lambda n: RNG.integers(11, size=(n, 7))),
        (letters, lambda n: RNG.integers(11, size=(n, 7))),
        (autoencoder, lambda n: RNG.random((n, 1, 8, 8), np.float32)),
    ],
    ids=lambda part: getattr(part, "__name__", ""),
)
def test_a_whole_network_computes_the_same_on_any_number_of_samples(make, draw):
    model = make()
    for n in (1, 6):
        batch = draw(n)
        both_agree(model, draw(2), batch=(batch,) if isinstance(batch, tuple) else batch)


def test_weights_that_are_computed_are_written_as_they_are():
    model = nn.Sequential(nn.Linear(3, 4, **G), nn.Tanh(), nn.Linear(4, 2, **G))
    weight_norm(model[0])
    spectral_norm(model[2])
    written = both_agree(model, RNG.normal(size=(2, 3)).astype(np.float32))
    assert "0.bias" in {each.name for each in written.graph.initializer}


def some(*shape):
    return RNG.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("make", "axes", "draw"),
    [
        (lambda: nn.RNN(3, 4, **G), 1, lambda n: some(5, n, 3)),
        (
            lambda: nn.GRU(3, 4, batch_first=True, **G),
            (0, 1),
            lambda n: (some(n, 5, 3), some(1, n, 4)),
        ),
        (lambda: nn.LSTM(3, 4, 2, **G), (1, 2), lambda n: (some(5, n, 3), some(2, 2, n, 4))),
    ],
    ids=["RNN", "GRU", "LSTM"],
)
def test_first_states_are_inputs_with_an_axis_of_samples_of_their_own(make, axes, draw):
    both_agree(make(), draw(2), batch=draw(6), batch_axis=axes)


def test_an_output_may_be_a_parameter_a_number_or_of_no_axes():
    model = Model(lambda self, x: (self.w, x.sum(), x.shape[1] * 1.0), w=nn.Parameter(some(3)))
    both_agree(model, X)


def test_what_a_hook_does_is_written_too():
    layer = nn.BatchNorm1d(3)
    both_agree(layer, X)
    layer.register_forward_hook(lambda module, inputs, out: out * 2.0)
    written = both_agree(layer, X)
    assert "BatchNormalization" not in {node.op_type for node in written.graph.node}


def test_a_batch_normalisation_is_one_operator_wherever_it_is_used():
    shared = nn.BatchNorm1d(3)
    model = nn.Sequential(shared, nn.Linear(3, 3, **G), shared)
    written = both_agree(model, X)
    kinds = [node.op_type for node in written.graph.node]
    assert kinds == ["BatchNormalization", "Gemm", "BatchNormalization"]


def of_pairs(forward, **parts):
    return Model(forward, **parts), RNG.normal(size=(2, 3, 4)).astype(np.float32)


def attention():
    return nn.MultiheadAttention(4, 2, batch_first=True, **G)


def lstm():
    return nn.LSTM(4, 3, batch_first=True, **G)


#: What ONNX lacks, or what is no part of the graph, with the words of the error.
REFUSED = {
    "a loss": (
        of_pairs(lambda self, x: nn.CrossEntropyLoss()(x[:, 0], np.zeros(len(x), int))),
        "'cross_entropy_labels' in .* ONNX has no such operation",
    ),
    "where the largest lie": (
        of_pairs(lambda self, x: self.pool(x)[1], pool=nn.MaxPool1d(2, return_indices=True)),
        "'output' cannot be written in ONNX: an input .* its way is not recorded",
    ),
    "a mask made of values": (
        of_pairs(
            lambda self, x: self.part(x, x, x, key_padding_mask=x.data[..., 0] > 0)[0],
            part=attention(),
        ),
        "something else for other values or another number of samples, from ",
    ),
    "sequences of lengths of their own": (
        of_pairs(
            lambda self, x: self.part(nn.pack_padded_sequence(x, [3] * len(x), True))[0].data,
            part=lstm(),
        ),
        "'gather' in .* positions depend on values in a way that was not recorded",
    ),
    "a sorted array": (
        of_pairs(lambda self, x: np.median(x, axis=1)),
        "ONNX has no such operation",
    ),
    "dropout that is not of the module": (
        of_pairs(lambda self, x: nn.functional.dropout(x, 0.5, True, np.random.default_rng(0))),
        "'multiply' in .* its way is not recorded",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused(what):
    (model, x), words = REFUSED[what]
    with pytest.raises(ExportError, match=words) as caught:
        to_onnx(model, x)
    assert "test_networks.py" in str(caught.value) or "'output'" in str(caught.value)
    assert "Fix: " in str(caught.value)
