"""Homework, graded: three students derived the gradients of one network by hand.

    python examples/grade_homework.py

They hand in plain NumPy. Each formula is graded by itself, so that one mistake is counted once,
and the report says which mistake gives the numbers that were handed in.
"""

from __future__ import annotations

import numpy as np

import tinygrad_bp as tg
from tinygrad_bp.testing import check_equivalent

# The task: 4 inputs, 5 hidden sigmoid units, 3 logits; softmax and cross-entropy, mean over the
# samples; and a weight penalty.
NETWORK = tg.nn.NetworkSpec.from_dict(
    {
        "input_shape": [4],
        "layers": [
            {"type": "Linear", "out_features": 5, "weight_init": "he_normal"},
            {"type": "Sigmoid"},
            {"type": "Linear", "out_features": 3, "weight_init": "he_normal"},
        ],
    }
)
PENALTY = 0.1


def forward(p, x):
    a1 = 1 / (1 + np.exp(-(x @ p["W1"].T + p["b1"])))
    e = np.exp(a1 @ p["W2"].T + p["b2"])
    return a1, e / e.sum(axis=1, keepdims=True)


def ada(p, x, y):
    a1, probabilities = forward(p, x)
    delta2 = (probabilities - np.eye(3)[y]) / len(x)
    delta1 = delta2 @ p["W2"] * a1 * (1 - a1)
    return {
        "W2": delta2.T @ a1 + PENALTY * p["W2"],
        "b2": delta2.sum(axis=0),
        "W1": delta1.T @ x + PENALTY * p["W1"],
        "b1": delta1.sum(axis=0),
    }


def ben(p, x, y):
    a1, probabilities = forward(p, x)
    delta2 = (probabilities - np.eye(3)[y]) / len(x)
    delta1 = delta2 @ p["W2"]  # without the sigmoid's derivative
    return {
        "W2": delta2.T @ a1 + PENALTY * p["W2"],
        "b2": delta2.sum(axis=0),
        "W1": delta1.T @ x + PENALTY * p["W1"],
        "b1": delta1.sum(axis=0),
    }


def cem(p, x, y):
    found = ada(p, x, y)
    found["b2"] = found["b2"] * len(x)  # a sum where the loss has a mean
    found["W1"] = found["W1"] - PENALTY * p["W1"]  # no penalty
    del found["b1"]
    return found


def main() -> None:
    rng = np.random.default_rng(0)
    data = rng.normal(size=(8, 4)), rng.integers(0, 3, 8)
    for student in (ada, ben, cem):
        grade = check_equivalent(student, NETWORK, "cross_entropy", data, l2=PENALTY)
        print(f"{student.__name__}: {grade}\n")


if __name__ == "__main__":
    main()
