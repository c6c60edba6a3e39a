from tinygrad_bp.ops import arithmetic
from tinygrad_bp.ops import constants
from tinygrad_bp.ops import indexing
from tinygrad_bp.ops import linear_algebra
from tinygrad_bp.ops import shaping
