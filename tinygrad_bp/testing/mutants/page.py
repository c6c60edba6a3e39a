"""The kill matrix as a page."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from tinygrad_bp.testing.mutants.equivalent import EQUIVALENT, SURVIVES
from tinygrad_bp.testing.mutants.peers import PEERS
from tinygrad_bp.testing.mutants.run import Outcome

KIT = "`tinygrad_bp.testing`"

_INTRODUCTION = """\
# Mutants: a tester that is tested

Checks of gradients are worth what they notice. So every rule of the registry is broken on purpose,
in every classic way that applies, and put to `tinygrad_bp.testing`, and to the gradient checkers of
autograd, JAX and PyTorch. This page is the result. It is written by

```sh
python -m tinygrad_bp.testing.mutants docs/mutants.md --peers 300
```

A *mutant* is one rule of one primitive with one mistake. Some are made around the rule (its result
turned in sign, halved, transposed, not summed over broadcast axes; old values given to it); others
in its text (a term or a factor dropped, `*` for `/`, another function, branches swapped), and some
in the backward pass. A mutant is *killed* when a check fails that the right rule passes.

Mutants whose gradients of first and second order equal the right ones on every row, at large and
small inputs, at ties and in both precisions *have no effect*, and are not counted: a rule that has
nothing to broadcast cannot forget to sum. The comparison uses inputs of its own and no check.

The kit is what its users have: on each row of the catalogue, the battery of `check_primitive` with
its 16 draws, then `check_gradients`. A check that fails the right rule of a row has no say about
that row.

The checkers of others get a random part of the same mutants. Around our rule, which is one of
reverse mode alone, stands a function `f` of theirs. They do not choose inputs, so they are given
those of the rows in all shapes (every second, third, ... of more than 20), and large and small ones
too. Again, an answer counts only where the checker accepts the right rule. Each is called twice: as
it is by default, and in the most generous way.

- `autograd`: `check_grads(f, modes=["rev"])(*xs)`. The default is `modes=["fwd", "rev"]`; it fails
  for every function without a rule of forward mode, right or wrong, so that `modes` has to be
  given. All else is default: order 2, of the *first* argument. In the second column, of all.
- `jax`: `check_grads(f, xs, order, modes=["rev"])`, for the same reason. `order` has no default:
  it is called with 1, then with 2, and a complaint of either counts. By default JAX computes in
  float32; in the second column, `jax_enable_x64` is set.
- `torch`: `gradcheck(f, xs)`, with nothing changed. In the second column, `gradgradcheck(f, xs)`
  too, and a complaint of either counts.

Out of their reach is what is wrong in float32 alone, but for JAX in its own precision, and ties,
since they reject the right rule there.

`--sample N` judges a part of the mutants, `--peers N` puts a part of them to the others, and
`--results FILE` continues a run that was interrupted.
"""


def _share(killed: int, total: int) -> str:
    return f"{killed} of {total} ({100 * killed / total:.2f} %)" if total else ""


def _killed(outcome: Outcome) -> bool:
    return outcome.killed_by != "survived"


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _by_peer(found: Sequence[Outcome]) -> list[str]:
    """The share of each checker of others among those outcomes that it was asked for."""
    cells = []
    for peer in PEERS:
        asked = [o.peers[peer.name] for o in found if peer.name in o.peers]
        cells.append(_share(sum(asked), len(asked)))
    return cells


def _list(names: Sequence[str], reason: Callable[[str], str]) -> str:
    return "".join(f"- `{name}`{reason(name)}\n" for name in names) or "None.\n"


def page(found: Sequence[Outcome], total: int, seconds: float = 0.0) -> str:
    """The page for the outcomes of a run, of so many mutants, in so many seconds if that counts."""
    effective = [o for o in found if o.killed_by != "no effect" and o.mutant not in EQUIVALENT]
    asked = [o for o in effective if o.peers]
    survivors = sorted(o.mutant for o in effective if not _killed(o))
    equivalent = sorted(o.mutant for o in found if o.mutant in EQUIVALENT)
    everywhere = _share(sum(map(_killed, effective)), len(effective))
    packages = {p.package: p.version for p in PEERS}
    versions = ", ".join(f"{name} {version}" for name, version in packages.items() if version)
    parts = [
        _INTRODUCTION,
        f"\n{len(found)} of the {total} mutants were judged"
        f"{'' if len(found) == total else ', drawn at random'}. Made with\n"
        f"Python {platform.python_version()}, NumPy {np.__version__}"
        f"{', ' if versions else ''}{versions}"
        + (f", in {seconds / 60:.0f} minutes of one core.\n" if seconds else ".\n"),
        "\n## Who notices how many\n\n",
        _table(
            ["checker", "called", "of all that were judged", "of those that all were given"],
            [
                [KIT, "", everywhere, _share(sum(map(_killed, asked)), len(asked))],
                *(
                    [p.name, p.call, "", cell]
                    for p, cell in zip(PEERS, _by_peer(asked), strict=True)
                ),
            ],
        ),
        f"\nBeside these, {sum(o.killed_by == 'no effect' for o in found)} mutants have no effect, "
        f"and {len(equivalent)} of those listed below as equivalent were met.\n",
        "\n## By the kind of mistake\n\n",
        _by_operator(effective),
        "\n## By the check that noticed first\n\n",
        _table(
            ["check", "mutants"],
            Counter(o.killed_by for o in effective if _killed(o)).most_common(),
        ),
        "\n## Survivors\n\n",
        _list(survivors, lambda name: SURVIVES.get(name, "")),
        "\n## Equivalent mutants\n\n",
        _list(equivalent, lambda name: f": {EQUIVALENT[name]}"),
    ]
    return "".join(parts)


def _by_operator(effective: Sequence[Outcome]) -> str:
    kinds: dict[str, list[Outcome]] = {}
    for outcome in effective:
        kinds.setdefault(outcome.operator, []).append(outcome)
    rows = []
    for kind in sorted(kinds):
        group = kinds[kind]
        killed = sum(map(_killed, group))
        rows.append([kind, len(group), killed, len(group) - killed, *_by_peer(group)])
    head = ["mistake", "mutants", "killed", "survived", *(p.name for p in PEERS)]
    return _table(head, rows)
