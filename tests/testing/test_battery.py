"""That each check of the battery can fail: of operations that are wrong in one way each."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.core.registry import PRIMITIVES
from tinygrad_bp.errors import GradientError
from tinygrad_bp.testing import battery
from tinygrad_bp.testing.catalogue.case import Case
from tinygrad_bp.testing.setting import DTYPES, LAYOUTS, Draw, Setting, draws, laid_out


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


def test_what_is_not_recorded_is_found(case):
    row = case(lambda x: x * x, lambda g, out, x: 2 * g * x, call=np.square)
    check = battery.forward_equals_the_reference_in_value_shape_and_dtype
    fails(check, row, "of_a_test records {'square'}")


def test_what_is_no_tensor_is_found(case):
    row = case(lambda x: x * x, lambda g, out, x: 2 * g * x, call=lambda x: np.ones(3))
    check = battery.forward_equals_the_reference_in_value_shape_and_dtype
    fails(check, row, "returned a ndarray, no Tensor")


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
