"""The engine: tensors, the graph, primitives and the backward pass. NumPy only."""

from tinygrad_bp.core.backward import backward_pass
from tinygrad_bp.core.constant import without_derivative
from tinygrad_bp.core.cotangents import Sparse
from tinygrad_bp.core.custom import primitive
from tinygrad_bp.core.graph import Node
from tinygrad_bp.core.hooks import HookHandle
from tinygrad_bp.core.memory import keep_freed_memory
from tinygrad_bp.core.mode import detect_anomaly, enable_grad, is_grad_enabled, no_grad
from tinygrad_bp.core.primitive import Primitive, implements
from tinygrad_bp.core.registry import FUNCTIONS, PRIMITIVES
from tinygrad_bp.core.tape import record_grads
from tinygrad_bp.core.tensor import Tensor, as_tensor

__all__ = [
    "FUNCTIONS",
    "PRIMITIVES",
    "HookHandle",
    "Node",
    "Primitive",
    "Sparse",
    "Tensor",
    "as_tensor",
    "backward_pass",
    "detect_anomaly",
    "enable_grad",
    "implements",
    "is_grad_enabled",
    "no_grad",
    "primitive",
    "record_grads",
    "without_derivative",
]

keep_freed_memory()
