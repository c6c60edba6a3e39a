"""Choices at ties and bounds, where the conventions are, and with numbers that are not finite."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg

PICKS = (np.maximum, np.minimum, np.fmax, np.fmin)


def slopes(function, *values, dtype=np.float64):
    leaves = [tg.Tensor(v, requires_grad=True, dtype=dtype) for v in values]
    function(*leaves).sum().backward()
    return [leaf.grad.data.tolist() for leaf in leaves]


@pytest.mark.parametrize("pick", PICKS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ties_share_the_gradient_evenly(pick, dtype):
    assert slopes(pick, [1.0, 0.0], [1.0, 0.0], dtype=dtype) == [[0.5, 0.5], [0.5, 0.5]]
    assert "half" in tg.core.PRIMITIVES[pick.__name__].kinks


@pytest.mark.parametrize("pick", PICKS)
def test_a_tie_with_itself_gives_the_whole_gradient(pick):
    assert slopes(lambda x: pick(x, x), [1.0, 2.0]) == [[1.0, 1.0]]


def test_maximum_with_zero_has_the_slope_one_half_at_zero():
    assert slopes(lambda x: np.maximum(x, 0), [-1.0, 0.0, 1.0]) == [[0.0, 0.5, 1.0]]


@pytest.mark.parametrize("pick", PICKS)
def test_a_number_ties_with_a_float32_element_of_its_rounded_value(pick):
    assert slopes(lambda x: pick(x, 0.1), [0.1], dtype=np.float32) == [[0.5]]


def test_infinities_compete_without_warnings():
    top = [np.inf, -np.inf, np.inf]
    assert slopes(np.maximum, top, [0.0, 0.0, np.inf]) == [[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]]


def test_fmax_and_fmin_pass_nan_by():
    for pick in (np.fmax, np.fmin):
        assert slopes(pick, [np.nan, 1.0], [1.0, np.nan]) == [[0.0, 1.0], [1.0, 0.0]]


def test_clip_is_maximum_and_minimum_at_its_bounds_too():
    x = [-2.0, -1.0, 0.0, 1.0, 2.0]
    assert slopes(lambda x: np.clip(x, -1, 1), x) == [[0.0, 0.5, 1.0, 0.5, 0.0]]
    assert slopes(lambda x: np.minimum(np.maximum(x, -1), 1), x) == [[0.0, 0.5, 1.0, 0.5, 0.0]]
    assert slopes(lambda x: np.clip(x, -1, None), x) == [[0.0, 0.5, 1.0, 1.0, 1.0]]
    assert slopes(lambda x: np.clip(x, None, 1), x) == [[1.0, 1.0, 1.0, 0.5, 0.0]]


def test_clip_sends_the_gradient_of_what_is_beyond_to_the_bound():
    found = slopes(np.clip, [-2.0, 0.0, 3.0], [-1.0, -1.0, -1.0], [1.0, 1.0, 1.0])
    assert found == [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]


def test_clip_with_exchanged_bounds_is_the_upper_one():
    assert slopes(np.clip, 0.0, 2.0, 1.0) == [0.0, 0.0, 1.0]


def test_clip_takes_bounds_by_every_name_of_numpys():
    x = tg.Tensor([-2.0, 0.5, 2.0])
    for z in (
        np.clip(x, 0, 1),
        np.clip(x, a_min=0, a_max=1),
        np.clip(x, min=0, max=1),
        x.clip(0, 1),
        x.clip(min=0, max=1),
        np.clip([-2.0, 0.5, 2.0], tg.Tensor(0.0), 1),
    ):
        np.testing.assert_array_equal(z.data, [0.0, 0.5, 1.0])


def test_clip_takes_the_keywords_of_ufuncs():
    x = tg.Tensor([-2.0, 0.5, 2.0], requires_grad=True)
    single = np.clip(x, 0, 1, dtype=np.float32)
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single.data, np.clip(x.data, 0, 1, dtype=np.float32))
    some = np.clip(x, 0, None, where=[True, True, False])
    some.sum().backward()
    np.testing.assert_array_equal(some.data[:2], [0.0, 0.5])
    np.testing.assert_array_equal(x.grad.data, [0.0, 1.0, 0.0])
    assert np.clip(x, None, None, dtype=np.float32).dtype == np.float32


def test_clip_without_bounds_changes_nothing():
    x = tg.Tensor([-2.0, 2.0], requires_grad=True)
    np.clip(x, None, None).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [1.0, 1.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: np.clip(x, 0), "one of a_min and a_max"),
        (lambda x: np.clip(x, 0, 1, min=0), "together with min= or max="),
        (lambda x: np.clip(x, 0, 1, out=np.zeros(2)), "np.clip with out= cannot write"),
        (lambda x: np.where(x > 0, x), "one of x and y"),
    ],
)
def test_wrong_arguments_are_refused_with_a_remedy(call, message):
    with pytest.raises(tg.errors.OperationError, match=message) as error:
        call(tg.Tensor([1.0, 2.0], requires_grad=True))
    assert "Fix: " in str(error.value)


def test_where_keeps_infinite_and_nan_gradients_out_of_what_was_not_chosen():
    x = tg.Tensor([0.0, 4.0], requires_grad=True)
    safe = np.where(x > 0, x, 1.0)
    np.where(x > 0, np.sqrt(safe), 0.0).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [0.0, 0.25])
    picked = np.where(np.array([True, False]), x, 0.0)
    x.grad = None
    picked.backward(np.array([1.0, np.inf]))
    np.testing.assert_array_equal(x.grad.data, [1.0, 0.0])


def test_where_of_a_condition_alone_gives_indices():
    (found,) = np.where(tg.Tensor([0.0, 2.0, 3.0], requires_grad=True) > 1)
    np.testing.assert_array_equal(found, [1, 2])


def test_where_of_a_number_says_that_it_has_no_places():
    with pytest.raises(tg.errors.ShapeError, match=r"(?s)nonzero .*Fix: "):
        np.where(tg.Tensor(1.0) > 0)


def test_where_takes_truth_from_any_number():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    np.where(tg.Tensor([0, 7]), x, 10 * x).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [10.0, 1.0])


@pytest.mark.parametrize("function", [abs, np.abs, np.absolute, np.fabs])
def test_absolute_value_is_flat_at_zero_by_convention(function):
    assert slopes(function, [-2.0, 0.0, -0.0, 3.0]) == [[-1.0, 0.0, 0.0, 1.0]]
    assert "0" in tg.core.PRIMITIVES["absolute"].kinks
