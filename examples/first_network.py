"""A network as a class of one's own, and the loop that trains it on small digits.

    python examples/first_network.py

A `Module` finds its parameters in its attributes; `forward` is NumPy. Nothing is downloaded: the
1,797 digits of 8 by 8 pixels come with scikit-learn.
"""

from __future__ import annotations

import argparse

import numpy as np

import tinygrad_bp as tg
from tinygrad_bp import data, nn, optim


class Residual(nn.Module):
    """Two layers with a way around the second: x -> V (h + tanh(U h)), h = tanh(W x)."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.enter = nn.Linear(64, 48, generator=rng)
        self.turn = nn.Linear(48, 48, generator=rng)
        self.leave = nn.Linear(48, 10, generator=rng)

    def forward(self, x: np.ndarray) -> tg.Tensor:
        """Scores for the ten digits, (n, 10), of images (n, 64)."""
        h = np.tanh(self.enter(x))
        return self.leave(h + np.tanh(self.turn(h)))


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a network of one's own on small digits.")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    rng = np.random.default_rng(args.seed)
    digits = data.load_digits().split(0.25, rng)
    assert digits.test is not None
    x_train, x_test = (np.float32(part.inputs / 16) for part in (digits.train, digits.test))
    batches = data.DataLoader(
        x_train, digits.train.labels, batch_size=32, shuffle=True, generator=rng
    )

    model = Residual(args.seed)
    print(model)
    print("parameters:", {name: p.shape for name, p in model.named_parameters()})
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(1, args.epochs + 1):
        total = 0.0
        for x, labels in batches:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), labels)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
        with tg.no_grad():
            answers = model(x_test).data.argmax(axis=1)
        right = np.mean(answers == digits.test.labels)
        print(f"epoch {epoch:2}  loss {total / len(x_train):.4f}  test accuracy {right:.4f}")


if __name__ == "__main__":
    main()
