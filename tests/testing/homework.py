"""A student who derives the gradients of one network, and makes the mistakes that are asked for."""

from __future__ import annotations

import itertools

import numpy as np

from tinygrad_bp import nn
from tinygrad_bp.testing.equivalence import check_equivalent

L2 = 0.3
N = 7


def sizes(*widths, activations=("Tanh", "Sigmoid")):
    """A network in float64 whose layers have these widths."""
    rng = np.random.default_rng(1)
    layers = []
    for k, (i, o) in enumerate(itertools.pairwise(widths)):
        linear = nn.Linear(i, o, dtype=np.float64)
        linear.weight.data, linear.bias.data = rng.normal(size=(o, i)), rng.normal(size=o)
        layers.append(linear)
        if k < len(activations):
            layers.append(getattr(nn, activations[k])())
    return nn.Sequential(*layers)


def data(width=4, classes=3, samples=N):
    rng = np.random.default_rng(2)
    return rng.normal(size=(samples, width)), rng.integers(0, classes, samples)


def student(deltas=True, **wrong):
    """Gradients of a tanh, a sigmoid and a linear layer under cross-entropy, with mistakes."""

    def part(name, right):
        return wrong.get(name, right)

    def gradients(p, x, y):
        w1, w2, w3 = p["W1"], p["W2"], p["W3"]
        z1 = x @ w1.T + p["b1"]
        a1 = np.tanh(z1)
        z2 = a1 @ w2.T + p["b2"]
        a2 = 1 / (1 + np.exp(-z2))
        z3 = a2 @ w3.T + p["b3"]
        e = np.exp(z3)
        q = e / e.sum(axis=1, keepdims=True)
        e = dict(locals())
        d3 = part("d3", lambda e: (q - np.eye(3)[y]) / len(x))(e)
        e["d3"] = d3
        d2 = part("d2", lambda e: d3 @ w3 * a2 * (1 - a2))(e)
        e["d2"] = d2
        d1 = part("d1", lambda e: d2 @ w2 * (1 - a1 * a1))(e)
        e["d1"] = d1
        out = {"delta1": d1, "delta2": d2, "delta3": d3} if deltas else {}
        for k, (d, a, w) in enumerate([(d1, x, w1), (d2, a1, w2), (d3, a2, w3)], 1):
            out[f"dW{k}"] = part(f"W{k}", lambda d, a, w: d.T @ a + L2 * w)(d, a, w)
            out[f"db{k}"] = part(f"b{k}", lambda d, b: d.sum(axis=0))(d, p[f"b{k}"])
        return out

    return gradients


def graded(my_gradients, model=None, loss="cross_entropy", given=None, l2=L2):
    return check_equivalent(my_gradients, model or sizes(4, 6, 5, 3), loss, given or data(), l2=l2)
