"""The entry point of the command ``tinygrad-bp``; `tinygrad_bp.train.commands` has the rest."""

from __future__ import annotations

import io
import os
import sys

from tinygrad_bp.errors import MissingExtraError


def main() -> None:
    """Run the command line, and end with its exit status.

    The status is 0 when all went well; 1 for an error, which is printed without a traceback, and
    for a check that fails; 2 for a command that was written wrongly; 130 and 143 for a run that
    Ctrl-C or ``kill`` stopped.
    """
    if sys.stdout is None:  # closed, as by >&-
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - as long as the program
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # where a terminal knows nothing but ASCII
    try:
        from tinygrad_bp.train.commands import app
    except MissingExtraError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    app(prog_name="tinygrad-bp")
