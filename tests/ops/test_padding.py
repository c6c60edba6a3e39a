"""Padding: against NumPy in every mode and width, tensors as values, errors by their words."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, AxisError, OperationError, ShapeError


def leaf(*shape, dtype=np.float64):
    values = np.arange(1.0, np.prod(shape) + 1).reshape(shape) ** 2
    return tg.Tensor(values, requires_grad=True, dtype=dtype)


OPTIONS = [
    ("constant", {}),
    ("constant", {"constant_values": (3, 4)}),
    ("constant", {"constant_values": ((3,), (4,))}),
    ("edge", {}),
    ("linear_ramp", {"end_values": ((5, -4), (2, 0))}),
    ("maximum", {}),
    ("maximum", {"stat_length": ((1, 2), (2, 1))}),
    ("mean", {"stat_length": 2}),
    ("mean", {}),
    ("median", {"stat_length": (1, 2)}),
    ("minimum", {"stat_length": 1}),
    ("reflect", {}),
    ("reflect", {"reflect_type": "odd"}),
    ("symmetric", {}),
    ("symmetric", {"reflect_type": "odd"}),
    ("wrap", {}),
]


@pytest.mark.parametrize(("mode", "options"), OPTIONS)
@pytest.mark.parametrize("width", [0, 1, (2, 0), ((0, 3), (1, 2)), ((7, 11), (13, 5))])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_every_mode_equals_numpys(mode, options, width, dtype):
    x = (np.arange(12).reshape(3, 4) ** 2 % 7).astype(dtype)
    out = np.pad(tg.Tensor(x), width, mode, **options)
    expected = np.pad(x, width, mode, **options)
    assert out.dtype == expected.dtype
    np.testing.assert_allclose(out.data, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("mode", ["constant", "edge", "mean", "reflect"])
def test_a_number_has_no_axis_to_pad(mode):
    for number in (np.array(3), np.array(2.5)):
        np.testing.assert_array_equal(np.pad(tg.Tensor(number), 2, mode).data, number)


def test_odd_reflection_of_two_elements_goes_on_in_a_line():
    x = tg.Tensor([1.0, 3.0], requires_grad=True)
    out = np.pad(x, 3, "reflect", reflect_type="odd")
    np.testing.assert_array_equal(out.data, [-5, -3, -1, 1, 3, 5, 7, 9])
    out.backward(np.eye(8)[7])
    np.testing.assert_array_equal(x.grad.data, [-3.0, 4.0])


def test_a_width_can_be_given_by_axis():
    from tinygrad_bp.ops.padding import pad  # NumPy takes a dict since 2.2

    x = leaf(1, 2)
    expected = np.pad(x.data, ((0, 0), (1, 2)))
    np.testing.assert_array_equal(pad(x, {-1: (1, 2)}).data, expected)
    np.testing.assert_array_equal(pad(x, {0: 1}).data, np.pad(x.data, ((1, 1), (0, 0))))


def test_constant_values_may_be_tensors_in_a_tuple_and_receive_what_they_filled():
    x, low, high = leaf(2), tg.Tensor(7.0, requires_grad=True), tg.Tensor(8.0, requires_grad=True)
    out = np.pad(x, (1, 2), constant_values=(low, high))
    np.testing.assert_array_equal(out.data, [7, 1, 4, 8, 8])
    out.backward(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert (low.grad.item(), high.grad.item()) == (1.0, 9.0)
    np.testing.assert_array_equal(x.grad.data, [2.0, 3.0])


def test_a_ramp_may_end_in_a_tensor():
    x, end = leaf(1), tg.Tensor(3.0, requires_grad=True)
    out = np.pad(x, (2, 0), "linear_ramp", end_values=end)
    np.testing.assert_array_equal(out.data, [3.0, 2.0, 1.0])
    out.backward(np.ones(3))
    assert (x.grad.tolist(), end.grad.item()) == ([1.5], 1.5)


def test_values_are_cast_to_the_dtype_of_the_array():
    x, v = leaf(2, dtype=np.float32), tg.Tensor(2.0, requires_grad=True)
    out = np.pad(x, 1, constant_values=v)
    assert out.dtype == np.float32
    out.sum().backward()
    assert v.grad.dtype == np.float64


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: np.pad(leaf(2), ((1, 1), (1, 1))), ShapeError, r"does not fit shape \(2,\)"),
        (lambda: np.pad(leaf(2), -1), ShapeError, "must be whole numbers from 0 on"),
        (lambda: np.pad(leaf(2), 1.5), ShapeError, "must be whole numbers from 0 on"),
        (lambda: np.pad(leaf(0), 1, mode="edge"), ShapeError, r"axis 0 of shape \(0,\) has no"),
        (lambda: np.pad(leaf(2), {1: 1}), AxisError, "there is no axis .* of shape"),
        (lambda: np.pad(leaf(2), 1, mode=np.max), OperationError, "a function as mode"),
        (lambda: np.pad(leaf(2), 1, mode="empty"), OperationError, "with mode='empty'"),
        (lambda: np.pad(leaf(2), 1, mode="reflekt"), ArgumentError, "did you mean 'reflect'"),
        (lambda: np.pad(leaf(2), 1, "edge", stat_length=1), ArgumentError, "no option stat_length"),
        (lambda: np.pad(leaf(2), 1, "reflect", reflect_type="x"), ArgumentError, "reflect_type='x"),
        (lambda: np.pad(leaf(2), 1, "mean", stat_length=-1), ArgumentError, "-1 is negative"),
        (lambda: np.pad(leaf(2), 1, "maximum", stat_length=0), ArgumentError, "has no maximum"),
        (
            lambda: np.pad(leaf(2), 1, constant_values=leaf(3)),
            ShapeError,
            r"values of shape \(3,\) do not fit shape \(2,\)",
        ),
    ],
)
def test_errors_say_what_does_not_fit(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call()
    assert "Fix: " in str(caught.value)
    assert "test_padding.py" in str(caught.value)
