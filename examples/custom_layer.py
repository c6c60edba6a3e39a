"""A layer of one's own on an operation of one's own: checked, declared, trained and drawn.

    python examples/custom_layer.py

Each unit of a radial basis network has a centre, and answers to what is near. Distances are an
operation with its rules beside it, five times as fast as by an array of (points, units, axes). The
layer is registered, so that a network with it is data. The picture is ``custom_layer.png``.
"""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot

import tinygrad_bp as tg
from tinygrad_bp import nn, optim
from tinygrad_bp.testing import check_primitive


@tg.primitive(
    lambda g, out, x, c: 2 * (np.sum(g, axis=1, keepdims=True) * x - g @ c),
    lambda g, out, x, c: 2 * (np.sum(g, axis=0)[:, np.newaxis] * c - g.T @ x),
    formula=r"\sum_k (x_{ik} - y_{jk})^2",
    vjp_formulas=[r"2 \sum_j \bar{z}_{ij} (x_i - y_j)", r"2 \sum_i \bar{z}_{ij} (y_j - x_i)"],
)
def squared_distances(x, c):
    """Of each row of x to each row of c."""
    return np.sum(x**2, axis=1, keepdims=True) - 2 * x @ c.T + np.sum(c**2, axis=1)


@nn.register_layer
class RadialBasis(nn.Module):
    """exp(-s² |x - c|²) for each unit with its centre c and its sharpness s."""

    def __init__(self, in_features: int, units: int, *, dtype=np.float32, generator=None) -> None:
        rng = np.random.default_rng(generator)
        self.units = units
        self.centre = nn.Parameter(rng.uniform(-1, 1, (units, in_features)), dtype)
        self.sharpness = nn.Parameter(np.full(units, 4.0), dtype)

    def forward(self, x: np.ndarray) -> tg.Tensor:
        """Map (n, in_features) to (n, units)."""
        return np.exp(-squared_distances(x, self.centre) * self.sharpness**2)


def spirals(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points (450, 2) on three arms, and which arm each is on."""
    arm = np.repeat(np.arange(3), 150)
    far = np.sqrt(rng.uniform(0.01, 1, 450))
    angle = 2 * np.pi * arm / 3 + 5 * far + 0.25 * rng.normal(size=450)
    return np.float32(np.stack([far * np.cos(angle), far * np.sin(angle)], axis=1)), arm


def main() -> None:
    print(*check_primitive(squared_distances, shapes=[((3, 2), (4, 2))]), sep="\n")
    layers = [{"type": "RadialBasis", "units": 24}, {"type": "Linear", "out_features": 3}]
    model = nn.NetworkSpec((2,), layers).build(0)
    print(model.summary((2,)))
    (x, arm), (x_new, arm_new) = (spirals(np.random.default_rng(seed)) for seed in (1, 2))
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    for _ in range(500):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), arm).backward()
        optimizer.step()
    print(f"right of other points: {np.mean(model(x_new).data.argmax(axis=1) == arm_new):.3f}")

    plane = np.meshgrid(*2 * [np.linspace(-1.2, 1.2, 300, dtype=np.float32)])
    answers = model(np.stack(plane, axis=-1).reshape(-1, 2)).data.argmax(axis=1)
    figure, axis = pyplot.subplots(figsize=(4.5, 4.5), layout="constrained")
    colors = np.array(["C3", "C2", "C0"])
    axis.contourf(*plane, answers.reshape(300, 300), levels=2, colors=colors, alpha=0.25)
    axis.scatter(*x.T, c=colors[arm], s=6)
    for c, s in zip(model[0].centre.data, model[0].sharpness.data, strict=True):
        axis.add_patch(pyplot.Circle(c, 0.83 / abs(s), fill=False, alpha=0.4))  # half of the answer
    axis.set(xlim=(-1.2, 1.2), ylim=(-1.2, 1.2), aspect=1)
    figure.savefig("custom_layer.png", dpi=100)


if __name__ == "__main__":
    main()
