"""Attention against loops over samples, heads, queries and keys."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, DTypeError, ShapeError, SpecError
from tinygrad_bp.nn import Linear, MultiheadAttention, NetworkSpec, Sequential
from tinygrad_bp.nn.functional import scaled_dot_product_attention
from tinygrad_bp.testing import check_gradients

RNG = np.random.default_rng(8)


def one_head(q, k, v, bias=None, scale=None):
    """Outputs and weights of queries, keys and values (steps, features), one by one."""
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    weights = np.zeros((len(q), len(k)))
    for i, query in enumerate(q):
        scores = np.array([scale * (query @ key) for key in k])
        scores = scores if bias is None else scores + bias[i]
        if scores.max() > -np.inf:
            shares = np.exp(scores - scores.max())
            weights[i] = shares / shares.sum()
    return weights @ v, weights


def by_loops(layer, q, k, v, bias=None):
    """`MultiheadAttention` of (samples, steps, features): outputs, and the weights of all heads."""
    p, n = layer.state_dict(), layer.embed_dim
    if "in_proj_weight" in p:
        maps = np.split(p["in_proj_weight"], 3)
    else:
        maps = [p[f"{name}_proj_weight"] for name in "qkv"]
    offsets = np.split(p["in_proj_bias"], 3) if "in_proj_bias" in p else [0, 0, 0]
    outputs, weights = [], []
    for s in range(len(q)):
        projected = [x[s] @ w.T + b for x, w, b in zip((q, k, v), maps, offsets, strict=True)]
        if "bias_k" in p:
            projected[1] = np.concatenate((projected[1], p["bias_k"][0]))
            projected[2] = np.concatenate((projected[2], p["bias_v"][0]))
        if layer.add_zero_attn:
            projected[1:] = [np.concatenate((x, np.zeros((1, n)))) for x in projected[1:]]
        width = n // layer.num_heads
        heads = [
            one_head(*(x[:, h * width : (h + 1) * width] for x in projected), bias)
            for h in range(layer.num_heads)
        ]
        joined = np.concatenate([each[0] for each in heads], axis=1)
        outputs.append(joined @ p["out_proj.weight"].T + p.get("out_proj.bias", 0))
        weights.append([each[1] for each in heads])
    return np.array(outputs), np.array(weights)


def layer_of(*given, **options):
    layer = MultiheadAttention(
        *given, **{"dtype": float, "generator": 0, "batch_first": True, **options}
    )
    if layer.in_proj_bias is not None:
        layer.in_proj_bias.assign(RNG.normal(size=layer.in_proj_bias.shape))
    return layer


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bias": False},
        {"kdim": 3, "vdim": 2},
        {"add_bias_kv": True},
        {"add_zero_attn": True},
        {"add_bias_kv": True, "add_zero_attn": True, "kdim": 5},
    ],
)
def test_several_heads_are_heads_one_by_one(options):
    layer = layer_of(4, 2, **options)
    q = RNG.normal(size=(2, 3, 4))
    k, v = RNG.normal(size=(2, 5, layer.kdim)), RNG.normal(size=(2, 5, layer.vdim))
    y, weights = layer(q, k, v, average_attn_weights=False)
    expected, shares = by_loops(layer, q, k, v)
    np.testing.assert_allclose(y.data, expected, rtol=1e-12)
    np.testing.assert_allclose(weights.data, shares, rtol=1e-12)
    np.testing.assert_allclose(layer(q, k, v)[1].data, shares.mean(axis=1), rtol=1e-12)
    assert layer(q, k, v, need_weights=False)[1] is None


def test_a_sequence_that_looks_at_itself_needs_to_be_passed_once():
    layer = layer_of(4, 2)
    x = RNG.normal(size=(2, 3, 4))
    y = layer(x)[0].data
    np.testing.assert_allclose(y, by_loops(layer, x, x, x)[0], rtol=1e-12)
    np.testing.assert_allclose(layer(x, x.copy(), x.copy())[0].data, y, rtol=1e-12)
    np.testing.assert_allclose(layer(x[0])[0].data, y[0], rtol=1e-12)
    turned = layer_of(4, 2, batch_first=False)
    turned.load_state_dict(layer.state_dict())
    np.testing.assert_allclose(turned(x.swapaxes(0, 1))[0].data.swapaxes(0, 1), y, rtol=1e-12)


def test_masks_are_added_up():
    layer = layer_of(4, 2, add_zero_attn=True)
    x = RNG.normal(size=(2, 3, 4))
    hidden = np.array([[False, True, False], [False, False, False]])
    added = RNG.normal(size=(3, 3))
    y = layer(x, key_padding_mask=hidden, attn_mask=added)[0].data
    for s in range(2):
        bias = np.where(hidden[s], -np.inf, added)
        bias = np.concatenate((bias, np.zeros((3, 1))), axis=1)
        one = x[s : s + 1]
        np.testing.assert_allclose(y[s], by_loops(layer, one, one, one, bias)[0][0])


def test_what_three_masks_hide_is_hidden():
    layer = layer_of(4, 2, causal=True, dtype=np.float32)
    x = RNG.normal(size=(2, 3, 4)).astype(np.float32)
    hidden = np.array([[False, False, True]] * 2)
    weights = layer(x, key_padding_mask=hidden, attn_mask=~np.tri(3, dtype=bool))[1].data
    np.testing.assert_array_equal(weights[:, :, 2], 0)
    np.testing.assert_array_equal(weights[:, 0], [[1, 0, 0]] * 2)
    all_hidden = layer(x, key_padding_mask=np.ones((2, 3), bool))
    np.testing.assert_array_equal(all_hidden[1].data, 0)
    np.testing.assert_array_equal(all_hidden[0].data[0, 0], layer.out_proj.bias.data)


def test_each_head_may_have_its_mask():
    layer = layer_of(4, 2)
    x = RNG.normal(size=(2, 3, 4))
    masks = RNG.normal(size=(4, 3, 3))
    weights = layer(x, attn_mask=masks, average_attn_weights=False)[1].data
    bare = layer(x, average_attn_weights=False)[1].data
    shares = np.exp(np.log(bare) + masks.reshape(2, 2, 3, 3))
    np.testing.assert_allclose(weights, shares / shares.sum(axis=-1, keepdims=True), rtol=1e-12)


@pytest.mark.parametrize("of", ["call", "layer"])
def test_a_causal_layer_does_not_see_what_comes_later(of):
    layer = layer_of(4, 2, causal=of == "layer")
    options = {"is_causal": True} if of == "call" else {}
    x = RNG.normal(size=(1, 5, 4))
    later = x.copy()
    later[:, 3:] += 1
    a, b = (layer(each, **options)[0].data for each in (x, later))
    np.testing.assert_array_equal(a[:, :3], b[:, :3])
    assert not np.allclose(a[:, 3:], b[:, 3:])
    np.testing.assert_array_equal(np.triu(layer(x, **options)[1].data[0], 1), 0)


def test_a_query_that_may_look_at_nothing_gets_zeros_and_gives_no_gradient():
    q = tg.Tensor(RNG.normal(size=(2, 3)), requires_grad=True)
    mask = np.array([[False, False], [True, False]])
    y = scaled_dot_product_attention(q, q, q, mask)
    np.testing.assert_array_equal(y.data, [np.zeros(3), q.data[0]])
    y[0].sum().backward()
    np.testing.assert_array_equal(q.grad.data, 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_masks_of_another_precision_do_not_change_that_of_the_layer(dtype):
    x = RNG.normal(size=(2, 3, 4)).astype(np.float32)
    mask = np.where(np.tri(3, dtype=bool), 0, np.finfo(dtype).min).astype(dtype)
    layer = layer_of(4, 2, dtype=np.float32)
    y = layer(x, attn_mask=mask)[0]
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y.data, layer(x, is_causal=True)[0].data)


def test_the_function_is_the_formula_for_all_leading_axes():
    q, k = RNG.normal(size=(2, 1, 3, 4)), RNG.normal(size=(2, 3, 5, 4))
    v, mask = RNG.normal(size=(2, 3, 5, 2)), RNG.random((3, 5)) < 0.7
    y = scaled_dot_product_attention(q, k, v, mask, scale=0.3).data
    for i, j in np.ndindex(2, 3):
        bias = np.where(mask, 0, -np.inf)
        np.testing.assert_allclose(y[i, j], one_head(q[i, 0], k[i, j], v[i, j], bias, 0.3)[0])
    shared = scaled_dot_product_attention(
        np.repeat(q, 4, axis=1), k[:, :2], v[:, :2], enable_gqa=True
    )
    for head in range(4):
        expected = one_head(q[0, 0], k[0, head // 2], v[0, head // 2])[0]
        np.testing.assert_allclose(shared.data[0, head], expected)


def test_gradients_are_the_numerical_ones_that_of_a_mask_too():
    layer = layer_of(2, 1, add_bias_kv=True, kdim=3)
    q, k, v = RNG.normal(size=(1, 2, 2)), RNG.normal(size=(1, 3, 3)), RNG.normal(size=(1, 3, 2))

    def loss(layer, q, k, v, mask):
        y, weights = layer(q, k, v, attn_mask=mask)
        return np.sum(np.sin(y)) + np.sum(weights**2)

    assert check_gradients(loss, layer, q, k, v, RNG.normal(size=(2, 3)), order=2).passed


def test_dropout_draws_from_its_own_stream_in_training():
    layer = layer_of(4, 2, dropout=0.5)
    x = RNG.normal(size=(2, 6, 4))
    weights = layer(x)[1].data
    assert (weights == 0).any()
    assert not np.array_equal(layer(x)[1].data, weights)
    np.testing.assert_array_equal(layer_of(4, 2, dropout=0.5)(x)[1].data.shape, weights.shape)
    plain = layer_of(4, 2)
    plain.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(layer.eval()(x)[0].data, plain(x)[0].data)
    y = scaled_dot_product_attention(x, x, x, dropout_p=0.5, generator=np.random.default_rng(0))
    assert not np.allclose(y.data, scaled_dot_product_attention(x, x, x).data)


def test_rotary_attention_knows_distances_alone():
    layer = layer_of(8, 2, rotary=True)
    x = np.tile(RNG.normal(size=(1, 1, 8)), (1, 6, 1))
    weights = np.log(layer(x, average_attn_weights=False)[1].data[0])
    differences = np.diff(weights, axis=-1)
    np.testing.assert_allclose(differences[:, 2, :4], differences[:, 3, 1:], atol=1e-12)
    assert np.abs(differences).min() > 1e-3
    assert "rotary=True" in repr(layer)


def test_parameters_have_the_names_and_first_values_of_the_field():
    layer = MultiheadAttention(64, 2, add_bias_kv=True, generator=0)
    assert {n: p.shape for n, p in layer.named_parameters()} == {
        "in_proj_weight": (192, 64),
        "in_proj_bias": (192,),
        "bias_k": (1, 1, 64),
        "bias_v": (1, 1, 64),
        "out_proj.weight": (64, 64),
        "out_proj.bias": (64,),
    }
    bound = (6 / (192 + 64)) ** 0.5
    assert 0.98 * bound < np.abs(layer.in_proj_weight.data).max() <= bound
    assert not layer.in_proj_bias.data.any()
    assert not layer.out_proj.bias.data.any()
    assert np.abs(layer.out_proj.weight.data).max() <= np.float32(1 / 8)
    assert layer.bias_k.data.std() == pytest.approx(1 / 8, rel=0.3)
    names = list(MultiheadAttention(4, 2, bias=False, vdim=3).state_dict())
    assert names == ["q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj.weight"]


def test_a_spec_has_attention_of_a_sequence_to_itself_and_to_another():
    attention = {"type": "MultiheadAttention", "num_heads": 2, "batch_first": True}
    layers = [
        {**attention, "returns": "output", "causal": True},
        {"type": "Linear", "out_features": 1},
    ]
    spec = NetworkSpec((5, 4), layers)
    model = spec.build(0)
    assert model(np.zeros((3, 7, 4), np.float32)).shape == (3, 7, 1)
    assert NetworkSpec.from_module(model, (5, 4)) == spec
    inputs = ["input", "memory"]
    spec = NetworkSpec(
        {"input": (3, 4), "memory": (5, 2)},
        [{**attention, "returns": "output", "kdim": 2, "vdim": 2, "inputs": inputs}],
    )
    model = spec.build(0)
    assert model(np.zeros((1, 3, 4), np.float32), np.zeros((1, 5, 2), np.float32)).shape == (
        1,
        3,
        4,
    )
    with pytest.raises(SpecError, match="batch_first = false"):
        NetworkSpec((5, 4), [{"type": "MultiheadAttention", "num_heads": 2}])


def test_wrong_arguments_shapes_and_masks_are_told():
    with pytest.raises(ArgumentError, match="6 features do not divide into 4 heads"):
        MultiheadAttention(6, 4)
    with pytest.raises(ArgumentError, match=r"dropout of MultiheadAttention lies in \[0, 1\)"):
        MultiheadAttention(6, 3, dropout=1)
    layer = MultiheadAttention(4, 2)
    x = np.zeros((3, 2, 4), np.float32)
    with pytest.raises(ShapeError, match=r"in Sequential.0 .*query \(3, 2, 5\), expected \(steps"):
        Sequential(layer, Linear(4, 1))(np.zeros((3, 2, 5)))
    with pytest.raises(ShapeError, match=r"key \(3, 4\), expected \(steps, samples, 4\)"):
        layer(x, x[:, 0])
    with pytest.raises(ShapeError, match=r"value \(2, 2, 4\), expected \(3, 2, 4\)"):
        layer(x, x, x[:2])
    with pytest.raises(ShapeError, match=r"key \(3, 1, 4\), expected .* of 2 samples"):
        layer(x, x[:, :1])
    with pytest.raises(ShapeError, match=r"attn_mask \(2, 2\), expected \(3, 3\) or \(4, 3, 3\)"):
        layer(x, attn_mask=np.zeros((2, 2)))
    with pytest.raises(ShapeError, match=r"key_padding_mask \(3, 2\), expected \(2, 3\)"):
        layer(x, key_padding_mask=np.zeros((3, 2)))
    with pytest.raises(ShapeError, match=r"key_padding_mask \(\), expected \(2, 3\)"):
        layer(x, key_padding_mask=np.array(True))
    with pytest.raises(DTypeError, match="attn_mask is of int64, neither truth values nor"):
        layer(x, attn_mask=np.zeros((3, 3), int))
    with pytest.raises(ArgumentError, match="there is a mask, and is_causal"):
        scaled_dot_product_attention(x, x, x, np.ones((2, 2), bool), is_causal=True)
    with pytest.raises(ShapeError, match=r"keys \(3, 2, 3\) and values"):
        scaled_dot_product_attention(x, x[..., :3], x)
