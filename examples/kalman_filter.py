"""A Kalman filter finds the frequency of a noisy oscillation, part of which was not measured.

    python examples/kalman_filter.py

The filter is NumPy and knows nothing of derivatives. It is differentiated through its loop of
120 steps, each of which rests on the one before, and SciPy maximises the likelihood of what was
measured in a handful of evaluations.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

import tinygrad_bp as tg
from tinygrad_bp.testing import check_gradients


def system(theta):
    """Transition, noise of the state and noise of the measurement of a damped oscillator."""
    angle, damping, state, measured = np.exp(theta)
    turn = np.cos(angle) * np.eye(2) + np.sin(angle) * np.array([[0.0, -1.0], [1.0, 0.0]])
    return np.exp(-damping) * turn, state**2 * np.eye(2), measured**2 * np.eye(1)


def kalman_filter(theta, y):
    """Log-likelihood of measurements (n, 1), NaN where there is none, and mean states (n, 2)."""
    move, noise, error = system(theta)
    read = np.array([[1.0, 0.0]])
    mean, covariance = np.zeros(2), np.eye(2)
    likelihood, means = 0.0, []
    for measurement in y:
        mean = move @ mean
        covariance = move @ covariance @ move.T + noise
        if not np.any(np.isnan(measurement)):  # else the prediction is all there is
            surprise = measurement - read @ mean
            spread = read @ covariance @ read.T + error
            gain = np.linalg.solve(spread, read @ covariance).T
            mean = mean + gain @ surprise
            rest = np.eye(2) - gain @ read  # Joseph's form keeps the covariance symmetric
            covariance = rest @ covariance @ rest.T + gain @ error @ gain.T
            _, volume = np.linalg.slogdet(2 * np.pi * spread)
            likelihood -= 0.5 * (volume + surprise @ np.linalg.solve(spread, surprise))
        means.append(mean)
    return likelihood, np.stack(means)


def loss(theta, y):
    """Minus the log-likelihood, per measurement."""
    return -kalman_filter(theta, y)[0] / np.count_nonzero(~np.isnan(y))


def measurements(theta, n, rng):
    """States (n, 2) of the system, and measurements (n, 1), a sixth of which is missing."""
    move, noise, error = system(theta)
    states = [np.array([2.0, 0.0])]
    while len(states) < n:
        states.append(move @ states[-1] + np.sqrt(noise[0, 0]) * rng.normal(size=2))
    y = np.stack(states)[:, :1] + np.sqrt(error[0, 0]) * rng.normal(size=(n, 1))
    y[2 * n // 3 : 5 * n // 6] = np.nan
    return np.stack(states), y


def main() -> None:
    states, y = measurements(np.log([0.4, 0.02, 0.2, 0.5]), 120, np.random.default_rng(0))
    theta = np.log([0.3, 0.1, 0.5, 1.0])
    found = check_gradients(lambda theta: loss(theta, y), theta, order=1)
    print(f"gradient check: largest relative difference {found.difference:.1e}")
    print(f"log-likelihood per measurement: {-loss(theta, y):.4f}")
    result = minimize(tg.value_and_grad(loss), theta, args=(y,), jac=True)
    print(f"after {result.nfev} evaluations: {-result.fun:.4f}")
    angle, _, state, error = np.exp(result.x)
    print(f"angle of a step {angle:.2f} (0.40), noise {state:.2f} (0.20) and {error:.2f} (0.50)")
    means = kalman_filter(result.x, y)[1]
    print(f"the filtered states are off by {np.sqrt(np.mean((means - states) ** 2)):.2f}")


if __name__ == "__main__":
    main()
