"""LeNet on MNIST: convolutions that learn what to look for.

    python examples/lenet.py --data-dir FOLDER_WITH_THE_FOUR_IDX_FILES

Y. LeCun et al., "Gradient-based learning applied to document recognition", 1998, with ReLU and max
pooling in place of what was usual then. Without ``--data-dir`` the files come from where
``TINYGRAD_BP_DATA`` points, else they are downloaded.
"""

from __future__ import annotations

import argparse

import numpy as np
from matplotlib import pyplot

import tinygrad_bp as tg
from tinygrad_bp import data, nn, optim


def lenet(rng: np.random.Generator) -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2, generator=rng), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5, generator=rng), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120, generator=rng), nn.ReLU()),
        *(nn.Linear(120, 84, generator=rng), nn.ReLU(), nn.Linear(84, 10, generator=rng)),
    )


def accuracy(model: nn.Module, images: np.ndarray, labels: np.ndarray) -> float:
    with tg.no_grad():
        parts = [model(images[i : i + 500]).data.argmax(axis=1) for i in range(0, len(images), 500)]
    return float(np.mean(np.concatenate(parts) == labels))


def look_inside(model: nn.Sequential, image: np.ndarray, path: str) -> None:
    """A picture of the first six filters, and of where in a digit each of them finds its like."""
    with tg.no_grad():
        found = model[:2](image[None]).data[0]
    figure, axes = pyplot.subplots(2, 7, figsize=(8, 2.6), layout="constrained")
    for axis in axes.flat:
        axis.set_axis_off()
    axes[1, 0].imshow(image[0], cmap="gray_r")
    filters = model[0].weight.data[:, 0]
    for k, (filter_, map_) in enumerate(zip(filters, found, strict=True), start=1):
        most = np.abs(filters).max()
        axes[0, k].imshow(filter_, cmap="RdBu_r", vmin=-most, vmax=most)
        axes[1, k].imshow(map_, cmap="gray_r", vmin=0, vmax=found.max())
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train LeNet on MNIST.")
    parser.add_argument("--data-dir", help="folder with the MNIST files, or with mnist/ in it")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--samples", type=int, default=60_000, help="training digits to use")
    parser.add_argument("--out", default="lenet.png", help="file for the picture")
    args = parser.parse_args()

    mnist = data.load_mnist(args.data_dir)
    train, test = mnist.train[: args.samples], mnist.test
    x, test_x = (np.float32(part.inputs).reshape(-1, 1, 28, 28) / 255 for part in (train, test))
    rng = np.random.default_rng(0)
    model = lenet(rng)
    print(model.summary((1, 28, 28)))
    batches = data.DataLoader(x, train.labels, batch_size=64, shuffle=True, generator=rng)
    optimizer = optim.AdamW(model.parameters(), lr=3e-3)
    schedule = optim.OneCycleLR(optimizer, 3e-3, total_steps=args.epochs * len(batches))
    for epoch in range(1, args.epochs + 1):
        for images, labels in batches:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch}  test accuracy {accuracy(model, test_x, test.labels):.4f}")
    look_inside(model, test_x[0], args.out)


if __name__ == "__main__":
    main()
