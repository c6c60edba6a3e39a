"""What there is: NumPy's functions as the registry answers for them, and the primitives behind.

Nothing is listed by hand: functions are found by their names in NumPy, and what is behind one is
what a call of it records.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tinygrad_bp.core import FUNCTIONS, Tensor
from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.ops import special
from tinygrad_bp.ops.refused import REFUSED

#: Where public functions are looked for, by the names that one writes.
NAMESPACES = {
    "np": "numpy",
    "np.linalg": "numpy.linalg",
    "np.fft": "numpy.fft",
    "np.lib.stride_tricks": "numpy.lib.stride_tricks",
    "np.emath": "numpy.lib.scimath",
    "np.random": "numpy.random",
    "scipy.special": "scipy.special",
}

Kind = Literal["differentiable", "constant", "refused", "unknown"]


@dataclass(frozen=True)
class Operation:
    """A function that asks tensors, and what answers.

    Attributes
    ----------
    name : str
        As one writes it: ``np.linalg.inv``.
    aliases : tuple of str
        Its other public names.
    methods : tuple of str
        What of a tensor does the same: ``t.sum()``, ``+``.
    kind : str
        ``differentiable``, ``constant``, ``refused``, or ``unknown`` where nothing answers.
    why : str
        Why it is a constant, or refused and what to do instead.
    """

    name: str
    aliases: tuple[str, ...]
    methods: tuple[str, ...]
    kind: Kind
    why: str


def dispatches(function: Any) -> bool:
    """Whether a function asks the tensors among its arguments what to do.

    Examples
    --------
    >>> dispatches(np.sin), dispatches(np.sum), dispatches(np.array)
    (True, True, False)
    """
    return isinstance(function, np.ufunc) or type(function) is type(np.sum)


def public_functions(namespaces: Iterable[str] = NAMESPACES) -> dict[Any, list[str]]:
    """Every function of the namespaces that asks tensors, with its public names."""
    found: dict[Any, list[str]] = {}
    for prefix in namespaces:
        try:
            module = importlib.import_module(NAMESPACES[prefix])
        except ImportError:  # SciPy is optional
            continue
        for word in getattr(module, "__all__", dir(module)):
            function = getattr(module, word, None)
            if not word.startswith("_") and dispatches(function):
                found.setdefault(function, []).append(f"{prefix}.{word}")
    return found


def operations(namespaces: Iterable[str] = NAMESPACES) -> list[Operation]:
    """Every public function that asks tensors, in the order of the namespaces and names.

    Examples
    --------
    >>> found = {operation.name: operation for operation in operations(["np"])}
    >>> found["np.sum"].methods, found["np.concatenate"].aliases
    (('t.sum()',), ('np.concat',))
    >>> found["np.argmax"].kind, found["np.argmax"].why
    ('constant', 'the result is a position or a count')
    """
    methods = _methods()
    rows = []
    for function, names in public_functions(namespaces).items():
        own = [n for n in names if n.rsplit(".", 1)[1] == function.__name__] or names
        name = own[0]
        answer = FUNCTIONS.get(function)
        kind: Kind = "differentiable"
        why = ""
        if function in REFUSED:
            kind, why = "refused", "{}; {}".format(*REFUSED[function])
        elif answer is None:
            kind = "unknown"
        elif hasattr(answer, "why"):
            kind, why = "constant", answer.why
        aliases = tuple(n for n in names if n != name)
        rows.append(Operation(name, aliases, tuple(methods.get(function, ())), kind, why))
    order = {prefix: i for i, prefix in enumerate(NAMESPACES)}
    return sorted(rows, key=lambda row: (order[row.name.rsplit(".", 1)[0]], row.name.lower()))


_OPERATORS = {
    **{"__add__": "+", "__sub__": "-", "__mul__": "*", "__truediv__": "/", "__pow__": "**"},
    **{"__matmul__": "@", "__mod__": "%", "__floordiv__": "//", "__neg__": "-t", "__pos__": "+t"},
    **{"__abs__": "abs(t)", "__lt__": "<", "__le__": "<=", "__gt__": ">", "__ge__": ">="},
    **{"__eq__": "==", "__ne__": "!=", "__and__": "&", "__or__": "|", "__xor__": "^"},
    **{"__invert__": "~t", "__divmod__": "divmod"},
}


def _methods() -> dict[Any, list[str]]:
    """The operators and methods of tensors by the NumPy function to which their words refer."""
    found: dict[Any, list[str]] = {}
    for word in dir(Tensor):
        member = getattr(Tensor, word)
        match = re.search(r"[Ss]ee `numpy\.([\w.]+)`", getattr(member, "__doc__", None) or "")
        if match is None or (word.startswith("_") and word not in _OPERATORS):
            continue
        function = functools.reduce(getattr, match[1].split("."), np)
        call = "" if isinstance(member, property) else "()"
        found.setdefault(function, []).append(_OPERATORS.get(word, f"t.{word}{call}"))
    return found


def inputs(dtype: Any = float) -> dict[str, Any]:
    """What the examples of the documentation are computed with, as their namespace.

    Returns
    -------
    dict
        ``x`` and ``y``, four numbers from 0.2 to 0.8 and from 1.1 to 1.9; ``a``, a positive
        definite 3 x 3 matrix; ``b``, a 3 x 4 matrix; ``i``, logits of 3 classes for 4 samples, and
        ``k``, the classes; beside ``np``, ``math``, ``F`` for `tinygrad_bp.nn.functional`, and
        ``sp`` for `scipy.special`.
    """
    rng = np.random.default_rng(0)
    root = rng.normal(size=(3, 3))
    values = {
        "x": np.array([0.8, 0.2, 0.55, 0.35]),
        "y": np.array([1.1, 1.9, 1.3, 1.6]),
        "a": root @ root.T + np.eye(3),
        "b": rng.normal(size=(3, 4)),
        "i": rng.normal(size=(4, 3)),
    }
    names: dict[str, Any] = {"np": np, "math": math, "k": np.array([0, 2, 1, 1])}
    names["F"] = importlib.import_module("tinygrad_bp.nn.functional")
    with contextlib.suppress(ImportError):
        names["sp"] = importlib.import_module("scipy.special")
        special.load()
    return names | {n: Tensor(v, requires_grad=True, dtype=dtype) for n, v in values.items()}


def recorded_by(example: str) -> tuple[str, ...]:
    """The names of the primitives that an expression of `inputs` records.

    Examples
    --------
    >>> recorded_by("np.sinh(x) + 1")
    ('add', 'sinh')
    >>> recorded_by("np.argmax(x)")
    ()
    """
    with np.errstate(all="raise"):
        todo = [eval(example, inputs())]
    found = set()
    while todo:
        thing = todo.pop()
        if isinstance(thing, (tuple, list)):
            todo += thing
        elif isinstance(thing, Tensor) and thing.node is not None:
            found.add(thing.node.primitive.name)
            todo += thing.node.inputs
    return tuple(sorted(found))


_GUESSES = (
    *("x", "y", "a", "b", "[x, y]", "x, y", "a, b", "x, 2", "2, x", "2.5, x", "x, 0.5"),
    *("2.5, 1.5, x", "x, y, x", "0.5, 1.5, 2.5, x", "x[:3], y[:3]", "a, x[:3]"),
)


def example_of(name: str, examples: Mapping[str, str]) -> str:
    """A call of a function that records something: the one given, or the first guess that works.

    Raises
    ------
    ArgumentError
        No guess works.

    Examples
    --------
    >>> example_of("np.linalg.inv", {}), example_of("np.arccosh", {})
    ('np.linalg.inv(a)', 'np.arccosh(y)')
    """
    if name in examples:
        return examples[name]
    short = name.replace("scipy.special.", "sp.")
    for guess in _GUESSES:
        call = f"{short}({guess})"
        with contextlib.suppress(Exception):
            if recorded_by(call):
                return call
    raise ArgumentError(
        f"no guess at the arguments of {name} records anything.\n"
        "Fix: give an example of a call under [examples] in docs/neighbours.toml."
    )
