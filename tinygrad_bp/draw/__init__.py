"""Pictures of the computation graph: ``draw(tensor)``, and ``save`` for files.

The package itself can be called, so that ``tg.draw(loss)`` works beside ``tg.draw.save``.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING

from tinygrad_bp.draw.graph import draw
from tinygrad_bp.draw.render import save

if TYPE_CHECKING:
    import graphviz

    from tinygrad_bp.core import Tensor

__all__ = ["draw", "save"]


class _CallableModule(ModuleType):
    def __call__(self, *outputs: "Tensor") -> "graphviz.Digraph":
        """Draw the graph behind tensors; see `draw`."""
        return draw(*outputs)


sys.modules[__name__].__class__ = _CallableModule
