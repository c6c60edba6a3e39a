"""A network that obeys a law on its own derivatives goes on where the measurements end.

    python examples/derivative_constraint.py

A spring swings: u'' + 2 d u' + w² u = 0. A network u(t) is fitted to what was measured in the first
third of the time, once by itself, once with the law as a second term of the loss. u' and u'' are
derivatives by t; the gradient by the weights goes through them, so it is one of third order.
"""

from __future__ import annotations

import argparse

import numpy as np
from matplotlib import pyplot

import tinygrad_bp as tg
from tinygrad_bp import nn, optim
from tinygrad_bp.transforms import elementwise_grad

FREQUENCY, DAMPING = 6.0, 0.4


def exact(t: np.ndarray) -> np.ndarray:
    """The solution that begins at rest, at 1."""
    w = np.sqrt(FREQUENCY**2 - DAMPING**2)
    return np.exp(-DAMPING * t) * (np.cos(w * t) + DAMPING / w * np.sin(w * t))


def network(seed: int) -> nn.Sequential:
    rng = np.random.default_rng(seed)
    a, b, c = (nn.Linear(*n, dtype=float, generator=rng) for n in ((1, 32), (32, 32), (32, 1)))
    return nn.Sequential(a, np.tanh, b, np.tanh, c)


def violation(u, t: np.ndarray) -> tg.Tensor:
    """By how much a function breaks the law at each time (n, 1)."""
    velocity = elementwise_grad(u)
    acceleration = elementwise_grad(velocity)
    return acceleration(t) + 2 * DAMPING * velocity(t) + FREQUENCY**2 * u(t)


def fit(measured, y, t, weight: float, iterations: int) -> nn.Sequential:
    """A network through the points measured, to which the law at times t has a weight."""
    u = network(1)

    def loss() -> tg.Tensor:
        off = nn.functional.mse_loss(u(measured), y)
        return off + weight * np.mean(violation(u, t) ** 2) if weight else off

    optim.minimize_scipy(loss, u.parameters(), options={"maxiter": iterations, "maxfun": 10**6})
    return u


def main() -> None:
    parser = argparse.ArgumentParser(description="Fit a swinging spring, with and without its law.")
    parser.add_argument("--iterations", type=int, default=2000)
    parser.add_argument("--out", default="derivative_constraint.png", help="file for the plot")
    args = parser.parse_args()

    measured = np.linspace(0.0, 1.0, 12)[:, np.newaxis]
    y = exact(measured) + 0.02 * np.random.default_rng(0).normal(size=(12, 1))
    t = np.linspace(0.0, 3.0, 50)[:, np.newaxis]
    fine = np.linspace(0.0, 3.0, 301)[:, np.newaxis]
    print(f"the exact solution breaks the law by {np.abs(violation(exact, t)).max():.0e}")
    figure, axis = pyplot.subplots(figsize=(7, 3.2), layout="constrained")
    axis.plot(fine, exact(fine), color="0.7", lw=5, label="exact")
    for name, weight, style in (("measurements alone", 0.0, "C1--"), ("with the law", 1e-3, "C0")):
        u = fit(measured, y, t, weight, args.iterations)(fine).data
        near, far = np.abs(u - exact(fine))[:101].max(), np.abs(u - exact(fine))[101:].max()
        print(f"{name}: off by {near:.3f} where measured, by {far:.3f} beyond")
        axis.plot(fine, u, style, label=name)
    axis.plot(measured, y, "ko", ms=4, label="measured")
    axis.set(xlabel="t", ylabel="u", xlim=(0, 3), ylim=(-1.3, 1.6))
    axis.legend(ncols=4, loc="upper center", frameon=False)
    figure.savefig(args.out, dpi=100)


if __name__ == "__main__":
    main()
