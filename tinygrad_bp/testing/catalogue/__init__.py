"""The catalogue of primitives: one or more `Case` rows for each, a module per family of `ops`."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil

from tinygrad_bp.testing.catalogue.case import Case


def families() -> dict[str, list[Case]]:
    """The rows of each module of this folder that has any, by the module's name.

    Those of `scipy.special` are there where SciPy is.

    Examples
    --------
    >>> str(families()["arithmetic"][0])
    'add'
    """
    rows = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        if module.startswith("special") and importlib.util.find_spec("scipy") is None:
            continue
        found = getattr(importlib.import_module(f"{__name__}.{module}"), "CASES", [])
        if found:
            rows[module] = found
    return rows


def cases() -> list[Case]:
    """The rows of all modules."""
    return [case for rows in families().values() for case in rows]
