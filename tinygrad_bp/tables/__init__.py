"""What there is, as data: operations, and conventions where there is no derivative."""

from tinygrad_bp.tables.conventions import Convention, conventions

__all__ = ["Convention", "conventions"]
