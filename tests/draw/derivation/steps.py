"""A reader for the formulas of one step of a derivation, with all that the step knows."""

from __future__ import annotations

from typing import Any

import numpy as np
from draw.derivation.decompositions import (
    DECOMPOSITIONS,
    diagonal,
    half,
    letters_of,
    numbered,
)
from draw.derivation.reader import Reader

from tinygrad_bp.draw.derivation import Step


def reader_of(step: Step, values: dict[str, Any], shape: tuple[int, ...] | None = None) -> Reader:
    """A reader for the formulas of one operation, with vectors as rows and columns of matrices."""
    values = dict(values)
    own = [step.quantity.symbol, step.quantity.bar]
    full = max((np.ndim(values[s]) for s in step.inputs if s in values), default=0)
    reader = Reader(values, step.operation, _parameters(step, values), shape, full=full)
    reader.reduced = set(own)
    if step.operation in DECOMPOSITIONS:
        out, bar = (np.asarray(values.get(s, step.quantity.value)) for s in own)
        letters = letters_of(step.operation, step.params, values[step.inputs[0]], out, bar)
        reader.values = numbered(letters, step.forward) | values
        reader.functions = {r"\Phi": half, "diag": diagonal}
    if step.operation == "det":  # a number for each matrix
        for s in own:
            values[s] = np.asarray(values[s])[..., None, None]
    if step.operation == "linear":
        _rows(step, values, reader, own)
    if step.operation in ("batch_norm", "group_norm"):  # a number for each channel, the second axis
        for s in step.inputs[1:]:
            values[s] = np.reshape(values[s], (-1, *[1] * (np.ndim(step.quantity.value) - 2)))
    if step.operation in ("matmul", "solve", "lstsq"):
        _vectors(step, values, reader, own)
    return reader


def _parameters(step: Step, values: dict[str, Any]) -> dict[str, Any]:
    """The parameters, and what follows from them: places, an order, a mask and its counts."""
    params = dict(step.params)
    first = np.asarray(values.get(step.inputs[0], 0.0))
    if "k" in params:
        params["outer"] = np.shape(step.quantity.value)[-2:]
    if step.operation == "sort":
        params["order"] = np.argsort(first, axis=params["axis"], kind="stable")
    if step.operation == "pad":
        pairs = zip(params["width"], first.shape, strict=True)
        cut = tuple(slice(before, before + n) for (before, _), n in pairs)
        params["places"] = {step.inputs[0]: cut}
    if step.operation == "concatenate":
        params["places"] = _places(step, values)
    if params.get("where") is not None:
        mask = np.broadcast_to(params["where"], first.shape)
        values[r"\text{where}"] = np.asarray(params["where"], float)
        values["n"] = np.sum(mask, axis=params["axis"], keepdims=True)
    return params


def _rows(step: Step, values: dict[str, Any], reader: Reader, own: list[str]) -> None:
    """All axes but the last are those of the rows."""
    x = step.inputs[0]
    if np.ndim(values.get(x, 0.0)) == 2:
        return
    if reader.shape is not None and len(reader.shape) > 2:
        reader.shape = (int(np.prod(reader.shape[:-1])), reader.shape[-1])
    for s in {x, *own} & values.keys():
        values[s] = np.reshape(values[s], (-1, np.shape(values[s])[-1]))


def _places(step: Step, values: dict[str, Any]) -> dict[str, Any]:
    """Which part of the result came from which input."""
    axis, start, places = step.params["axis"], 0, {}
    for number, symbol in enumerate(step.inputs, 1):
        shape = np.shape(values[symbol])
        index = [slice(None)] * len(shape)
        index[axis] = slice(start, start + shape[axis])
        start += shape[axis]
        places[symbol] = places[str(number)] = tuple(index)
    return places


def _vectors(step: Step, values: dict[str, Any], reader: Reader, own: list[str]) -> None:
    """A vector counts as a row on the left and as a column on the right."""
    arrays = [np.ndim(values.get(s, 0.0)) for s in step.inputs]
    if step.inputs[0] == step.inputs[1] and arrays[0] == 1:
        return  # times itself
    if arrays[1] == 1:
        if reader.shape is not None and reader.shape == np.shape(values[step.inputs[1]]):
            reader.shape = (*reader.shape, 1)
        values[step.inputs[1]] = np.asarray(values[step.inputs[1]])[..., None]
        for s in own:
            values[s] = np.asarray(values[s])[..., None]
    if arrays[0] == 1 and step.operation == "matmul":
        x = np.asarray(values[step.inputs[0]])
        if x.ndim == 1:
            if reader.shape is not None and reader.shape == x.shape:
                reader.shape = (1, *reader.shape)
            values[step.inputs[0]] = x[None, :]
        for s in own:
            z = np.asarray(values[s])
            at = z.ndim - 1
            values[s] = np.expand_dims(z, at)
