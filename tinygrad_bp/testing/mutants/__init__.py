"""Rules that are wrong on purpose, to learn which checks notice: mutation of gradient rules.

``python -m tinygrad_bp.testing.mutants`` breaks every rule of the registry in every classic way,
puts each mutant to the kit and to the checkers of others, and writes the kill matrix.
"""

from tinygrad_bp.testing.mutants.mutant import Mutant, every_mutant

__all__ = ["Mutant", "every_mutant"]
