"""Weights in files: safetensors, as PyTorch writes them too, and NumPy's ``.npz``."""

from tinygrad_bp.io.arrays import read_arrays, write_arrays
from tinygrad_bp.io.weights import load, save

__all__ = ["load", "read_arrays", "save", "write_arrays"]
