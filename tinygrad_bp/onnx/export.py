"""`to_onnx`: the graph of a module, written as an ONNX model."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_bp.core.graph import Node, Variable
from tinygrad_bp.errors import ArgumentError, ExportError, missing_extra, user_line
from tinygrad_bp.files import write_atomically
from tinygrad_bp.nn import state
from tinygrad_bp.nn.module import Module
from tinygrad_bp.onnx.builder import IR_VERSIONS, Builder, Value
from tinygrad_bp.onnx.table import GROWING, Step, load
from tinygrad_bp.onnx.tracing import Seen, Trace, name_of, place, same, trace

if TYPE_CHECKING:
    from onnx import ModelProto

Axes = Sequence[int | None]


def to_onnx(
    model: Module,
    example_input: Any,
    path: str | Path | None = None,
    *,
    opset: int = 17,
    batch_axis: int | Axes | None = 0,
    verify: bool = True,
) -> ModelProto:
    """Write a module as an ONNX model, which other programs run without Python.

    The module is run in eval mode on two batches made of `example_input`, of 2 and of 3 samples.
    What they computed is written, operation by operation; sizes in which they differ grow with
    the batch. Then the model is checked by `onnx.checker`, run by ONNX's reference evaluator, and
    compared with the module on both. Parameters and buffers keep their dotted names; inputs have
    those of the arguments of `forward`, outputs are ``output``, ``output_1`` and so on.

    Parameters
    ----------
    model : Module
        Its parameters are written as they are.
    example_input : array_like, or tuple of them
        What the module is called with; a batch of one sample or more. Its other sizes, and its
        dtypes, are those that the model will take.
    path : str or Path, optional
        The file. What was there is replaced in one step.
    opset : int, default 17
        Version of ONNX's operators, 17 to 21. The older, the more programs run the model.
    batch_axis : int or None, or a sequence with one for each input
        The axis of the samples. None is for an input of a size that does not change.
    verify : bool, default True
        Whether to run the model and compare, which takes the reference evaluator some time.

    Returns
    -------
    onnx.ModelProto
        The model.

    Raises
    ------
    MissingExtraError
        `onnx` is not installed.
    ExportError
        An operation has no counterpart in ONNX, or something depends on the values of the input
        in a way that the graph does not know. It names the operation and the module.

    Examples
    --------
    >>> import numpy as np, tinygrad_bp as tg
    >>> model = tg.nn.Sequential(tg.nn.Linear(3, 2, generator=0), tg.nn.ReLU())
    >>> written = to_onnx(model, np.zeros((1, 3), np.float32))
    >>> [node.op_type for node in written.graph.node]
    ['Gemm', 'Relu']
    >>> [array.name for array in written.graph.initializer]
    ['0.weight', '0.bias']
    """
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise missing_extra("onnx", "onnx", "to_onnx") from error
    if opset not in IR_VERSIONS:
        raise ArgumentError(
            f"opset is {opset!r} (at {user_line()}).\nFix: a whole number from 17 to 21."
        )
    examples = _arrays(example_input)
    axes = _batch_axes(batch_axis, examples)
    runs = [trace(model, _batch(examples, axes, n)) for n in (2, 3)]
    writer = _Writer(model, runs, axes, opset)
    written = writer.write()
    _check(written)
    for run in runs if verify and not writer.builder.unverified else []:
        _compare(written, run, writer.inputs)
    if path is not None:
        write_atomically(path, written.SerializeToString(deterministic=True))
    return written


def _arrays(example: Any) -> list[Any]:
    parts = example if isinstance(example, tuple) else (example,)
    return [np.asarray(x._data if isinstance(x, Variable) else x) for x in parts]


def _batch_axes(batch_axis: int | Axes | None, examples: list[Any]) -> list[int | None]:
    """The axis of the samples for each input, counted from 0."""
    each = batch_axis if isinstance(batch_axis, Sequence) else [batch_axis] * len(examples)
    if len(each) != len(examples):
        raise ArgumentError(
            f"batch_axis has {len(each)} axes, and there are {len(examples)} inputs (at "
            f"{user_line()}).\nFix: one axis, or None, for each input."
        )
    axes: list[int | None] = []
    for axis, x in zip(each, examples, strict=True):
        if axis is not None and (not -x.ndim <= axis < x.ndim or x.shape[axis] == 0):
            raise ArgumentError(
                f"an input of shape {x.shape} has no sample along axis {axis} (at {user_line()}).\n"
                "Fix: pass a batch, of one sample or more, or batch_axis=None."
            )
        axes.append(None if axis is None else int(axis) % x.ndim)
    return axes


def _batch(examples: list[Any], axes: list[int | None], samples: int) -> list[Any]:
    """The inputs for so many samples: those of the example for 2, and others for 3.

    What decides by values then decides otherwise, and is noticed.
    """
    made = []
    for x, axis in zip(examples, axes, strict=True):
        if axis is not None:
            x = np.take(x, np.arange(samples) % x.shape[axis], axis)
        made.append(np.array(x if samples == 2 else _varied(x, axis), order="C"))
    return made


def _varied(x: Any, axis: int | None) -> Any:
    """Numbers of the same size and both signs; of whole numbers, the same in other places."""
    third = np.arange(x.size).reshape(x.shape) % 3 == 0
    if x.dtype == np.bool_:
        return x ^ third
    if x.dtype.kind != "f" or not x.ndim:
        along = axis if axis is not None and np.ptp(x, axis=axis).any() else -1
        return np.roll(x, 1, along) if x.ndim else x
    factor = np.linspace(0.5, 1.0, x.shape[axis or 0]) * 0.875
    factor = np.roll(factor, 1).reshape([-1 if i == (axis or 0) else 1 for i in range(x.ndim)])
    return (np.where(third, -1, 1) * np.roll(x, 1, -1) * factor + 0.03125).astype(x.dtype)


class _Writer:
    """Both runs, step by step, as the nodes of one graph."""

    def __init__(
        self, model: Module, runs: list[Trace], axes: list[int | None], opset: int
    ) -> None:
        self.runs = runs
        self.rules = load()
        self.entries = dict(state.entries(model))
        self.paths = {id(module): name for name, module in model.named_modules()}
        self.builder = Builder(opset, self.entries)
        self.inputs = [self.builder.fresh(name) for name in _names(model, len(runs[0].inputs))]
        self.axes = axes
        self.names: dict[Any, Value] = {}
        self.makers: dict[str, Step] = {}
        for name, (x, y) in zip(self.inputs, self._inputs(), strict=True):
            self.names[place(x)] = Value(name, x.dtype, x.shape, y.shape)
        for name, axis in zip(self.inputs, axes, strict=True):
            if axis is not None:
                self.builder.batch_is(name, axis)
                break
        self.parameters = {place(tensor): name for name, tensor in self.entries.items()}

    def _inputs(self) -> list[tuple[Any, Any]]:
        return list(zip(*(run.inputs for run in self.runs), strict=True))

    def write(self) -> ModelProto:
        """The model, from what both runs did."""
        nodes = [run.nodes for run in self.runs]
        if [name_of(n) for n in nodes[0]] != [name_of(n) for n in nodes[1]]:
            raise ExportError(
                "the module computes something else for 3 samples than for 2, or for other "
                "values. Nothing was written.\nFix: leave out what decides by values or by the "
                "number of samples."
            )
        for mine, theirs in zip(*nodes, strict=True):
            self._step(mine, theirs)
        outputs = [self._output(i) for i in range(len(self.runs[0].outputs))]
        return _model(self, outputs)

    def _step(self, mine: Node, theirs: Node) -> None:
        name, out, other = name_of(mine), np.asarray(mine.out), np.asarray(theirs.out)
        known, live = self.rules.get(name), mine in self.runs[0].live
        if known is None and not live:
            return  # of parameters alone: a constant
        b = self.builder
        path = self.paths.get(id(mine.mode.call.module), "") if mine.mode.call else ""
        b.label = f"{path}." if path else ""
        value = Value("", out.dtype, out.shape, other.shape)
        step = Step(
            b,
            name,
            [],
            mine.params,
            theirs.params,
            value,
            mine.where(),
            lambda x: self._named(x, self.runs[0]),
            self.makers,
        )
        if known is None:
            raise step.failed("ONNX has no such operation, or the table here lacks it")
        if name not in GROWING and not same(mine.params, theirs.params):
            raise step.failed("its parameters depend on the values or the number of samples")
        for x, y in zip(mine.sources, theirs.sources, strict=True):
            step.inputs.append(self._source(step, mine, x, y))
        made = known(b, step)
        done = Value(made, out.dtype, out.shape, other.shape)
        self.names[id(mine)] = done
        self.makers[made] = step

    def _named(self, x: Any, run: Trace) -> str | None:
        """The name of a value of the graph, or of a parameter; None for a constant."""
        source = run.source(x)
        if isinstance(source, Node):
            return self.names[id(source)].name if id(source) in self.names else None
        if place(source) in self.names:
            return self.names[place(source)].name
        name = self.parameters.get(place(source))
        if name is not None:
            self.builder.initializers[name] = np.array(self.entries[name].data, order="C")
        return name

    def _source(self, step: Step, node: Node, x: Any, y: Any) -> Value | None:
        """An input of a step."""
        source = self.runs[0].source(x)
        if isinstance(source, Node) and id(source) in self.names:
            return self.names[id(source)]
        if not isinstance(source, Node) and place(source) in self.names:
            return self.names[place(source)]
        if x is None:
            return None
        array, other = (
            np.asarray(v.out if isinstance(v, Node) else v._data if isinstance(v, Variable) else v)
            for v in (source, self.runs[1].source(y))
        )
        name = None if isinstance(source, Node) else self._named(source, self.runs[0])
        if type(x) in (bool, int, float):  # of no dtype of its own
            kinds = [np.asarray(v).dtype for v in node.values if type(v) not in (bool, int, float)]
            dtype = np.result_type(*kinds, x)
            array, other = array.astype(dtype), other.astype(dtype)
        if name is None and same(array, other):
            name = self.builder.constant(array)
        if name is None:
            name = self.builder.repeated(array, other)
        if name is None:
            cut = getattr(x, "_cut", None)
            raise step.failed(
                f"an input of shape {array.shape} depends on the values or the number of samples, "
                f"and its way is not recorded{f': {cut}' if cut else ''}"
            )
        return Value(name, array.dtype, array.shape, other.shape)

    def _output(self, i: int) -> tuple[str, Value]:
        """An output under a name of its own."""
        b, b.label = self.builder, ""
        x, y = (run.outputs[i] for run in self.runs)
        array, other = (np.asarray(v._data if isinstance(v, Variable) else v) for v in (x, y))
        value = Value("", array.dtype, array.shape, other.shape)
        step = Step(b, "output", [], {}, {}, value, "", lambda x: None, self.makers)
        found = self._source(step, Seen("output", [], {}, array), x, y)
        if found is None or found.name in b.parts:
            raise step.failed("of the cells of an LSTM, ONNX has the last ones alone")
        name = b.fresh("output" if i == 0 else f"output_{i}")
        from onnx import helper

        b.nodes.append(helper.make_node("Identity", [found.name], [name], f"{name}."))
        return name, found


def _names(model: Module, count: int) -> list[str]:
    """The names of the arguments of `forward`, for the inputs."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    arguments = inspect.signature(model.forward).parameters.values()
    names = [p.name for p in arguments if p.kind in kinds]
    return [names[i] if i < len(names) else "input" for i in range(count)]


