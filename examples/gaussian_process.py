"""A Gaussian process learns its kernel: which part of a series is trend, season and noise.

    python examples/gaussian_process.py

The marginal likelihood goes through a Cholesky factor, a solve and a logarithm of the diagonal, all
of them NumPy's. Its gradient by the logarithms of six parameters finds them, and the process fills
a gap of most of a year.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

import tinygrad_bp as tg
from tinygrad_bp.testing import check_gradients

NAMES = ("trend", "years", "season", "width", "period", "noise")


def kernel(theta, a, b):
    """Covariance (n, m) of the series at times (n,) and (m,): that of a trend and of a season."""
    trend, years, season, width, period, _ = np.exp(theta)
    apart = a[:, np.newaxis] - b
    slow = trend**2 / (1 + (apart / years) ** 2 / 2)
    return slow + season**2 * np.exp(-2 * (np.sin(np.pi * apart / period) / width) ** 2)


def factor(theta, times):
    """The Cholesky factor of the covariance of measurements."""
    covariance = kernel(theta, times, times)
    return np.linalg.cholesky(covariance + np.exp(2 * theta[-1]) * np.eye(len(times)))


def log_likelihood(theta, times, y):
    """Logarithm of the marginal likelihood of measurements y at `times`."""
    lower = factor(theta, times)
    white = np.linalg.solve(lower, y)
    volume = 2 * np.sum(np.log(np.diagonal(lower))) + len(y) * np.log(2 * np.pi)
    return -0.5 * (white @ white + volume)


def predict(theta, times, y, new):
    """Mean and standard deviation of a measurement at new times, given those at `times`."""
    lower = factor(theta, times)
    across = np.linalg.solve(lower, kernel(theta, times, new))
    mean = np.einsum("ij,i->j", across, np.linalg.solve(lower, y))
    variance = np.diagonal(kernel(theta, new, new)) - np.sum(across**2, axis=0)
    return mean, np.sqrt(np.maximum(variance, 0.0) + np.exp(2 * theta[-1]))


def series(times, rng):
    """A slow wave, a season with a sharp top, and noise of 0.1."""
    season = np.exp(np.sin(2 * np.pi * times)) - 1.27
    return np.sin(times) + 0.6 * season + 0.1 * rng.normal(size=times.shape)


def main() -> None:
    times = np.linspace(0.0, 4.0, 81)
    y = series(times, np.random.default_rng(0))
    gap = (times > 2.4) & (times < 3.2)
    theta = np.log([1.0, 1.0, 1.0, 2.0, 1.1, 0.3])

    def loss(theta):
        return -log_likelihood(theta, times[~gap], y[~gap]) / np.sum(~gap)

    found = check_gradients(loss, theta)
    print(f"gradient check: largest relative difference {found.difference:.1e}")
    print(f"log-likelihood per measurement: {-loss(theta):.4f}")
    result = minimize(tg.value_and_grad(loss), theta, jac=True, method="L-BFGS-B")
    print(f"after {result.nfev} evaluations: {-result.fun:.4f}")
    print(", ".join(f"{n} {v:.2f}" for n, v in zip(NAMES, np.exp(result.x), strict=True)))
    mean, deviation = predict(result.x, times[~gap], y[~gap], times[gap])
    error = np.sqrt(np.mean((mean - y[gap]) ** 2))
    print(f"off by {error:.3f} in the gap, where it expects {np.mean(deviation):.3f}")


if __name__ == "__main__":
    main()
