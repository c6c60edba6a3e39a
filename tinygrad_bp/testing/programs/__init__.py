"""Random programs over the registry, which shrink to the smallest failing one and print as code.

Needs Hypothesis: ``pip install 'tinygrad-bp[test]'``.
"""

from tinygrad_bp.errors import missing_extra

try:
    import hypothesis  # noqa: F401
except ImportError as error:
    raise missing_extra("hypothesis", "test", "tinygrad_bp.testing.programs") from error

from tinygrad_bp.testing.programs.catalogued import calls
from tinygrad_bp.testing.programs.program import Program, Step
from tinygrad_bp.testing.programs.strategy import programs

__all__ = ["Program", "Step", "calls", "programs"]
