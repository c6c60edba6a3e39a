"""A trained network, fooled: a change of the image that one hardly sees, and a wrong answer.

    python examples/fool_network.py --data-dir FOLDER_WITH_THE_FOUR_IDX_FILES

The gradient of the loss by the image tells for each pixel which way is worse. A small step that way
(I. Goodfellow et al., arXiv:1412.6572), or ten smaller ones (A. Madry et al., arXiv:1706.06083), do
what noise of the same size does not. The pictures are the surest mistake for each digit.
"""

from __future__ import annotations

import argparse

import numpy as np
from matplotlib import pyplot

import tinygrad_bp as tg
from tinygrad_bp import data, nn, optim


def trained(x, labels, rng: np.random.Generator) -> nn.Sequential:
    a, b = nn.Linear(784, 128, generator=rng), nn.Linear(128, 64, generator=rng)
    model = nn.Sequential(a, nn.ReLU(), b, nn.ReLU(), nn.Linear(64, 10, generator=rng))
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    batches = data.DataLoader(x, labels, batch_size=128, shuffle=True, generator=rng)
    for _ in range(8):
        for some, wanted in batches:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(some), wanted).backward()
            optimizer.step()
    return model


def attack(model: nn.Module, x, labels, size: float, steps: int) -> np.ndarray:
    """Images of which no pixel differs by more than size, for which the loss is large."""
    slope = tg.grad(lambda images: nn.functional.cross_entropy(model(images), labels))
    low, high = np.maximum(x - size, 0), np.minimum(x + size, 1)
    for _ in range(steps):
        x = np.clip(x + np.float32(size / steps * min(steps, 2)) * np.sign(slope(x)), low, high)
    return x


def main() -> None:
    parser = argparse.ArgumentParser(description="Change images so that a network errs.")
    parser.add_argument("--data-dir", help="folder of the MNIST files, else they are downloaded")
    parser.add_argument("--samples", type=int, default=60_000, help="digits to use")
    parser.add_argument("--out", default="fool_network.png", help="file for the pictures")
    args = parser.parse_args()

    mnist = data.load_mnist(args.data_dir)
    train, test = (part[: args.samples] for part in (mnist.train, mnist.test))
    x_train, x = (np.float32(part.inputs) / np.float32(255) for part in (train, test))
    labels, rng = test.labels, np.random.default_rng(0)
    model = trained(x_train, train.labels, rng)
    chances = tg.no_grad()(lambda images: nn.functional.softmax(model(images)).data)
    for size in np.float32([0, 0.02, 0.05, 0.1]):
        noise = rng.choice([-size, size], x.shape)
        tried = x + noise, attack(model, x, labels, size, 1), attack(model, x, labels, size, 10)
        n, a, b = (np.mean(chances(images).argmax(axis=1) == labels) for images in tried)
        print(f"pixels by {size:.2f}: right after noise {n:.3f}, a step {a:.3f}, ten steps {b:.3f}")

    worse = attack(model, x, labels, np.float32(0.05), 10)
    before, after = chances(x), chances(worse)
    right = np.arange(len(x)), labels
    sure = before[right] * (after.max(axis=1) - after[right])
    figure, axes = pyplot.subplots(3, 10, figsize=(10, 3.2), layout="constrained")
    for digit, column in enumerate(axes.T):
        k = np.argmax(sure * (labels == digit))
        for axis, image, p in (column[0], x[k], before[k]), (column[2], worse[k], after[k]):
            axis.imshow(image.reshape(28, 28), cmap="gray_r", vmin=0, vmax=1)
            axis.set_title(f"{p.argmax()}: {p.max():.1%}", size=9)
        column[1].imshow(10 * (worse - x)[k].reshape(28, 28), cmap="RdBu_r", vmin=-1, vmax=1)
    for line, name in zip(axes, ("image", "change × 10", "both"), strict=True):
        line[0].set_ylabel(name)
    pyplot.setp(axes.flat, xticks=[], yticks=[])
    figure.savefig(args.out, dpi=100)


if __name__ == "__main__":
    main()
