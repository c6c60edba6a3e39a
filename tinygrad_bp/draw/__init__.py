"""Pictures of the computation graph: ``draw(tensor)``, and ``save`` for files.

The package itself can be called, so that ``tg.draw(loss)`` works beside ``tg.draw.save``.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tinygrad_bp.draw.derivation import Derivation, explain
from tinygrad_bp.draw.difference import difference
from tinygrad_bp.draw.failure import failure
from tinygrad_bp.draw.graph import draw
from tinygrad_bp.draw.histograms import activations, gradients
from tinygrad_bp.draw.render import save
from tinygrad_bp.draw.stepping import page
from tinygrad_bp.draw.surface import landscape
from tinygrad_bp.draw.weights import hidden_units, preferred_input

if TYPE_CHECKING:
    from tinygrad_bp.draw.picture import Picture

__all__ = [
    "Derivation",
    "activations",
    "difference",
    "draw",
    "explain",
    "failure",
    "gradients",
    "hidden_units",
    "landscape",
    "page",
    "preferred_input",
    "save",
]


class _CallableModule(ModuleType):
    def __call__(self, *what: Any, **options: Any) -> "Picture":
        """Draw the graph behind tensors; see `draw`."""
        return draw(*what, **options)


sys.modules[__name__].__class__ = _CallableModule
