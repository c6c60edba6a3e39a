"""Elliptic, sine, cosine and Fresnel integrals, the dilogarithm, and Airy functions.

A ufunc with several results becomes one primitive for each of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import special

from tinygrad_bp.core import FUNCTIONS, Primitive
from tinygrad_bp.ops.helpers import apply
from tinygrad_bp.ops.special.register import differentiable

_EIGHTH = math.pi / 8

# As hypergeometric functions: the quotients of the textbooks cancel near 0, and near 1 in spence.
ellipk = differentiable(
    special.ellipk,
    [lambda g, out, x: g * (special.hyp2f1(1.5, 1.5, 2.0, x) * _EIGHTH)],
    r"K(x)",
    [r"\frac{E(x) - (1 - x) K(x)}{2 x (1 - x)} \, \bar{z}"],
    kinks="at 1 the derivative is infinite",
)

ellipe = differentiable(
    special.ellipe,
    [lambda g, out, x: g * (special.hyp2f1(0.5, 1.5, 2.0, x) * -_EIGHTH)],
    r"E(x)",
    [r"\frac{E(x) - K(x)}{2 x} \, \bar{z}"],
    kinks="at 1 the derivative is infinite",
)

spence = differentiable(
    special.spence,
    [lambda g, out, x: -g * special.hyp2f1(1.0, 1.0, 2.0, 1 - x)],
    r"\textstyle\int_1^x \frac{\ln t}{1 - t} dt",
    [r"\frac{\ln x}{1 - x} \, \bar{z}"],
    kinks="at 0 the derivative is infinite",
)


def _part(
    name: str, ufunc: Any, i: int, slope: Callable[[Any], Any], words: tuple[str, str], kinks: str
) -> Primitive:
    return Primitive(
        f"special.{name}",
        lambda x: ufunc(x)[i],
        [lambda g, out, x: g * slope(x)],
        formula=words[0],
        vjp_formulas=[rf"{words[1]} \, \bar{{z}}"],
        kinks=kinks,
    )


def _together(ufunc: Any, parts: Sequence[Primitive]) -> None:
    """Let a tuple of what the parts give answer for a ufunc."""
    FUNCTIONS.setdefault(ufunc, lambda x: tuple(part(x) for part in parts))


_LOGARITHMIC = "at 0 the derivative is infinite"
_together(
    special.sici,
    [
        _part(
            "si",
            special.sici,
            0,
            lambda x: np.sinc(x / math.pi),
            (r"\operatorname{Si}(x)", r"\frac{\sin x}{x}"),
            "",
        ),
        _part(
            "ci",
            special.sici,
            1,
            lambda x: np.cos(x) / x,
            (r"\operatorname{Ci}(x)", r"\frac{\cos x}{x}"),
            _LOGARITHMIC,
        ),
    ],
)
_together(
    special.shichi,
    [
        _part(
            "shi",
            special.shichi,
            0,
            lambda x: special.hyp0f1(1.5, x * x / 4),
            (r"\operatorname{Shi}(x)", r"\frac{\sinh x}{x}"),
            "",
        ),
        _part(
            "chi",
            special.shichi,
            1,
            lambda x: np.cosh(x) / x,
            (r"\operatorname{Chi}(x)", r"\frac{\cosh x}{x}"),
            _LOGARITHMIC,
        ),
    ],
)
_together(
    special.fresnel,
    [
        _part(
            "fresnels",
            special.fresnel,
            0,
            lambda x: np.sin(x * x * (math.pi / 2)),
            ("S(x)", r"\sin \frac{\pi x^2}{2}"),
            "",
        ),
        _part(
            "fresnelc",
            special.fresnel,
            1,
            lambda x: np.cos(x * x * (math.pi / 2)),
            ("C(x)", r"\cos \frac{\pi x^2}{2}"),
            "",
        ),
    ],
)

_AI, _BI = r"\operatorname{Ai}", r"\operatorname{Bi}"
# Each Airy function y satisfies y'' = x y.
_airy: list[Primitive] = [
    _part(f"airy_{name}", special.airy, i, rule, (function, slope), "")
    for i, (name, rule, function, slope) in enumerate(
        [
            ("ai", lambda x: apply(_airy[1], x), rf"{_AI}(x)", rf"{_AI}'(x)"),
            ("aip", lambda x: x * apply(_airy[0], x), rf"{_AI}'(x)", rf"x {_AI}(x)"),
            ("bi", lambda x: apply(_airy[3], x), rf"{_BI}(x)", rf"{_BI}'(x)"),
            ("bip", lambda x: x * apply(_airy[2], x), rf"{_BI}'(x)", rf"x {_BI}(x)"),
        ]
    )
]
_together(special.airy, _airy)
