"""An autoencoder: digits squeezed into 12 numbers, and drawn again from these alone.

    python examples/autoencoder.py --data-dir FOLDER_WITH_THE_FOUR_IDX_FILES

Nobody says what the numbers mean: the network only has to draw the digit again. Principal
components are the best that a linear map can do with as many numbers, and are drawn beside it.
"""

from __future__ import annotations

import argparse

import numpy as np
from matplotlib import pyplot

import tinygrad_bp as tg
from tinygrad_bp import data, nn, optim


def principal_components(x: np.ndarray, count: int, new: np.ndarray) -> np.ndarray:
    """New rows, projected on the directions in which the rows of x vary most."""
    mean = x.mean(axis=0)
    _, directions = np.linalg.eigh(np.cov(x, rowvar=False))
    most = directions[:, -count:]
    return mean + (new - mean) @ most @ most.T


def main() -> None:
    parser = argparse.ArgumentParser(description="Squeeze digits into a few numbers.")
    parser.add_argument("--data-dir", help="folder of the MNIST files, else they are downloaded")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--samples", type=int, default=60_000, help="digits to use")
    parser.add_argument("--code", type=int, default=12, help="numbers to squeeze a digit into")
    parser.add_argument("--out", default="autoencoder.png", help="file for the pictures")
    args = parser.parse_args()

    mnist = data.load_mnist(args.data_dir)
    train, test = (part[: args.samples] for part in (mnist.train, mnist.test))
    x_train, x_test = (np.float32(part.inputs) / np.float32(255) for part in (train, test))
    rng = np.random.default_rng(0)
    a, b = nn.Linear(784, 256, generator=rng), nn.Linear(256, args.code, generator=rng)
    c, d = nn.Linear(args.code, 256, generator=rng), nn.Linear(256, 784, generator=rng)
    encoder, decoder = nn.Sequential(a, nn.ReLU(), b), nn.Sequential(c, nn.ReLU(), d, nn.Sigmoid())
    model = nn.Sequential({"encoder": encoder, "decoder": decoder})
    optimizer = optim.Adam(model.parameters(), lr=2e-3)
    schedule = optim.CosineAnnealingLR(optimizer, args.epochs)
    batches = data.DataLoader(x_train, batch_size=128, shuffle=True, generator=rng)
    for epoch in range(1, args.epochs + 1):
        for (x,) in batches:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), x).backward()
            optimizer.step()
        schedule.step()
        with tg.no_grad():
            drawn = model(x_test).data
        print(f"epoch {epoch:2}  squared error of a pixel {np.mean((drawn - x_test) ** 2):.4f}")

    linear = principal_components(x_train, args.code, x_test)
    print(f"principal components {np.mean((linear - x_test) ** 2):.4f}")
    rows = {
        "test digits": x_test,
        f"from {args.code} numbers": drawn,
        "principal\ncomponents": linear,
    }
    shown = [int(np.argmax(test.labels == digit)) for digit in range(10)]
    figure, axes = pyplot.subplots(3, 1, figsize=(8, 2.3), layout="constrained")
    for axis, (name, images) in zip(axes, rows.items(), strict=True):
        axis.imshow(np.hstack(images[shown].reshape(-1, 28, 28)), cmap="gray_r", vmin=0, vmax=1)
        axis.set(xticks=[], yticks=[])
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
    figure.savefig(args.out, dpi=100, bbox_inches="tight")


if __name__ == "__main__":
    main()
