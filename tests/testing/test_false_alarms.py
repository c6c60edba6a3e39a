"""No right gradient is called wrong: random programs and all rows of the catalogue are witnesses.

``HYPOTHESIS_PROFILE=thorough pytest tests/testing/test_false_alarms.py`` takes 10,000 programs,
1,000 more at second order, and every row at all sizes, which is a matter of an hour or two.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from scipy import special

import tinygrad_bp as tg
from tinygrad_bp.testing import check_gradients
from tinygrad_bp.testing.catalogue import families
from tinygrad_bp.testing.programs import calls, programs
from tinygrad_bp.testing.setting import Draw, values_of
from tinygrad_bp.testing.subjects import MIXING

EXAMPLES = settings().max_examples
THOROUGH = EXAMPLES >= 500
FIRST = 10 * EXAMPLES if THOROUGH else EXAMPLES
SECOND = EXAMPLES if THOROUGH else EXAMPLES // 5
QUIET = [HealthCheck.too_slow, HealthCheck.large_base_example, HealthCheck.data_too_large]


@pytest.fixture(autouse=True)
def _overflow_is_no_error():
    """At 1e8 much overflows, and at 0 much is divided by it: what counts is the verdict."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


@settings(max_examples=FIRST, suppress_health_check=QUIET)
@given(programs())
def test_right_gradients_are_not_called_wrong(program):
    check_gradients(program.run, *program.inputs, order=1, elements=2)


@settings(max_examples=FIRST, suppress_health_check=QUIET)
@given(programs(unusual=True))
def test_nor_are_they_at_unusual_inputs(program):
    check_gradients(program.run, *program.inputs, order=1, elements=2)


@settings(max_examples=SECOND, suppress_health_check=QUIET)
@given(programs(max_operations=5))
def test_nor_are_second_derivatives(program):
    check_gradients(program.run, *program.inputs, elements=2)


@settings(max_examples=SECOND, suppress_health_check=QUIET)
@given(programs(max_operations=5, unusual=True))
def test_nor_are_they_at_unusual_inputs_either(program):
    check_gradients(program.run, *program.inputs, elements=2)


ROWS = [(family, row) for family, rows in families().items() for row in rows]
SIZES = [10.0**k for k in range(-8, 9, 2)]
INPUTS = {
    **{f"{size:g} times": lambda a, size=size: size * a for size in SIZES},
    "float32": lambda a: a.astype(np.float32),
    "zeros": np.zeros_like,
    "equal": lambda a: np.full_like(a, a.flat[0]),
    "halves": lambda a: np.round(2 * a) / 2,
    "of all sizes": lambda a: a * 10.0 ** np.random.default_rng(a.size).integers(-8, 9, a.shape),
}


def inputs_of(number, name):
    """Inputs of a kind for a row, if its function is finite there and around them.

    Second inputs that have a domain keep to it, but for those of SciPy's functions.
    """
    family, row = ROWS[number]
    full = [shapes for shapes in row.shapes if all(np.prod(s) for s in shapes)]
    if not full:
        return None
    if name == "zeros" and row.primitive == "special.poch" and len(full[0]) > 1:
        return None  # poch(0, 0) is 1, and poch(0, y) is 0 on both sides
    if name == "of all sizes" and row.primitive in MIXING:  # rounding decides what rank they have
        return None
    arrays = [
        np.asarray(a if 0 < i < len(row.domains) and family != "special" else INPUTS[name](a))
        for i, a in enumerate(values_of(row, full[0], Draw(number)))
    ]
    for step in (0.0, 2.0**-20, -(2.0**-20)):
        moved = [tg.Tensor(a + step * np.where(a == 0, 0.01, a)) for a in arrays]
        try:
            if not np.isfinite(row.call(*moved).data).all():
                return None
        except (ValueError, ArithmeticError):  # as of a matrix that has no decomposition
            return None
    return arrays


CALLS = [(number, name) for number in range(len(ROWS)) for name in INPUTS]
#: A few of all; the step has no factor in common with the number of kinds, so that all are met.
CHOSEN = CALLS if THOROUGH else CALLS[:: 229 if EXAMPLES > 10 else 601]


