"""Which rule made a gradient wrong: each node of the graph is checked by itself.

A rule is applied to the values that the graph recorded, with random cotangents, and held against
numerical derivatives of its own forward function, so that no other operation has a part in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_bp.core import Node, Sparse, Tensor, as_tensor
from tinygrad_bp.core.cotangents import sum_to_shape
from tinygrad_bp.errors import TgError
from tinygrad_bp.testing.compare import Comparison
from tinygrad_bp.testing.slopes import Array, Field
from tinygrad_bp.testing.subjects import Recorded, nodes_below
from tinygrad_bp.testing.verdicts import Finding, Verdict, judge

_TOLERANCE = 1e-6  # above what rounding leaves of a right rule, and below what a wrong one makes
_COTANGENTS = 2
_ELEMENTS = 24  # of an input that are checked by themselves, where it has no more
_DIRECTIONS = 3
_CHECKS = 400  # of one graph, before it is enough


class Blame(NamedTuple):
    """What the nodes of a graph are like, each by itself.

    Attributes
    ----------
    rules : list of str
        A line for each rule that is wrong.
    kinks : list of str
        A line for each operation that was asked for a derivative at a kink.
    """

    rules: list[str]
    kinks: list[str]


def wrong_rules(output: Tensor) -> list[str]:
    """A line for each operation whose rule disagrees with a numerical derivative of its forward.

    Parameters
    ----------
    output : Tensor
        The end of a graph, before its backward pass.

    Returns
    -------
    list of str
        They name the primitive, the place, and which of its inputs; where all rules are right,
        one line that says so.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> wrong_rules(np.sum(np.sin(x)))
    ['each rule of the graph agrees with a numerical derivative']
    """
    found = blame(nodes_below(output)).rules
    return found or ["each rule of the graph agrees with a numerical derivative"]


def blame(nodes: Sequence[Node]) -> Blame:
    """Check the rules of some nodes; see `Blame`."""
    rng = np.random.default_rng(0)
    rules: dict[tuple[str, int], str] = {}
    kinks: dict[str, str] = {}
    checks = 0
    for node in nodes:
        name = node.primitive.name
        for i in _places(node):
            if (name, i) in rules or checks >= _CHECKS:
                continue
            checks += 1
            findings, exact = _findings(node, i, rng)
            wrong = [
                abs(e - f.numerical)
                for e, f in zip(exact, findings, strict=True)
                if f.verdict is Verdict.WRONG
            ]
            if wrong:
                sizes = [abs(f.numerical) for f in findings if np.isfinite(f.numerical)]
                scale = max(sizes, default=0.0) or 1.0
                off = f"by {max(wrong) / scale:.1e}, relatively" if np.isfinite(wrong).all() else ""
                rules[name, i] = (
                    f"the rule of the primitive {name!r} for its input {i} is wrong{node.where()}: "
                    "it differs from the numerical derivative of its forward function "
                    f"{off or 'by a number that is not finite'}"
                )
            elif any(f.verdict is Verdict.KINK for f in findings):
                kinks.setdefault(name, f"{name!r} is at a kink{node.where()}")
    return Blame([*rules.values()], [*kinks.values()])


def blame_second(nodes: Sequence[Node]) -> list[str]:
    """A line for each rule that is right by itself, but whose own derivative is not."""
    rng = np.random.default_rng(0)
    found: dict[tuple[str, int], str] = {}
    for count, node in enumerate(nodes):
        for i in _places(node):
            key = (node.primitive.name, i)
            if key not in found and count < _CHECKS and _wrong_twice(node, i, rng):
                found[key] = (
                    f"the rule of the primitive {key[0]!r} for its input {i} is wrong at second "
                    f"order{node.where()}: its value is right, its own derivative is not"
                )
    return [*found.values()]


def _places(node: Node) -> list[int]:
    """The inputs of a node for which a rule is asked."""
    return [
        i
        for i, x in enumerate(node.sources)
        if (isinstance(x, Node) or (isinstance(x, Tensor) and x.requires_grad))
        and node.primitive.vjps[i] is not None
    ]


def _findings(node: Node, i: int, rng: np.random.Generator) -> tuple[list[Finding], Array]:
    """Verdicts on the rule for input i, each with what the rule says there."""
    values = [_double(v) for v in node.values]
    x = np.asarray(values[i], np.float64)
    same = all(a is b for a, b in zip(values, node.values, strict=True))
    out, params = node.out, node.rule_params()
    if not same:
        out = node.primitive.forward(*values, **node.params)
        if node.primitive.saves:
            out, params = out[0], {**node.params, "saved": out[1]}
    cotangents = rng.uniform(0.5, 1.5, (_COTANGENTS, *np.shape(out)))
    cotangents *= rng.choice([-1.0, 1.0], cotangents.shape)
    exact = np.array([_apply(node, i, g, out, values, params, x.shape) for g in cotangents])
    flat = cotangents.reshape(_COTANGENTS, -1)

    def forward(moved: Array) -> Array:
        inputs = [*values]
        inputs[i] = moved.reshape(x.shape) if x.ndim else np.float64(moved[0])
        result: Array = flat @ np.ravel(node.primitive.value(*inputs, **node.params))
        return result

    field = Field(forward, x.ravel())
    finite = exact[np.isfinite(exact)]
    floor = max(1e-15 * float(np.max(np.abs(finite), initial=0.0)), 1e-24)
    findings: list[Finding] = []
    told: list[float] = []
    with np.errstate(all="ignore"):
        scale = np.max(np.nan_to_num(np.abs(exact), posinf=0.0), axis=1, initial=0.0)
        scale = np.maximum(scale, 1e-5 * np.abs(np.nan_to_num(field.center)))
        unknown = np.flatnonzero(~np.isfinite(exact).all(axis=0))
        singles = np.arange(x.size) if x.size <= _ELEMENTS else unknown[:2]
        for j in singles:
            findings += judge(field, int(j), exact[:, j], _TOLERANCE, scale, floor)
            told += [float(e) for e in exact[:, j]]
        if x.size > _ELEMENTS:
            exact[:, unknown] = 0.0
            for _ in range(_DIRECTIONS):
                signs = rng.choice([-1.0, 1.0], x.size)
                signs[unknown] = 0.0
                terms = exact * field.moves(signs)
                norm = np.maximum(np.sqrt(np.sum(terms**2, axis=1)), 1e-300)
                findings += judge(field, signs, terms.sum(axis=1), _TOLERANCE, norm)
                told += [float(t) for t in terms.sum(axis=1)]
    return findings, np.array(told)


def _apply(
    node: Node, i: int, g: Any, out: Any, values: list[Any], params: Any, shape: tuple[int, ...]
) -> Array:
    """What the rule gives for a cotangent, in the shape of the input, and flat."""
    cotangent = g if np.ndim(out) else np.float64(g)
    part = node.primitive.vjps[i](cotangent, out, *values, **params)
    if part is None:
        return np.zeros(shape).ravel()
    exact = part.dense() if isinstance(part, Sparse) else np.asarray(part, np.float64)
    if exact.shape != shape:
        exact = sum_to_shape(exact, shape)
    return np.broadcast_to(exact, shape).ravel()


def _double(value: Any) -> Any:
    """Real numbers in float64, anything else as it is."""
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind == "f":
        return value if value.dtype == np.float64 else value.astype(np.float64)
    return value


def _wrong_twice(node: Node, i: int, rng: np.random.Generator) -> bool:
    """Whether the derivative of a rule, by its cotangent and by all inputs, is wrong."""
    if node.primitive.once:
        return False
    values = [_double(v) for v in node.values]
    places = _places(node)

    def rule(g: Any, *leaves: Any) -> Tensor:
        inputs = [*values]
        for place, leaf in zip(places, leaves, strict=True):
            inputs[place] = leaf
        out = node.primitive(*inputs, **node.params)
        params = node.params
        if node.saved is not None:
            params = {**params, "saved": node.primitive.forward(*_plain(inputs), **params)[1]}
        return as_tensor(node.primitive.vjps[i](g, out, *inputs, **params))

    g = rng.uniform(0.5, 1.5, np.shape(node.out))
    try:
        subject = Recorded(rule, [g, *(np.asarray(values[p]) for p in places)], None)
        comparison = Comparison(subject, _TOLERANCE, rng)
        return not all(comparison.argument(k, None).passed for k in range(len(subject.start)))
    except TgError:  # as of a rule that returned no tensor: it is told by the check itself
        return False


def _plain(inputs: list[Any]) -> list[Any]:
    return [x.data if isinstance(x, Tensor) else x for x in inputs]
