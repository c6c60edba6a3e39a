"""The catalogue of primitives: one or more `Case` rows for each, a module per family of `ops`."""

from __future__ import annotations

import importlib
import pkgutil

from catalogue.case import Case


def families() -> dict[str, list[Case]]:
    """The rows of each module of this folder that has any, by the module's name."""
    rows = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        found = getattr(importlib.import_module(f"catalogue.{module}"), "CASES", [])
        if found:
            rows[module] = found
    return rows


def cases() -> list[Case]:
    """The rows of all modules."""
    return [case for rows in families().values() for case in rows]
