"""Hypothesis strategies for tests of gradients: arrays, tensors, shapes, axes, indices, networks.

What they draw is valid by construction: nothing is drawn and thrown away, so that health checks do
not complain. Everything shrinks towards little of simple numbers. They need the extra ``test``.
"""

from tinygrad_bp.errors import missing_extra

try:
    import hypothesis.extra.numpy  # noqa: F401
except ImportError as error:
    raise missing_extra("hypothesis", "test", "tinygrad_bp.testing.strategies") from error

from tinygrad_bp.testing.programs import Program, programs
from tinygrad_bp.testing.strategies.arrays import arrays, dtypes, elements, tensors
from tinygrad_bp.testing.strategies.calls import Call, primitive_calls
from tinygrad_bp.testing.strategies.indices import INDEX_KINDS, indices
from tinygrad_bp.testing.strategies.networks import Example, layers, networks
from tinygrad_bp.testing.strategies.shapes import (
    axes,
    broadcastable_shapes,
    broadcastable_tensors,
    shapes,
)

__all__ = [
    "INDEX_KINDS",
    "Call",
    "Example",
    "Program",
    "arrays",
    "axes",
    "broadcastable_shapes",
    "broadcastable_tensors",
    "dtypes",
    "elements",
    "indices",
    "layers",
    "networks",
    "primitive_calls",
    "programs",
    "shapes",
    "tensors",
]
