"""Evidence for gradients: numerical derivatives with an error bar, and checks against them."""

import importlib
from typing import TYPE_CHECKING, Any

from tinygrad_bp.errors import GradientError, MissingAttributeError, nearest

if TYPE_CHECKING:
    from tinygrad_bp.testing.check import check_gradients
    from tinygrad_bp.testing.equivalence import Grade, check_equivalent
    from tinygrad_bp.testing.numerical import (
        numerical_gradient,
        numerical_jacobian,
        numerical_vjp,
    )
    from tinygrad_bp.testing.properties import check_primitive, gradient_property
    from tinygrad_bp.testing.result import ArgumentCheck, GradientCheck
    from tinygrad_bp.testing.several import complex_step, numerical_gradients
    from tinygrad_bp.testing.taylor import TaylorTest, taylor_test
    from tinygrad_bp.testing.verdicts import Verdict

__all__ = [
    "ArgumentCheck",
    "Grade",
    "GradientCheck",
    "GradientError",
    "TaylorTest",
    "Verdict",
    "check_equivalent",
    "check_gradients",
    "check_primitive",
    "complex_step",
    "gradient_property",
    "numerical_gradient",
    "numerical_gradients",
    "numerical_jacobian",
    "numerical_vjp",
    "taylor_test",
]

# Where each name lives; its module is imported when it is asked for.
_HOMES = {
    "ArgumentCheck": "result",
    "Grade": "equivalence",
    "GradientCheck": "result",
    "TaylorTest": "taylor",
    "Verdict": "verdicts",
    "check_equivalent": "equivalence",
    "check_gradients": "check",
    "check_primitive": "properties",
    "complex_step": "several",
    "gradient_property": "properties",
    "numerical_gradient": "numerical",
    "numerical_gradients": "several",
    "numerical_jacobian": "numerical",
    "numerical_vjp": "numerical",
    "taylor_test": "taylor",
}

_PEERS = {
    "check_grads": "check_gradients(f, x, order=2)",
    "gradcheck": "check_gradients(f, x)",
    "gradgradcheck": "check_gradients(f, x, order=2)",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, so that checks with NumPy alone need no Hypothesis."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"tinygrad_bp.testing.{_HOMES[name]}"), name)
    if name in _PEERS:
        hint = f"{_PEERS[name]} does that here."
    else:
        hint = nearest(name, __all__)
    raise MissingAttributeError(
        f"module 'tinygrad_bp.testing' has no attribute {name!r}.\nFix: {hint}"
    )
