"""That each check of the battery can fail: of operations that are wrong in one way each."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.core.registry import PRIMITIVES
from tinygrad_bp.errors import ArgumentError, GradientError
from tinygrad_bp.testing import battery
from tinygrad_bp.testing.catalogue import cases
from tinygrad_bp.testing.catalogue.case import Case
from tinygrad_bp.testing.setting import (
    DTYPES,
    LAYOUTS,
    Draw,
    Setting,
    draws,
    laid_out,
    require_close,
)


@pytest.fixture
def case():
    """A row for a primitive that is gone after the test."""

    def make(forward, *vjps, **row):
        tg.Primitive("of_a_test", forward, vjps, formula="", vjp_formulas=[""])
        call = row.pop("call", PRIMITIVES["of_a_test"])
        shapes = (((2, 3),) * len(vjps),)
        return Case("of_a_test", call, shapes, reference=row.pop("reference", forward), **row)

    yield make
    PRIMITIVES.pop("of_a_test", None)


def fails(check, case, said, **draw):
    with pytest.raises(GradientError, match=said):
        check(case, Draw(**draw))


def test_a_gradient_in_the_memory_of_the_cotangent_is_found(case, monkeypatch):
    """The engine copies what a rule hands back, so that it is the engine that has to be broken."""
    row = case(lambda x: x + 0.0, lambda g, out, x: g)
    check = battery.gradients_are_the_derivatives_and_belong_to_their_inputs
    check(row, Draw())

    def backward(self, cotangent, **options):
        (leaf,) = self.node.inputs
        leaf.grad = tg.as_tensor(cotangent)

    monkeypatch.setattr(tg.Tensor, "backward", backward)
    fails(check, row, "gradient 0 shares its memory")


def test_a_gradient_that_replaces_the_one_before_is_found(case, monkeypatch):
    row = case(lambda x: x * x, lambda g, out, x: 2 * g * x)
    check = battery.gradients_add_up_over_uses_and_over_passes
    check(row, Draw())
    whole = tg.Tensor.backward

    def backward(self, cotangent, **options):
        for x in self.node.inputs:
            x.grad = None
        whole(self, cotangent, **options)

    monkeypatch.setattr(tg.Tensor, "backward", backward)
    fails(check, row, "after two passes, the gradient of input 0 is wrong")


def test_a_rule_that_is_not_linear_is_no_adjoint(case):
    row = case(lambda x: x * x, lambda g, out, x: 2 * g * x + 0.01 * g * g)
    check = battery.the_backward_pass_is_the_adjoint_of_the_forward_derivative
    fails(check, row, "<v, J'u> is wrong")


def tiny(x):
    return 1e-6 * np.sin(x)


def test_small_gradients_are_as_exact_as_large_ones(case):
    row = case(tiny, lambda g, out, x: (1 + 1e-5) * 1e-6 * g * np.cos(x))
    check = battery.gradients_are_the_derivatives_and_belong_to_their_inputs
    fails(check, row, "the gradient of input 0 is wrong")


def test_small_second_derivatives_are_as_exact_as_large_ones(case):
    def rule(g, out, x):
        if isinstance(x, tg.Tensor):
            return 1e-6 * g * (np.cos(x) + 1e-4 * (x - x.data))
        return 1e-6 * g * np.cos(x)

    row = case(tiny, rule)
    check = battery.second_derivatives_are_the_derivatives_of_the_gradients
    fails(check, row, "the second derivative, of input 0, is wrong")


def test_small_values_are_as_exact_as_large_ones(case):
    def rule(g, out, x):
        return 1e-6 * g * np.cos(x)

    row = case(tiny, rule, reference=lambda x: tiny(x) * (1 + 1e-7))
    check = battery.forward_equals_the_reference_in_value_shape_and_dtype
    fails(check, row, "the value is wrong")


def test_a_derivative_that_is_zero_is_compared_by_its_noise(case):
    """What should be 0 may be 1e-16, and nothing is relative to that; but it may not be 1e-13."""
    for off, right in ((1e-16, True), (1e-13, False)):
        row = case(lambda x: x - x, lambda g, out, x, off=off: off * g)
        check = battery.gradients_are_the_derivatives_and_belong_to_their_inputs
        if right:
            check(row, Draw())
        else:
            fails(check, row, "the gradient of input 0 is wrong")
        PRIMITIVES.pop("of_a_test")


def half(g):
    """As if a part of the rule were computed in float16."""
    return np.asarray(g, np.float16).astype(g.dtype) if g.dtype == np.float32 else g


def test_a_part_in_float16_is_found_where_gradients_are_small(case):
    row = case(lambda x: 1e-3 * x, lambda g, out, x: 1e-3 * half(g))
    battery.gradients_are_the_derivatives_and_belong_to_their_inputs(row, Draw())
    check = battery.gradients_in_float32_are_those_in_float64
    fails(check, row, "of float32, seed 0: the gradient of input 0 is wrong")


def test_what_is_rounded_in_float32_as_all_of_it_is_passes(case):
    """Sums of float32 cancel, and what is left is noise."""

    def rule(g, out, x):
        return g * ((x + 1) ** 2 - x**2 - 2 * x - 1)

    row = case(lambda x: 0.0 * x, rule)
    battery.gradients_in_float32_are_those_in_float64(row, Draw())


def wrong_where(condition):
    return lambda g, out, x: 2 * g * x * np.where(condition(np.asarray(x)), 1.5, 1.0)


@pytest.mark.parametrize(
    "condition", [lambda x: np.abs(x) > 5, lambda x: np.abs(x) < 0.01], ids=["large", "small"]
)
def test_a_rule_that_is_wrong_for_large_or_small_inputs_is_found(case, condition):
    row = case(lambda x: x * x, wrong_where(condition))
    battery.gradients_are_the_derivatives_and_belong_to_their_inputs(row, Draw())
    check = battery.gradients_are_the_derivatives_at_large_and_small_inputs
    with pytest.raises(GradientError, match="is wrong at"):
        for draw in draws(4):
            check(row, draw)


def test_large_inputs_are_tried_one_by_one_where_all_together_leave_nothing_to_see(case):
    def forward(x, y):
        return np.exp(-np.abs(x * y))

    def rule(y, sign):
        return lambda g, out, *xs: -g * out * np.sign(xs[0] * xs[1]) * xs[y] * sign(xs[1 - y])

    right, wrong = (lambda x: 1.0), (lambda x: np.where(np.abs(x) > 5, 1.5, 1.0))
    row = case(forward, rule(1, wrong), rule(0, right))
    check = battery.gradients_are_the_derivatives_at_large_and_small_inputs
    with pytest.raises(GradientError, match="is wrong at"):
        for draw in draws(16):
            check(row, draw)


def test_beyond_the_domains_it_is_the_function_that_is_differentiated(case):
    """A reference holds within them alone; Huber's loss is a parabola near 0."""
    row = case(
        lambda x: np.where(np.abs(x) < 5, x * x / 2, 5 * np.abs(x) - 12.5),
        lambda g, out, x: g * np.clip(x, -5, 5),
        reference=lambda x: x * x / 2,
    )
    for draw in draws(8):
        battery.gradients_are_the_derivatives_at_large_and_small_inputs(row, draw)


