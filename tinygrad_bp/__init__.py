"""Backpropagation that you can read, check and draw: automatic differentiation on NumPy.

The everyday names are here, as in ``import tinygrad_bp as tg``: `Tensor`, `no_grad`, `nn`, `optim`.
Everything else is NumPy, whose functions work on tensors: ``np.sin(t)``, ``t @ w``. The other
rooms (``nn``, ``optim``, ``io``, ``onnx``, ``data``, ``draw``, ``testing``, ``train``) are
imported when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tinygrad_bp import ops
from tinygrad_bp.core import (
    HookHandle,
    Node,
    Primitive,
    Tensor,
    as_tensor,
    detect_anomaly,
    enable_grad,
    implements,
    is_grad_enabled,
    no_grad,
    primitive,
    record_grads,
    without_derivative,
)

if TYPE_CHECKING:
    from tinygrad_bp import (
        backprop,
        data,
        draw,
        errors,
        io,
        nn,
        onnx,
        optim,
        testing,
        train,
        transforms,
    )
    from tinygrad_bp.draw import explain
    from tinygrad_bp.tables import conventions
    from tinygrad_bp.transforms import (
        checkpoint,
        custom_vjp,
        elementwise_grad,
        grad,
        hessian,
        hvp,
        jacobian,
        jvp,
        stop_gradient,
        value_and_grad,
        vjp,
    )

__version__ = "0.1.0"

__all__ = [
    "HookHandle",
    "Node",
    "Primitive",
    "Tensor",
    "as_tensor",
    "backprop",
    "checkpoint",
    "conventions",
    "custom_vjp",
    "data",
    "detect_anomaly",
    "draw",
    "elementwise_grad",
    "enable_grad",
    "errors",
    "explain",
    "grad",
    "hessian",
    "hvp",
    "implements",
    "io",
    "is_grad_enabled",
    "jacobian",
    "jvp",
    "nn",
    "no_grad",
    "onnx",
    "ops",
    "optim",
    "primitive",
    "record_grads",
    "stop_gradient",
    "testing",
    "train",
    "transforms",
    "value_and_grad",
    "vjp",
    "without_derivative",
]

_ROOMS = (
    "backprop",
    "data",
    "draw",
    "errors",
    "io",
    "nn",
    "onnx",
    "optim",
    "sklearn",
    "testing",
    "train",
    "transforms",
)
_SINGLE = {"conventions": "tables", "explain": "draw"}
_TRANSFORMS = (
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
)


def __getattr__(name: str) -> Any:
    """Import a room when it is first used, so that ``import tinygrad_bp`` stays light."""
    if name in _ROOMS:
        return importlib.import_module(f"tinygrad_bp.{name}")
    if name in _TRANSFORMS or name in _SINGLE:
        room = _SINGLE.get(name, "transforms")
        return getattr(importlib.import_module(f"tinygrad_bp.{room}"), name)
    import numpy as np

    from tinygrad_bp.errors import MissingAttributeError, nearest

    hint = nearest(name, {*__all__, *_ROOMS})
    if name in ("save", "load"):
        hint = f"did you mean tg.io.{name}, for the weights of a module?"
    elif not name.startswith("_") and name in np.__all__:
        hint = f"did you mean np.{name}? NumPy's own functions work on tensors"
    elif not name.startswith("_"):
        for room in ("nn", "nn.functional", "optim", "data", "testing", "draw"):
            if name in importlib.import_module(f"tinygrad_bp.{room}").__all__:
                hint = f"did you mean tg.{room}.{name}?"
                break
    raise MissingAttributeError(f"module 'tinygrad_bp' has no attribute {name!r}.\nFix: {hint}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_ROOMS, *_TRANSFORMS, *_SINGLE])
