"""Hypothesis profiles: `dev` for quick runs, `ci` for every commit, `thorough` now and then."""

from __future__ import annotations

from tinygrad_bp.testing.profiles import load_profile

load_profile()
