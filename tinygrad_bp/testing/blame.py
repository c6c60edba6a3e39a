"""Which rule made a gradient wrong: each node of the graph is checked by itself.

A rule is applied to the values that the graph recorded, with random cotangents, and held against
numerical derivatives of its own forward function, so that no other operation has a part in it.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.core import Node, Sparse, Tensor, as_tensor
from tinygrad_bp.core.cotangents import sum_to_shape
from tinygrad_bp.errors import TgError
from tinygrad_bp.testing.compare import SAFETY, Comparison
from tinygrad_bp.testing.replay import COMPLEX_STEP, Replay
from tinygrad_bp.testing.setting import weights
from tinygrad_bp.testing.slopes import Array, Field
from tinygrad_bp.testing.subjects import MIXING, Recorded, joined, moved, nodes_below, shake
from tinygrad_bp.testing.verdicts import Finding, Verdict, judge, unless_rounded

_TOLERANCE = 1e-6  # above what rounding leaves of a right rule, and below what a wrong one makes
_COTANGENTS = 2
_ELEMENTS = 24  # of an input that are checked by themselves, where it has no more
_DIRECTIONS = 3
_FAR = (-2.0, -(2.0**-10), 2.0**-10, 2.0)
_SHAKES = 4
_BY = (2.0**-40, 2.0**-20, 2.0**-6)  # by how much of itself an argument is moved
_EPS = float(np.finfo(np.float64).eps)
_CHECKS = 400  # of one graph, before it is enough


class Blame(NamedTuple):
    """What the nodes of a graph are like, each by itself.

    Attributes
    ----------
    rules : list of str
        A line for each rule that is wrong.
    kinks : dict
        For each primitive that was asked for a derivative at a kink, a line.
    confirmed : bool
        Whether each rule was found to be right, and of none nothing could be told.
    """

    rules: list[str]
    kinks: dict[str, str]
    confirmed: bool = False


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
    checks, confirmed = 0, True
    for node in nodes:
        name = node.primitive.name
        for i in _places(node):
            if (name, i) in rules or checks >= _CHECKS:
                confirmed = False
                continue
            checks += 1
            findings, exact = _findings(node, i, rng)
            confirmed = confirmed and all(f.verdict is Verdict.OK for f in findings)
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
    return Blame([*rules.values()], kinks, confirmed)


def blame_second(nodes: Sequence[Node], kinks: Collection[str] = ()) -> list[str]:
    """A line for each rule that is right by itself, but whose own derivative is not.

    Of primitives at kinks, which have no derivative, nothing is said.
    """
    rng = np.random.default_rng(0)
    found: dict[tuple[str, int], str] = {}
    for count, node in enumerate(nodes):
        for i in _places(node):
            key = (node.primitive.name, i)
            asked = key not in found and key[0] not in kinks and count < _CHECKS
            if asked and _wrong_twice(node, i, rng):
                found[key] = (
                    f"the rule of the primitive {key[0]!r} for its input {i} is wrong at second "
                    f"order{node.where()}: its value is right, its own derivative is not"
                )
    return [*found.values()]


def follows_the_rules(subject: Recorded) -> bool:
    """Whether the gradient is what the rules make of it by the chain rule, written out here.

    Neither the backward pass of the engine nor a hook of the user has a part in that. It is asked
    at another point first, where a rule that goes by old values is found out.
    """
    row = weights(np.random.default_rng(0), subject.output().shape)
    with np.errstate(all="ignore"):
        subject.pulls(row.reshape(1, -1))  # so that no older values scatter
        rounding = SAFETY * subject.scatter(row.reshape(1, -1))[0]
        points = [moved(a) for a in subject.start], subject.start
        return all(_follows_at(subject, arrays, row, rounding) for arrays in points)


def _follows_at(subject: Recorded, arrays: Sequence[Array], row: Array, rounding: Array) -> bool:
    found = joined(subject.pulls(row.reshape(1, -1), arrays)[0], arrays)
    with subject.at(arrays):
        expected = joined(_by_chain_rule(subject.output(), row, subject.leaves), arrays)
    size = np.maximum(np.abs(found), np.abs(expected))
    right = np.abs(found - expected) <= rounding + 64 * subject.precision() * size
    return bool(np.all(right | ~np.isfinite(expected)))


def is_complete(subject: Recorded) -> bool:
    """Whether the recorded graph, run again at other points, is the function there."""
    graph = Replay(subject, np.ones((1, 1)))
    with np.errstate(all="ignore"):
        for arrays in ([moved(a, by) for a in subject.start] for by in _BY):
            with subject.at(arrays):
                again = graph.run({id(leaf): leaf.data for leaf in subject.leaves})
                if not np.array_equal(again, subject.output().data, equal_nan=True):
                    return False
    return True


def _by_chain_rule(output: Tensor, cotangent: Array, leaves: Sequence[Tensor]) -> list[Array]:
    """The gradients at leaves: the last operation first, cotangents summed where paths meet."""
    sums: dict[int, Array] = {}
    for node in reversed(nodes_below(output)):
        g = cotangent if node is output.node else sums.pop(id(node), None)
        if g is None:
            continue
        for i in _places(node):
            x, value = node.sources[i], np.asarray(node.values[i])
            given = np.asarray(g, np.asarray(node.out).dtype)
            rule = node.primitive.vjps[i]
            part = _flat(rule(given, node.out, *node.values, **node.rule_params()), value.shape)
            sums[id(x)] = sums.get(id(x), 0.0) + part.reshape(value.shape).astype(value.dtype)
    return [sums.get(id(leaf), np.zeros(leaf.shape)) for leaf in leaves]


def _places(node: Node) -> list[int]:
    """The inputs of a node for which a rule is asked."""
    return [
        i
        for i, x in enumerate(node.sources)
        if (isinstance(x, Node) or (isinstance(x, Tensor) and x.requires_grad))
        and node.primitive.vjps[i] is not None
    ]


class _Rule:
    """The rule of one node for input i, in float64, and the forward function that it belongs to."""

    def __init__(self, node: Node, i: int, rng: np.random.Generator) -> None:
        self.node, self.i, self.rng = node, i, rng
        self.values = [_double(v) for v in node.values]
        self.x = np.asarray(self.values[i], np.float64)
        same = all(a is b for a, b in zip(self.values, node.values, strict=True))
        self.out, params = (node.out, node.rule_params()) if same else self._run(self.values)
        self.finite = np.isfinite(self.out)
        self.cotangents = weights(rng, (_COTANGENTS, *np.shape(self.out))) * self.finite
        exact = self._pull(self.cotangents, self.out, self.values, params)
        self.exact = np.where(np.isfinite(self.x.ravel()), exact, 0.0)

    def _run(self, values: list[Any]) -> tuple[Any, dict[str, Any]]:
        """The output for other inputs, and the keywords of the rule beside it."""
        primitive, params = self.node.primitive, self.node.params
        out = primitive.forward(*values, **params)
        return (out[0], {**params, "saved": out[1]}) if primitive.saves else (out, params)

    def _pull(self, cotangents: Array, out: Any, values: list[Any], params: Any) -> Array:
        rule = self.node.primitive.vjps[self.i]
        return np.array([_flat(rule(g, out, *values, **params), self.x.shape) for g in cotangents])

    @cached_property
    def rounding(self) -> Array:
        """How far rounding may put off what the rule gives."""
        found, mixing = [], self.node.primitive.name in MIXING
        for _ in range(_SHAKES):
            values = [shake(v, _EPS, self.rng, mixing) if _is_real(v) else v for v in self.values]
            out, params = self._run(values)
            found.append(self._pull(shake(self.cotangents, _EPS, self.rng), out, values, params))
        spread: Array = SAFETY * (np.max(found, axis=0) - np.min(found, axis=0))
        return spread

    def forward(self, moved: Array) -> Array:
        """The flat output for other values of the input."""
        inputs = [*self.values]
        inputs[self.i] = moved.reshape(self.x.shape) if self.x.ndim else np.float64(moved[0])
        return np.ravel(self.node.primitive.value(*inputs, **self.node.params))

    def by_complex_step(self, j: int) -> Array:
        """The derivatives by element j of the products; NaN where the function takes none."""
        unknown = np.full(_COTANGENTS, np.nan)
        if not self.node.primitive.analytic:
            return unknown
        moved = self.x.ravel().astype(complex)
        moved[j] += 1j * COMPLEX_STEP
        inputs = [*self.values]
        inputs[self.i] = moved.reshape(self.x.shape)[()]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                out = self.node.primitive.value(*inputs, **self.node.params)
        except Exception:  # whatever a function does with numbers that it was not made for
            return unknown
        if not np.iscomplexobj(out):
            return unknown
        slopes = np.where(self.finite, np.imag(out) / COMPLEX_STEP, 0.0).ravel()
        found: Array = self.cotangents.reshape(_COTANGENTS, -1) @ slopes
        return found

    def field(self, j: int | None = None) -> Field:
        """The products with the cotangents; of outputs that hang on element j, where one is given.

        The others, which may be larger by many powers of ten, would drown it in their rounding.
        """
        used = np.flatnonzero(self.finite if j is None else self.finite.ravel() & self._hang_on(j))
        flat = self.cotangents.reshape(_COTANGENTS, -1)[:, used]
        return Field(lambda moved: flat @ self.forward(moved)[used], self.x.ravel())

    def _hang_on(self, j: int) -> NDArray[np.bool_]:
        """Which outputs change with element j; far steps, since a saturated one hangs on it too."""
        x = self.x.ravel()
        step = np.zeros(x.shape)
        step[j] = max(1.0, abs(x[j]))
        try:
            changed = [self.forward(x + k * step) != np.ravel(self.out) for k in _FAR]
        except Exception:  # whatever a function does outside of its domain
            return np.ones(np.size(self.out), bool)
        found: NDArray[np.bool_] = np.any(changed, axis=0)
        return found


def _findings(node: Node, i: int, rng: np.random.Generator) -> tuple[list[Finding], Array]:
    """Verdicts on the rule for input i, each with what the rule says there."""
    findings: list[Finding] = []
    told: list[float] = []
    with np.errstate(all="ignore"):
        rule = _Rule(node, i, rng)
        exact, size = rule.exact, rule.x.size
        scale = np.max(np.nan_to_num(np.abs(exact), posinf=0.0), axis=1, initial=0.0)
        unknown = np.flatnonzero(~np.isfinite(exact).all(axis=0))
        for j in range(size) if size <= _ELEMENTS else unknown[:2]:
            findings += _of_element(rule, int(j), scale)
            told += [float(e) for e in exact[:, j]]
        if size > _ELEMENTS:
            exact[:, unknown] = 0.0
            field = rule.field()
            for _ in range(_DIRECTIONS):
                signs = rng.choice([-1.0, 1.0], size)
                signs[unknown] = 0.0
                terms = exact * field.moves(signs)
                norm = np.maximum(np.sqrt(np.sum(terms**2, axis=1)), 1e-300)
                findings += judge(field, signs, terms.sum(axis=1), _TOLERANCE, norm)
                told += [float(t) for t in terms.sum(axis=1)]
    return findings, np.array(told)


def _of_element(rule: _Rule, j: int, scale: Array) -> list[Finding]:
    field, exact = rule.field(j), rule.exact[:, j]
    least = np.maximum(scale, 1e-5 * np.abs(np.nan_to_num(field.center)))
    found = judge(field, j, exact, _TOLERANCE, least)
    found = unless_rounded(found, exact, lambda: rule.rounding[:, j])
    if all(f.verdict is not Verdict.NOISY for f in found):
        return found
    better = rule.by_complex_step(j).tolist()
    return [_settled(f, e, c) for f, e, c in zip(found, exact.tolist(), better, strict=True)]


def _settled(finding: Finding, exact: float, better: float) -> Finding:
    """What steps could not tell, by the complex step."""
    off, size = abs(better - exact), max(abs(better), abs(exact))
    if finding.verdict is not Verdict.NOISY or not np.isfinite(off):
        return finding
    if off <= _TOLERANCE * size:
        return finding._replace(verdict=Verdict.OK)
    return Finding(Verdict.WRONG, better, 0.0) if off > 1e-3 * size else finding


def _flat(part: Any, shape: tuple[int, ...]) -> Array:
    """What a rule gives, in the shape of the input, and flat."""
    if part is None:
        return np.zeros(shape).ravel()
    exact = part.dense() if isinstance(part, Sparse) else np.asarray(part, np.float64)
    if exact.shape != shape:
        exact = sum_to_shape(exact, shape)
    return np.broadcast_to(exact, shape).ravel()


def _is_real(value: Any) -> bool:
    return isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind == "f"


def _double(value: Any) -> Any:
    """Real numbers in float64, anything else as it is."""
    if _is_real(value):
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
