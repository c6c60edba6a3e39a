"""The conventions of `scipy.special`'s functions where there is no derivative."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from tinygrad_bp.ops.special import load
from tinygrad_bp.testing.catalogue.ties import Tie, row

load()


def _row(name: str, call: Callable[..., Any], *pairs: Any) -> Tie:
    return row(f"special.{name}", call, *pairs)


def _first(ufunc: Any, *pairs: Any, fixed: tuple[Any, ...] = (), second: Any = ()) -> Tie:
    """Of the last arguments, those before them being numbers."""
    return row(f"special.{ufunc.__name__}", lambda *xs: ufunc(*fixed, *xs), *pairs, second=second)


_INF = np.inf
_LOG_2 = np.log(2.0)
_SQRT_PI = np.sqrt(np.pi)

_INFINITE = [
    _first(special.entr, (0.0, _INF)),
    _first(special.erfinv, ([-1.0, 1.0], [_INF, _INF])),
    _first(special.erfcinv, ([0.0, 2.0], [-_INF, -_INF])),
    _first(special.ndtri, ([0.0, 1.0], [_INF, _INF])),
    _first(special.ndtri_exp, (0.0, _INF)),
    _first(special.logit, ([0.0, 1.0], [_INF, _INF])),
    _first(special.stdtrit, ([0.0, 1.0], [_INF, _INF]), fixed=(4.0,)),
    _first(special.exp1, (0.0, -_INF)),
    _first(special.expi, (0.0, _INF)),
    *(_first(special.expn, (0.0, -_INF), fixed=(n,)) for n in (0, 1, 2)),
    _first(special.ellipk, (1.0, _INF)),
    _first(special.ellipe, (1.0, -_INF), second=(-_INF,)),
    _first(special.spence, (0.0, -_INF)),
    _row("ci", lambda x: special.sici(x)[1], (0.0, _INF)),
    _row("chi", lambda x: special.shichi(x)[1], (0.0, _INF)),
]
_POLES = [
    *(_first(f, ([0.0, -1.0], [-_INF, np.nan])) for f in (special.gamma, special.gammaln)),
    _first(special.psi, ([0.0, -1.0], [_INF, _INF])),
    _first(special.loggamma, ([0.0, -1.0], [-_INF, np.nan])),
    _row("_zeta", lambda x: special.zeta(2.5, x), ([0.0, -1.0], [-_INF, -_INF])),
    _first(special.beta, (-1.0, np.nan), (0.5, -_INF)),
    _first(special.betaln, (-1.0, np.nan), (0.5, -2.0)),
    _first(special.poch, ([-1.0, -3.0], [2 * _SQRT_PI, 11.0]), ([0.5, 3.0], [0.0, _INF])),
    _first(
        special.poch,
        (-1.0, 2 * _SQRT_PI),
        (0.5, 0.0),
        second=(-2.609402122004605, 0.12935358979554004),
    ),
    _first(special.binom, (-1.0, np.nan), (0.5, np.nan)),
    _first(
        special.binom,
        ([2.0, 0.5], [1 / 3, 0.0]),
        ([3.0, -1.0], [-1 / 3, 2 / 3]),
        second=([-1 / 9, -4 / 9], [1 / 9, 1.707163074062368 - 4 / 9]),
    ),
]
_VALUES = [
    _first(special.i0e, (0.0, 0.0)),
    _first(special.ive, (0.0, 0.5), fixed=(1.0,)),
    _first(special.xlogy, ([0.0, 0.0], [0.0, _LOG_2]), ([0.0, 2.0], [0.0, 0.0])),
    _first(special.xlog1py, ([0.0, 0.0], [0.0, _LOG_2]), ([-1.0, 1.0], [0.0, 0.0])),
    _first(special.rel_entr, ([0.0, 0.0], [-_INF, np.nan]), ([2.0, 0.0], [0.0, 0.0])),
    _first(special.kl_div, ([0.0, 0.0], [-_INF, np.nan]), ([2.0, 0.0], [1.0, 1.0])),
    _first(special.huber, (2.0, 0.0), (2.0, 2.0), second=(0.0, 1.0)),
    _first(special.powm1, ([0.0, 0.0, 0.0], [0.0, 0.0, _INF]), ([2.0, 0.0, 0.5], [0.0] * 3)),
    _first(special.boxcox, (2.0, 0.5), (0.0, _LOG_2**2 / 2)),
    _first(special.boxcox1p, (1.0, 0.5), (0.0, _LOG_2**2 / 2)),
    _first(special.inv_boxcox, (_LOG_2, 2.0), (0.0, -(_LOG_2**2))),
    _first(special.inv_boxcox1p, (_LOG_2, 2.0), (0.0, -(_LOG_2**2))),
]
TIES = [*_INFINITE, *_POLES, *_VALUES]
