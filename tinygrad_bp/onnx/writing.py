"""The parts of a graph as an ONNX model, and whether it is right."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_bp.core.graph import Variable
from tinygrad_bp.errors import ExportError
from tinygrad_bp.onnx.builder import IR_VERSIONS, Builder, Value
from tinygrad_bp.onnx.tracing import Trace

if TYPE_CHECKING:
    from onnx import ModelProto


def model_of(
    b: Builder, inputs: list[Value], outputs: list[tuple[str, Value]], parameters: Iterable[str]
) -> ModelProto:
    """The parts in one model, without what no output needs; parameters come first, in order."""
    from onnx import helper, numpy_helper

    import tinygrad_bp

    nodes = _joined(_needed(b.nodes, {name for name, _ in outputs}))
    used = {name for node in nodes for name in node.input}
    names = [n for n in dict.fromkeys([*parameters, *b.initializers]) if n in b.initializers]
    graph = helper.make_graph(
        nodes,
        "tinygrad_bp",
        [_info(value.name, value) for value in inputs],
        [_info(name, value) for name, value in outputs],
        [numpy_helper.from_array(b.initializers[name], name) for name in names if name in used],
    )
    return helper.make_model(
        graph,
        producer_name="tinygrad_bp",
        producer_version=tinygrad_bp.__version__,
        opset_imports=[helper.make_opsetid("", b.opset)],
        ir_version=IR_VERSIONS[b.opset],
    )


def _needed(nodes: list[Any], wanted: set[str]) -> list[Any]:
    """The nodes that lead to what is wanted."""
    kept = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    return kept[::-1]


def _joined(nodes: list[Any]) -> list[Any]:
    """The nodes, those before an output named as it, in place of an Identity behind them."""
    makers = {name: node for node in nodes for name in node.output}
    uses: dict[str, int] = {}
    for node in nodes:
        for name in node.input:
            uses[name] = uses.get(name, 0) + 1
    kept = []
    for node in nodes:
        source = node.input[0] if node.input else ""
        last = node.op_type == "Identity" and node.name == f"{node.output[0]}."
        if last and source in makers and uses[source] == 1:
            outputs = makers[source].output
            outputs[list(outputs).index(source)] = node.output[0]
        else:
            kept.append(node)
    return kept


def _info(name: str, value: Value) -> Any:
    """Name, dtype and shape of an input or output; the axis of the samples has a name."""
    from onnx import helper

    kind = helper.np_dtype_to_tensor_dtype(np.dtype(value.dtype))
    shape: list[Any] = []
    for n, m in zip(value.shape, value.other, strict=True):
        shape.append(n if n == m else "batch" if (n, m) == (2, 3) else None)
    return helper.make_tensor_value_info(name, kind, shape)


def check(written: ModelProto) -> None:
    """Whether ONNX takes the model."""
    import onnx

    if written.ByteSize() >= 2**31:
        raise ExportError(
            f"the model has {written.ByteSize():,} bytes, and a file of ONNX has 2 GB at most. "
            "Nothing was written.\nFix: model.astype(np.float16), or export it in parts."
        )
    onnx.checker.check_model(written, full_check=True)


def evaluator_lacks(written: ModelProto) -> bool:
    """Whether the reference evaluator cannot run the model, or computes something else.

    Of transposed convolutions in groups it divides the weights by the wrong axis; of simple
    recurrent networks it knows tanh alone; and before ONNX 1.23 it had no cells of an LSTM.
    """
    import onnx

    used = {name for node in written.graph.node for name in node.input}
    old = tuple(int(n) for n in onnx.__version__.split(".")[:2]) < (1, 23)
    for node in written.graph.node:
        attributes = {each.name: each for each in node.attribute}
        if (
            (node.op_type == "ConvTranspose" and attributes["group"].i > 1)
            or (node.op_type == "RNN" and "activations" in attributes)
            or (node.op_type == "LSTM" and old and used.intersection(node.output[2:]))
        ):
            return True
    return False


def compare(written: ModelProto, run: Trace, inputs: list[Value]) -> None:
    """Whether the model computes what the module did."""
    from onnx.reference import ReferenceEvaluator

    given = {v.name: np.asarray(x._data) for v, x in zip(inputs, run.inputs, strict=True)}
    with np.errstate(all="ignore"):
        found = ReferenceEvaluator(written).run(None, given)
    for i, (a, t) in enumerate(zip(found, run.outputs, strict=True)):
        b = np.asarray(t._data if isinstance(t, Variable) else t)
        exact = 1e-4 if b.dtype != np.float16 else 1e-2
        finite = np.abs(b[np.isfinite(b)]).max(initial=1.0) if b.dtype.kind == "f" else 1.0
        if a.shape != b.shape or not np.allclose(a, b, rtol=0, atol=exact * finite, equal_nan=True):
            raise ExportError(
                f"output {i} of the ONNX model is not what the module gives. Nothing was written.\n"
                "Fix: look for what depends on the values of the input past the graph, as by "
                "t.data; where it is ONNX's reference evaluator that is wrong, verify=False."
            )
