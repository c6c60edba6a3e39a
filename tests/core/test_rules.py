from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import errors
from tinygrad_bp.core import PRIMITIVES, Primitive


@pytest.fixture
def make_primitive():
    """Make primitives that are forgotten after the test."""
    names = []

    def make(name, forward, vjps, **facts):
        formulas = [""] * (1 if callable(vjps) else len(vjps))
        primitive = Primitive(name, forward, vjps, formula="", vjp_formulas=formulas, **facts)
        names.append(name)
        return primitive

    yield make
    for name in names:
        PRIMITIVES.pop(name, None)


def test_paths_that_need_no_gradient_are_not_walked(make_primitive):
    def forbidden(g, out, x):
        raise AssertionError("the rule of a constant was applied")

    constant = make_primitive("test_constant", lambda x: x + 1, [forbidden])
    x = tg.Tensor(2.0, requires_grad=True)
    (x * constant(tg.Tensor(1.0))).backward()
    assert x.grad.item() == 2.0


def test_a_rule_for_an_input_without_gradient_is_not_applied(make_primitive):
    def forbidden(g, out, x, y):
        raise AssertionError("this gradient is not wanted")

    product = make_primitive(
        "test_product", lambda x, y: x * y, [lambda g, out, x, y: g * y, forbidden]
    )
    x = tg.Tensor(2.0, requires_grad=True)
    product(x, tg.Tensor(5.0)).backward()
    assert x.grad.item() == 5.0


def test_a_rule_of_the_wrong_shape_is_named(make_primitive):
    square = make_primitive(
        "test_mysquare", lambda x: x * x, [lambda g, out, x: (g * x).sum(axis=0)]
    )
    x = tg.Tensor(np.ones((3, 2)), requires_grad=True)
    with pytest.raises(
        errors.VJPError,
        match=r"rule of 'test_mysquare' returned .* \(2,\) for input 0 of shape \(3, 2\)",
    ):
        square(x).sum().backward()
    assert x.grad is None


def test_a_rule_that_returns_no_array_is_named(make_primitive):
    bad = make_primitive("test_bad", lambda x: x * x, [lambda g, out, x: "gradient"])
    x = tg.Tensor(np.ones(2), requires_grad=True)
    with pytest.raises(errors.VJPError, match="rule of 'test_bad' for input 0 returned a str"):
        bad(x).sum().backward()


def test_a_rule_that_returns_complex_numbers_is_named(make_primitive):
    bad = make_primitive("test_complex", lambda x: x * x, [lambda g, out, x: g * 1j])
    x = tg.Tensor(np.ones(2), requires_grad=True)
    with pytest.raises(errors.VJPError, match="'test_complex' returned complex128"):
        bad(x).sum().backward()


def test_a_rule_may_return_a_python_number(make_primitive):
    half = make_primitive("test_half", lambda x: 0.5 * x, [lambda g, out, x: 0.5])
    x = tg.Tensor(2.0, requires_grad=True)
    half(x).backward()
    assert x.grad.item() == 0.5


def test_a_rule_that_fails_leaves_every_gradient_as_it_was(make_primitive):
    def fails(g, out, x):
        raise ZeroDivisionError

    broken = make_primitive("test_broken", lambda x: x + 0, [fails])
    x = tg.Tensor(2.0, requires_grad=True)
    y = tg.Tensor(3.0, requires_grad=True)
    loss = broken(x) * y
    with pytest.raises(ZeroDivisionError):
        loss.backward()
    assert x.grad is None
    assert y.grad is None


def test_one_rule_may_serve_any_number_of_inputs(make_primitive):
    total = make_primitive("test_total", lambda *x: sum(x), lambda i, g, out, *x: g * (i + 1))
    leaves = [tg.Tensor(1.0, requires_grad=True) for _ in range(3)]
    total(*leaves).backward()
    assert [leaf.grad.item() for leaf in leaves] == [1.0, 2.0, 3.0]


def test_a_primitive_needs_a_name_of_its_own(make_primitive):
    with pytest.raises(errors.ArgumentError, match="named 'add' already"):
        make_primitive("add", np.add, [])
    assert PRIMITIVES["add"].forward is not np.add


def test_a_primitive_with_too_few_rules_is_named(make_primitive):
    lacking = make_primitive("test_lacking", lambda x, y: x * y, [lambda g, out, x, y: g * y])
    y = tg.Tensor(2.0, requires_grad=True)
    with pytest.raises(errors.VJPError, match="'test_lacking' at .* has 1 rules.* its input 1"):
        lacking(1.0, y).backward()


def test_rules_that_are_right_once_get_arrays_and_cannot_be_differentiated(make_primitive):
    seen = []

    def rule(g, out, x):
        seen.append((type(g), type(out), type(x)))
        return g * 3 * np.square(x)

    cube = make_primitive("test_once", lambda x: x**3, [rule], once=True)
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    cube(x).sum().backward(create_graph=True)
    np.testing.assert_array_equal(x.grad.data, [3, 12])
    assert seen == [(np.ndarray, np.ndarray, np.ndarray)]
    with pytest.raises(errors.VJPError, match="'test_once' are right only once"):
        (x.grad * x.grad).sum().backward()


def test_a_joint_rule_gives_all_cotangents_in_one_call(make_primitive):
    calls = []

    def rule(g, out, *inputs):
        calls.append(len(inputs))
        return [g * i for i in range(len(inputs))]

    total = make_primitive("test_joint", lambda *x: sum(x), rule, joint=True)
    leaves = [tg.Tensor(1.0, requires_grad=True) for _ in range(4)]
    total(*leaves[:3], 5.0).backward()
    assert [None if x.grad is None else x.grad.item() for x in leaves] == [0, 1, 2, None]
    assert calls == [4]
    assert PRIMITIVES["test_joint"].vjps[2](1.0, None, 0, 0, 0) == 2.0


@pytest.mark.parametrize(
    ("returned", "words"),
    [(lambda g: [g], "1 cotangents for 2 inputs"), (lambda g: g, "a float64 for 2 inputs")],
)
def test_a_joint_rule_returns_one_cotangent_per_input(make_primitive, returned, words):
    total = make_primitive(
        "test_joint", lambda x, y: x + y, lambda g, out, x, y: returned(g), joint=True
    )
    x = tg.Tensor(1.0, requires_grad=True)
    with pytest.raises(errors.VJPError, match=words):
        total(x, x).backward()


def test_one_array_for_two_inputs_does_not_become_the_gradient_of_both(make_primitive):
    double = make_primitive(
        "test_joint", lambda x, y: 2 * (x + y), lambda g, out, x, y: [g * 2] * 2, joint=True
    )
    x, y = (tg.Tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    double(x, y).sum().backward()
    x.grad.assign(0.0)
    np.testing.assert_array_equal(y.grad.data, [2, 2])
