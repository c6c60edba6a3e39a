"""Transformers against NumPy, with attention taken from its own layer, which is tested before."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn import (
    LayerNorm,
    NetworkSpec,
    Transformer,
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerEncoder,
    TransformerEncoderLayer,
)
from tinygrad_bp.testing import check_gradients

RNG = np.random.default_rng(10)
PLAIN = {"dropout": 0.0, "dtype": float, "batch_first": True}


def normalised(x, norm):
    away = x - x.mean(axis=-1, keepdims=True)
    y = away / np.sqrt((away**2).mean(axis=-1, keepdims=True) + norm.eps)
    return y * norm.weight.data + (0 if norm.bias is None else norm.bias.data)


def dense(x, layer):
    hidden = x @ layer.linear1.weight.data.T + layer.linear1.bias.data
    if layer.activation == "relu":
        hidden = np.maximum(hidden, 0)
    else:
        hidden = hidden * (1 + np.vectorize(math.erf)(hidden / math.sqrt(2))) / 2
    return hidden @ layer.linear2.weight.data.T + layer.linear2.bias.data


def randomised(layer):
    for p in layer.parameters():
        p.assign(RNG.normal(size=p.shape) / 2)
    return layer


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("norm_first", [False, True])
def test_an_encoder_layer_is_attention_and_a_dense_network_each_added(norm_first, activation):
    options = {"norm_first": norm_first, "activation": activation, **PLAIN}
    layer = randomised(TransformerEncoderLayer(4, 2, 5, layer_norm_eps=0.1, **options))
    x = RNG.normal(size=(2, 3, 4))
    parts = (lambda y: layer.self_attn(y).data, lambda y: dense(y, layer))
    y = x
    for part, norm in zip(parts, (layer.norm1, layer.norm2), strict=True):
        y = y + part(normalised(y, norm)) if norm_first else normalised(y + part(y), norm)
    np.testing.assert_allclose(layer(x).data, y, rtol=1e-12)


@pytest.mark.parametrize("norm_first", [False, True])
def test_a_decoder_layer_looks_at_what_an_encoder_gave(norm_first):
    layer = randomised(TransformerDecoderLayer(4, 2, 5, norm_first=norm_first, **PLAIN))
    x, memory = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(2, 6, 4))
    parts = (
        lambda y: layer.self_attn(y).data,
        lambda y: layer.multihead_attn(y, memory).data,
        lambda y: dense(y, layer),
    )
    y = x
    for part, norm in zip(parts, (layer.norm1, layer.norm2, layer.norm3), strict=True):
        y = y + part(normalised(y, norm)) if norm_first else normalised(y + part(y), norm)
    np.testing.assert_allclose(layer(x, memory).data, y, rtol=1e-12)


def test_gradients_are_the_numerical_ones():
    encoder = TransformerEncoderLayer(2, 1, 2, activation="gelu", generator=0, **PLAIN)
    decoder = TransformerDecoderLayer(2, 1, 2, activation=np.tanh, generator=1, **PLAIN)

    def loss(encoder, decoder, x, y):
        return np.sum(np.sin(decoder(y, encoder(x), tgt_is_causal=True)))

    inputs = RNG.normal(size=(1, 2, 2)), RNG.normal(size=(1, 3, 2))
    assert check_gradients(loss, encoder, decoder, *inputs, order=1).passed


def test_stacks_are_their_layers_one_after_another():
    layer = TransformerEncoderLayer(4, 2, 5, **PLAIN)
    encoder = randomised(TransformerEncoder(layer, 3, LayerNorm(4, dtype=float)))
    x, mask = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(3, 3))
    y = x
    for each in encoder.layers:
        y = each(y, mask)
    np.testing.assert_array_equal(encoder(x, mask).data, encoder.norm(y).data)
    decoder = randomised(TransformerDecoder(TransformerDecoderLayer(4, 2, 5, **PLAIN), 2))
    y = x
    for each in decoder.layers:
        y = each(y, x, tgt_is_causal=True)
    np.testing.assert_array_equal(decoder(x, x, tgt_is_causal=True).data, y.data)


def test_layers_of_a_stack_start_alike_and_draw_apart():
    layer = TransformerEncoderLayer(4, 2, 5, dropout=0.5, generator=0, batch_first=True)
    first, second = TransformerEncoder(layer, 2).layers
    for name, value in first.state_dict().items():
        np.testing.assert_array_equal(second.state_dict()[name], value)
    streams = [g for stack in (first, second) for _, g in stack.generators()]
    assert len(streams) == 8
    assert len({g.random() for g in streams}) == 8


def test_causal_layers_do_not_see_what_comes_later():
    x = RNG.normal(size=(1, 5, 4)).astype(np.float32)
    later = x.copy()
    later[:, 3:] += 1
    for layer, options in (
        (TransformerEncoderLayer(4, 2, 5, 0.0, batch_first=True, causal=True, rotary=True), {}),
        (TransformerEncoderLayer(4, 2, 5, 0.0, batch_first=True), {"is_causal": True}),
    ):
        a, b = (layer(each, **options).data for each in (x, later))
        np.testing.assert_array_equal(a[:, :3], b[:, :3])
        assert not np.allclose(a[:, 3:], b[:, 3:])
    decoder = TransformerDecoderLayer(4, 2, 5, 0.0, batch_first=True, causal=True)
    a, b = decoder(x, x).data, decoder(later, x).data
    np.testing.assert_array_equal(a[:, :3], b[:, :3])


def test_a_transformer_reads_and_goes_on():
    model = Transformer(4, 2, 2, 1, 5, generator=0, **PLAIN)
    src, tgt = RNG.normal(size=(2, 6, 4)), RNG.normal(size=(2, 3, 4))
    mask = Transformer.generate_square_subsequent_mask(3, float)
    y = model(src, tgt, tgt_mask=mask).data
    np.testing.assert_array_equal(y, model.decoder(tgt, model.encoder(src), mask).data)
    causal = Transformer(4, 2, 2, 1, 5, generator=0, causal=True, **PLAIN)
    np.testing.assert_allclose(causal(src, tgt).data, y, rtol=1e-12)
    for name, p in model.named_parameters():
        if p.ndim > 1:
            bound = (6 / sum(p.shape)) ** 0.5
            assert np.abs(p.data).max() <= bound, name
    assert len({p.data.tobytes() for p in model.parameters() if p.ndim > 1}) == 14


def test_training_drops_and_predictions_do_not():
    layer = TransformerEncoderLayer(4, 2, 5, generator=0)
    x = np.ones((3, 2, 4), np.float32)
    assert not np.array_equal(layer(x).data, layer(x).data)
    layer.eval()
    np.testing.assert_array_equal(layer(x).data, layer(x).data)


def test_specs_declare_encoders_and_decoders():
    options = {"nhead": 2, "dim_feedforward": 8, "batch_first": True}
    layer = {"type": "TransformerEncoderLayer", **options}
    causal = {**layer, "causal": True}
    spec = NetworkSpec(
        (5, 4),
        [
            {"type": "SinusoidalPositions", "batch_first": True},
            {"type": "TransformerEncoder", "num_layers": 2, "encoder_layer": causal},
            {**layer, "norm_first": True, "dropout": 0.0, "rotary": True},
            {"type": "Linear", "out_features": 3},
        ],
    )
    model = spec.build(0)
    assert model(np.zeros((2, 7, 4), np.float32)).shape == (2, 7, 3)
    assert NetworkSpec.from_module(model, (5, 4)) == spec
    memory = {"type": "TransformerDecoderLayer", **options, "inputs": ["input", "memory"]}
    both = {**memory, "type": "Transformer", "inputs": ["memory", "0"], "num_encoder_layers": 1}
    spec = NetworkSpec({"input": (3, 4), "memory": (5, 4)}, [memory, both])
    model = spec.build(0)
    x, kept = np.zeros((2, 3, 4), np.float32), np.zeros((2, 5, 4), np.float32)
    assert model(x, kept).shape == (2, 3, 4)
    assert NetworkSpec.from_module(model, {"input": (3, 4), "memory": (5, 4)}) == spec


def test_wrong_arguments_and_shapes_are_told():
    with pytest.raises(ArgumentError, match="(?s)is 'relu' or 'gelu', not 'rely'.*Fix: .*relu"):
        TransformerEncoderLayer(4, 2, activation="rely")
    with pytest.raises(ArgumentError, match="num_layers is a positive integer, not 0"):
        TransformerEncoder(TransformerEncoderLayer(4, 2, 5), 0)
    encoder = TransformerEncoder(TransformerEncoderLayer(4, 2, 5), 1)
    with pytest.raises(
        ShapeError, match=r"in TransformerEncoder.layers.0 .*input \(3, 2, 5\), expected \(steps, s"
    ):
        encoder(np.zeros((3, 2, 5)))
    with pytest.raises(ShapeError, match=r"memory \(3, 2, 5\), expected"):
        TransformerDecoderLayer(4, 2, 5)(np.zeros((3, 2, 4)), np.zeros((3, 2, 5)))
