"""Evidence for gradients: numerical derivatives with an error bar, and checks against them."""

from tinygrad_bp.errors import GradientError
from tinygrad_bp.testing.gradients import GradientCheck, check_gradients
from tinygrad_bp.testing.numerical import numerical_gradient, numerical_jacobian, numerical_vjp

__all__ = [
    "GradientCheck",
    "GradientError",
    "check_gradients",
    "numerical_gradient",
    "numerical_jacobian",
    "numerical_vjp",
]
