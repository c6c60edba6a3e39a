"""All mutants, or a sample of them, put to the kit and to the checkers of others."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tinygrad_bp.testing.mutants.engine import engine_mutants
from tinygrad_bp.testing.mutants.judge import judge
from tinygrad_bp.testing.mutants.mutant import Mutant, every_mutant
from tinygrad_bp.testing.mutants.peers import PEERS, kills


@dataclass(frozen=True)
class Outcome:
    """What became of one mutant.

    Attributes
    ----------
    mutant, primitive, operator : str
        Its name, and what it is of.
    killed_by : str
        The check of the kit that noticed first, ``"survived"`` or ``"no effect"``.
    message : str
        The first line of what that check said.
    peers : dict
        For each checker of others that was asked, whether it noticed.
    """

    mutant: str
    primitive: str
    operator: str
    killed_by: str
    message: str = ""
    peers: dict[str, bool] = field(default_factory=dict)


def all_mutants(names: list[str] | None = None) -> list[Mutant]:
    """The mutants of the rules and of the engine."""
    return [*every_mutant(names), *engine_mutants(names)]


def sample_of(mutants: Sequence[Mutant], count: int | None) -> list[Mutant]:
    """So many of the mutants, at random; a smaller sample is part of every larger one.

    Examples
    --------
    >>> mutants = all_mutants(["sin"])
    >>> set(sample_of(mutants, 3)) < set(sample_of(mutants, 5))
    True
    """
    order = list(range(len(mutants)))
    random.Random(0).shuffle(order)
    return [mutants[k] for k in order[:count]]


def outcomes(
    mutants: Sequence[Mutant],
    for_peers: Collection[str] = (),
    known: dict[str, Outcome] | None = None,
    note: Callable[[Outcome], None] | None = None,
) -> Iterator[Outcome]:
    """Judge the mutants one after the other.

    Parameters
    ----------
    mutants : sequence of Mutant
        What to judge.
    for_peers : collection of str
        The names of those that the checkers of others get as well, as far as they are installed.
    known : dict, optional
        Outcomes of an earlier run by the name of the mutant, which are not found anew.
    note : callable, optional
        Called with each outcome that is new.
    """
    peers = [peer for peer in PEERS if peer.version]
    for mutant in mutants:
        name = str(mutant)
        old = (known or {}).get(name)
        asked = peers if name in for_peers else []
        if old is not None and (old.killed_by == "no effect" or len(old.peers) >= len(asked)):
            yield old
            continue
        if old is None:
            verdict = judge(mutant)
            old = Outcome(
                name, mutant.primitive, mutant.operator, verdict.killed_by, verdict.message
            )
        if old.killed_by != "no effect":
            answers = {
                p.name: old.peers[p.name] if p.name in old.peers else kills(p, mutant)
                for p in asked
            }
            old = Outcome(**{**asdict(old), "peers": answers})
        if note is not None:
            note(old)
        yield old


def read_results(path: Path) -> dict[str, Outcome]:
    """The outcomes in a file of results, by the name of the mutant; none without the file."""
    if not path.exists():
        return {}
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return {row["mutant"]: Outcome(**row) for row in rows}


def append_result(path: Path, outcome: Outcome) -> None:
    """Add an outcome to a file of results."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(outcome)) + "\n")
