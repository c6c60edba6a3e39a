"""Running an exported model, by onnxruntime and ONNX's reference evaluator, beside the module."""

from __future__ import annotations

import numpy as np
import onnxruntime
from onnx.reference import ReferenceEvaluator

from tinygrad_bp.onnx import to_onnx
from tinygrad_bp.onnx.tracing import _flat
from tinygrad_bp.onnx.writing import evaluator_lacks

onnxruntime.set_default_logger_severity(3)


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def arrays(out):
    return [np.asarray(getattr(x, "data", x)) for x in _flat(out)]


def both_agree(module, inputs, *, tolerance=1e-5, batch=None, **options):
    """Export with `inputs`, run on `batch`, and compare; returns the ONNX model."""
    written = to_onnx(module, inputs, **options)
    module.eval()
    batch = inputs if batch is None else batch
    given = batch if isinstance(batch, tuple) else (batch,)
    wanted = arrays(module(*given))
    feeds = {each.name: x for each, x in zip(written.graph.input, given, strict=True)}
    run = session(written)
    found = [run.run(None, {i.name: feeds[i.name] for i in run.get_inputs()})]
    if not evaluator_lacks(written):
        found.append(ReferenceEvaluator(written).run(None, feeds))
    for outputs in found:
        assert len(outputs) == len(wanted)
        for got, want in zip(outputs, wanted, strict=True):
            assert got.dtype == want.dtype
            assert got.shape == want.shape
            scale = np.abs(want[np.isfinite(want)]).max(initial=1.0)
            np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * scale)
    return written
