"""A small network handed to SciPy: L-BFGS takes loss and gradient, and decides on the steps.

    python examples/scipy_minimize.py

For a few hundred parameters and samples, a method that remembers curvature needs far fewer
evaluations than a first-order optimizer. The network learns a curve from 60 noisy points.
"""

from __future__ import annotations

import numpy as np

import tinygrad_bp as tg
from tinygrad_bp import nn, optim


def curve(x: np.ndarray) -> np.ndarray:
    return np.sin(3 * x) * np.exp(-(x**2) / 4)


def network() -> nn.Sequential:
    rng = np.random.default_rng(1)
    return nn.Sequential(
        nn.Linear(1, 16, dtype=np.float64, generator=rng),
        nn.Tanh(),
        nn.Linear(16, 1, dtype=np.float64, generator=rng),
    )


def main() -> None:
    rng = np.random.default_rng(0)
    x = np.linspace(-3, 3, 60)[:, None]
    y = curve(x) + 0.02 * rng.normal(size=x.shape)

    model = network()

    def loss() -> tg.Tensor:
        return nn.functional.mse_loss(model(x), y)

    print(f"{sum(p.size for p in model.parameters())} parameters, loss {loss().item():.5f}")
    seen: list[float] = []

    def note(_: np.ndarray) -> None:
        with tg.no_grad():
            seen.append(loss().item())

    result = optim.minimize_scipy(
        loss, model.parameters(), method="L-BFGS-B", options={"maxiter": 200}, callback=note
    )
    for i in (1, 10, 50, 100, len(seen)):
        print(f"iteration {i:3}  loss {seen[i - 1]:.5f}")
    print(f"{result.nfev} evaluations, final loss {result.fun:.5f}")

    adam = network()
    optimizer = optim.Adam(adam.parameters(), lr=0.01)
    for _ in range(result.nfev):
        optimizer.zero_grad()
        nn.functional.mse_loss(adam(x), y).backward()
        optimizer.step()
    print(f"Adam, as many evaluations: {nn.functional.mse_loss(adam(x), y).item():.5f}")
    with tg.no_grad():
        off = np.abs(model(x).data - curve(x)).max()
    print(f"farthest from the curve without noise: {off:.3f}")


if __name__ == "__main__":
    main()
