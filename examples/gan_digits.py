"""Two networks against each other: one forges small digits, one tells them from real ones.

    python examples/gan_digits.py

Both are told which digit is wanted. The forger never sees a real one: what it learns is the
gradient of the expert's answer by the image. (I. Goodfellow et al., arXiv:1406.2661; M. Mirza and
S. Osindero, arXiv:1411.1784.) The 1,797 digits of 8 by 8 pixels come with scikit-learn.
"""

from __future__ import annotations

import argparse

import numpy as np
from matplotlib import pyplot
from sklearn.neighbors import KNeighborsClassifier

import tinygrad_bp as tg
from tinygrad_bp import data, nn, optim

TOLD = np.eye(10, dtype=np.float32)  # in row k, how one is told that it is digit k


def perceptron(before: int, after: int, rng: np.random.Generator) -> nn.Sequential:
    a, b, c = (nn.Linear(*n, generator=rng) for n in ((before, 128), (128, 128), (128, after)))
    return nn.Sequential(a, nn.LeakyReLU(0.2), b, nn.LeakyReLU(0.2), c)


def forge(forger: nn.Module, wanted: np.ndarray, rng: np.random.Generator) -> tg.Tensor:
    """Images (n, 64) of the digits that are wanted, between -1 and 1."""
    chance = rng.standard_normal((len(wanted), 16), np.float32)
    return np.tanh(forger(np.concatenate([chance, TOLD[wanted]], axis=1)))


def judge(expert: nn.Module, images, labels: np.ndarray, real: bool) -> tg.Tensor:
    """The expert's loss, where it should say whether the images are real."""
    logits = expert(np.concatenate([images, TOLD[labels]], axis=1))
    return np.mean(nn.functional.softplus(-logits if real else logits))


def main() -> None:
    parser = argparse.ArgumentParser(description="Learn to forge digits.")
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--out", default="gan_digits.png", help="file for the picture")
    args = parser.parse_args()

    digits = data.load_digits().train
    x, labels, rng = np.float32(digits.inputs / 8 - 1), digits.labels, np.random.default_rng(0)
    neighbours = KNeighborsClassifier().fit(x, labels)
    forger, expert = perceptron(26, 64, rng), perceptron(74, 1, rng)
    teach = optim.Adam(expert.parameters(), lr=2e-3, betas=(0.5, 0.99))
    train = optim.Adam(forger.parameters(), lr=2e-3, betas=(0.5, 0.99))
    for step in range(1, args.steps + 1):
        some, wanted = rng.integers(0, len(x), 64), rng.integers(0, 10, 64)
        forged = forge(forger, wanted, rng)
        teach.zero_grad()
        judge(expert, x[some], labels[some], real=True).backward()
        judge(expert, forged.data, wanted, real=False).backward()
        teach.step()
        train.zero_grad()
        judge(expert, forged, wanted, real=True).backward()
        train.step()
        if step % (args.steps // 8) == 0:
            wanted = np.repeat(np.arange(10), 50)
            images = forge(forger, wanted, rng).data
            right = np.mean(neighbours.predict(images) == wanted)
            print(f"step {step:5}  forged digits that are read as what was wanted: {right:.3f}")
    far, apart = (neighbours.kneighbors(which, 1)[0].mean() for which in (images, None))
    print(f"from forged to nearest real: {far:.2f}, from real to nearest other real: {apart:.2f}")
    real = np.concatenate([x[labels == k][:10] for k in range(10)])
    figure, axes = pyplot.subplots(1, 2, figsize=(8, 4.2), layout="constrained")
    for axis, title, shown in (axes[0], "real", real), (axes[1], "forged", images[::5]):
        framed = np.pad(shown.reshape(100, 8, 8), ((0, 0), (1, 1), (1, 1)), constant_values=-1)
        axis.imshow(np.block([list(framed[k : k + 10]) for k in range(0, 100, 10)]), cmap="gray_r")
        axis.set(xticks=[], yticks=[], title=title)
    figure.savefig(args.out, dpi=100)


if __name__ == "__main__":
    main()