def _model(writer: _Writer, outputs: list[tuple[str, Value]]) -> ModelProto:
    """The parts in one model, without what no output needs."""
    from onnx import helper, numpy_helper

    import tinygrad_bp

    b = writer.builder
    nodes = _joined(_needed(b.nodes, {name for name, _ in outputs}), writer.inputs, b.initializers)
    used = {name for node in nodes for name in node.input}
    order = [*writer.entries, *b.initializers]  # parameters first
    arrays = [name for name in dict.fromkeys(order) if name in b.initializers and name in used]
    graph = helper.make_graph(
        nodes,
        "tinygrad_bp",
        [
            _info(name, Value(name, x.dtype, x.shape, y.shape))
            for name, (x, y) in zip(writer.inputs, writer._inputs(), strict=True)
        ],
        [_info(name, value) for name, value in outputs],
        [numpy_helper.from_array(b.initializers[name], name) for name in arrays],
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


def _joined(nodes: list[Any], inputs: list[str], arrays: Mapping[str, Any]) -> list[Any]:
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


def _check(written: ModelProto) -> None:
    """Whether ONNX takes the model."""
    import onnx

    if written.ByteSize() >= 2**31:
        raise ExportError(
            f"the model has {written.ByteSize():,} bytes, and a file of ONNX has 2 GB at most. "
            "Nothing was written.\nFix: model.astype(np.float16), or export it in parts."
        )
    onnx.checker.check_model(written, full_check=True)


def _compare(written: ModelProto, run: Trace, inputs: list[str]) -> None:
    """Whether the model computes what the module did."""
    from onnx.reference import ReferenceEvaluator

    given = {name: np.asarray(x._data) for name, x in zip(inputs, run.inputs, strict=True)}
    taken = {each.name for each in written.graph.input}
    found = ReferenceEvaluator(written).run(None, {n: x for n, x in given.items() if n in taken})
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
