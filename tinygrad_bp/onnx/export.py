"""`to_onnx`: the graph of a module, written as an ONNX model."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_bp.core.graph import Node, Variable
from tinygrad_bp.errors import ArgumentError, ExportError, a_kind, missing_extra, user_line
from tinygrad_bp.files import write_atomically
from tinygrad_bp.nn import state
from tinygrad_bp.nn.module import Module
from tinygrad_bp.onnx.builder import IR_VERSIONS, Builder, Value
from tinygrad_bp.onnx.table import GROWING, Step, load
from tinygrad_bp.onnx.tracing import Seen, Trace, name_of, place, same, trace
from tinygrad_bp.onnx.wholes import batch_normalization, whole_calls
from tinygrad_bp.onnx.writing import check, compare, evaluator_lacks, model_of

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
    ArgumentError
        `model` is no module, or an option makes no sense.
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
    if not isinstance(model, Module):
        raise ArgumentError(
            f"to_onnx needs a module first, not {a_kind(model)} (at {user_line()}).\n"
            "Fix: to_onnx(model, example_input), of an nn.Module."
        )
    if opset not in IR_VERSIONS:
        raise ArgumentError(
            f"opset is {opset!r} (at {user_line()}).\nFix: a whole number from 17 to 21."
        )
    examples = _arrays(example_input)
    _check_width(model, examples)
    axes = _batch_axes(batch_axis, examples)
    runs = [trace(model, _batch(examples, axes, n)) for n in (2, 3)]
    writer = _Writer(model, runs, axes, opset)
    written = writer.write()
    check(written)
    for run in runs if verify and not evaluator_lacks(written) else []:
        compare(written, run, writer.inputs)
    if path is not None:
        write_atomically(path, written.SerializeToString(deterministic=True))
    return written


def _arrays(example: Any) -> list[Any]:
    parts = example if isinstance(example, tuple) else (example,)
    return [np.asarray(x._data if isinstance(x, Variable) else x) for x in parts]


def _check_width(model: Module, examples: list[Any]) -> None:
    """Inputs that are no wider than the parameters: each of these would be cast to their dtype."""
    dtypes: list[np.dtype[Any]] = [p.dtype for p in model.parameters()]
    if not dtypes:
        return
    widest = max(dtypes, key=lambda dtype: dtype.itemsize)
    for x in examples:
        if x.dtype.kind == "f" and x.dtype.itemsize > widest.itemsize:
            raise ArgumentError(
                f"an input is of {x.dtype}, and the parameters are of {widest} (at {user_line()}): "
                f"the model would take {x.dtype}, and cast every parameter.\n"
                f"Fix: example.astype(np.{widest}), or model.astype(np.{x.dtype})."
            )


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
    """Numbers of the same size, of both signs if the example has any or is all 0.

    Whole numbers are the same in other places.
    """
    third = np.arange(x.size).reshape(x.shape) % 3 == 0
    if x.dtype == np.bool_:
        return x ^ third
    if x.dtype.kind != "f" or not x.ndim:
        along = axis if axis is not None and np.ptp(x, axis=axis).any() else -1
        return np.roll(x, 1, along) if x.ndim else x
    factor = np.linspace(0.5, 1.0, x.shape[axis or 0]) * 0.875
    factor = np.roll(factor, 1).reshape([-1 if i == (axis or 0) else 1 for i in range(x.ndim)])
    varied = np.roll(x, 1, -1) * factor + 0.03125
    turned = third & np.isfinite(varied) & (x.min() < 0 or not x.any())  # a mask has infinities
    return np.where(turned, -varied, varied).astype(x.dtype)


class _Writer:
    """Both runs, step by step, as the nodes of one graph."""

    def __init__(
        self, model: Module, runs: list[Trace], axes: list[int | None], opset: int
    ) -> None:
        self.runs = runs
        self.rules = load()
        self.entries = dict(state.entries(model))
        for name in self.entries:
            if not _is_text(name):
                raise ExportError(
                    f"the parameter {name!r} has a name that is no Unicode text. Nothing was "
                    "written.\nFix: another key or attribute."
                )
        self.paths = {id(module): name for name, module in model.named_modules()}
        self.builder = Builder(opset, self.entries)
        self.names: dict[Any, Value] = {}
        self.inputs: list[Value] = []
        self.makers: dict[str, Step] = {}
        self.order: list[dict[Node, int]] = []
        self.parameters = {place(tensor): name for name, tensor in self.entries.items()}
        names = _names(model, len(axes))
        pairs = zip(*(run.inputs for run in runs), strict=True)
        for name, axis, (x, y) in zip(names, axes, pairs, strict=True):
            value = Value(self.builder.fresh(name), x.dtype, x.shape, y.shape)
            self.inputs.append(value)
            self.names[place(x)] = value
            if axis is not None:
                self.builder.batch_is(value.name, axis)

    def write(self) -> ModelProto:
        """The model, from what both runs did."""
        nodes = [run.nodes for run in self.runs]
        for mine, theirs in zip_longest(*nodes):
            if mine is None or theirs is None or name_of(mine) != name_of(theirs):
                raise _parted(mine or theirs)
        self.order = [{node: i for i, node in enumerate(run)} for run in nodes]
        wholes = whole_calls(self.runs[0])
        within = {node for _, _, own in wholes.values() for node in own}
        for mine, theirs in zip(*nodes, strict=True):
            if mine in wholes:
                self._whole(mine, theirs, *wholes[mine][:2])
            elif mine not in within:
                self._step(mine, theirs)
        outputs = [self._output(i) for i in range(len(self.runs[0].outputs))]
        return model_of(self.builder, self.inputs, outputs, self.entries)

    def _begun(self, mine: Node, theirs: Node) -> Step:
        """A step without inputs, and new names that begin with the path of its module."""
        path = self.paths.get(id(mine.mode.call.module), "") if mine.mode.call else ""
        self.builder.label = f"{path}." if path else ""
        out, other = np.asarray(mine.out), np.asarray(theirs.out)
        return Step(
            self.builder,
            name_of(mine),
            [],
            mine.params,
            theirs.params,
            Value("", out.dtype, out.shape, other.shape),
            mine,
            lambda x: self._named(x, self.runs[0]),
            self.makers,
        )

    def _whole(self, mine: Node, theirs: Node, module: Any, given: Any) -> None:
        step = self._begun(mine, theirs)
        step.inputs.append(self._source(step, mine, given, given))
        made = batch_normalization(self.builder, step, module)
        self.names[id(mine)] = replace(step.out, name=made)

    def _step(self, mine: Node, theirs: Node) -> None:
        known = self.rules.get(name_of(mine))
        if known is None and mine not in self.runs[0].live:
            return  # of parameters alone: a constant
        step = self._begun(mine, theirs)
        if known is None:
            raise step.failed("ONNX has no such operation, or the table here lacks it")
        if step.name not in GROWING and not same(mine.params, theirs.params):
            raise step.failed("its parameters depend on the values or the number of samples")
        for x, y in zip(mine.sources, theirs.sources, strict=True):
            step.inputs.append(self._source(step, mine, x, y))
        made = known(self.builder, step)
        self.names[id(mine)] = replace(step.out, name=made)
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
        if y is not x and self._position(0, source) != self._position(1, self.runs[1].source(y)):
            raise step.failed("it takes other inputs for other values or another number of samples")
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

    def _position(self, run: int, source: Any) -> Any:
        """Which of the nodes or inputs of a run it is; a parameter itself; None for a constant."""
        if isinstance(source, Node):
            return self.order[run].get(source)
        for i, given in enumerate(self.runs[run].inputs):
            if place(source) == place(given):
                return -1 - i
        return self.parameters.get(place(source))

    def _output(self, i: int) -> tuple[str, Value]:
        """An output under a name of its own."""
        b, b.label = self.builder, ""
        x, y = (run.outputs[i] for run in self.runs)
        array, other = (np.asarray(v._data if isinstance(v, Variable) else v) for v in (x, y))
        value = Value("", array.dtype, array.shape, other.shape)
        step = Step(b, "output", [], {}, {}, value, None, lambda x: None, self.makers)
        found = self._source(step, Seen("output", [], {}, array), x, y)
        if found is None or found.name in b.parts:
            raise step.failed("of the cells of an LSTM, ONNX has the last ones alone")
        name = b.fresh("output" if i == 0 else f"output_{i}")
        from onnx import helper

        b.nodes.append(helper.make_node("Identity", [found.name], [name], f"{name}."))
        return name, found


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def _parted(node: Node) -> ExportError:
    """The error for two runs that did different things, with the first of these."""
    return ExportError(
        f"the module computes something else for other values or another number of samples, from "
        f"{name_of(node)!r}{node.where()} on. Nothing was written.\n"
        "Fix: leave out what decides by values or by the number of samples."
    )


def _names(model: Module, count: int) -> list[str]:
    """The names of the arguments of `forward`, for the inputs."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    arguments = inspect.signature(model.forward).parameters.values()
    names = [p.name for p in arguments if p.kind in kinds]
    return [names[i] if i < len(names) else "input" for i in range(count)]
