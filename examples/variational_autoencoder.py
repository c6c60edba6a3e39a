"""A variational autoencoder: a plane in which every point is a digit.

    python examples/variational_autoencoder.py --data-dir FOLDER_WITH_THE_FOUR_IDX_FILES

The encoder gives each digit a normal distribution in the plane; the decoder draws a digit from a
point of it. The point is m + s ε with ε from outside, so that the gradient finds its way through
the random choice to m and s. (D. Kingma and M. Welling, arXiv:1312.6114.)
"""

from __future__ import annotations

import argparse

import numpy as np
from matplotlib import pyplot
from scipy import special

import tinygrad_bp as tg
from tinygrad_bp import data, nn, optim


class Variational(nn.Module):
    """Both networks, of two hidden layers each."""

    def __init__(self, rng: np.random.Generator) -> None:
        sizes = (784, 384), (384, 192), (192, 4), (2, 192), (192, 384), (384, 784)
        a, b, c, d, e, f = (nn.Linear(n, m, generator=rng) for n, m in sizes)
        self.encoder = nn.Sequential(a, nn.ReLU(), b, nn.ReLU(), c)
        self.decoder = nn.Sequential(d, nn.ReLU(), e, nn.ReLU(), f)

    def forward(self, x: np.ndarray, rng: np.random.Generator) -> tuple[tg.Tensor, tg.Tensor]:
        """Nats for a digit's pixels, given its point, and for the point; means of the batch."""
        m, log_s = np.split(self.encoder(x), 2, axis=1)
        drawn = self.decoder(m + np.exp(log_s) * rng.standard_normal(m.shape, np.float32))
        pixels = nn.functional.binary_cross_entropy_with_logits(drawn, x, reduction="sum")
        divergence = np.sum(m**2 + np.exp(2 * log_s) - 2 * log_s - 1) / 2  # from N(0, 1)
        return pixels / len(x), divergence / len(x)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw digits from points of a plane.")
    parser.add_argument("--data-dir", help="folder of the MNIST files, else they are downloaded")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--samples", type=int, default=60_000, help="digits to use")
    parser.add_argument("--out", default="variational_autoencoder.png", help="for the pictures")
    args = parser.parse_args()

    mnist = data.load_mnist(args.data_dir)
    train, test = (part[: args.samples] for part in (mnist.train, mnist.test))
    x_train, x_test = (np.float32(part.inputs) / np.float32(255) for part in (train, test))
    model = Variational(rng := np.random.default_rng(0))
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    batches = data.DataLoader(x_train, batch_size=128, shuffle=True, generator=rng)
    for epoch in range(1, args.epochs + 1):
        for (x,) in batches:
            optimizer.zero_grad()
            np.add(*model(x, rng)).backward()
            optimizer.step()
        with tg.no_grad():
            pixels, point = (part.item() for part in model(x_test, rng))
        print(f"epoch {epoch}  nats of test digits: {pixels:.1f} pixels + {point:.1f} point")

    line = special.ndtri((np.arange(12) + 0.5) / 12)  # drawn as if all points were equally likely
    with tg.no_grad():
        x, y = special.ndtr(model.encoder(x_test[:2000]).data[:, :2]).T
        walk = model.decoder(np.float32(np.stack(np.meshgrid(line, -line), axis=-1)))
        drawn = model.decoder(rng.standard_normal((8, 8, 2), np.float32))
    figure, axes = pyplot.subplots(1, 3, figsize=(9, 3), layout="constrained")
    points = axes[0].scatter(x, y, c=test.labels[:2000], cmap="tab10", s=3)
    axes[0].set(xlim=(0, 1), ylim=(0, 1), aspect=1, xticks=[], yticks=[], title="test digits")
    figure.legend(*points.legend_elements(), loc="outside left center", frameon=False)
    for axis, title, logits in (axes[1], "a walk", walk), (axes[2], "random points", drawn):
        images = nn.functional.sigmoid(logits).data.reshape(*logits.shape[:2], 28, 28)
        axis.imshow(np.block([list(row) for row in images]), cmap="gray_r")
        axis.set(xticks=[], yticks=[], title=title)
    figure.savefig(args.out, dpi=100)


if __name__ == "__main__":
    main()
