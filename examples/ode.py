"""Hares and lynxes: the parameters of a differential equation, fitted to what trappers counted.

    python examples/ode.py

A Runge-Kutta method as one writes it in NumPy, differentiated through its steps: the exact gradient
of what was computed. The pelts, in thousands, are the Hudson's Bay Company's of 1900 to 1920.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares

import tinygrad_bp as tg
from tinygrad_bp.testing import check_gradients

HARES = [30, 47.2, 70.2, 77.4, 36.3, 20.6, 18.1, 21.4, 22, 25.4, 27.1]
HARES += [40.3, 57, 76.6, 52.3, 19.5, 11.2, 7.6, 14.6, 16.2, 24.7]
LYNXES = [4, 6.1, 9.8, 35.2, 59.4, 41.7, 19, 13, 8.3, 9.1, 7.4]
LYNXES += [8, 12.3, 19.5, 45.7, 51.1, 29.7, 15.8, 9.7, 10.1, 8.6]
PELTS = np.stack([HARES, LYNXES], axis=1)

# Dormand and Prince's method of order 5.
STAGES = [
    [],
    [1 / 5],
    [3 / 40, 9 / 40],
    [44 / 45, -56 / 15, 32 / 9],
    [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
    [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
]
WEIGHTS = [35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84]


def runge_kutta(f, y, step, count):
    """Values of y' = f(y) at `count` times that are `step` apart, from y on."""
    values = [y]
    for _ in range(count - 1):
        slopes = []
        for row in STAGES:
            inner = y
            for weight, slope in zip(row, slopes, strict=True):
                inner = inner + step * weight * slope
            slopes.append(f(inner))
        y = y + step * np.einsum("i,ij->j", WEIGHTS, np.stack(slopes))
        values.append(y)
    return np.stack(values)


def predator_prey(theta, per_year=4):
    """Lotka and Volterra's numbers (21, 2) for logarithms of four rates and two first numbers."""
    birth, hunt, death, feed = np.exp(theta[:4])

    def growth(logarithms):  # of each species, relative to its number
        hares, lynxes = np.exp(logarithms)
        return np.stack([birth - hunt * lynxes, feed * hares - death])

    years = runge_kutta(growth, theta[4:], 1 / per_year, (len(PELTS) - 1) * per_year + 1)
    return np.exp(years[::per_year])


def residuals(theta):
    """Differences of the logarithms (42,)."""
    return np.ravel(np.log(predator_prey(theta)) - np.log(PELTS))


def main() -> None:
    theta = np.log([0.5, 0.02, 0.9, 0.02, 30.0, 5.0])
    found = check_gradients(residuals, theta, order=1)
    print(f"gradient check: largest relative difference {found.difference:.1e}")
    print(f"mean square of the residuals: {np.mean(residuals(theta) ** 2):.4f}")
    fit = least_squares(residuals, theta, jac=tg.jacobian(residuals), method="lm")
    print(f"after {fit.njev} Jacobians: {np.mean(fit.fun**2):.4f}")
    birth, hunt, death, feed, *_ = np.exp(fit.x)
    print(f"hares: birth {birth:.2f}, hunt {hunt:.3f}; lynxes: death {death:.2f}, feed {feed:.3f}")


if __name__ == "__main__":
    main()
