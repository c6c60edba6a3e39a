"""The entry point of the command ``tinygrad-bp``; `tinygrad_bp.train.commands` has the rest."""

from __future__ import annotations

import io
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from tinygrad_bp.errors import MissingExtraError


def main() -> None:
    """Run the command line, and end with its exit status.

    The status is 0 when all went well; 1 for an error, which is printed without a traceback, and
    for a check that fails; 2 for a command that was written wrongly; 130 and 143 for a run that
    Ctrl-C or ``kill`` stopped.
    """
    signal.signal(signal.SIGTERM, _end)
    try:
        _main()
    except KeyboardInterrupt:  # while libraries were imported, or at the end
        sys.exit(130)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """End as on an error, so that no file is left half written."""
    sys.exit(128 + number)


def _main() -> None:
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
