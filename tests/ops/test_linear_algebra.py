"""Products: what the catalogue does not ask."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.core.mode import MODE, Call, Mode
from tinygrad_bp.errors import AxisError, OperationError, ShapeError
from tinygrad_bp.ops.linear_algebra import linear

RNG = np.random.default_rng(0)


def leaf(*shape, dtype=np.float64):
    return tg.Tensor(RNG.normal(size=shape), requires_grad=True, dtype=dtype)


class _Net:
    """Stands for a module, of which the mode asks the path."""

    def __init__(self, **children):
        self.children = children

    def named_modules(self):
        return [("", self), *self.children.items()]


@pytest.fixture
def inside_a_module():
    inner = _Net()
    net = _Net(fc1=inner)
    outside = MODE.get()
    MODE.set(Mode(call=Call(net, outside.call)))
    MODE.set(Mode(call=Call(inner, MODE.get().call)))
    yield
    MODE.set(outside)


def test_matmul_takes_lists_and_arrays_on_either_side():
    x = leaf(2, 2)
    np.testing.assert_allclose((x @ [[1, 0], [0, 2]]).data, x.data * [1, 2])
    ([1.0, 0.0] @ x).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [[1, 1], [0, 0]])


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (
            ((64, 784), (128, 10)),
            r"matmul of \(64, 784\) and \(128, 10\) \(at test_linear_algebra.py:\d+\): axis -1 of "
            r"the first has length 784, axis -2 of the second 128.\nFix: .*\(…, 784, n\)",
        ),
        (((3,), (4,)), "length 3, axis -1 of the second 4"),
        (((2, 4, 3), (3, 3, 5)), r"the stacks \(2,\) and \(3,\) do not broadcast"),
        (((), (3,)), "a number has no axis to sum over"),
    ],
)
def test_matmul_says_which_axes_disagree(shapes, words):
    with pytest.raises(ShapeError, match=words):
        np.matmul(leaf(*shapes[0]), np.zeros(shapes[1]))


def test_matmul_takes_axes_and_a_dtype():
    x, y = leaf(3, 2), leaf(4, 3)
    z = np.matmul(x, y, axes=[(1, 0), (1, 0), (1, 0)])
    np.testing.assert_allclose(z.data, y.data @ x.data, rtol=1e-12)
    z.sum().backward()
    np.testing.assert_allclose(x.grad.data, np.tile(y.data.sum(0)[:, None], 2))
    z = np.matmul(x, np.ones(2), dtype=np.float32)
    assert z.dtype == np.float32
    with pytest.raises(AxisError, match="matmul with axes="):
        np.matmul(x, y, axes=[(0, 1), (0, 1)])
    with pytest.raises(OperationError, match="matmul with casting="):
        np.matmul(x, y, casting="no")


def test_a_batch_of_one_has_the_gradient_of_a_matrix_product():
    x, w = leaf(1, 50), leaf(50, 20)
    g = RNG.normal(size=(1, 20))
    (x @ w).backward(g)
    np.testing.assert_allclose(w.grad.data, x.data.T @ g, rtol=1e-15)
    np.testing.assert_allclose(x.grad.data, g @ w.data.T, rtol=1e-15)


@pytest.mark.parametrize("samples", [1, 511, 512, 3000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("spoiled", ["no", "strides", "turned"])
def test_few_samples_and_many_have_the_same_equations(samples, dtype, order, spoiled):
    """Other products are taken from 512 rows on, and other sums of rows in other layouts."""
    x, w, b = leaf(samples, 7, dtype=dtype), leaf(5, 7, dtype=dtype), leaf(5, dtype=dtype)
    w.data = np.array(w.data, order=order)
    g = RNG.normal(size=(samples, 5)).astype(dtype)
    if spoiled == "turned":
        g = np.asfortranarray(g)
    elif spoiled == "strides":
        g = np.repeat(g, 2, axis=0)[::2]
    before = g.copy()
    wide = g.astype(np.longdouble), x.data.astype(np.longdouble)
    exact = np.einsum("nj,ni->ji", *wide), np.einsum("nj->j", wide[0])
    off = (1e-5 if dtype == np.float32 else 1e-13) * samples**0.5
    for compute in (lambda: linear(x, w, b), lambda: x @ w.T + b):
        w.grad = b.grad = None
        compute().backward(g)
        for found, expected in zip((w.grad, b.grad), exact, strict=True):
            assert found.dtype == dtype
            assert not np.shares_memory(found.data, g)
            np.testing.assert_allclose(found.data, expected, rtol=0, atol=off)
        np.testing.assert_array_equal(g, before)


@pytest.mark.parametrize("shape", [(512, 3), (2, 512, 3), (0, 3), (600, 1), (9000, 2), (4, 0)])
def test_a_bias_is_summed_over_all_that_it_was_added_to(shape):
    x, b = leaf(*shape), leaf(shape[-1])
    g = np.arange(1.0, 1.0 + np.prod(shape)).reshape(shape)  # whole numbers: sums are exact
    (x + b).backward(g)
    np.testing.assert_array_equal(b.grad.data, g.reshape(-1, shape[-1]).sum(axis=0) if g.size
                                  else np.zeros(shape[-1]))  # fmt: skip
    assert b.grad.data.flags.owndata


def test_second_derivatives_of_many_samples():
    """Both ways to the gradient of a weight are differentiated by the same rules."""
    x, w = leaf(600, 3), leaf(3, 2)
    v = RNG.normal(size=(3, 2))
    ((x @ w) ** 3).sum().backward(create_graph=True)
    slope, w.grad = (w.grad * v).sum(), None
    slope.backward()
    h = x.data @ w.data
    exact = x.data.T @ (6 * h * (x.data @ v))
    np.testing.assert_allclose(w.grad.data, exact, rtol=1e-10)


def test_the_rule_of_a_product_with_a_stack_makes_no_stack_of_products():
    """(1000, 40, 50)ᵀ (1000, 40, 60) summed afterwards would take 24 MB."""
    import tracemalloc

    x, w = leaf(1000, 4, 50), leaf(50, 60)
    out = x @ w
    g = np.ones(out.shape)
    tracemalloc.start()
    out.backward(g)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(w.grad.data, np.einsum("bij,bik->jk", x.data, g), rtol=1e-10)
    assert peak < 8e6


def test_dot_multiplies_numbers():
    x = tg.Tensor(3.0, requires_grad=True)
    np.dot(x, 2.0).backward()
    assert x.grad.item() == 2.0


def test_dot_and_outer_refuse_out():
    with pytest.raises(OperationError, match=r"np.dot with out="):
        np.dot(leaf(2), leaf(2), out=np.zeros(()))
    with pytest.raises(OperationError, match=r"np.outer with out="):
        np.outer(leaf(2), leaf(2), out=np.zeros((2, 2)))


def test_tensordot_names_the_axes_that_do_not_fit():
    with pytest.raises(ShapeError, match=r"axes \(0,\) of the first and \(1,\) of the second diff"):
        np.tensordot(leaf(2, 3), leaf(2, 4), (0, 1))
    with pytest.raises(AxisError, match="cannot sum over axes=5"):
        np.tensordot(leaf(2, 3), leaf(3, 2), 5)
    with pytest.raises(AxisError, match="repeated axis"):
        np.tensordot(leaf(2, 2), leaf(2, 2), ((0, 0), (0, 1)))
    with pytest.raises(ShapeError, match="differ in number"):
        np.tensordot(leaf(2, 3), leaf(3, 2), ((0, 1), (0,)))


def test_linear_is_one_node():
    z = linear(leaf(2, 3), leaf(4, 3), leaf(4))
    assert z.node.primitive.name == "linear"
    assert all(x.node is None for x in z.node.inputs)


@pytest.mark.parametrize("dtypes", [("f4", "f4", "f8"), ("f4", "f4", "f4"), ("f8", "f4", "f4")])
def test_linear_promotes_as_numpy_does_and_leaves_its_inputs_alone(dtypes):
    x, w, b = (leaf(*s, dtype=d) for s, d in zip([(2, 3), (4, 3), (4,)], dtypes, strict=True))
    before = [t.data.copy() for t in (x, w, b)]
    z = linear(x, w, b)
    expected = x.data @ w.data.T + b.data
    assert z.dtype == expected.dtype
    np.testing.assert_allclose(z.data, expected, rtol=1e-6)
    z.sum().backward()
    for t, old in zip((x, w, b), before, strict=True):
        np.testing.assert_array_equal(t.data, old)
        assert t.grad.dtype == t.dtype


def test_linear_takes_constants_for_any_input():
    w = leaf(4, 3)
    linear(np.ones((2, 3)), w, np.zeros(4)).sum().backward()
    np.testing.assert_array_equal(w.grad.data, np.full((4, 3), 2.0))


def test_linear_says_what_it_expected_and_where(inside_a_module):
    with pytest.raises(ShapeError) as caught:
        linear(leaf(64, 784), leaf(10, 128), leaf(10))
    message = str(caught.value)
    assert "linear in _Net.fc1 (at test_linear_algebra.py:" in message
    assert "input (64, 784), expected (…, 128)" in message
    assert "axis -1 has length 784" in message
    assert "use a weight of shape (10, 784)" in message


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (((), (4, 3), (4,)), r"input \(\), expected \(…, 3\): it has no axis"),
        (((2, 3), (4, 3), (3,)), r"the bias has shape \(3,\), expected \(4,\)"),
        (((2, 3), (4, 3), (1, 4)), r"the bias has shape \(1, 4\), expected \(4,\)"),
        (((2, 3), (3,), (4,)), r"the weight has shape \(3,\), expected \(out, in\)"),
    ],
)
def test_linear_names_what_is_wrong(shapes, words):
    with pytest.raises(ShapeError, match=words):
        linear(*(leaf(*shape) for shape in shapes))
