"""The catalogue of primitives: one or more `Case` rows for each, a module per family of `ops`."""

from __future__ import annotations

import importlib
import pkgutil

from catalogue.case import Case


def cases() -> list[Case]:
    """Every row of every module of this folder, in the order of the module names."""
    rows: list[Case] = []
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        rows += getattr(importlib.import_module(f"catalogue.{module}"), "CASES", [])
    return rows
