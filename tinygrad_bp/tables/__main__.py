"""``python -m tinygrad_bp.tables docs`` makes the tables of the documentation anew."""

from tinygrad_bp.tables.pages import main

main()