def test_kinks_and_refusals_far_out_are_no_faults(case):
    def forward(x):
        if np.any(np.asarray(x) > 9.9):
            raise ArgumentError("not beyond 9.9")
        return np.abs(np.remainder(x, 0.25) - 0.125)

    def rule(g, out, x):
        return g * np.sign(np.remainder(x, 0.25) - 0.125)

    row = case(forward, rule)
    for draw in draws(40):
        battery.gradients_are_the_derivatives_at_large_and_small_inputs(row, draw)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("leaky_relu", lambda g, out, x, slope: g * np.where(np.asarray(x) < 0, slope, 1.0)),
        ("elu", lambda g, out, x, alpha: g * np.where(np.asarray(x) < 0, alpha * np.exp(x), 1.0)),
        ("relu", lambda g, out, x: g * (np.asarray(x) >= 0)),
        ("nuclear_norm", lambda g, out, x: g * np.eye(2)),
        ("quantile_place", lambda g, out, x, **kw: g * 2.0),
        ("qr", lambda g, out, x, **kw: np.zeros_like(x)),
    ],
)
def test_another_convention_at_a_tie_is_found(name, rule, monkeypatch):
    row = next(case for case in cases() if case.primitive == name)
    check = battery.gradients_at_ties_and_kinks_are_those_of_the_convention
    check(row, Draw(layout="F", dtypes=(np.float32,)))
    monkeypatch.setattr(PRIMITIVES[name], "vjps", (rule,))
    fails(check, row, f"{name}: at a tie or a kink, the gradient of input 0 is")


