"""Valid calls of primitives, from the rows of the catalogue."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from tinygrad_bp.core import as_tensor
from tinygrad_bp.errors import ArgumentError, nearest
from tinygrad_bp.testing.setting import LAYOUTS, Draw, laid_out, values_of
from tinygrad_bp.testing.strategies.arrays import Layout, arrays

if TYPE_CHECKING:
    from tinygrad_bp.testing.catalogue.case import Case


# Families whose matrices must be regular, with singular values that differ: a matrix of simple
# numbers seldom is, so its numbers are drawn by a seed.
_OF_MATRICES = ("chains", "decompositions", "determinants", "norms", "solving", "spectra")


@dataclass(frozen=True, eq=False)
class Call:
    """A function that reaches a primitive, and arrays that it takes.

    Attributes
    ----------
    case : Case
        The row of the catalogue.
    arguments : tuple of ndarray
        Inside the domains, and away from kinks.
    """

    case: Case
    arguments: tuple[npt.NDArray[Any], ...]

    @property
    def function(self) -> Any:
        """Takes the arguments, as tensors."""
        return self.case.call

    def __call__(self, *arguments: Any) -> Any:
        """The function of these arguments, or of its own, as tensors.

        Of arrays alone NumPy warns at times, and leaves what a ``where=`` leaves out to chance.
        """
        return self.case.call(*map(as_tensor, arguments or self.arguments))

    def __repr__(self) -> str:
        values = ", ".join(np.array_repr(a) for a in self.arguments)
        return f"<{self.case} of {values}>"


@st.composite
def primitive_calls(
    draw: st.DrawFn,
    /,
    names: str | Iterable[str] | None = None,
    *,
    cases: Iterable[Case] | None = None,
    dtype: Any = np.float64,
    layout: Layout = "C",
) -> Call:
    """Calls of registered primitives, with arguments inside their domains and away from kinks.

    Parameters
    ----------
    names : str or iterable of str, optional
        Of the primitives; all that ship unless given.
    cases : iterable of Case, optional
        Rows to choose from in place of the catalogue's: those of one's own primitives.
    dtype, layout
        Of the arguments, as for `arrays`.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(primitive_calls("exp"), lambda call: call.arguments[0].size == 3)
    <exp of array([0., 0., 0.])>
    """
    generic: set[int] = set()
    if cases is None:
        from tinygrad_bp.testing.catalogue import families

        shipped = families()
        rows = [case for family in shipped.values() for case in family]
        generic = {id(case) for name in _OF_MATRICES for case in shipped[name]}
    else:
        rows = list(cases)
    if names is not None:
        wanted = [names] if isinstance(names, str) else list(names)
        known = {case.primitive for case in rows}
        for name in wanted:
            if name not in known:
                raise ArgumentError(
                    f"primitive_calls: no row for the primitive {name!r}; {nearest(name, known)}"
                )
        rows = [case for case in rows if case.primitive in wanted]
    case = draw(st.sampled_from(rows))
    sizes = draw(st.sampled_from(case.shapes))
    if id(case) in generic:
        values = values_of(case, sizes, Draw(seed=draw(st.integers(0, 2**32 - 1))))
        return Call(case, tuple(laid_out(a.astype(dtype), _layout(draw, layout)) for a in values))
    return Call(case, tuple(_arguments(draw, case, sizes, dtype, layout)))


def _layout(draw: st.DrawFn, layout: Layout) -> str:
    return draw(st.sampled_from(LAYOUTS)) if layout == "any" else layout


def _arguments(
    draw: st.DrawFn, case: Case, sizes: tuple[tuple[int, ...], ...], dtype: Any, layout: Layout
) -> list[npt.NDArray[Any]]:
    """An array of each shape; their elements all differ where the row says so."""
    domains = [case.domains[i] if i < len(case.domains) else (-2.0, 2.0) for i in range(len(sizes))]
    if not case.distinct:
        return [
            draw(
                arrays(
                    dtype,
                    size,
                    min_value=domains[i][0],
                    max_value=domains[i][1],
                    away_from=case.kinks[i] if i < len(case.kinks) else (),
                    layout=layout,
                )
            )
            for i, size in enumerate(sizes)
        ]
    counts = [math.prod(size) for size in sizes]
    (low, high), count = domains[0], sum(counts)
    room = max(high, low + 0.07 * count)  # many elements need more than some domains have
    flat = draw(arrays(dtype, (count,), min_value=low, max_value=room, distinct=0.05))
    parts = np.split(flat, np.cumsum(counts)[:-1])
    return [
        draw(st.just(np.array(part.reshape(size)))) for part, size in zip(parts, sizes, strict=True)
    ]
