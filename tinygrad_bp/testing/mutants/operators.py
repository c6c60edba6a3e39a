"""Classic mistakes made around a rule: what it returns, or what it is given, is changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.core.cotangents import Sparse
from tinygrad_bp.core.graph import Variable
from tinygrad_bp.core.mode import no_grad
from tinygrad_bp.testing.mutants.mutant import Mutant, Rule, rules_of

#: ``change(r, x)``: the wrong cotangent made of the right one, and of the input it belongs to.
Change = Callable[[Any, Any], Any]


def _data(x: Any) -> Any:
    return np.asarray(x._data if isinstance(x, Variable) else x)


def _where(condition: Any, factor: float) -> Any:
    return np.where(condition, factor, 1.0)


def _one_index(r: Any, x: Any) -> Any:
    if r.size < 2:
        return r
    factors = np.ones(r.size)
    factors[r.size // 2] = 0.5
    return r * factors.reshape(r.shape)


def _half_precision(r: Any, x: Any) -> Any:
    if r.dtype != np.float32 or _data(x).dtype != np.float32:
        return r
    return (r * 1024.0).astype(np.float16).astype(np.float32) / np.float32(1024.0)


def _transposed(r: Any, x: Any) -> Any:
    square = r.ndim > 1 and r.shape[-1] == r.shape[-2]
    return np.swapaxes(r, -1, -2) if square else r


def _rolled(r: Any, x: Any) -> Any:
    return np.roll(r, 1, -1) if r.ndim and r.shape[-1] > 1 else r


def _broadcast_axes(r: Any, x: Any) -> tuple[int, ...]:
    shape = np.shape(_data(x))
    extra = r.ndim - len(shape)
    ones = [extra + i for i, n in enumerate(shape) if n == 1 and r.shape[extra + i] != 1]
    return (*range(max(extra, 0)), *ones) if extra >= 0 else ()


def _mean_for_sum(r: Any, x: Any) -> Any:
    axes = _broadcast_axes(r, x)
    return r / float(np.prod([r.shape[i] for i in axes])) if axes else r


def _not_summed(r: Any, x: Any) -> Any:
    for axis in _broadcast_axes(r, x):
        if r.shape[axis] > 1:
            first = (slice(None),) * axis + (slice(0, 1),)
            r = r[first]
    return r


def _summed_wrongly(r: Any, x: Any) -> Any:
    """Sums over the last axis where it should be the first, if both are of one length."""
    shape = np.shape(_data(x))
    wrong = r.ndim == 2 and len(shape) == 1 and r.shape[0] == r.shape[1]
    return np.sum(r, axis=1) if wrong else r


#: Each by what the tables call it. `_where` looks at values alone, so that all orders are wrong.
AROUND: dict[str, Change] = {
    "sign turned": lambda r, x: -r,
    "factor 2": lambda r, x: 2.0 * r,
    "factor 1/2": lambda r, x: 0.5 * r,
    "divided by N": lambda r, x: r / float(max(_data(x).size, 1)),
    "multiplied by N": lambda r, x: r * float(max(_data(x).size, 1)),
    "zero": lambda r, x: 0.0 * r,
    "one too many": lambda r, x: r + 1.0,
    "off by 1e-4": lambda r, x: r * (1 + 1e-4),
    "wrong at one index": _one_index,
    "wrong for large inputs": lambda r, x: r * _where(np.abs(_data(x)) > 5, 1.5),
    "wrong for small inputs": lambda r, x: r * _where(np.abs(_data(x)) < 1e-2, 1.5),
    "wrong for negative inputs": lambda r, x: r * _where(_data(x) < 0, 0.5),
    "rounded in float32": _half_precision,
    "transposed": _transposed,
    "shifted by one": _rolled,
    "mean for sum in un-broadcasting": _mean_for_sum,
    "un-broadcasting left out": _not_summed,
    "un-broadcast over the wrong axis": _summed_wrongly,
}


def _around(change: Change, i: int) -> Callable[[Rule], Rule]:
    def mutate(rule: Rule) -> Rule:
        def wrong(g: Any, out: Any, *inputs: Any, **params: Any) -> Any:
            r = rule(g, out, *inputs, **params)
            if r is None:
                return None
            r = r.dense() if type(r) is Sparse else r
            r = r if isinstance(r, (np.ndarray, np.generic, Variable)) else np.float64(r)
            return change(r, inputs[i])

        return wrong

    return mutate


def _detached(x: Any) -> Any:
    return x._data if isinstance(x, Variable) else x


def _values_cut(rule: Rule) -> Rule:
    """Right once; of its own derivative, what comes by way of the values is missing."""

    def wrong(g: Any, out: Any, *inputs: Any, **params: Any) -> Any:
        return rule(g, _detached(out), *map(_detached, inputs), **params)

    return wrong


def _cotangent_cut(rule: Rule) -> Rule:
    """Right once; of its own derivative, what comes by way of the cotangent is missing."""

    def wrong(g: Any, out: Any, *inputs: Any, **params: Any) -> Any:
        return rule(_detached(g), out, *inputs, **params)

    return wrong


def _stale(of_output: bool) -> Callable[[Rule], Rule]:
    """Uses what it was given the first time, as long as the shapes are the same."""

    def mutate(rule: Rule) -> Rule:
        kept: dict[Any, Any] = {}

        def wrong(g: Any, out: Any, *inputs: Any, **params: Any) -> Any:
            key = (np.shape(out), *map(np.shape, map(_data, inputs)), str(params.keys()))
            fresh = (_detached(out), tuple(map(_detached, inputs)))
            old_out, old_inputs = kept.setdefault(key, fresh)
            if of_output:
                return rule(g, old_out, *inputs, **params)
            return rule(g, out, *old_inputs, **params)

        return wrong

    return mutate


def _tied_to_one(name: str, slope: float) -> Callable[[Rule], Rule]:
    """Evaluates the rule a hair beside the values, where no two are equal and none is at a kink."""

    def mutate(rule: Rule) -> Rule:
        def beside(x: Any, k: int) -> Any:
            values = _data(x)
            if values.dtype.kind != "f":
                return x
            ramp = 1.0 + k + np.arange(values.size).reshape(values.shape)
            hair = slope * (1e-9 if values.dtype == np.float64 else 1e-6)
            return x + (hair * ramp).astype(values.dtype)

        def wrong(g: Any, out: Any, *inputs: Any, **params: Any) -> Any:
            moved = [beside(x, k) for k, x in enumerate(inputs)]
            given = {key: value for key, value in params.items() if key != "saved"}
            if any(isinstance(x, Variable) for x in moved):
                new = PRIMITIVES[name](*moved, **given)
            else:
                with no_grad():
                    new = PRIMITIVES[name].forward(*moved, **given)
                if PRIMITIVES[name].saves:
                    new, saved = new
                    given = {**given, "saved": saved} if "saved" in params else given
            return rule(g, new, *moved, **given)

        return wrong

    return mutate


def _swapped(name: str, other: int) -> Callable[[Rule], Rule]:
    """The rule of another input; looked up now, while all are right."""
    rule = rules_of(name)[other]
    return lambda _: rule


def wrapped(name: str, i: int) -> list[Mutant]:
    """The mutants that are made around the rule of input i."""
    found = [Mutant(name, i, kind, "", _around(change, i)) for kind, change in AROUND.items()]
    found += [
        Mutant(name, i, "second order: values cut off", "", _values_cut),
        Mutant(name, i, "second order: cotangent cut off", "", _cotangent_cut),
        Mutant(name, i, "stale inputs", "", _stale(False)),
        Mutant(name, i, "stale output", "", _stale(True)),
    ]
    if isinstance(PRIMITIVES[name].vjps, tuple):
        found += [
            Mutant(name, i, "arguments swapped", f"rule of input {other}", _swapped(name, other))
            for other in rules_of(name)
            if other != i
        ]
    if PRIMITIVES[name].kinks:
        found += [
            Mutant(name, i, "ties and kinks to one side", side, _tied_to_one(name, slope))
            for side, slope in (("from above", 1.0), ("from below", -1.0))
        ]
    return found
