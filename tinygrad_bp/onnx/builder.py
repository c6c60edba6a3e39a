"""Putting an ONNX graph together: nodes, initializers, names, sizes that grow with the batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Shape = tuple[int, ...]

#: The IR version of each opset that can be written: that of the release of ONNX which brought the
#: opset, so that whatever runs the opset reads the file. `onnx` itself would write its newest.
IR_VERSIONS = {17: 8, 18: 8, 19: 9, 20: 9, 21: 10}


@dataclass(frozen=True)
class Value:
    """A value of the graph: its name, and what it was in two runs with batches of 2 and 3 samples.

    Attributes
    ----------
    name : str
        In the ONNX graph.
    dtype : dtype
        The same in both runs.
    shape, other : tuple of int
        Its shape in each run. Where they differ, it grows with the batch.
    """

    name: str
    dtype: np.dtype[Any]
    shape: Shape
    other: Shape

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def fixed(self, axes: Iterable[int]) -> bool:
        """Whether none of these axes grows with the batch."""
        return all(self.shape[i] == self.other[i] for i in axes)


class Builder:
    """The graph that is being written.

    Attributes
    ----------
    opset : int
        Version of the operators.
    nodes : list of NodeProto
        In order.
    initializers : dict of str to ndarray
        Parameters under their names, and constants.
    parts : dict
        Of values that ONNX gives in parts only: the parts, by the index under which each is read.
    label : str
        What new nodes and constants are called after.
    """

    def __init__(self, opset: int, names: Iterable[str]) -> None:
        self.opset = opset
        self.nodes: list[Any] = []
        self.initializers: dict[str, npt.NDArray[Any]] = {}
        self.parts: dict[str, dict[Shape, str]] = {}
        self.label = ""
        self._taken = set(names)
        self._counts: dict[str, int] = {}
        self._batch: tuple[str, int] | None = None
        self._known: dict[Any, str] = {}

    def fresh(self, base: str) -> str:
        """A name that nothing has yet."""
        name = base
        while name in self._taken:
            self._counts[base] = self._counts.get(base, 0) + 1
            name = f"{base}_{self._counts[base]}"
        self._taken.add(name)
        return name

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """A node with one output, whose name is returned; an empty name leaves an input away."""
        return self.add_several(op, inputs, 1, **attributes)[0]

    def add_several(
        self, op: str, inputs: Sequence[str], outputs: int, **attributes: Any
    ) -> list[str]:
        """A node with several outputs."""
        from onnx import helper

        name = self.fresh(f"{self.label}{op}")
        names = [name if i == 0 else self.fresh(f"{name}.{i}") for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name, **attributes))
        return names

    def constant(self, array: Any, dtype: npt.DTypeLike | None = None) -> str:
        """An initializer; equal ones have one name."""
        array = np.array(array, dtype, order="C")
        key = (array.tobytes(), array.shape, array.dtype)
        if key not in self._known:
            name = self.fresh(f"{self.label}constant")
            self.initializers[name] = array
            self._known[key] = name
        return self._known[key]

    def whole(self, *numbers: int) -> str:
        """Whole numbers as ONNX wants them: for axes, shapes and indices."""
        return self.constant(np.array(numbers, np.int64))

    def cast(self, name: str, dtype: npt.DTypeLike) -> str:
        """A value in another dtype."""
        from onnx import helper

        return self.add("Cast", name, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def batch_is(self, name: str, axis: int) -> None:
        """Say which input has the batch, and along which axis."""
        self._batch = (name, axis)

    def batch(self) -> str:
        """The number of samples, as an array of one element."""
        if "batch" not in self._known:
            name, axis = self._batch or ("", 0)
            label, self.label = self.label, ""
            shape = self.add("Shape", name)
            self._known["batch"] = self.add("Gather", shape, self.whole(axis))
            self.label = label
        return self._known["batch"]

    def sizes(self, shape: Shape, other: Shape) -> str:
        """A shape, given for 2 and for 3 samples."""
        if shape == other:
            return self.whole(*shape)
        parts = []
        for n, m in zip(shape, other, strict=True):
            each, plus = m - n, 3 * n - 2 * m
            part = self.whole(n)
            if each:
                part = self.batch()
                part = self.add("Mul", part, self.whole(each)) if each != 1 else part
                part = self.add("Add", part, self.whole(plus)) if plus else part
            parts.append(part)
        return parts[0] if len(parts) == 1 else self.add("Concat", *parts, axis=0)

    def repeated(self, array: Any, other: Any) -> str | None:
        """A constant that grows with the batch by repetition, or counts it; None if it does not."""
        array, other = np.asarray(array), np.asarray(other)
        if array.ndim != other.ndim or array.dtype != other.dtype:
            return None
        counts = array.dtype.kind == "i" and array.ndim == 1
        if counts and array.tolist() == [0, 1] and other.tolist() == [0, 1, 2]:
            end = self.add("Squeeze", self.batch())
            counted = self.add("Range", self.constant(0), end, self.constant(1))
            return counted if array.dtype == np.int64 else self.cast(counted, array.dtype)
        grows = [i for i, (n, m) in enumerate(zip(array.shape, other.shape, strict=True)) if n != m]
        once = array[tuple(slice(0, 1) if i in grows else slice(None) for i in range(array.ndim))]
        if not grows or not (_all(array, once) and _all(other, once)):
            return None
        return self.add("Expand", self.constant(once), self.sizes(array.shape, other.shape))


def _all(array: Any, once: Any) -> bool:
    whole = np.broadcast_to(once, array.shape).tobytes()
    return array.size > 0 and bool(whole == array.tobytes())
