"""The pytest plugin: profiles, and a section of the summary that says what was checked.

It is loaded in every run of pytest where the package is installed, so it imports nothing before it
is asked for something; where no gradient is checked, it says nothing.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest

_NAMES = ("dev", "ci", "thorough")


def pytest_addoption(parser: Any) -> None:
    """Add ``--gradient-profile``."""
    group = parser.getgroup("tinygrad_bp", "gradient checks of tinygrad_bp")
    group.addoption(
        "--gradient-profile",
        choices=_NAMES,
        default=None,
        help="Hypothesis profile for this run: dev (10 examples), ci (25, the same each time) or "
        "thorough (500); by default what HYPOTHESIS_PROFILE names, where tests load a profile",
    )


def pytest_configure(config: Any) -> None:
    """Load the profile that was asked for; conftest files may have loaded another before."""
    name = config.getoption("--gradient-profile")
    if name is not None:
        from tinygrad_bp.testing.profiles import load_profile

        load_profile(name)


def pytest_sessionfinish(session: Any) -> None:
    """In a worker of pytest-xdist, hand what was counted to the process that prints."""
    handed = getattr(session.config, "workeroutput", None)
    module = sys.modules.get("tinygrad_bp.testing.record")
    if handed is not None and module is not None:
        handed["tinygrad_bp"] = module.RECORD.plain()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add up what the workers of pytest-xdist counted."""
    counted = getattr(node, "workeroutput", {}).get("tinygrad_bp")
    if counted is not None:
        from tinygrad_bp.testing.record import RECORD

        RECORD.merge(counted)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what was checked, where something was."""
    module = sys.modules.get("tinygrad_bp.testing.record")
    lines = module.RECORD.lines() if module is not None else []
    if lines:
        terminalreporter.section("gradients checked")
        for line in lines:
            terminalreporter.write_line(line)
