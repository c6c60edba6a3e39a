"""One row of the catalogue: how to call a primitive, where it is smooth, and what to expect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """A way to call a primitive, from which every test of it is made.

    Attributes
    ----------
    primitive : str
        Name in `PRIMITIVES`. Every primitive needs a case.
    call : callable
        Takes the inputs, as tensors or arrays, and reaches the primitive as a user would
        (``np.multiply``, ``lambda x: np.sum(x, axis=0)``).
    shapes : tuple
        Combinations of input shapes to try: broadcasting, 0-d and empty ones among them.
    reference : callable, optional
        The same forward function for arrays, which shares no code with ours. Without it, `call`
        on arrays is the reference, as where `call` is NumPy's own function.
    domains : tuple of (low, high), optional
        Per input, the interval to draw elements from; (-2, 2) where it is not given.
    kinks : tuple of tuples, optional
        Per input, points from which elements keep a distance of 0.05.
    distinct : bool
        Draw elements that differ by 0.05 or more from each other, over all inputs together, as
        max, min and sort need.
    complex_step : bool
        Whether `reference` (or `call`) accepts complex arrays and is analytic.
    within : bool
        Whether the domains are all that the operation is for, so that no input of a domain of its
        own is made larger or smaller than it says.
    label : str
        Tells apart the cases of one primitive.
    """

    primitive: str
    call: Callable[..., Any]
    shapes: tuple[tuple[Shape, ...], ...]
    reference: Callable[..., Any] | None = None
    domains: tuple[tuple[float, float], ...] = ()
    kinks: tuple[tuple[float, ...], ...] = ()
    distinct: bool = False
    complex_step: bool = False
    within: bool = False
    label: str = ""

    def bounded(self, i: int) -> bool:
        """Whether input i has to stay in its domain."""
        return self.within and i < len(self.domains)

    def __str__(self) -> str:
        return f"{self.primitive}[{self.label}]" if self.label else self.primitive
