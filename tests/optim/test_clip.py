from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, GraphError, NonFiniteError
from tinygrad_bp.optim import clip_grad_norm_, clip_grad_value_


def with_gradients(*gradients, dtype=np.float64):
    params = [tg.Tensor(np.zeros(np.shape(g)), requires_grad=True, dtype=dtype) for g in gradients]
    for p, g in zip(params, gradients, strict=True):
        p.grad = tg.Tensor(g, dtype=dtype)
    return params


def test_the_joint_norm_is_scaled_down_and_the_old_one_returned():
    params = with_gradients([[3.0], [0.0]], [4.0], 12.0)
    unused = tg.Tensor([1.0], requires_grad=True)
    total = clip_grad_norm_([*params, unused], 6.5)
    assert type(total) is float
    assert total == 13.0
    np.testing.assert_allclose(params[0].grad.data, [[1.5], [0.0]])
    np.testing.assert_allclose(params[1].grad.data, [2.0])
    np.testing.assert_allclose(params[2].grad.data, 6.0)
    assert unused.grad is None


def test_gradients_within_the_norm_are_left_alone():
    (p,) = with_gradients([3.0, 4.0])
    kept = p.grad
    assert clip_grad_norm_(iter([p]), 5.0) == 5.0
    assert p.grad is kept


def test_gradients_of_zero_have_norm_zero():
    assert clip_grad_norm_(with_gradients([0.0, 0.0], np.zeros((0, 2))), 1.0) == 0.0


@pytest.mark.parametrize(
    ("dtype", "size"), [(np.float32, 1e30), (np.float32, 1e-30), (np.float64, 1e200)]
)
def test_the_norm_neither_overflows_nor_underflows(dtype, size):
    params = with_gradients([3 * size], [4 * size], dtype=dtype)
    assert clip_grad_norm_(params, size) == pytest.approx(5 * size, rel=1e-6)
    np.testing.assert_allclose(params[0].grad.data, [0.6 * size], rtol=1e-6)
    assert params[0].grad.dtype == dtype


def test_arrays_that_hold_the_gradient_are_not_written_to():
    (p,) = with_gradients([3.0, 4.0])
    kept = p.grad.data
    clip_grad_norm_([p], 1.0)
    np.testing.assert_array_equal(kept, [3.0, 4.0])
    clip_grad_value_([p], 0.1)
    np.testing.assert_array_equal(kept, [3.0, 4.0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_norm_that_is_not_finite_names_the_parameter(bad):
    params = with_gradients([1.0], [bad, 1.0])
    params[1].name = "fc1.weight"
    with pytest.raises(NonFiniteError, match=r"(?s)of 'fc1.weight' \(2,\).*Nothing was changed"):
        clip_grad_norm_(params, 0.5)
    np.testing.assert_array_equal(params[0].grad.data, [1.0])
    total = clip_grad_norm_(params, 0.5, error_if_nonfinite=False)
    assert not np.isfinite(total)
    np.testing.assert_array_equal(params[0].grad.data, [1.0])


def test_values_are_limited_on_both_sides():
    params = with_gradients([-3.0, 0.5, 3.0], 2.0, dtype=np.float32)
    clip_grad_value_(params, 1.0)
    np.testing.assert_array_equal(params[0].grad.data, [-1.0, 0.5, 1.0])
    np.testing.assert_array_equal(params[1].grad.data, 1.0)
    assert params[0].grad.dtype == params[1].grad.dtype == np.float32


@pytest.mark.parametrize("clip", [clip_grad_norm_, clip_grad_value_])
def test_what_makes_no_sense_is_refused(clip):
    p = tg.Tensor([1.0], requires_grad=True)
    with pytest.raises(GraphError, match="call backward"):
        clip([p], 1.0)
    with pytest.raises(ArgumentError, match=r"got no parameters"):
        clip([], 1.0)
    for limit in (-1.0, float("nan")):
        with pytest.raises(ArgumentError, match=rf"is {limit} \(at test_clip.py"):
            clip(with_gradients([1.0]), limit)
