"""No right gradient is called wrong: random programs over the whole registry are the witnesses.

``HYPOTHESIS_PROFILE=thorough pytest tests/testing/test_false_alarms.py`` takes 10,000 of them.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from scipy import special

from tinygrad_bp.testing import check_gradients
from tinygrad_bp.testing.programs import programs

EXAMPLES = settings().max_examples
FIRST = 20 * EXAMPLES if EXAMPLES >= 500 else 8 * EXAMPLES
QUIET = [HealthCheck.too_slow, HealthCheck.large_base_example, HealthCheck.data_too_large]


@settings(max_examples=FIRST, suppress_health_check=QUIET)
@given(programs())
def test_right_gradients_are_not_called_wrong(program):
    check_gradients(program.run, *program.inputs, order=1, elements=3)


@settings(max_examples=max(10, EXAMPLES), suppress_health_check=QUIET)
@given(programs(max_operations=5))
def test_nor_are_second_derivatives(program):
    check_gradients(program.run, *program.inputs, elements=2)


# What programs found in the engine, each the smallest that failed.
FOUND = {
    "a number as the second of three inputs, behind another operation": (
        lambda x, y: np.sum(special.gdtr(x * 1.0, 2.5, y)),
        np.array(0.5),
        np.array([1.5, 2.0]),
    ),
    "a new axis for a number that is also used otherwise": (
        lambda x: np.sum(x[None]) + x * x,
        np.array(-1.5),
    ),
}


@pytest.mark.parametrize("f", FOUND.values(), ids=FOUND)
def test_what_programs_found_stays_mended(f):
    check_gradients(*f)
