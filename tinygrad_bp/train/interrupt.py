"""Ctrl-C and ``kill``: the step at work is finished, and the run is saved before it ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from tinygrad_bp.errors import TgError


class Interrupted(TgError):  # noqa: N818 - it is no mistake
    """A run was stopped by a signal, after it was saved.

    Attributes
    ----------
    exit_code : int
        128 and the number of the signal, as shells have it: 130 for Ctrl-C, 143 for ``kill``.
    """

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


class StopSignal:
    """Which signal has asked the run to stop; 0 for none."""

    def __init__(self) -> None:
        self.number = 0


@contextmanager
def stop_signals() -> Iterator[StopSignal]:
    """While the block runs, note the first Ctrl-C or ``kill`` in place of stopping at once.

    A second one stops at once. In threads other than the main one, which get no signals, nothing
    is changed.
    """
    stop = StopSignal()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before: dict[int, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        stop.number = number
        for each, handler in before.items():
            signal.signal(each, handler)

    for each in (signal.SIGINT, signal.SIGTERM):
        before[each] = signal.signal(each, note)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
