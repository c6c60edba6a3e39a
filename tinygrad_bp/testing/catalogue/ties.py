"""What the rules give where there is no derivative: the conventions, one by one, with numbers.

A row for every primitive that has `kinks`; those of `scipy.special` are in `special_ties`.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from tinygrad_bp.core import PRIMITIVES, Tensor
from tinygrad_bp.errors import GradientError, LinAlgError, OperationError
from tinygrad_bp.testing.setting import gradients_of, require_close, second_gradients_of


class Tie(NamedTuple):
    """A call at a tie or a kink, and the gradients that the convention promises there.

    Attributes
    ----------
    primitive : str
        Name in `PRIMITIVES`.
    call : callable
        Takes the inputs, as tensors.
    inputs : tuple
        An array for each.
    gradients : tuple or type
        Of the sum of what `call` returns, by each input; or the error that the convention is.
    second : tuple, optional
        The gradients of the sum of all elements of these, where they have a convention too.
    """

    primitive: str
    call: Callable[..., Any]
    inputs: tuple[Any, ...]
    gradients: tuple[Any, ...] | type[Exception]
    second: tuple[Any, ...] = ()

    def require(self, arrays: list[Any]) -> None:
        """The inputs, in whichever precision and layout, have the gradients of the convention.

        Half of each gradient comes from each of two uses.
        """
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # as of vectors that have no derivative
            half = np.full(np.shape(self.call(*map(Tensor, arrays))), 0.5)
            if isinstance(self.gradients, type):
                self._require_error(arrays, half, self.gradients)
                return
            self._compare(gradients_of(self._twice, arrays, half), self.gradients, "gradient")
            if self.second:
                found = second_gradients_of(self.call, arrays)
                self._compare(found, self.second, "second derivative")

    def _twice(self, *leaves: Any) -> Any:
        return self.call(*leaves) + self.call(*leaves)

    def _compare(self, found: list[Any], promised: tuple[Any, ...], what: str) -> None:
        for i, (actual, expected) in enumerate(zip(found, promised, strict=True)):
            tolerance = 1e-12 if actual.dtype == np.float64 else 1e-6
            what_of = f"{self.primitive}: at a tie or a kink, the {what} of input {i}"
            require_close(actual, expected, tolerance, what_of, tolerance)

    def _require_error(self, arrays: list[Any], half: Any, promised: type[Exception]) -> None:
        try:
            found = gradients_of(self._twice, arrays, half)
        except promised:
            return
        raise GradientError(
            f"{self.primitive}: at a tie or a kink, the gradient of input 0 is {found[0]}, "
            f"and should be a {promised.__name__}"
        )


def row(name: str, call: Callable[..., Any], *pairs: Any, second: tuple[Any, ...] = ()) -> Tie:
    """A tie from pairs of an input and its gradient, or from inputs and the class of an error."""
    if isinstance(pairs[-1], type):
        return Tie(name, call, tuple(np.array(x, float) for x in pairs[:-1]), pairs[-1])
    inputs, gradients = zip(*pairs, strict=True)
    return Tie(name, call, tuple(np.array(x, float) for x in inputs), gradients, second)


def _of(name: str, **params: Any) -> Callable[..., Any]:
    return lambda *xs: PRIMITIVES[name](*xs, **params)


def _weighed(f: Callable[..., Any]) -> Callable[..., Any]:
    """The places of a result told apart."""
    return lambda x: f(x) * np.array([1.0, 5.0])


_ONES = [1.0, 1.0]
_SHARED = ([1.0, 1.0], [0.5, 0.5])
_ORIGIN = ([0.0, 0.0], [0.0, 0.0])
_TWICE = [[2.0, 0.0], [0.0, 2.0]]
_WEIGHED = (_TWICE, [[1.0, 0.0], [0.0, 5.0]])
_FIXED = (_TWICE, [[0.0, 0.0], [0.0, 0.0]])
_RANK_1 = [[2.0, 0.0], [0.0, 0.0]]
_ABOVE_0 = (_RANK_1, [[1.0, 0.0], [0.0, 0.0]])
_SINGULAR = [[1.0, 1.0], [1.0, 1.0]]
_MINUS_INF = [-np.inf, -np.inf]

_ELEMENTS = [
    *(row(n, getattr(np, n), _SHARED, _SHARED) for n in ("maximum", "minimum", "fmax", "fmin")),
    *(row(n, getattr(np, n), ([0.0, 2.0], [0.0, 1.0])) for n in ("absolute", "fabs")),
    *(row(n, getattr(np, n), (0.0, np.inf)) for n in ("sqrt", "cbrt")),
    row("arcsin", np.arcsin, (_ONES, [np.inf, np.inf])),
    row("arccos", np.arccos, (_ONES, [-np.inf, -np.inf])),
    row("arccosh", np.arccosh, (1.0, np.inf)),
    row("hypot", np.hypot, _ORIGIN, _ORIGIN),
    row("arctan2", np.arctan2, ([0.0, 0.0], [0.0, -1.0]), ([0.0, -1.0], [0.0, 0.0])),
    row("copysign", np.copysign, ([0.0, 2.0], [0.0, 1.0]), (_ONES, [0.0, 0.0])),
    row("heaviside", np.heaviside, ([0.0, 1.0], [0.0, 0.0]), ([0.5, 0.5], [1.0, 0.0])),
    row("power", lambda x: x ** np.array([0.0, 1.0, 2.0]), ([0.0] * 3, [0.0, 1.0, 0.0])),
    *(
        row(n, getattr(np, n), ([0.0, 0.0, 0.0], [0.0, 0.0, np.inf]), ([2.0, 0.0, 0.5], [0.0] * 3))
        for n in ("power", "float_power")
    ),
    *(row(n, getattr(np, n), (4.0, 1.0), (2.0, -2.0)) for n in ("remainder", "fmod")),
    *(
        row(n, getattr(np, n), (_MINUS_INF, [0.0, 0.0]), ([-np.inf, 1.0], [0.0, 1.0]))
        for n in ("logaddexp", "logaddexp2")
    ),
    row("modf", lambda x: np.modf(x)[0], ([0.0, 2.0], [1.0, 1.0])),
    row("frexp", lambda x: np.frexp(x)[0], ([0.0, 1.0, 2.0], [1.0, 0.5, 0.25])),
    row("nan_to_num", np.nan_to_num, ([np.nan, np.inf, 2.0], [0.0, 0.0, 1.0])),
    row("relu", _of("relu"), ([0.0, 2.0], [0.0, 1.0])),
    row(
        "rnn_relu",
        _of("rnn_relu"),
        ([[[0.0, 2.0]]], [[[0.0, 1.0]]]),
        ([[1.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]),
        ([[0.0, 0.0]], [[1.0, 1.0]]),
    ),
    row("leaky_relu", _of("leaky_relu", slope=0.25), ([0.0, 2.0], [0.25, 1.0])),
    row("elu", _of("elu", alpha=0.5), ([0.0, 2.0], [0.5, 1.0]), second=([0.25, 0.0],)),
    row("hardtanh", _of("hardtanh", low=-1.0, high=2.0), ([-1.0, 2.0, 1.0], [0.0, 0.0, 1.0])),
    row("hardswish", _of("hardswish"), ([-3.0, 3.0, 0.0], [0.0, 1.0, 0.5])),
    row("hardshrink", _of("hardshrink", limit=0.5), ([0.5, -0.5, 1.0], [0.0, 0.0, 1.0])),
    row("softshrink", _of("softshrink", limit=0.5), ([0.5, -0.5, 1.0], [0.0, 0.0, 1.0])),
    row("threshold", _of("threshold", limit=1.0, other=0.0), ([1.0, 2.0], [0.0, 1.0])),
    row(
        "prelu",
        _of("prelu"),
        ([0.0, 2.0, -1.0], [0.25, 1.0, 0.5]),
        ([0.25, 0.5, 0.5], [0.0, 0.0, -1.0]),
    ),
    row("softsign", _of("softsign"), ([0.0, 1.0], [1.0, 0.25]), second=([0.0, -0.25],)),
    row(
        "absolute_error",
        _of("absolute_error", scale=1.0),
        ([1.0, 3.0], [0.0, 1.0]),
        (_ONES, [0.0, -1.0]),
    ),
    row(
        "huber", _of("huber", delta=2.0, scale=1.0), ([1.0, 3.0], [0.0, 2.0]), (_ONES, [0.0, -2.0])
    ),
]

_AXES = [
    *(row(n, getattr(np, n), ([1.0, 1.0, 1.0, 1.0], [0.25] * 4)) for n in ("max", "min")),
    row("max", lambda x: np.max(x, initial=1.0), ([1.0, 0.0], [0.5, 0.0])),
    row(
        "max_pool",
        _of("max_pool", kernel=(2,), stride=(1,), padding=((1, 0),), dilation=(1,)),
        ([[[2.0, 2.0, 2.0, 1.0]]], [[[2.0, 1.0, 1.0, 0.0]]]),
    ),
    row("std", np.std, ([1.0, 1.0], [0.0, 0.0])),
    row("norm", np.linalg.norm, _ORIGIN),
    row("power_norm", lambda x: np.linalg.norm(x, 3), ([0.0, 2.0], [0.0, 1.0])),
    row("power_norm", lambda x: np.linalg.norm(x, 3), _ORIGIN),
    row("logsumexp", _of("logsumexp", axis=None, keepdims=False), ([np.inf, 0.0], [1.0, 0.0])),
    row("logcumsumexp", np.logaddexp.accumulate, ([-np.inf, -np.inf, 0.0], [0.0, 0.0, 1.0])),
    row("sort", _weighed(np.sort), ([1.0, 1.0], [3.0, 3.0])),
    row("partition", _weighed(lambda x: np.partition(x, 1)), ([1.0, 1.0], [3.0, 3.0])),
    row("cummax", np.maximum.accumulate, ([1.0, 1.0], [1.5, 0.5])),
    row("cummin", np.minimum.accumulate, ([1.0, 1.0], [1.5, 0.5])),
    row("unwrap", np.unwrap, ([0.0, np.pi], [1.0, 1.0])),
    row(
        "quantile_place",
        lambda q: np.quantile(np.array([1.0, 2.0, 4.0]), q),
        ([0.0, 0.25, 1.0], [0.0, 2.0, 0.0]),
    ),
]

_MATRICES = [
    row("nuclear_norm", lambda x: np.linalg.norm(x, "nuc"), _ABOVE_0),
    row("svdvals", np.linalg.svdvals, _ABOVE_0),
    row("eigvalsh", _weighed(np.linalg.eigvalsh), _WEIGHED),
    row("eigvals", _weighed(np.linalg.eigvals), _WEIGHED),
    row("eigh", lambda x: np.linalg.eigh(x)[1], _FIXED),
    row("eig", lambda x: np.linalg.eig(x)[1], _FIXED),
    row("svd", lambda x: np.linalg.svd(x)[0], _FIXED),
    row("polar", _of("polar"), (_RANK_1, [[0.0, 0.5], [0.5, 0.0]])),
    row(
        "lyapunov",
        _of("lyapunov"),
        (np.zeros((2, 2)), np.zeros((2, 2))),
        (_SINGULAR, np.zeros((2, 2))),
    ),
    row(
        "pinv",
        np.linalg.pinv,
        (_RANK_1, [[-0.25, 0.25], [0.25, 0.0]]),
        second=([[-0.25, -0.25], [-0.25, 0.0]],),
    ),
    row(
        "lstsq",
        lambda a, b: np.linalg.lstsq(a, b)[0],
        (_RANK_1, [[-0.25, 0.25], [0.25, 0.0]]),
        (_ONES, [0.5, 0.0]),
        second=([[-0.5, 0.0], [0.0, 0.0]], [0.0, 0.25]),
    ),
    row("qr", lambda x: np.linalg.qr(x)[1], _RANK_1, LinAlgError),
    row("complement", lambda x: np.linalg.qr(x, "complete")[0], [[3.0], [4.0]], OperationError),
    row("slogdet", lambda x: np.linalg.slogdet(x)[1], _SINGULAR, LinAlgError),
]

TIES = [*_ELEMENTS, *_AXES, *_MATRICES]


@cache
def _by_primitive() -> dict[str, list[Tie]]:
    every = list(TIES)
    if importlib.util.find_spec("scipy") is not None:
        from tinygrad_bp.testing.catalogue import special_ties

        every += special_ties.TIES
    found: dict[str, list[Tie]] = {}
    for tie in every:
        found.setdefault(tie.primitive, []).append(tie)
    return found


def ties_of(primitive: str) -> list[Tie]:
    """The rows of a primitive; none for an operation that the project does not have.

    Examples
    --------
    >>> [tie.gradients for tie in ties_of("relu")]
    [([0.0, 1.0],)]
    """
    return _by_primitive().get(primitive, [])
