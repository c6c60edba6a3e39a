"""x"""
from tinygrad_bp import ops
from tinygrad_bp.core import *
