from tinygrad_bp.ops import arithmetic
