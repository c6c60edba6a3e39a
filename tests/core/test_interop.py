"""Tensors among other things: Python's numbers and protocols, foreign arrays, dtypes."""

from __future__ import annotations

import operator

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import errors
from tinygrad_bp.core import FUNCTIONS


@pytest.fixture
def x():
    return tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="x")


class Foreign:
    """An array type of another library: it knows both protocols, and how to deal with ours."""

    __array_priority__ = 2000.0

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return "foreign ufunc"

    def __array_function__(self, function, types, args, kwargs):
        return "foreign function"

    def __radd__(self, other):
        return "foreign add"

    def __rmatmul__(self, other):
        return "foreign matmul"


def test_operators_leave_foreign_types_to_themselves(x):
    assert x + Foreign() == "foreign add"
    assert x @ Foreign() == "foreign matmul"
    assert np.add(x, Foreign()) == "foreign ufunc"
    assert np.concatenate([x, Foreign()]) == "foreign function"
    for op in (operator.sub, operator.mul, operator.lt):
        with pytest.raises(TypeError):
            op(x, object())
    assert (x == object()) is False


OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.mod]
SINGLE = tg.Tensor([1.5, 2.5], dtype=np.float32, requires_grad=True)


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize(
    ("other", "kind"),
    [
        (2, np.float32),
        (2.5, np.float32),
        (True, np.float32),
        (np.float32(2.5), np.float32),
        (np.float64(2.5), np.float64),
        (np.array(2.5), np.float64),
        (np.array([2.5, 1.5], np.float32), np.float32),
        (np.array([2, 1]), np.float64),
        (tg.Tensor(2.5), np.float64),
    ],
    ids=repr,
)
def test_promotion_is_numpys_and_gradients_keep_the_dtype_of_what_they_belong_to(op, other, kind):
    values = other.data if isinstance(other, tg.Tensor) else other
    for left, right in ((SINGLE, other), (other, SINGLE)):
        SINGLE.grad = None
        out = op(left, right)
        expected = op(SINGLE.data, values) if left is SINGLE else op(values, SINGLE.data)
        assert out.dtype == expected.dtype == kind
        np.testing.assert_array_equal(out.data, expected)
        out.sum().backward()
        assert SINGLE.grad.dtype == np.float32


UNARY = [f for f in FUNCTIONS if isinstance(f, np.ufunc) and f.nin == 1 and f.nout == 1]


@pytest.mark.parametrize("ufunc", UNARY, ids=lambda f: f.__name__)
def test_float32_stays_float32_through_every_ufunc_and_its_gradient(ufunc):
    start = 1.25 if ufunc is np.arccosh else 0.25
    t = tg.Tensor([start, start + 0.125], dtype=np.float32, requires_grad=True)
    try:
        expected = ufunc(t.data)
    except TypeError:  # it is for integers or dates
        with pytest.raises((errors.DTypeError, errors.OperationError)):
            ufunc(t)
        return
    out = ufunc(t)
    assert out.dtype == expected.dtype
    np.testing.assert_allclose(out.data, expected, rtol=3e-7)
    if out.requires_grad:
        out.sum().backward()
        assert t.grad.dtype == np.float32


def test_python_sees_a_sequence_of_tensors(x):
    assert len(x) == 3
    assert [t.item() for t in x] == [1, 2, 3]
    assert 2.0 in x
    assert 5.0 not in x
    with pytest.raises(TypeError):
        len(tg.Tensor(1.0))
    with pytest.raises(TypeError):
        iter(tg.Tensor(1.0)).__next__()


def test_one_element_is_a_number(x):
    one = x[1]
    assert (float(one), int(one), complex(one), bool(one)) == (2.0, 2, 2 + 0j, True)
    assert f"{one:.3f}" == "2.000"
    assert range(5)[tg.Tensor(2)] == 2
    with pytest.raises(errors.ShapeError, match="no single element"):
        float(x)
    with pytest.raises(ValueError, match="ambiguous"):
        bool(x)


def test_tensors_are_hashed_by_identity(x):
    y = tg.Tensor(x.data)
    assert len({x, y, x}) == 2
    assert {x: 1}[x] == 1


def test_data_without_a_graph_is_exchanged_by_dlpack(x):
    other = np.from_dlpack(x.detach())
    assert np.shares_memory(other, x.data)
    with pytest.raises(errors.ConversionError, match="would become a constant"):
        np.from_dlpack(x)


def test_a_list_of_tensors_does_not_become_an_array_in_silence(x):
    for build in (np.array, np.asarray):
        with pytest.raises(errors.ConversionError, match=r"np\.stack"):
            build([x, x])
        with pytest.raises(errors.ConversionError, match=r"np\.stack"):
            build([x[0], 1.0])
    np.testing.assert_array_equal(np.array([x.detach(), x.detach()]).shape, (2, 3))


def test_an_operator_in_place_makes_a_new_tensor(x):
    before = x
    y = x
    y += 1.0
    assert y is not before
    np.testing.assert_array_equal(before.data, [1, 2, 3])
    total = np.zeros(3)
    with pytest.raises(errors.InplaceError, match=r"x = x \+ t"):
        total += x
    np.testing.assert_array_equal(total, 0)


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros(3, int), np.zeros((2, 3), np.float32)])
def test_a_tensor_does_not_become_a_number_in_an_array_in_silence(x, array):
    place = (0,) * array.ndim

    def assign():
        array[place] = x[1]

    def assign_many():
        array[..., :] = x

    def add():
        array[place] += x[1]

    for write in (assign, assign_many, add):
        with pytest.raises((TypeError, ValueError)) as caught:
            write()
        chain = [caught.value, caught.value.__cause__]
        (ours,) = [e for e in chain if isinstance(e, errors.ConversionError)]
        assert "np.stack" in str(ours)
        assert "test_interop.py" in str(ours)
    assert not array.any()
    array[place] = x[1].detach()
    array[place] = x[1].item()
    array[place] = float(x[1])
    assert array[place] == 2


@pytest.mark.parametrize(
    "function",
    [
        lambda values, t: np.sum(values, initial=t),
        lambda values, t: values.max(initial=t),
        lambda values, t: np.interp(values, [0.0, 1.0], [1.0, 2.0], left=t),
    ],
)
def test_a_tensor_beside_an_array_does_not_become_a_number_in_silence(function):
    values, t = np.array([-0.5, 2.0]), tg.Tensor(1.5, requires_grad=True)
    with pytest.raises((TypeError, ValueError)) as caught:
        function(values, t)
    chain = [str(e) for e in (caught.value, caught.value.__cause__)]
    assert any("within a function of NumPy" in text for text in chain)
    assert function(values, t.detach()) is not None


def test_a_number_beside_a_tensor_keeps_its_gradient():
    t = tg.Tensor(1.5, requires_grad=True)
    np.sum(tg.as_tensor(np.array([-0.5, 2.0])), initial=t).backward()
    assert t.grad.item() == 1


def test_what_only_looks_at_a_number_gets_it():
    t = tg.Tensor(1.5, requires_grad=True)
    np.testing.assert_approx_equal(t, 1.5)
    assert np.format_float_positional(t) == "1.5"
