"""Networks in the ONNX format, for other programs to run: `to_onnx`."""

from tinygrad_bp.onnx.export import to_onnx
from tinygrad_bp.onnx.table import operations

__all__ = ["operations", "to_onnx"]
