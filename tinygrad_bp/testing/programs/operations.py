"""What a program is made of: operations as code, with the shapes and values that they take."""

from __future__ import annotations

import importlib.util
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Shape = tuple[int, ...]
Interval = tuple[float, float]

#: What an operation without a domain is given: its results stay within what can be differentiated
#: numerically.
MODERATE: Interval = (-4.0, 4.0)
POSITIVE: Interval = (0.3, 3.0)


@dataclass(frozen=True)
class Operation:
    """One way to write an operation.

    Attributes
    ----------
    primitive : str
        The name in the registry of what it records.
    template : str
        Python source, with the operands as ``{0}``, ``{1}``.
    arity : int
        Number of operands.
    fits : callable
        Whether operands of these shapes are valid; asked of the first one, then of both, and so on.
    shapes : tuple
        Combinations of shapes to invent operands of; where there are none, `fits` decides.
    domains, kinks, distinct
        As in a row of the catalogue.
    settled : bool
        Whether operands are made of constants that were drawn for this operation, moved a little by
        the values at hand, which may be equal, zero, or a matrix without an inverse.
    empty : tuple
        Combinations of shapes with an axis of no elements, which unusual programs take too.
    """

    primitive: str
    template: str
    arity: int
    fits: Callable[..., bool]
    shapes: tuple[tuple[Shape, ...], ...] = ()
    domains: tuple[Interval, ...] = ()
    kinks: tuple[tuple[float, ...], ...] = ()
    distinct: bool = False
    settled: bool = False
    empty: tuple[tuple[Shape, ...], ...] = ()

    def domain(self, i: int) -> Interval:
        """The interval that the elements of operand `i` lie in."""
        return self.domains[i] if i < len(self.domains) else MODERATE

    def takes(self, i: int, values: Any) -> bool:
        """Whether the values are inside the domain of operand `i` and away from its kinks."""
        low, high = self.domain(i)
        kinks = self.kinks[i] if i < len(self.kinks) else ()
        return bool(np.all((values >= low) & (values <= high))) and all(
            bool(np.all(np.abs(values - kink) > 0.05)) for kink in kinks
        )


def any_shape(*shapes: Shape) -> bool:
    """Whatever comes."""
    return True


def broadcast(*shapes: Shape) -> bool:
    """Whether NumPy broadcasts these shapes, with a result that is small."""
    try:
        return math.prod(np.broadcast_shapes(*shapes)) <= 36
    except ValueError:
        return False


def _axes(least: int, most: int = 9) -> Callable[..., bool]:
    return lambda *shapes: all(least <= len(s) <= most for s in shapes)


def _equal(*shapes: Shape) -> bool:
    return len(set(shapes)) == 1


def _joined(*shapes: Shape) -> bool:
    return all(s and s[1:] == shapes[0][1:] for s in shapes)


def _last_equal(*shapes: Shape) -> bool:
    return all(s and s[-1] == shapes[0][-1] for s in shapes) and broadcast(*shapes)


def _product(*shapes: Shape) -> bool:
    if not all(shapes):
        return False
    if len(shapes) == 1:
        return True
    a, b = shapes
    return a[-1] == b[-2 if len(b) > 1 else 0] and broadcast(a[:-2], b[:-2])


def _row_of_first(*shapes: Shape) -> bool:
    if not shapes[0]:
        return False
    return len(shapes) == 1 or (
        broadcast(*shapes) and np.broadcast_shapes(shapes[0][1:], shapes[1]) == shapes[0][1:]
    )


def _one(
    primitive: str,
    template: str,
    fits: Callable[..., bool] = any_shape,
    domain: Interval = MODERATE,
    kinks: tuple[float, ...] = (),
) -> Operation:
    return Operation(primitive, template, 1, fits, domains=(domain,), kinks=(kinks,))


def _two(
    primitive: str,
    template: str,
    fits: Callable[..., bool] = broadcast,
    *domains: Interval,
) -> Operation:
    return Operation(primitive, template, 2, fits, domains=domains)


_MASK = "np.arange({0}.size).reshape({0}.shape) % 2 == 0"

