"""Differentiable NumPy, a module per family; each registers its operations when imported."""

from tinygrad_bp.ops import (
    activations,
    arithmetic,
    constants,
    einsum,
    exponential,
    indexing,
    joining,
    linear_algebra,
    losses,
    reductions,
    selection,
    shaping,
    softmax,
    trigonometric,
)

__all__ = [
    "activations",
    "arithmetic",
    "constants",
    "einsum",
    "exponential",
    "indexing",
    "joining",
    "linear_algebra",
    "losses",
    "reductions",
    "selection",
    "shaping",
    "softmax",
    "trigonometric",
]
