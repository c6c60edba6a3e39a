from __future__ import annotations

import itertools

import numpy as np
import pytest

from tinygrad_bp.testing.slopes import Field, is_kink
from tinygrad_bp.testing.verdicts import Verdict, judge

SIZES = [1e-8, 1e-4, 1.0, 1e4, 1e8]
SMOOTH = {
    "sin": (np.sin, np.cos),
    "log": (np.log, lambda x: 1 / x),
    "reciprocal": (lambda x: 1 / x, lambda x: -1 / x**2),
    "near a pole": (lambda x: 1 / (x + 1e-4), lambda x: -1 / (x + 1e-4) ** 2),
    "bump": (lambda x: np.exp(-((x / 1e-4) ** 2)), lambda x: -2e8 * x * np.exp(-((x / 1e-4) ** 2))),
    "cube": (lambda x: x**3, lambda x: 3 * x**2),
}


def field(f, x):
    return Field(
        lambda x: np.atleast_1d(np.sum(f(x))).astype(float), np.atleast_1d(x).astype(float)
    )


def verdict(f, x, exact, i=0):
    exact = np.atleast_1d(exact).astype(float)
    (found,) = judge(field(f, x), i, exact, 1e-7, np.abs(exact))
    return found.verdict


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SMOOTH)
def test_a_right_slope_is_never_wrong_and_a_wrong_one_never_right(name, size):
    f, derivative = SMOOTH[name]
    for x in size * np.array([0.7, 1.0, 1.9]):
        slope = float(derivative(x))
        assert verdict(f, x, slope) in (Verdict.OK, Verdict.NOISY)
        if abs(slope) > 1e-12 * abs(f(x)) / min(1.0, x):
            assert verdict(f, x, 1.01 * slope) in (Verdict.WRONG, Verdict.NOISY)


@pytest.mark.parametrize("size", SIZES)
def test_a_thousandth_is_told_at_all_sizes(size):
    for f, derivative in (SMOOTH["sin"], SMOOTH["log"], SMOOTH["reciprocal"], SMOOTH["cube"]):
        assert verdict(f, size, derivative(size)) is Verdict.OK
        assert verdict(f, size, 1.001 * derivative(size)) is Verdict.WRONG


def test_the_noise_of_float32_is_seen_where_the_result_is_float64():
    noisy = field(lambda x: np.sin(x.astype(np.float32)).astype(float) * 0.7, [0.3, 0.4])
    assert 1e-9 < noisy.noise[0] < 1e-5
    assert field(np.sin, [0.3, 0.4]).noise[0] < 1e-14


def test_a_kink_on_one_side_is_no_noise():
    bent = field(lambda x: np.abs(x), [0.0, 1.0, -2.0])
    assert bent.noise[0] < 1e-14


@pytest.mark.parametrize(
    ("f", "x", "kink"),
    [
        (np.abs, 0.0, True),
        (lambda x: np.maximum(x, 3 * x), 0.0, True),
        (lambda x: np.abs(x) + np.sin(x), 0.0, True),
        (np.sin, 0.0, False),
        (lambda x: x * np.abs(x), 0.0, False),
        (np.abs, 1.0, False),
        (lambda x: np.exp(30 * x), 0.1, False),
    ],
)
def test_a_kink_is_where_the_sides_stay_apart(f, x, kink):
    slopes = list(field(f, x).slopes(0))
    assert is_kink(slopes, 0, 1e-6) is kink


def test_steps_are_added_without_rounding():
    seen = []

    def f(x):
        seen.append(x[1])
        return np.sum(x)

    found = Field(lambda x: np.atleast_1d(f(x)), np.array([1.0, 1e8 / 3]))
    assert found.noise[0] < 1e-6
    seen.clear()
    for slope in itertools.islice(found.slopes(1, np.inf), 3):
        steps = np.abs(np.array(seen[-6:]) - 1e8 / 3)
        np.testing.assert_array_equal(np.sort(steps)[[0, 2, 4]] / slope.step, [1.0, 2.0, 4.0])


def test_a_direction_moves_each_element_in_proportion_to_its_size():
    found = field(lambda x: x**2, [1e6, 1e-3])
    np.testing.assert_array_equal(found.moves(np.array([1.0, -1.0])), [2.0**20, -1.0])
    slope = next(found.slopes(np.array([1.0, -1.0])))
    assert slope.value[0] == pytest.approx(2e6 * 2.0**20 - 2e-3)


def test_an_infinite_slope_is_noisy_and_one_that_is_no_number_wrong():
    assert verdict(np.sqrt, 0.0, np.inf) is Verdict.NOISY
    assert verdict(np.cbrt, 0.0, np.inf) is Verdict.NOISY
    assert verdict(lambda x: 1e9 * x**3 + x, 0.0, np.inf) is Verdict.WRONG
    assert verdict(np.sqrt, 0.0, np.nan) is Verdict.WRONG
    assert verdict(np.sin, 0.0, np.inf) is Verdict.WRONG
    assert verdict(np.abs, 0.0, np.nan) is Verdict.WRONG


def test_beside_a_kink_values_that_stand_still_are_right():
    assert verdict(lambda x: np.maximum(x, 0), -1e-4, 0.0) is Verdict.OK
    assert verdict(lambda x: np.maximum(x, 0), -1e-4, 1.0) is not Verdict.OK
    assert verdict(lambda x: np.maximum(x, 0), 1e-4, 0.0) is not Verdict.OK


def test_a_step_that_is_lost_beside_a_larger_number_tells_nothing():
    absorbed = field(lambda x: np.sin(x[0] + x[1]), [1.0, 0.0])
    assert judge(absorbed, 1, np.array([np.cos(1.0)]), 1e-7, np.ones(1))[0].verdict is Verdict.OK
    lost = field(lambda x: np.sin(1e16 * x[0] + x[1]), [0.3, 0.0])
    exact = np.array([np.cos(0.3e16)])
    assert judge(lost, 1, exact, 1e-7, np.ones(1))[0].verdict is Verdict.NOISY


def test_between_the_sides_of_a_near_kink_every_slope_is_possible():
    def bent(x):  # whose steps are lost in noise before they are as small as the distance to it
        return 1.0 + 1e-6 * np.maximum(x - 1e-9, 0.0) + 3e-6 * np.sin(x)

    assert verdict(bent, 0.0, 3e-6) is not Verdict.WRONG
    assert verdict(bent, 0.0, 4e-6) is not Verdict.WRONG


def test_only_some_verdicts_are_failures():
    assert {v for v in Verdict if not v.failed} == {Verdict.OK, Verdict.NOISY, Verdict.KINK}
    assert Verdict.NOT_CONNECTED == "NOT CONNECTED"
