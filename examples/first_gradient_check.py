"""Is a gradient worked out on paper right? One that is, one that is not, and what the check says.

    python examples/first_gradient_check.py

The function is the entropy of a softmax. Both gradients are `Primitive`s with the same forward
function; the second one lost a term between two lines of paper, as happens.
"""

from __future__ import annotations

import numpy as np

import tinygrad_bp as tg
from tinygrad_bp.testing import GradientError, check_gradients


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def entropy(x: np.ndarray) -> np.ndarray:
    p = softmax(x)
    return -np.sum(p * np.log(p), axis=-1)


# H = -Σ p ln p and dp_i/dx_j = p_i (δ_ij - p_j) give dH/dx_j = -p_j (ln p_j + H).
def right_vjp(g, out, x):
    p = softmax(x)
    return -g[..., None] * p * (np.log(p) + out[..., None])


# The same, without what the normalisation of p contributes.
def wrong_vjp(g, out, x):
    p = softmax(x)
    return -g[..., None] * p * (np.log(p) + 1)


FORMULAS = {"formula": r"-\sum_i p_i \ln p_i", "vjp_formulas": [r"-p (\ln p + z)\,\bar{z}"]}
right = tg.Primitive("entropy_right", entropy, [right_vjp], **FORMULAS)
wrong = tg.Primitive("entropy_wrong", entropy, [wrong_vjp], **FORMULAS)


def main() -> None:
    x = np.random.default_rng(0).normal(size=(2, 4))

    found = check_gradients(right, x, order=2)
    print(f"right: {found.elements} derivatives of orders 1 and 2 agree")
    print(f"       largest relative difference {found.difference:.1e}")

    try:
        check_gradients(wrong, x)
    except GradientError as error:
        print(f"wrong: {error}")


if __name__ == "__main__":
    main()
