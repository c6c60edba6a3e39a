"""Numerical derivatives for the tests of the catalogue: NumPy alone, nothing of the package."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def five_point(f: Callable[..., float], inputs: Sequence[Array], h: float = 1e-3) -> list[Array]:
    """The gradient of a scalar function of float64 arrays, by 5-point central differences."""
    gradients = []
    for i, x in enumerate(inputs):
        gradient = np.zeros(x.shape)
        for place in np.ndindex(x.shape):
            values = []
            for k in (1, -1, 2, -2):
                moved = x.copy()
                moved[place] += k * h
                values.append(float(f(*inputs[:i], moved, *inputs[i + 1 :])))
            near, far = values[0] - values[1], values[2] - values[3]
            gradient[place] = (8 * near - far) / (12 * h)
        gradients.append(gradient)
    return gradients


def complex_step(f: Callable[..., complex], inputs: Sequence[Array]) -> list[Array]:
    """The gradient of an analytic function, exact to rounding: ``imag(f(x + ih)) / h``."""
    h = 1e-30
    gradients = []
    for i, x in enumerate(inputs):
        gradient = np.zeros(x.shape)
        for place in np.ndindex(x.shape):
            moved = x.astype(complex)
            moved[place] += 1j * h
            gradient[place] = complex(f(*inputs[:i], moved, *inputs[i + 1 :])).imag / h
        gradients.append(gradient)
    return gradients
