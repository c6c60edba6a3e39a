"""Differentiable NumPy, a module per family; each registers its operations when imported.

The families that nearly every program uses are imported from the start. The others follow when a
function arrives that is not registered yet: all of them together would make three quarters of the
time that ``import tinygrad_bp`` takes.
"""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Any

from tinygrad_bp.core.registry import LATE
from tinygrad_bp.ops import (
    activations,
    arithmetic,
    constants,
    deviations,
    exponential,
    extremes,
    indexing,
    joining,
    linear_algebra,
    losses,
    reductions,
    selection,
    shaping,
    softmax,
    special,
    trigonometric,
    ufuncs,
)

if TYPE_CHECKING:
    from tinygrad_bp.ops import (
        chains,
        choosing,
        convolution,
        creation,
        ctc,
        decompositions,
        determinants,
        diagonals,
        differences,
        einsum,
        embedding,
        filling,
        grids,
        lstm,
        mapping,
        nan_reductions,
        normalisation,
        norms,
        padding,
        parts,
        polar,
        polynomials,
        pooling,
        products,
        quantiles,
        rearranging,
        rectifiers,
        recurrent,
        refused,
        scans,
        signals,
        solving,
        sorting,
        spectra,
        statistics,
        updating,
        windows,
        writing,
    )

__all__ = [
    "activations",
    "arithmetic",
    "chains",
    "choosing",
    "constants",
    "convolution",
    "creation",
    "ctc",
    "decompositions",
    "determinants",
    "deviations",
    "diagonals",
    "differences",
    "einsum",
    "embedding",
    "exponential",
    "extremes",
    "filling",
    "grids",
    "indexing",
    "joining",
    "linear_algebra",
    "losses",
    "lstm",
    "mapping",
    "nan_reductions",
    "normalisation",
    "norms",
    "padding",
    "parts",
    "polar",
    "polynomials",
    "pooling",
    "products",
    "quantiles",
    "rearranging",
    "rectifiers",
    "recurrent",
    "reductions",
    "refused",
    "scans",
    "selection",
    "shaping",
    "signals",
    "softmax",
    "solving",
    "sorting",
    "special",
    "spectra",
    "statistics",
    "trigonometric",
    "ufuncs",
    "updating",
    "windows",
    "writing",
]

_LATER = (
    "chains",
    "choosing",
    "convolution",
    "creation",
    "ctc",
    "decompositions",
    "determinants",
    "diagonals",
    "differences",
    "einsum",
    "embedding",
    "filling",
    "grids",
    "lstm",
    "mapping",
    "nan_reductions",
    "normalisation",
    "norms",
    "padding",
    "parts",
    "polar",
    "polynomials",
    "pooling",
    "products",
    "quantiles",
    "rearranging",
    "rectifiers",
    "recurrent",
    "refused",
    "scans",
    "signals",
    "solving",
    "sorting",
    "spectra",
    "statistics",
    "updating",
    "windows",
    "writing",
)


@functools.cache
def load_all() -> None:
    """Import every family, so that the registry is complete; once is enough.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> load_all()
    >>> "svd" in tg.core.PRIMITIVES
    True
    """
    for name in _LATER:
        importlib.import_module(f"tinygrad_bp.ops.{name}")


def __getattr__(name: str) -> Any:
    """Import a family when it is first asked for."""
    if name in _LATER:
        return importlib.import_module(f"tinygrad_bp.ops.{name}")
    raise AttributeError(f"module 'tinygrad_bp.ops' has no attribute {name!r}")


LATE.insert(0, load_all)
