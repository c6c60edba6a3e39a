"""The MNIST perceptron, declared in a dozen lines and trained by a loop that one can read.

    python examples/mnist_mlp.py --data-dir FOLDER_WITH_THE_FOUR_IDX_FILES

Without ``--data-dir`` the files come from where ``TINYGRAD_BP_DATA`` points, else they are
downloaded. The same network and training as data, without a loop of one's own, with curves and
checkpoints, is ``tinygrad-bp train examples/mnist_mlp.toml``.
"""

from __future__ import annotations

import argparse

import numpy as np

import tinygrad_bp as tg
from tinygrad_bp import data, nn, optim


def perceptron(seed: int) -> nn.Sequential:
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Linear(784, 256, weight_init="he_normal", bias_init="zeros", generator=rng),
        nn.ReLU(),
        nn.Linear(256, 128, weight_init="he_normal", bias_init="zeros", generator=rng),
        nn.ReLU(),
        nn.Linear(128, 10, weight_init="glorot_normal", bias_init="zeros", generator=rng),
    )


def accuracy(model: nn.Module, images: np.ndarray, labels: np.ndarray) -> float:
    with tg.no_grad():
        return float(np.mean(model(images).data.argmax(axis=1) == labels))


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the MNIST perceptron.")
    parser.add_argument("--data-dir", help="folder with the MNIST files, or with mnist/ in it")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--samples", type=int, default=60_000, help="training digits to use")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    mnist = data.load_mnist(args.data_dir)
    assert mnist.test is not None
    train, test = mnist.train[: args.samples], mnist.test
    images, test_images = (np.float32(part.inputs) / np.float32(255) for part in (train, test))

    model = perceptron(args.seed)
    print(model.summary((784,)))
    loss_function = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    schedule = optim.StepLR(optimizer, step_size=8)  # a tenth of the rate for the last epochs
    order = np.random.default_rng(args.seed + 1)
    batches = data.DataLoader(images, train.labels, batch_size=128, shuffle=True, generator=order)
    for epoch in range(1, args.epochs + 1):
        total = 0.0
        for x, labels in batches:
            optimizer.zero_grad()
            loss = loss_function(model(x), labels)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
        schedule.step()
        reached = accuracy(model, test_images, test.labels)
        print(f"epoch {epoch}  loss {total / len(images):.4f}  test accuracy {reached:.4f}")


if __name__ == "__main__":
    main()
