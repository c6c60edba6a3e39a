"""Shapes: special arguments, errors, and memory that is shared."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, AxisError, InplaceError, ShapeError

X = np.arange(6.0).reshape(2, 3)


@pytest.fixture
def t():
    return tg.Tensor(X, requires_grad=True)


def test_reshape_by_every_way_to_say_it(t):
    for r in (t.reshape(3, 2), t.reshape((3, -1)), np.reshape(t, [3, 2]), t.reshape(-1, 2)):
        np.testing.assert_array_equal(r.data, X.reshape(3, 2))
    assert np.reshape(t, shape=6).shape == t.reshape(6).shape == t.ravel().shape == (6,)
    assert t.flatten().shape == np.ravel(t).shape == (6,)
    assert t[:1, :1].reshape(()).shape == ()


def test_old_and_new_names_of_the_shape_are_accepted(t):
    from tinygrad_bp.ops.shaping import reshape

    assert reshape(t, newshape=(3, 2)).shape == reshape(t, shape=(3, 2)).shape == (3, 2)
    with pytest.raises(ShapeError, match="needs a shape"):
        reshape(t)


def test_a_shape_for_another_number_of_elements_is_named(t):
    with pytest.raises(ShapeError, match=r"reshape .*\(2, 3\) float64 .*test_shaping.*size 6 into"):
        t.reshape(4)


@pytest.mark.parametrize("order", ["C", "F", "A", "f"])
@pytest.mark.parametrize("layout", ["C", "F"])
def test_reshape_reads_and_writes_in_every_order(order, layout):
    values = np.array(np.arange(24.0).reshape(2, 3, 4), order=layout)
    x = tg.as_tensor(values).requires_grad_()
    out = np.reshape(x, (4, -1), order=order)
    np.testing.assert_array_equal(out.data, np.reshape(values, (4, -1), order=order))
    (out * out.data).sum().backward()
    np.testing.assert_array_equal(x.grad.data, values)


@pytest.mark.parametrize("order", ["C", "F", "A", "K"])
@pytest.mark.parametrize(
    "view",
    [
        lambda a: a,
        lambda a: a.T,
        lambda a: a.transpose(1, 0, 2),
        lambda a: a[::-1, :, ::2],
        lambda a: np.asfortranarray(a),
        lambda a: a[:, :1],
        lambda a: a[0, 0, 0],
    ],
)
def test_ravel_reads_in_every_order(order, view):
    values = view(np.arange(24.0).reshape(2, 3, 4))
    x = tg.as_tensor(values).requires_grad_()
    out = np.ravel(x, order=order)
    np.testing.assert_array_equal(out.data, np.ravel(values, order=order))
    (out * out.data).sum().backward()
    np.testing.assert_array_equal(x.grad.data, values)


def test_orders_that_there_are_not_are_named(t):
    with pytest.raises(ArgumentError, match=r"np.reshape has no order 'K' .*(?s:.*)'C', 'F', 'A'"):
        np.reshape(t, 6, order="K")
    with pytest.raises(ArgumentError, match=r"np.ravel has no order 'X'"):
        np.ravel(t, order="X")


def test_reshape_without_a_copy_is_a_view_or_an_error(t):
    assert np.shares_memory(np.reshape(t, 6, copy=False).data, t.data)
    with pytest.raises(ShapeError, match=r"copy=False: memory of shape \(3, 2\) cannot be seen"):
        np.reshape(t.T, 6, copy=False)


def test_a_shape_may_be_an_array(t):
    assert np.reshape(t, np.array([3, 2])).shape == (3, 2)
    assert np.broadcast_to(t, np.array([4, 2, 3])).shape == (4, 2, 3)
    assert np.reshape(t[:1, :1], []).shape == ()


def test_reshape_with_copy_has_memory_of_its_own(t):
    assert np.shares_memory(np.reshape(t, 6).data, t.data)
    assert not np.shares_memory(np.reshape(t, 6, copy=True).data, t.data)


def test_transpose_by_every_way_to_say_it(t):
    for r in (t.T, t.transpose(), t.transpose(1, 0), t.transpose((1, 0)), np.transpose(t, [-1, 0])):
        np.testing.assert_array_equal(r.data, X.T)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda t: np.swapaxes(t, 0, 2), r"np.swapaxes: there is no axis .*2.* shape \(2, 3\)"),
        (lambda t: np.moveaxis(t, 5, 0), "np.moveaxis: there is no axis 5"),
        (lambda t: np.moveaxis(t, (0, 0), (0, 1)), r"axes \(0, 0\), one of them twice"),
        (lambda t: np.rollaxis(t, 0, 4), "np.rollaxis: there is no axis 4"),
        (lambda t: np.expand_dims(t, 4), "np.expand_dims: there is no axis"),
        (lambda t: np.squeeze(t, 3), "np.squeeze: there is no axis 3"),
        (lambda t: np.flip(t, 2), "np.flip: there is no axis 2"),
        (lambda t: np.roll(t, 1, 2), "np.roll: there is no axis"),
    ],
)
def test_axes_that_are_not_there_are_named(t, call, words):
    with pytest.raises(AxisError, match=words):
        call(t)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda t: np.transpose(t, (0, 1, 2)), r"transpose .*axes don't match array"),
        (lambda t: np.transpose(t, (0, 0)), "repeated axis"),
        (lambda t: np.moveaxis(t, (0, 1), 0), "2 source axes and 1 destinations"),
        (lambda t: np.squeeze(t, 0), r"cannot drop axis 0 of length 2 of shape \(2, 3\)"),
        (lambda t: np.broadcast_to(t, (3, 3)), r"broadcast_to .*\(2, 3\)"),
        (lambda t: np.broadcast_to(t, 3), r"broadcast_to .*\(2, 3\)"),
        (lambda t: np.broadcast_arrays(t, np.ones(2)), r"shapes \(2, 3\), \(2,\) do not broadcast"),
    ],
)
def test_shapes_that_do_not_fit_are_named(t, call, words):
    with pytest.raises(ShapeError, match=words):
        call(t)


def test_at_least_takes_several_and_mixes_arrays(t):
    a, b = np.atleast_2d(t[0], 1.0)
    assert a.shape == (1, 3)
    assert b.shape == (1, 1)
    assert np.atleast_1d(t) is t


def test_broadcast_arrays_gives_every_argument_the_common_shape(t):
    a, b = np.broadcast_arrays(t, [[1.0], [2.0]])
    assert a.shape == b.shape == (2, 3)
    (a * b).sum().backward()
    np.testing.assert_array_equal(t.grad.data, [[1, 1, 1], [2, 2, 2]])


def test_axes_of_flip_and_roll_may_repeat_as_in_numpy(t):
    np.testing.assert_array_equal(np.roll(t, (1, 1), (1, 1)).data, np.roll(X, (1, 1), (1, 1)))
    np.testing.assert_array_equal(np.roll(t, 1, (0, 1)).data, np.roll(X, 1, (0, 1)))


def test_a_change_of_the_leaf_behind_a_view_is_noticed(t):
    view = t.reshape(6)
    square = (view * view).sum()
    t.assign(np.zeros((2, 3)))
    with pytest.raises(InplaceError, match="was assigned a new value"):
        square.backward()
    assert t.grad is None
