"""Mutants that no check can or should kill, by name, each with the reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinygrad_bp.testing.mutants.run import Outcome

#: By reason, the names of the mutants that it holds for.
BY_REASON: dict[str, tuple[str, ...]] = {
    "the formula for small inputs holds far out as well, with 12 digits in place of 16": (
        "special.dawsn[0]: x for out (x -> out)",
    ),
}

#: Mutants that live, each with what would kill it.
SURVIVES = {
    "special.erf[0]: wrong for large inputs": (
        ": the gradient is below 2e-11 there, beside a value of 1, so numerical derivatives of the "
        "value see noise alone; those of the complement, `erfc`, would see it"
    ),
    **dict.fromkeys(
        (
            "special.binom[0]: sign of a term turned "
            "(_near_pole: x - np.rint(x) -> x + np.rint(x))",
            "special.binom[0]: term dropped (_near_pole: x - np.rint(x) -> -np.rint(x))",
            "special.binom[0]: term dropped (_near_pole: x - np.rint(x) -> x)",
        ),
        ": beside a zero, and not at it, digits are lost and no more; values within 0.01 of whole "
        "numbers below 0, held against other evidence than differences, would show it",
    ),
    "special.struve[1]: x for out (x -> out)": (
        ": the form for large inputs is not taken there, and digits are lost"
    ),
}

#: By name, the reason.
EQUIVALENT = {name: reason for reason, names in BY_REASON.items() for name in names}


def wrongly_listed(found: Iterable[Outcome]) -> list[str]:
    """The names that stand in the table, but were killed, or change nothing at all.

    Examples
    --------
    >>> from tinygrad_bp.testing.mutants.run import Outcome
    >>> wrongly_listed([Outcome("sin[0]: sign turned", "sin", "sign turned", "first order")])
    []
    """
    return [o.mutant for o in found if o.mutant in EQUIVALENT and o.killed_by != "survived"]
