"""Transforms: functions that turn a function of NumPy arrays into its derivatives."""

from tinygrad_bp.transforms.checkpoint import checkpoint
from tinygrad_bp.transforms.checks import IndependentWarning
from tinygrad_bp.transforms.custom import custom_vjp
from tinygrad_bp.transforms.first import (
    elementwise_grad,
    grad,
    jvp,
    stop_gradient,
    value_and_grad,
    vjp,
)
from tinygrad_bp.transforms.higher import hessian, hvp, jacobian

__all__ = [
    "IndependentWarning",
    "checkpoint",
    "custom_vjp",
    "elementwise_grad",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "stop_gradient",
    "value_and_grad",
    "vjp",
]
