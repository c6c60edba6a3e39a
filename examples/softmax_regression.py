"""Softmax regression of the irises, with features that are made and scaled within the function.

    python examples/softmax_regression.py

The parameters are a dict, and so is the gradient. The powers to which lengths and widths are raised
are learned beside the weights: the scaling by mean and deviation is differentiated with the rest.
The 150 flowers come with scikit-learn.
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_iris

import tinygrad_bp as tg
from tinygrad_bp.testing import check_gradients


def features(x, powers, train):
    """The measurements (n, 4) to some powers, their products and the largest one (n, 15)."""
    x = x**powers
    i, j = np.triu_indices(x.shape[1])
    x = np.concatenate([x, x[:, i] * x[:, j], np.max(x, axis=1, keepdims=True)], axis=1)
    return (x - np.mean(x[train], axis=0)) / np.std(x[train], axis=0)


def logits(p, x, train):
    """Scores (n, 3) of the classes."""
    made = features(x, p["powers"], train)
    return np.einsum("nd,dk->nk", made, p["weights"]) + p["bias"]


def log_softmax(z):
    """Logarithms of the classes' probabilities."""
    z = z - np.max(z, axis=1, keepdims=True)
    return z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))


def loss(p, x, labels, train, decay=1e-3, smooth=0.02):
    """Mean cross-entropy of the training flowers, and decay.

    A small part of each label is spread over all classes.
    """
    logp = log_softmax(logits(p, x, train)[train])
    likelihood = logp[np.arange(len(train)), labels[train]]
    mixed = (1 - smooth) * likelihood + smooth * np.mean(logp, axis=1)
    return decay * (np.sum(p["weights"] ** 2) + np.sum((p["powers"] - 1) ** 2)) - np.mean(mixed)


def descend(slopes, p, steps, rate):
    """The parameters after so many steps with Nesterov's momentum."""
    before = p
    for k in range(steps):
        ahead = {name: p[name] + k / (k + 3) * (p[name] - before[name]) for name in p}
        _, gradient = slopes(ahead)
        before, p = p, {name: ahead[name] - rate * gradient[name] for name in p}
    return p


def main() -> None:
    x, labels = load_iris(return_X_y=True)
    train, test = np.split(np.random.default_rng(0).permutation(150), [100])
    p = {"powers": np.ones(4), "weights": np.zeros((15, 3)), "bias": np.zeros(3)}

    def objective(p):
        return loss(p, x, labels, train)

    found = check_gradients(
        lambda *values: objective(dict(zip(p, values, strict=True))), *p.values()
    )
    print(f"gradient check: largest relative difference {found.difference:.1e}")
    for steps in (0, 30, 300):
        q = descend(tg.value_and_grad(objective), p, steps, rate=0.3)
        right = np.mean(np.argmax(logits(q, x, train), axis=1)[test] == labels[test])
        print(f"{steps:3} steps: loss {objective(q):.4f}, accuracy on other flowers {right:.2f}")
    print("powers:", q["powers"].round(2))


if __name__ == "__main__":
    main()
