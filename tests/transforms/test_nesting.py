"""Transforms inside of transforms, put together at random, against numerical derivatives."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp.testing import numerical_gradient
from tinygrad_bp.transforms import (
    checkpoint,
    custom_vjp,
    elementwise_grad,
    grad,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
)


@custom_vjp
def bump(x):
    return 1 / (1 + x * x)


bump.defvjp(lambda x: (bump(x), x), lambda x, g: (-2 * g * x / (1 + x * x) ** 2,))

# Each makes a function of x out of another one, f; all capture x within.
LEVELS = [
    lambda f: lambda x: grad(lambda y: f(y) * x + y * y * x)(x * 0.5),
    lambda f: lambda x: x * grad(lambda y: x * y + f(y))(1.0),
    lambda f: lambda x: jvp(lambda y: f(y) * np.cos(x * y), (x,), (x,))[1],
    lambda f: lambda x: vjp(lambda y, z: f(y) * z, x, x * 2.0)[1](x)[0],
    lambda f: lambda x: hvp(lambda y: f(y) * x, x, x + 1.0),
    lambda f: lambda x: np.sum(jacobian(lambda y: np.stack([f(y), y * x]))(x)),
    lambda f: (
        lambda x: np.sum(jacobian(lambda y: f(y[0]) * y * x, mode="forward")(np.stack([x, x])))
    ),
    lambda f: lambda x: checkpoint(lambda y: f(y) * x)(x),
    lambda f: lambda x: bump(f(x)) * x,
    lambda f: lambda x: elementwise_grad(checkpoint(f))(x) * value_and_grad(f)(x)[0],
]


@given(
    x=st.floats(0.2, 1.5),
    levels=st.lists(st.sampled_from(range(len(LEVELS))), min_size=1, max_size=3),
)
def test_any_nesting_of_transforms_is_the_derivative(x, levels):
    def f(x):
        return np.sin(x) * x

    for k in levels:
        f = LEVELS[k](f)
    at = np.asarray(f(x))
    assert at.dtype == np.float64
    numerical, _ = numerical_gradient(lambda x: float(f(float(x))), x, step=2.0**-13)
    scale = max(1.0, abs(float(at)), abs(float(numerical)))
    np.testing.assert_allclose(grad(f)(x), numerical, rtol=0, atol=2e-7 * scale)
    leaf = tg.Tensor(x, requires_grad=True)
    out = f(leaf)
    if not out.requires_grad:  # the second derivative of what is linear is zero
        assert numerical == 0.0
        return
    out.backward()
    np.testing.assert_allclose(leaf.grad.item(), numerical, rtol=0, atol=2e-7 * scale)
