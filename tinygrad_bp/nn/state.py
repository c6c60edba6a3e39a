"""Writing a state dictionary into a module: all or nothing, with one message for all."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.core.tensor import Tensor
from tinygrad_bp.errors import ArgumentError, StateDictError, a_kind, user_line
from tinygrad_bp.nn.parameter import Buffer, Parameter

if TYPE_CHECKING:
    from tinygrad_bp.nn.module import Module


@dataclass(frozen=True)
class LoadReport:
    """What `load_state_dict` left out; false where it left nothing out.

    Attributes
    ----------
    missing : tuple of str
        Names in the module that the values lack.
    unexpected : tuple of str
        Names in the values that the module lacks.
    misfits : tuple of str
        Names on both sides, with another shape or dtype, or with values that are not real numbers.
    text : str
        All of it in words.
    """

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    misfits: tuple[str, ...] = ()
    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.misfits)

    def __str__(self) -> str:
        return self.text or "nothing was left out"


def keep_trained(module: Module, name: str, values: Any) -> None:
    """Refuse values in the place of a parameter or buffer that nothing would train or save.

    Raises
    ------
    ArgumentError
        The attribute is one, or is computed from one by a parametrization; the values are plain
        ones, or a tensor that was computed, as by ``layer.weight -= step``.
    """
    from tinygrad_bp.nn.module import is_parameter

    if isinstance(values, Buffer) or is_parameter(values):
        return
    there = vars(module).get(name)
    if isinstance(there, (Parameter, Buffer)) or name in vars(module).get("parametrizations", {}):
        kind = type(there).__name__ if isinstance(there, Buffer) else "Parameter"
        raise ArgumentError(
            f"{type(module).__name__}.{name} is a {kind}, and {a_kind(values)} in its place would "
            f"neither be trained nor saved (at {user_line()}).\nFix: .{name}.assign(values) "
            f"writes values into it; .{name} = nn.{kind}(values) makes a new one."
        )


def entries(module: Module) -> Iterator[tuple[str, Tensor]]:
    """The parameters and buffers of a module and all below it, with dotted names."""
    from tinygrad_bp.nn.module import is_parameter, walk

    return ((n, part) for n, part in walk(module) if is_parameter(part) or isinstance(part, Buffer))


def load(
    module: Module,
    values: Mapping[str, Any],
    strict: bool,
    same_dtype: bool = False,
    source: str = "the state",
) -> LoadReport:
    """See `Module.load_state_dict`; with `same_dtype`, another dtype is a misfit, too."""
    own = dict(entries(module))
    _check_mapping(values)
    arrays = {name: _array(value) for name, value in values.items()}
    _name_once(module, own, arrays)
    report = _compare(own, arrays, same_dtype)
    if strict and report:
        fix = (
            "build the module with the layers that it was saved with, rename the entries, or pass "
            "strict=False to load those that fit."
        )
        if all(line.startswith("  dtype: ") for line in report.text.split("\n")):
            fix = "module.astype(...) to the dtype of the state, or strict=False to cast the state."
        raise StateDictError(
            f"{source} does not fit {type(module).__name__}. Nothing was changed.\n{report.text}\n"
            f"Fix: {fix}"
        )
    left_out = {*report.missing, *report.misfits}
    for name, tensor in own.items():
        if name not in left_out:
            tensor.assign(arrays[name])
    return report


def _array(value: Any) -> npt.NDArray[Any]:
    """A value as an array; one of objects, which fits nothing, where its rows differ in length."""
    value = value.data if isinstance(value, Tensor) else value
    try:
        return np.asarray(value)
    except ValueError:
        return np.asarray(value, object)


def _check_mapping(values: Any) -> None:
    if isinstance(values, Mapping) and all(isinstance(name, str) for name in values):
        return
    is_file = isinstance(values, str) or hasattr(values, "__fspath__")
    fix = "tinygrad_bp.io.load(path, module), for a file." if is_file else "other.state_dict()."
    raise StateDictError(
        f"a state is a dict of arrays by dotted name, not this {type(values).__name__} (at "
        f"{user_line()}). Nothing was changed.\nFix: {fix}"
    )


def _name_once(module: Module, own: dict[str, Tensor], arrays: dict[str, Any]) -> None:
    """Leave out of the arrays the other names of what the module has twice, as PyTorch has them.

    An array that differs from that of the first name stays, and fits nothing.
    """
    first = {id(tensor): name for name, tensor in own.items()}
    for other in [name for name in arrays if name not in own]:
        name = first.get(id(_part(module, other)))
        if name is not None and name not in arrays:
            arrays[name] = arrays.pop(other)
        elif name is not None and _identical(arrays[name], arrays[other]):
            del arrays[other]


def _part(module: Module, name: str) -> Any:
    """What a module has under a dotted name, which may be one of several."""
    from tinygrad_bp.nn.module import Module, members

    part: Any = module
    while name and isinstance(part, Module):
        for key, below in members(part):
            if name == key or (isinstance(below, Module) and name.startswith(f"{key}.")):
                part, name = below, name[len(key) + 1 :]
                break
        else:
            return None
    return None if name else part


def _identical(a: Any, b: Any) -> bool:
    return bool(a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes())


def _compare(own: dict[str, Tensor], arrays: dict[str, Any], same_dtype: bool) -> LoadReport:
    missing = tuple(name for name in own if name not in arrays)
    unexpected = tuple(name for name in arrays if name not in own)
    misfits = []
    lines = []
    for name in missing:
        lines.append(f"  missing: {name!r} {own[name].shape}{_nearest(name, unexpected)}")
    for name in unexpected:
        lines.append(f"  unexpected: {name!r} {arrays[name].shape}{_nearest(name, own)}")
    for name, tensor in own.items():
        if name not in arrays:
            continue
        array = arrays[name]
        if array.shape != tensor.shape:
            swapped = array.ndim > 1 and array.shape == tensor.shape[::-1]
            misfits.append(name)
            lines.append(
                f"  shape: {name!r} is {tensor.shape} in the module and {array.shape} in the state"
                + (" (transposed)" if swapped else "")
            )
        elif array.dtype.kind not in "fiub":
            misfits.append(name)
            lines.append(f"  dtype: {name!r} has {array.dtype} in the state, not real numbers")
        elif same_dtype and array.dtype != tensor.dtype:
            misfits.append(name)
            lines.append(
                f"  dtype: {name!r} is {tensor.dtype} in the module and {array.dtype} in the state"
            )
    return LoadReport(missing, unexpected, tuple(misfits), "\n".join(lines))


def _nearest(name: str, known: Any) -> str:
    """The name on the other side that is meant, where one is close."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; nearest on the other side: {close[0]!r}" if close else ""
