"""``python -m tinygrad_bp.testing.mutants docs/mutants.md`` makes the kill matrix anew."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tinygrad_bp import transforms as _  # noqa: F401  # registers the primitives of its own
from tinygrad_bp.errors import MissingExtraError
from tinygrad_bp.files import write_atomically


def _options(arguments: list[str] | None) -> argparse.Namespace:
    name = "python -m tinygrad_bp.testing.mutants"
    parser = argparse.ArgumentParser(prog=name, description=__doc__)
    add = parser.add_argument
    add("page", nargs="?", type=Path, help="where to write the page; else it is printed")
    add("--only", nargs="+", metavar="PRIMITIVE", help="break the rules of these alone")
    add("--sample", type=int, metavar="N", help="judge so many mutants, drawn at random")
    add("--peers", type=int, metavar="N", default=0, help="put so many to the checkers of others")
    add("--results", type=Path, metavar="FILE", help="keep outcomes here, and do what is missing")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 1 where the list of equivalent mutants is wrong."""
    chosen = _options(arguments)
    try:
        import scipy.special  # noqa: F401  # brings the primitives of its functions along

        from tinygrad_bp.testing.mutants.page import page
        from tinygrad_bp.testing.mutants.run import (
            all_mutants,
            append_result,
            outcomes,
            read_results,
            sample_of,
        )
    except ImportError as error:
        raise MissingExtraError(
            f"the mutants need {error.name}.\nFix: pip install 'tinygrad-bp[dev]'."
        ) from error
    from tinygrad_bp.testing.mutants.equivalent import wrongly_listed

    start = time.process_time()
    everything = all_mutants(chosen.only)
    mutants = sample_of(everything, chosen.sample)
    for_peers = {str(mutant) for mutant in sample_of(everything, chosen.peers)}
    file: Path | None = chosen.results
    known = read_results(file) if file else {}
    note = (lambda outcome: append_result(file, outcome)) if file else None
    found = []
    for outcome in outcomes(mutants, for_peers, known, note):
        found.append(outcome)
        if outcome.killed_by == "survived":
            print(f"survived: {outcome.mutant}", file=sys.stderr)
    # Of a run that went on where another ended, the time says nothing.
    seconds = 0.0 if known else time.process_time() - start
    text = page(found, len(everything), seconds)
    if chosen.page:
        write_atomically(chosen.page, text)
    else:
        print(text)
    wrong = wrongly_listed(found)
    for name in wrong:
        print(f"listed as equivalent, but not so: {name}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