#: The simplest first: a failing program shrinks towards these.
BASIC = (
    _two("add", "{0} + {1}"),
    _two("multiply", "{0} * {1}"),
    _one("multiply", "1.5 * {0}"),
    _one("sum", "{0}.sum()"),
    _one("sin", "np.sin({0})"),
    _two("subtract", "{0} - {1}"),
    _one("square", "np.square({0})"),
    _one("getitem", "{0}[0]", _axes(1)),
    _one("reshape", "{0}.reshape(-1)"),
    _one("transpose", "{0}.T", _axes(2)),
    _two("matmul", "{0} @ {1}", _product),
    _one("tanh", "np.tanh({0})"),
    _one("exp", "np.exp({0})", domain=(-2.0, 2.0)),
    _one("log", "np.log({0})", domain=POSITIVE),
    _one("sqrt", "np.sqrt({0})", domain=POSITIVE),
    _two("divide", "{0} / {1}", broadcast, MODERATE, POSITIVE),
    _one("power", "{0} ** 3", domain=(-2.0, 2.0)),
    _two("power", "{0} ** {1}", broadcast, POSITIVE, (-2.0, 2.0)),
    _one("absolute", "np.abs({0})", kinks=(0.0,)),
    _one("negative", "-{0}"),
    _one("mean", "{0}.mean()"),
    _one("sum", "{0}.sum(axis=0)", _axes(1)),
    _one("sum", "{0}.sum(axis=-1, keepdims=True)", _axes(1)),
    _one("sum", "{0}.sum(axis=(0, 1))", _axes(2)),
    _one("mean", "{0}.mean(axis=-1)", _axes(1)),
    _one("prod", "{0}.prod(axis=0)", _axes(1), (-2.0, 2.0)),
    _one("var", "{0}.var(axis=-1)", _axes(1)),
    _one("cumsum", "np.cumsum({0}, axis=-1)", _axes(1)),
    _one("getitem", "{0}[..., -1]", _axes(1)),
    _one("getitem", "{0}[::-1]", _axes(1)),
    _one("getitem", "{0}[None]", _axes(0, 2)),
    _one("gather", "{0}[[0, -1, 0]]", _axes(1)),
    _one("gather", "np.roll({0}, 1)", _axes(1)),
    _one("getitem", "np.split({0}, [1])[0]", _axes(1)),
    _one("getitem", "np.flip({0})", _axes(1)),
    _one("transpose", "np.swapaxes({0}, 0, -1)", _axes(2)),
    _one("broadcast_to", "np.broadcast_to({0}, (2, *{0}.shape))", _axes(0, 2)),
    _two("concatenate", "np.concatenate([{0}, {1}])", _joined),
    _two("stack", "np.stack([{0}, {1}], axis=-1)", _equal),
    _two("where", f"np.where({_MASK}, {{0}}, {{1}})", _equal),
    _two("set", "{0}.at[0].set({1})", _row_of_first),
    _two("add", "{0}.at[-1].add({1})", _row_of_first),
    _two("set", "{0}.at[0].multiply({1})", _row_of_first),
    _two("einsum", 'np.einsum("...i,...i->...", {0}, {1})', _last_equal),
    _two("einsum", 'np.einsum("...,...->...", {0}, {1})'),
    _one("sigmoid", "tg.nn.functional.sigmoid({0})"),
    _one("relu", "tg.nn.functional.relu({0})", kinks=(0.0,)),
    _one("softplus", "tg.nn.functional.softplus({0})"),
    _one("gelu", "tg.nn.functional.gelu({0})"),
    _one("softmax", "tg.nn.functional.softmax({0})", _axes(1)),
    _one("log_softmax", "tg.nn.functional.log_softmax({0})", _axes(1)),
    _one("logsumexp", "tg.nn.functional.logsumexp({0}, axis=-1)", _axes(1)),
    _two("squared_error", "losses.squared_error({0}, {1}, scale=0.5)", _equal),
    _two(
        "cross_entropy",
        "losses.cross_entropy({0}, {1}, scale=0.5)",
        lambda *shapes: _equal(*shapes) and len(shapes[0]) == 2,
        MODERATE,
        (0.1, 0.9),
    ),
)

#: Beside these, in unusual programs.
COARSE = (
    _one("astype", "{0}.astype(np.float32)"),
    _one("astype", "{0}.astype(np.float64)"),
)


def surroundings() -> dict[str, Any]:
    """The modules that the code of a program may name."""
    import tinygrad_bp as tg
    from tinygrad_bp.ops import losses

    found = {"np": np, "tg": tg, "losses": losses, "operator": operator}
    if importlib.util.find_spec("scipy") is not None:
        found["special"] = importlib.import_module("scipy.special")
    return found


#: How `surroundings` are imported.
IMPORTS = {
    "np": "import numpy as np",
    "tg": "import tinygrad_bp as tg",
    "losses": "from tinygrad_bp.ops import losses",
    "special": "from scipy import special",
    "operator": "import operator",
}