@pytest.mark.parametrize("number", sorted({n for n, _ in CHOSEN}), ids=lambda n: str(ROWS[n][1]))
def test_no_row_of_the_catalogue_is_called_wrong(number):
    for name in [name for n, name in CHOSEN if n == number]:
        arrays = inputs_of(number, name)
        if arrays is not None:
            check_gradients(ROWS[number][1].call, *arrays, elements=2)


def test_most_rows_take_inputs_of_most_kinds():
    taken = [inputs_of(number, name) is not None for number, name in CALLS[::7]]
    assert np.mean(taken) > 0.6


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
    # And in the checker.
    "what rounding leaves of cofactors": (
        lambda x, y: np.sum(np.linalg.det(x @ y) * np.linspace(0.5, 1.5, 2)),
        np.array([[[-0.299], [-2.7006], [-1.242]], [[-0.5948], [1.6213], [-0.279]]]),
        np.array([[-3.1393, 0.0431, 1.3764]]),
    ),
    "a kink just beside": (lambda x: np.maximum(x, 0.0), np.array([-1e-4, 2e-4])),
    "a step that is lost beside a larger number": (
        lambda x, y, z: np.linalg.det(x @ y + z),
        np.array([[9.2e7], [1.9e7]]),
        np.array([[-1.6e8, 1.8e8]]),
        np.zeros((2, 2)),
    ),
    "kinks so near that all steps reach over them": (
        lambda x: np.linalg.cond(x + 5 * np.eye(2), np.inf),
        np.array([[7e-7, 1.06e-6], [1.53e-6, 1.66e-6]]),
    ),
    "a function that winds more often than steps can tell": (
        lambda x: np.sin(x**2),
        np.array([1.7e-6, 6150725.885780259, -1.3e-6]),
    ),
    "pseudo-inverses of numbers of all sizes": (
        np.linalg.pinv,
        np.array([[2e-3, -166033072.3], [163.26, 1.94e-7], [4216123.7, 2479511.7]]),
    ),
    "waves below the rounding of float32": (
        lambda x: np.sum(np.sin(4 * np.sin(x)) + x.astype(np.float32)),
        np.array([-20000.0, 5.0, -2e6]),
    ),
    "waves below the rounding of large squares": (
        lambda x: np.sum(0.25 * x**2) + np.sum(np.prod(2 * np.sin(x), axis=0)),
        np.full((2, 3), 12500000.0),
    ),
    "a function that winds within every step": (
        lambda x: np.sum(np.abs(x) * np.sin(366896502460.94635 * x)),
        np.array([-1.1378, 0.6235]),
    ),
    "a power of 1.5 near 0, beside a large number": (
        lambda x: np.linalg.norm(x, 1.5),
        np.array([1e-5, 1e5]),
    ),
    "a jump, where an angle goes on at the other end": (
        lambda x, y: np.sum(np.arctan2(x, y) * np.linspace(0.5, 1.5, 4).reshape(2, 2)),
        np.array([[1.0], [0.0]]),
        np.array([1e-5, -1e-5]),
    ),
    "what underflows": (lambda x: tg.nn.functional.sigmoid(x), np.full(3, -1000.0)),
    "a matrix of no full rank, in float32": (
        lambda x: np.sum(
            calls()["qr[Q of a wide matrix]"](x) * np.linspace(0.5, 1.5, 4).reshape(2, 2)
        ),
        np.full((2, 3), 1e7, np.float32),
    ),
    "leading zeros, without which the result is shorter": (
        lambda x, y: np.polymul(x, y),
        np.zeros(3),
        np.array([1.5, 1.0]),
    ),
    "ties in a percentile over several axes": (
        lambda x: np.percentile(x, [25.0, 60.0], axis=(0, 1), keepdims=True),
        np.zeros((3, 2, 2)),
    ),
    "a vertical tangent": (
        lambda x: np.sum(np.cbrt(x) + np.exp(np.sin(x))),
        np.array([0.0, 1.0, 1.5]),
    ),
    "equal in float32 alone": (
        lambda x: np.sort(x)[1] + np.sort(x * 0.7)[0],
        np.array([5e6, 5e6 + 1e-2, 4.9e6], np.float32),
    ),
}


@pytest.mark.parametrize("f", FOUND.values(), ids=FOUND)
def test_what_programs_found_stays_mended(f):
    check_gradients(*f, elements=3)
