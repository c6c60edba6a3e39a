"""Lists and tuples as operands, wherever NumPy takes an array."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

import tinygrad_bp as tg

FUNCTIONS = (
    *(np.add, np.subtract, np.multiply, np.divide, np.power, np.float_power, np.remainder, np.fmod),
    *(np.maximum, np.minimum, np.fmax, np.fmin),
    *(np.logaddexp, np.logaddexp2, np.hypot, np.arctan2),
)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("value", [2.5, [2.5, 3.5]])
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("on_the_left", [False, True])
def test_a_list_is_an_array_to_every_operation(function, value, create_graph, on_the_left):
    found = []
    for operand in ([2.0, 3.0], np.array([2.0, 3.0])):
        x = tg.Tensor(value, requires_grad=True) + 0  # where there are no axes, a NumPy scalar
        x.retain_grad()
        z = function(operand, x) if on_the_left else function(x, operand)
        z.sum().backward(create_graph=create_graph)
        found.append((z.data, x.grad.data))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])


def test_a_list_is_not_repeated_by_an_integer():
    total = np.sum(tg.Tensor([1, 1]))
    np.testing.assert_array_equal(([1, 2] * total).data, [2, 4])


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("on_the_left", [False, True])
def test_a_matrix_is_multiplied_element_by_element(on_the_left):
    m = np.matrix([[1.0, 2.0], [3.0, 5.0]])  # as `todense()` of SciPy's sparse matrices gives
    x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    z = m * x if on_the_left else x * m
    assert type(z.data) is np.ndarray
    z.sum().backward()
    np.testing.assert_array_equal(z.data, np.multiply(m, x.data))
    np.testing.assert_array_equal(x.grad.data, m)


@pytest.mark.parametrize("join", [np.add, lambda t, m: np.stack([t, t, m])])
def test_a_masked_array_is_refused(join):
    x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    with pytest.raises(tg.errors.DTypeError, match="would lose its mask"):
        join(x, np.ma.masked_array([1.0, 2.0, 3.0], [0, 1, 0]))


@pytest.mark.parametrize(
    "call",
    [
        lambda x, n: x**n,
        lambda x, n: n**x,
        lambda x, n: np.float_power(n, x),
        lambda x, n: np.polyval(n, x),
        lambda x, n: np.polyval(x, n),
        lambda x, n: np.polyval(x[:, 0], n),
        lambda x, n: special.xlogy(x, n[:2]),
        special.xlog1py,
        special.boxcox,
        lambda x, n: special.boxcox(n[:2], x),
        special.inv_boxcox,
        lambda x, n: special.beta(x, n[:2]),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.bool_, np.uint32, np.float16])
def test_small_integers_have_the_gradients_of_the_floats_that_they_are(call, dtype):
    found = []
    small = np.array([1, 120, 0, 0]).astype(dtype)
    for n in (small, small.astype(float)):
        x = tg.Tensor([[1.7, 2.5, 1.25, 3.0]], requires_grad=True).T
        x.retain_grad()
        z = call(x, n)
        z.backward(np.cos(np.arange(z.size)).reshape(z.shape), create_graph=True)
        found.append((z.data, x.grad.data))
        if x.grad.requires_grad:
            np.sin(x.grad).sum().backward()
            found[-1] += (x.grad.data,)
    for ours, those in zip(*found, strict=True):
        np.testing.assert_allclose(ours, those, rtol=1e-12)