def test_another_convention_at_second_order_is_found(monkeypatch):
    """At 0 the second derivative of softsign jumps from 2 to -2; promised is 0."""
    row = next(case for case in cases() if case.primitive == "softsign")

    def rule(g, out, x):
        return g / (1 + x * np.where(x >= 0, 1.0, -1.0)) ** 2

    monkeypatch.setattr(PRIMITIVES["softsign"], "vjps", (rule,))
    check = battery.gradients_at_ties_and_kinks_are_those_of_the_convention
    fails(check, row, "softsign: at a tie or a kink, the second derivative of input 0 is wrong")


def test_noise_is_asked_for_only_where_it_matters():
    require_close(1.0, 1.0, 1e-6, "it", lambda: pytest.fail("asked"))
    require_close(1e-10, 0.0, 1e-6, "it", lambda: np.array(1e-9))
    for noise in (1e-11, np.inf, np.nan):
        with pytest.raises(GradientError, match="it is wrong at 1 of 1 elements"):
            require_close(1e-10, 0.0, 1e-6, "it", noise)


def test_what_is_not_recorded_is_found(case):
    row = case(lambda x: x * x, lambda g, out, x: 2 * g * x, call=np.square)
    check = battery.forward_equals_the_reference_in_value_shape_and_dtype
    fails(check, row, "of_a_test records {'square'}")


def test_what_is_no_tensor_is_found(case):
    row = case(lambda x: x * x, lambda g, out, x: 2 * g * x, call=lambda x: np.ones(3))
    check = battery.forward_equals_the_reference_in_value_shape_and_dtype
    fails(check, row, "returned an ndarray, no Tensor")


def test_a_wrong_shape_is_found(case):
    row = case(lambda x: x * x, lambda g, out, x: 2 * g * x, reference=lambda x: (x * x)[0])
    check = battery.forward_equals_the_reference_in_value_shape_and_dtype
    fails(check, row, r"has the shape \(2, 3\), and should have \(3,\)")


def test_the_complex_step_sees_more_digits(case):
    row = case(
        lambda x: x * x, lambda g, out, x: (2 + 1e-10) * g * x, complex_step=True, label="complex"
    )
    check = battery.gradients_are_the_derivatives_and_belong_to_their_inputs
    fails(check, row, "by the complex step, the gradient of input 0 is wrong")


def test_a_rule_that_writes_into_a_view_of_gaps_is_found(case):
    def forward(x):
        out = x * x
        if not x.flags.forc:
            x[...] = 0
        return out

    row = case(forward, lambda g, out, x: 2 * g * x, reference=lambda x: x * x)
    check = battery.forward_equals_the_reference_in_value_shape_and_dtype
    check(row, Draw(layout="F"))
    with pytest.raises(GradientError):
        check(row, Draw(layout="strided"))


def test_the_complex_step_is_taken_where_it_is_right_alone():
    cases = {np.exp: True, np.abs: False, np.maximum: True, np.floor: False}
    for function, right in cases.items():
        shapes = (((0, 2),) * function.nin, ((3,),) * function.nin)
        assert battery.takes_complex(Case("", function, shapes)) is right, function


def test_draws_meet_all_dtypes_and_layouts_and_are_the_same_again():
    some = list(draws(16, seed=3))
    assert {d.dtypes for d in some} == set(DTYPES)
    assert {d.layout for d in some} == set(LAYOUTS)
    assert {d.create_graph for d in some} == {d.rounded for d in some} == {True, False}
    assert some == list(draws(16, seed=3))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 2)])
def test_layouts_keep_the_values(layout, shape):
    values = np.arange(int(np.prod(shape)), dtype=float).reshape(shape)
    np.testing.assert_array_equal(laid_out(values, layout), values)


def test_a_setting_says_what_it_is():
    setting = Setting(Case("exp", np.exp, ((),)), [(2,)], Draw(layout="F", dtypes=(np.float32,)))
    assert str(setting) == "exp on (2,) of float32, layout F, seed 0"
