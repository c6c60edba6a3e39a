"""Hypothesis profiles: `dev` for quick runs, `ci` for every commit, `thorough` now and then."""

from __future__ import annotations

import os
from typing import Any

from tinygrad_bp.errors import ArgumentError, missing_extra, nearest

#: By name, what each has of its own.
PROFILES: dict[str, dict[str, Any]] = {
    "dev": {"max_examples": 10},
    "ci": {"max_examples": 25, "derandomize": True},
    "thorough": {"max_examples": 500},
}


def load_profile(name: str | None = None, default: str = "ci") -> str:
    """Register the profiles with Hypothesis and load one, for all tests of Hypothesis.

    Parameters
    ----------
    name : {"dev", "ci", "thorough"}, optional
        Without it, what the environment variable HYPOTHESIS_PROFILE says, or else `default`.

    Returns
    -------
    name : str
        Of the profile that was loaded.

    Examples
    --------
    >>> load_profile("quick")
    Traceback (most recent call last):
        ...
    tinygrad_bp.errors.ArgumentError: there is no profile 'quick'; known: ci, dev, thorough
    """
    chosen = name or os.environ.get("HYPOTHESIS_PROFILE") or default
    if chosen not in PROFILES:
        raise ArgumentError(f"there is no profile {chosen!r}; {nearest(chosen, PROFILES)}")
    try:
        from hypothesis import HealthCheck, settings
    except ImportError as error:
        raise missing_extra("hypothesis", "test", f"the profile {chosen!r}") from error
    for title, own in PROFILES.items():
        settings.register_profile(
            title, deadline=None, suppress_health_check=[HealthCheck.too_slow], **own
        )
    settings.load_profile(chosen)
    return chosen
