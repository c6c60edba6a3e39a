"""The derivation of a graph's gradients in formulas: `explain`."""

from tinygrad_bp.draw.derivation.derivation import ENDINGS, Derivation, explain
from tinygrad_bp.draw.derivation.document import Line, Section
from tinygrad_bp.draw.derivation.equations import Quantity, Step, Term

__all__ = ["ENDINGS", "Derivation", "Line", "Quantity", "Section", "Step", "Term", "explain"]
