"""Pictures of the computation graph."""

from tinygrad_bp.draw.graph import draw
from tinygrad_bp.draw.render import save

__all__ = ["draw", "save"]
