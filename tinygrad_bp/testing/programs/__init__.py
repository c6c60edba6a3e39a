"""Random programs over the registry, which shrink to the smallest failing one and print as code."""

from tinygrad_bp.testing.programs.catalogued import calls
from tinygrad_bp.testing.programs.program import Program, Step
from tinygrad_bp.testing.programs.strategy import programs

__all__ = ["Program", "Step", "calls", "programs"]
