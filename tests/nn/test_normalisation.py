"""Normalisation layers against formulas written out with NumPy alone, and numerical derivatives."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import nn
from tinygrad_bp.errors import ArgumentError, ShapeError, SpecError
from tinygrad_bp.nn import functional
from tinygrad_bp.testing import check_gradients

RNG = np.random.default_rng(11)
X = RNG.normal(3, 2, size=(4, 6, 3, 2))


def standardised(x, axes, eps=1e-5):
    return (x - x.mean(axis=axes, keepdims=True)) / np.sqrt(x.var(axis=axes, keepdims=True) + eps)


def groups_of(x, n, eps=1e-5):
    parts = [standardised(part, (1, 2, 3), eps) for part in np.split(x, n, axis=1)]
    return np.concatenate(parts, axis=1)


def near_channels(x, size, alpha, beta, k):
    """Of the loop over channels of the paper, with the mean in place of the sum."""
    out = np.empty_like(x)
    for c in range(x.shape[1]):
        near = x[:, max(c - size // 2, 0) : c + (size - 1) // 2 + 1]
        out[:, c] = x[:, c] / (k + alpha * (near**2).sum(axis=1) / size) ** beta
    return out


LAYERS = [
    (nn.BatchNorm2d(6), standardised(X, (0, 2, 3))),
    (nn.BatchNorm2d(6, eps=0.5), standardised(X, (0, 2, 3), 0.5)),
    (nn.BatchNorm2d(6, bias=False), standardised(X, (0, 2, 3))),
    (nn.GroupNorm(2, 6, bias=False), groups_of(X, 2)),
    (nn.InstanceNorm2d(6, affine=True), standardised(X, (2, 3))),
    (nn.InstanceNorm2d(6, eps=0.5), standardised(X, (2, 3), 0.5)),
    (nn.LayerNorm(2), standardised(X, (3,))),
    (nn.LayerNorm((6, 3, 2), eps=0.5), standardised(X, (1, 2, 3), 0.5)),
    (nn.GroupNorm(3, 6), groups_of(X, 3)),
    (nn.GroupNorm(1, 6, affine=False), groups_of(X, 1)),
    (nn.RMSNorm((3, 2), eps=0.5), X / np.sqrt((X**2).mean(axis=(2, 3), keepdims=True) + 0.5)),
    (nn.RMSNorm(2), X / np.sqrt((X**2).mean(axis=3, keepdims=True) + 2.0**-52)),
    (nn.LocalResponseNorm(3, 0.5), near_channels(X, 3, 0.5, 0.75, 1)),
    (nn.LocalResponseNorm(4, 0.2, 0.5, 2.0), near_channels(X, 4, 0.2, 0.5, 2)),
]
each = pytest.mark.parametrize(("layer", "expected"), LAYERS, ids=[repr(v) for v, _ in LAYERS])


def scaled(layer, seed=0):
    """A copy in float64 with a weight and bias of its own, and these as they broadcast."""
    layer = copy.deepcopy(layer).astype(float)
    rng = np.random.default_rng(seed)
    factors = {"weight": 1.0, "bias": 0.0}
    for name, parameter in layer.named_parameters():
        parameter.assign(rng.normal(size=parameter.shape))
        by_sample = isinstance(layer, (nn.LayerNorm, nn.RMSNorm))
        form = parameter.shape if by_sample else (-1, 1, 1)
        factors[name] = parameter.data.reshape(form)
    return layer, factors


@each
def test_a_layer_computes_the_formula_with_its_weight_and_bias(layer, expected):
    layer, factors = scaled(layer)
    found = layer(X)
    assert found.dtype == float
    np.testing.assert_allclose(
        found.data, expected * factors["weight"] + factors["bias"], rtol=1e-10, atol=1e-12
    )


@each
def test_the_gradients_of_a_layer_are_the_derivatives(layer, expected):
    layer, _ = scaled(layer)
    check_gradients(layer, X[:2])
    x = tg.Tensor(X, requires_grad=True)
    v = RNG.normal(size=X.shape)
    (layer(x) * v).sum().backward()
    for parameter in layer.parameters():
        found = parameter.grad.data
        start, step = parameter.data.copy(), RNG.normal(size=parameter.shape)
        ends = []
        for sign in (1, -1):  # the output is linear in the parameters
            parameter.assign(start + sign * step)
            ends.append(np.sum(layer(X).data * v))
        parameter.assign(start)
        assert np.sum(found * step) == pytest.approx((ends[0] - ends[1]) / 2, rel=1e-9)


@each
def test_float32_stays_float32_and_loses_no_digits_far_from_zero(layer, expected):
    layer = copy.deepcopy(layer)
    shifted = isinstance(layer, (nn.RMSNorm, nn.LocalResponseNorm))
    x = X.astype(np.float32)
    found = layer(x if shifted else x + np.float32(1000))
    assert found.dtype == np.float32
    # 1000 + x is rounded to 6e-5, and the deviation of two elements may be as little as 0.01.
    tolerance = 1e-5 if shifted else 2e-2
    np.testing.assert_allclose(found.data, expected, rtol=1e-4, atol=tolerance)
    x = tg.Tensor(x, requires_grad=True)
    layer(x).sum().backward()
    assert {x.grad.dtype, *(p.grad.dtype for p in layer.parameters())} == {np.dtype("f4")}


@each
def test_a_layer_can_be_declared_with_its_sizes_left_out_and_read_back(layer, expected):
    layer = copy.deepcopy(layer)
    spec = nn.NetworkSpec.from_module(nn.Sequential(layer), X.shape[1:])
    assert "num_features" not in spec.layers[0]
    again = spec.build(0)
    assert repr(again[0]) == repr(layer)
    assert nn.NetworkSpec.from_module(again) == spec
    assert spec.shapes()[0].shape == X.shape[1:]


def test_batch_normalisation_moves_the_running_values_in_training_alone():
    norm = nn.BatchNorm2d(6, momentum=0.25, dtype=float)
    norm(X)
    mean, var = X.mean(axis=(0, 2, 3)), X.var(axis=(0, 2, 3), ddof=1)
    np.testing.assert_allclose(norm.running_mean.data, 0.25 * mean, rtol=1e-13)
    np.testing.assert_allclose(norm.running_var.data, 0.75 + 0.25 * var, rtol=1e-13)
    assert norm.num_batches_tracked.item() == 1
    before = norm.state_dict()
    found = norm.eval()(X + 1).data
    for name, value in norm.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    running = (v.reshape(-1, 1, 1) for v in (before["running_mean"], before["running_var"]))
    mean, var = running
    np.testing.assert_allclose(found, (X + 1 - mean) / np.sqrt(var + 1e-5), rtol=1e-12)


def test_what_is_not_recorded_moves_the_running_values_as_what_is():
    recorded, other = nn.BatchNorm1d(6), nn.BatchNorm1d(6)
    x = X[:, :, 0].astype(np.float32)
    recorded(x)
    with tg.no_grad():
        other(x)
    frozen = nn.BatchNorm1d(6, affine=False)
    frozen(x)
    for name in ("running_mean", "running_var"):
        values = [getattr(norm, name).data for norm in (recorded, other, frozen)]
        np.testing.assert_array_equal(values[0], values[1])
        np.testing.assert_array_equal(values[0], values[2])


def test_without_momentum_the_running_values_are_plain_means():
    norm = nn.BatchNorm1d(3, momentum=None, dtype=float)
    batches = RNG.normal(size=(5, 8, 3))
    for batch in batches:
        norm(batch)
    np.testing.assert_allclose(norm.running_mean.data, batches.mean(axis=(0, 1)), rtol=1e-12)
    expected = batches.var(axis=1, ddof=1).mean(axis=0)
    np.testing.assert_allclose(norm.running_var.data, expected, rtol=1e-12)
    assert norm.num_batches_tracked.item() == 5


def test_without_running_values_the_batch_decides_in_eval_mode_too():
    norm = nn.BatchNorm1d(3, track_running_stats=False, dtype=float).eval()
    x = RNG.normal(size=(5, 3))
    np.testing.assert_allclose(norm(x).data, standardised(x, (0,)), rtol=1e-12)
    assert list(norm.state_dict()) == ["weight", "bias"]


def test_instance_normalisation_keeps_running_values_where_asked():
    norm = nn.InstanceNorm1d(2, track_running_stats=True, momentum=0.5, dtype=float)
    x = RNG.normal(size=(3, 2, 5))
    norm(x)
    np.testing.assert_allclose(norm.running_mean.data, 0.5 * x.mean(axis=(0, 2)), rtol=1e-12)
    var = x.var(axis=2, ddof=1).mean(axis=0)
    np.testing.assert_allclose(norm.running_var.data, 0.5 + 0.5 * var, rtol=1e-12)
    mean, var = (v.data[:, None] for v in (norm.running_mean, norm.running_var))
    np.testing.assert_allclose(norm.eval()(x[0]).data, (x[0] - mean) / np.sqrt(var + 1e-5))


def test_the_state_has_the_names_and_dtypes_of_the_field():
    state = nn.BatchNorm3d(2).state_dict()
    assert {name: (v.shape, str(v.dtype)) for name, v in state.items()} == {
        "weight": ((2,), "float32"),
        "bias": ((2,), "float32"),
        "running_mean": ((2,), "float32"),
        "running_var": ((2,), "float32"),
        "num_batches_tracked": ((), "int64"),
    }
    assert list(nn.LayerNorm(3, bias=False).state_dict()) == ["weight"]
    assert list(nn.RMSNorm((2, 3)).state_dict()) == ["weight"]
    assert nn.BatchNorm1d(3).astype(float).state_dict()["running_var"].dtype == float


def test_any_layout_in_memory_gives_the_same():
    x = np.asfortranarray(X)[::-1, ::2]
    for layer in (nn.BatchNorm2d(3, dtype=float), nn.LayerNorm((3, 2), dtype=float)):
        np.testing.assert_allclose(layer(x).data, layer(x.copy()).data, rtol=1e-13)


def test_half_precision_is_computed_in_single_precision():
    x = (X * 200).astype(np.float16)  # the squares overflow float16
    for found, axes in ((functional.batch_norm(x, training=True), (0, 2, 3)), (None, (3,))):
        found = functional.layer_norm(x, 2) if found is None else found
        assert found.dtype == np.float16
        expected = standardised(x.astype(float), axes)
        np.testing.assert_allclose(found.data.astype(float), expected, atol=2e-3)


def test_a_bias_is_added_without_a_weight_too():
    bias = tg.Tensor([1.0, 2.0], requires_grad=True)
    x = X[..., 0, :].reshape(-1, 2)
    for found, axis in (
        (functional.layer_norm(x, 2, bias=bias), 1),
        (functional.batch_norm(x, bias=bias, training=True), 0),
    ):
        np.testing.assert_allclose(found.data, standardised(x, (axis,)) + bias.data, rtol=1e-9)
        bias.grad = None
        found.sum().backward()
        np.testing.assert_array_equal(bias.grad.data, [len(x)] * 2)


def test_an_input_that_does_not_fit_names_the_layer_and_changes_nothing():
    norm = nn.BatchNorm2d(3)
    model = nn.Sequential(nn.Identity(), norm)
    before = norm.state_dict()
    with pytest.raises(
        ShapeError, match=r"BatchNorm2d in Sequential.1 at .*: input \(2, 4, 5, 5\)"
    ):
        model(np.ones((2, 4, 5, 5)))
    with pytest.raises(ShapeError, match=r"expected \(N, C, H, W\) with C = 3"):
        model(np.ones((2, 3)))
    with pytest.raises(ShapeError, match="has a single value in each channel.*\n?.*eval"):
        model(np.ones((1, 3, 1, 1)))
    for name, value in norm.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    assert model.eval()(np.ones((1, 3, 1, 1))).shape == (1, 3, 1, 1)
    with pytest.raises(ShapeError, match=r"layer_norm in Sequential.0 .*expected \(…, 3, 4\)"):
        nn.Sequential(nn.LayerNorm((3, 4)))(np.ones((3, 5)))
    with pytest.raises(ShapeError, match=r"GroupNorm at .*expected \(N, 4, …\)"):
        nn.GroupNorm(2, 4)(np.ones((1, 3)))
    with pytest.raises(ShapeError, match=r"expected \(N, C, L\) or \(C, L\) with C = 2"):
        nn.InstanceNorm1d(2)(np.ones((3, 4)))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: nn.BatchNorm1d(0), "num_features is a positive integer, not 0"),
        (lambda: nn.BatchNorm1d(True), "num_features is a positive integer, not True"),
        (lambda: nn.BatchNorm1d(2, momentum=1.5), r"momentum is a number in \[0, 1\], not 1.5"),
        (lambda: nn.BatchNorm1d(2, eps=-1), "eps is a number of 0 or more, not -1"),
        (lambda: nn.GroupNorm(2, 3), "3 channels do not divide into 2 groups"),
        (lambda: nn.LayerNorm(()), "normalized_shape has no axes"),
        (lambda: nn.LayerNorm((2, 0)), "normalized_shape is a positive integer, not 0"),
        (lambda: nn.LocalResponseNorm(0), "size is a positive integer, not 0"),
        (lambda: functional.group_norm(X, 4), "6 channels do not divide into 4 groups"),
        (lambda: functional.batch_norm(X), "not in training, and there is no running mean"),
        (
            lambda: functional.batch_norm(X, weight=[1.0], training=True),
            r"weight has the shape \(1,",
        ),
        (lambda: functional.batch_norm(X, training=True, eps=float("nan")), "eps is nan"),
        (lambda: functional.batch_norm([1.0], training=True), "has no axis of channels"),
        (
            lambda: functional.instance_norm(X[..., :1, :1]),
            "a single element in each channel of a",
        ),
        (lambda: functional.layer_norm(X, (3, 2), bias=[1.0]), r"bias has the shape \(1,\)"),
        (lambda: functional.local_response_norm(X, 0), "size is 0"),
    ],
)
def test_what_makes_no_sense_is_refused(make, text):
    with pytest.raises((ArgumentError, ShapeError), match=text):
        make()


def test_a_spec_may_name_several_axes_and_they_are_checked():
    spec = nn.NetworkSpec((6, 3, 2), [{"type": "LayerNorm", "normalized_shape": [3, 2]}])
    assert spec.build(0)[0].weight.shape == (3, 2)
    with pytest.raises(SpecError, match=r"declares normalized_shape = \[3, 3\]"):
        nn.NetworkSpec((6, 3, 2), [{"type": "LayerNorm", "normalized_shape": [3, 3]}])
