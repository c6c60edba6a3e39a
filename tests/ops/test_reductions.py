"""Reductions: ties, zeros, empty arrays, dtypes, NumPy's ways to name things, errors."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg

EVERY = (np.sum, np.mean, np.var, np.std, np.prod, np.max, np.min)


def slope(function, value, dtype=np.float64):
    x = tg.Tensor(value, requires_grad=True, dtype=dtype)
    function(x).sum().backward()
    return x.grad.data


@pytest.mark.parametrize("function", [np.max, np.amax])
def test_ties_for_the_largest_share_evenly(function):
    np.testing.assert_array_equal(slope(function, [3.0, 1.0, 3.0, 3.0]), [1 / 3, 0, 1 / 3, 1 / 3])
    x = [[1.0, 2.0], [1.0, 0.0]]
    np.testing.assert_array_equal(slope(lambda x: function(x, axis=0), x), [[0.5, 1.0], [0.5, 0.0]])
    assert "evenly" in tg.core.PRIMITIVES["max"].kinks


@pytest.mark.parametrize("function", [np.min, np.amin])
def test_ties_for_the_smallest_share_evenly(function):
    np.testing.assert_array_equal(slope(function, [3.0, 1.0, 1.0]), [0, 0.5, 0.5])
    assert "evenly" in tg.core.PRIMITIVES["min"].kinks


def test_infinities_win_and_lose_without_warnings():
    np.testing.assert_array_equal(slope(np.max, [-np.inf, 0.0, np.inf]), [0, 0, 1])
    np.testing.assert_array_equal(slope(np.min, [-np.inf, 0.0, np.inf]), [1, 0, 0])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([2.0, 3.0, 4.0], [12, 8, 6]),
        ([0.0, 3.0, 4.0], [12, 0, 0]),
        ([0.0, 3.0, 0.0], [0, 0, 0]),
        ([0.0], [1]),
        ([], []),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_product_has_the_right_gradient_with_zeros(values, expected, dtype):
    found = slope(np.prod, values, dtype)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == dtype


def test_product_with_zeros_to_second_order():
    x = tg.Tensor([0.0, 3.0, 0.0], requires_grad=True)
    np.prod(x).backward(create_graph=True)
    first, x.grad = x.grad, None
    first[0].backward(create_graph=True)  # x1 * x2
    np.testing.assert_array_equal(x.grad.data, [0.0, 0.0, 3.0])
    second, x.grad = x.grad, None
    second[2].backward()  # x1
    np.testing.assert_array_equal(x.grad.data, [0.0, 1.0, 0.0])


def test_product_of_many_numbers_does_not_divide_nor_overflow():
    x = np.full(200_001, 1.0)
    x[7] = 0.0
    expected = np.zeros(200_001)
    expected[7] = 1.0
    np.testing.assert_array_equal(slope(np.prod, x), expected)


def test_standard_deviation_of_equal_elements_is_flat_by_convention():
    for dtype in (np.float32, np.float64):
        np.testing.assert_array_equal(slope(np.std, [2.0, 2.0, 2.0], dtype), 0.0)
    np.testing.assert_array_equal(slope(np.std, 5.0), 0.0)
    assert "0" in tg.core.PRIMITIVES["std"].kinks


@pytest.mark.parametrize("function", [np.mean, np.var, np.std])
def test_measures_are_right_at_ten_thousand(function):
    x = np.array([1e4, -1e4, 1e4, 2.0])
    centred = x - x.mean()
    expected = {
        np.mean: np.full(4, 0.25),
        np.var: centred / 2,
        np.std: centred / 4 / x.std(),
    }[function]
    np.testing.assert_allclose(slope(function, x), expected, rtol=1e-13)


@pytest.mark.parametrize("function", EVERY)
def test_float32_stays_float32(function):
    x = tg.Tensor([[1.0, 2.0], [3.0, 5.0]], requires_grad=True, dtype=np.float32)
    z = function(x, axis=1, keepdims=True)
    z.sum().backward()
    assert z.dtype == x.grad.dtype == np.float32


@pytest.mark.parametrize("function", [np.sum, np.mean, np.var, np.std, np.prod])
def test_dtype_is_where_the_reduction_is_done(function):
    x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, dtype=np.float32)
    z = function(x, dtype=np.float64)
    z.backward()
    assert z.dtype == np.float64
    assert x.grad.dtype == np.float32


def test_integers_and_booleans_reduce_to_constants():
    assert np.sum(tg.Tensor([True, True])).item() == 2
    assert np.mean(tg.Tensor([1, 2])).item() == 1.5
    assert np.max(tg.Tensor([1, 2])).dtype == np.int64


@pytest.mark.parametrize("function", [np.var, np.std])
def test_correction_is_ddof_by_its_newer_name(function):
    x = tg.Tensor([1.0, 2.0, 4.0])
    assert (
        function(x, correction=1).item() == function(x, ddof=1).item() == function(x.data, ddof=1)
    )


def test_axis_may_be_a_numpy_integer():
    x = [[1.0, 2.0], [3.0, 4.0]]
    np.testing.assert_array_equal(
        slope(lambda x: np.prod(x, axis=np.int64(-1)), x), [[2.0, 1.0], [4.0, 3.0]]
    )


def test_sum_and_product_of_nothing():
    for empty in (np.zeros(0), np.zeros((0, 3))):
        assert np.sum(tg.Tensor(empty)).item() == 0.0
        assert np.prod(tg.Tensor(empty)).item() == 1.0
        for function in (np.sum, np.prod):
            assert slope(function, empty).shape == empty.shape
    assert np.sum(tg.Tensor(np.zeros((0, 3))), axis=0).shape == (3,)


def test_mean_of_nothing_warns_as_numpy_does():
    with pytest.warns(RuntimeWarning) as warned:
        z = np.mean(tg.Tensor(np.zeros(0), requires_grad=True))
    assert "Mean of empty slice" in str(warned[0].message)
    assert np.isnan(z.item())
    z.backward()


def test_mean_of_nothing_along_an_axis_goes_backward_without_a_division_by_zero():
    x = tg.Tensor(np.zeros((3, 0, 2)), requires_grad=True)
    np.mean(x, axis=0).sum().backward()
    assert x.grad.shape == (3, 0, 2)


def test_largest_of_nothing_is_an_error_that_names_the_shape():
    with pytest.raises(tg.errors.ArgumentError, match=r"max cannot work on inputs \(0,\) float64"):
        np.max(tg.Tensor(np.zeros(0)))


@pytest.mark.parametrize("function", EVERY)
def test_an_axis_that_is_not_there_is_an_error_that_names_it(function):
    with pytest.raises(tg.errors.AxisError, match=r"axis 2 is out of bounds.*dimension 1"):
        function(tg.Tensor([1.0, 2.0], requires_grad=True), axis=2)


@pytest.mark.parametrize("function", EVERY)
def test_out_is_refused_with_a_remedy(function):
    message = f"np.{function.__name__} with out= is not available"
    with pytest.raises(tg.errors.OperationError, match=message) as error:
        function(tg.Tensor([1.0, 2.0], requires_grad=True), out=np.zeros(()))
    assert "Fix: " in str(error.value)
    assert "test_reductions.py" in str(error.value)


POISON = [1.0, np.nan, 3.0, np.inf, -np.inf, 6.0, 1e308, -1e308]
GOOD = [True, False, True, False, False, True, False, False]


@pytest.mark.parametrize("function", EVERY)
def test_what_is_masked_is_not_looked_at(function):
    more = {"initial": 2.0} if function in (np.max, np.min) else {}
    x = tg.Tensor(POISON, requires_grad=True)
    z = function(x, where=GOOD, **more)
    alone = tg.Tensor([1.0, 3.0, 6.0], requires_grad=True)
    same = function(alone, **more)
    np.testing.assert_allclose(z.item(), same.item(), rtol=1e-15)
    z.backward(create_graph=True)
    same.backward(create_graph=True)
    np.testing.assert_allclose(x.grad.data[GOOD], alone.grad.data, rtol=1e-15)
    np.testing.assert_array_equal(x.grad.data[~np.array(GOOD)], 0)
    first, x.grad = x.grad, None
    if first.requires_grad:
        (first * first).sum().backward()
        assert np.isfinite(x.grad.data).all()
        np.testing.assert_array_equal(x.grad.data[~np.array(GOOD)], 0)


@pytest.mark.parametrize("function", EVERY)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_masked_reductions_have_the_shape_and_dtype_of_numpy(function, dtype):
    more = {"initial": -9} if function in (np.max, np.min) else {}
    x = np.arange(12, dtype=dtype).reshape(3, 4)
    for axis in (None, 0, -1, (0, 1)):
        for mask in (x % 3 != 1, x % 5 != 2, [[True], [True], [True]]):
            expected = function(x, axis=axis, where=mask, **more)
            z = function(tg.Tensor(x, requires_grad=True), axis=axis, where=mask, **more)
            np.testing.assert_allclose(z.data, expected, rtol=1e-6)
            assert z.dtype == expected.dtype
            assert z.shape == expected.shape


@pytest.mark.parametrize("function", EVERY)
def test_a_mask_may_be_a_tensor_or_numbers_but_must_fit(function):
    more = {"initial": 0.0} if function in (np.max, np.min) else {}
    x = tg.Tensor([1.0, -2.0, 3.0], requires_grad=True)
    np.testing.assert_array_equal(
        function(x, where=x > 0, **more).data, function(x, where=[1, 0, 1], **more).data
    )
    assert function(x, where=True, **more).item() == function(x, **more).item()
    with pytest.raises(tg.errors.DTypeError, match=r"where= takes truth values, not float64"):
        function(x, where=x, **more)
    for wrong in (np.ones((2, 3), bool), np.ones(2, bool)):
        with pytest.raises(tg.errors.ShapeError, match=r"where= of shape .* does not fit .*\(3,\)"):
            function(x, where=wrong, **more)


@pytest.mark.parametrize("function", [np.sum, np.prod, np.max, np.min])
def test_initial_is_a_number_in_the_dtype_of_the_reduction(function):
    for x, start in (([1.0, 2.0], 3), (np.float32([1, 2]), np.float64(0.5)), ([1, 2], 2.5)):
        expected = function(np.asarray(x), initial=start)
        z = function(tg.Tensor(x), initial=start)
        assert z.item() == expected
        assert z.dtype == expected.dtype
    x = tg.Tensor([1.0, 2.0])
    assert function(x, initial=None).item() == function(x).item()
    with pytest.raises(tg.errors.ShapeError, match=r"initial= is a single number.*\(2,\)"):
        function(tg.Tensor([1.0, 2.0]), initial=[1.0, 2.0])


def test_initial_has_a_gradient_of_its_own():
    x = tg.Tensor([[2.0, 3.0], [4.0, 5.0]], requires_grad=True)
    for function, expected in ((np.sum, 2.0), (np.prod, 26.0), (np.max, 0.0), (np.min, 2.0)):
        start = tg.Tensor(1.0, requires_grad=True)
        function(x, axis=1, initial=start).sum().backward()
        assert start.grad.item() == expected


def test_means_of_masked_slices_warn_as_numpy_does_and_go_backward_in_peace():
    x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    with pytest.warns(RuntimeWarning, match="Mean of empty slice|invalid value"):
        z = np.mean(x, axis=1, where=[[False], [True]])
    np.testing.assert_array_equal(z.data, [np.nan, 3.5])
    z.sum().backward()
    np.testing.assert_array_equal(x.grad.data, [[0, 0], [0.5, 0.5]])


def test_trace_of_what_is_not_square_and_of_nothing():
    x = np.arange(12.0).reshape(3, 4)
    for offset in range(-4, 5):
        t = tg.Tensor(x, requires_grad=True)
        z = np.trace(t, offset)
        assert z.item() == np.trace(x, offset)
        z.backward()
        np.testing.assert_array_equal(t.grad.data, np.eye(3, 4, offset))
    with pytest.raises(tg.errors.ShapeError, match="trace cannot work on inputs"):
        np.trace(tg.Tensor([1.0]))
    with pytest.raises(tg.errors.OperationError, match="np.trace with out="):
        np.trace(tg.Tensor(x), out=np.zeros(()))
    assert np.trace(tg.Tensor(np.eye(2, dtype=int))).dtype == np.int64
