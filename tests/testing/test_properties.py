from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp.core.registry import PRIMITIVES
from tinygrad_bp.errors import ArgumentError, GradientError
from tinygrad_bp.testing.properties import check_primitive, gradient_property
from tinygrad_bp.testing.record import RECORD
from tinygrad_bp.testing.strategies import axes, tensors


@pytest.fixture
def make():
    """Primitives that are gone after the test."""
    before = set(PRIMITIVES)

    def primitive(forward, *vjps, **options):
        return tg.Primitive("of_a_test", forward, vjps, formula="", vjp_formulas=[""], **options)

    yield primitive
    for name in set(PRIMITIVES) - before:
        del PRIMITIVES[name]


@pytest.fixture
def factor():
    return 2.5


@gradient_property
def test_arguments_without_strategies_are_tensors_that_broadcast(x, y):
    assert np.broadcast_shapes(x.shape, y.shape) is not None
    return x * y


@gradient_property(x=tensors(min_value=0.5), max_examples=3, order=1)
def test_arguments_come_from_strategies(x):
    return np.log(x)


@pytest.mark.parametrize("power", [1, 3])
@gradient_property(x=tensors(), max_examples=3)
def test_parameters_and_fixtures_are_handed_on(x, power, factor):
    assert factor == 2.5
    return factor * x**power


class TestOfAClass:
    offset = 1.0

    @gradient_property(x=tensors(shape=(2, 3)), axis=axes(2), max_examples=3)
    def test_methods_are_properties(self, x, axis):
        return np.sum(x * x + self.offset, axis=axis)

    @gradient_property(max_examples=3)
    def test_methods_need_no_strategies(self, x):
        return np.sin(x) + self.offset


def test_a_wrong_gradient_is_shrunk_and_replayed(make, factor):
    wrong = make(lambda x: x * x, lambda g, out, x: np.where(x > 1, 3.0, 2.0) * g * x)

    @gradient_property(x=tensors(), factor=st.sampled_from([1, 2]))
    def property_of_squares(x, factor):
        return factor * wrong(x)

    with pytest.raises(GradientError) as caught:
        property_of_squares()
    said = "\n".join([str(caught.value), *caught.value.__notes__])
    assert "of_a_test" in said
    assert "Replay it, with numpy as np:\n    property_of_squares.check(x=np.array(" in said
    assert "@reproduce_failure(" in said
    (line,) = [n for n in said.splitlines() if ".check(" in n]
    with pytest.raises(GradientError):
        eval(line, {"np": np, "property_of_squares": property_of_squares})
    smallest = eval(line.replace("property_of_squares.check", "dict"), {"np": np})
    assert smallest["x"].size == 1
    assert smallest["factor"] == 1
    assert RECORD.replays.pop(next(n for n in RECORD.replays if "squares" in n)) == line


def test_arguments_that_are_no_code_are_replayed_by_their_blob(make):
    wrong = make(lambda x: x * x, lambda g, out, x: 3 * g * x)

    @gradient_property(x=tensors(), thing=st.builds(object), max_examples=5)
    def property_of_things(x, thing):
        return wrong(x)

    with pytest.raises(GradientError) as caught:
        property_of_things()
    assert any("by @reproduce_failure, as printed" in note for note in caught.value.__notes__)
    RECORD.replays.clear()


def test_an_error_of_the_function_is_shrunk_and_replayed_too():
    @gradient_property(x=tensors(min_value=-2.0, max_value=2.0), n=st.integers(0, 9))
    def property_of_indices(x, n):
        assume(n != 8)
        return np.sum(x) + [1.0, 2.0, 3.0][n]

    with pytest.raises(IndexError) as caught:
        property_of_indices()
    (line,) = [n for n in "\n".join(caught.value.__notes__).splitlines() if ".check(" in n]
    assert line == "    property_of_indices.check(x=np.array(0.), n=3)"
    RECORD.replays.clear()


def test_a_rule_that_is_right_once_is_checked_once_and_float32_when_asked(make):
    once = make(lambda x: x * x, lambda g, out, x: g * 2 * x, once=True)

    @gradient_property(x=tensors(shape=(2,)), max_examples=2)
    def property_of_once(x):
        return once(x)

    property_of_once()
    del PRIMITIVES["of_a_test"]
    coarse = make(lambda x: x * x, lambda g, out, x: g * 2 * (x + (x.dtype == np.float32)))

    @gradient_property(x=tensors(shape=(2,)), max_examples=2, float32=True)
    def property_of_coarse(x):
        return coarse(x)

    with pytest.raises(GradientError, match="float32"):
        property_of_coarse()
    RECORD.replays.clear()


def test_a_check_of_given_arguments_returns_what_it_found():
    test = test_arguments_come_from_strategies
    assert test.check(x=np.array([1.0, 2.0])).passed
    assert TestOfAClass.test_methods_need_no_strategies.check(TestOfAClass(), x=1.0).passed


def test_arguments_as_code_are_the_same_to_the_last_bit():
    from tinygrad_bp.testing.properties import _code

    for value in (
        np.array([[0.1, 1e-300], [np.nan, -np.inf]]),
        np.array(1 / 3, np.float32),
        np.zeros((0, 2), np.float32),
        np.zeros((2, 0)),
        np.arange(3),
        np.arange(2, dtype=np.int32),
        np.array([True, False]),
        np.linspace(0, 1, 2000),
        np.float32(0.1),
        (1, None),
    ):
        again = eval(_code(value), {"np": np})
        assert np.asarray(again).dtype == np.asarray(value).dtype
        np.testing.assert_array_equal(np.asarray(again), np.asarray(value))


def test_a_strategy_for_no_argument_is_refused():
    with pytest.raises(ArgumentError, match="has no argument 'y', only x"):
        gradient_property(y=tensors())(lambda x: x)


def test_the_battery_passes_what_is_right(make):
    cube = make(lambda x: x**3, lambda g, out, x: 3 * g * x**2)
    assert len(check_primitive(cube)) == 7
    assert len(check_primitive(cube, lambda x: cube(x) * 2, order=1, examples=2)) == 5
    assert len(check_primitive(lambda x, y: x * np.exp(y), examples=2)) == 7
    assert check_primitive(np.sort, inputs=1, shapes=[(3,), (2, 3)], distinct=True, examples=2)


def test_the_battery_knows_primitives_that_are_right_once(make):
    cube = make(lambda x: x**3, lambda g, out, x: 3 * np.asarray(g) * x**2, once=True)
    done = [line.split()[0] for line in check_primitive(cube)]
    assert done == ["forward", *["gradients"] * 4]


def test_kinks_and_domains_are_kept_to(make):
    size = make(np.abs, lambda g, out, x: g * np.sign(x), analytic=False)
    check_primitive(size, kinks=[[0]])
    root = make_again(np.sqrt, lambda g, out, x: g / (2 * out))
    check_primitive(root, domains=[(0.1, 4)])


def test_what_has_a_domain_stays_in_it(make):
    """Without one it is made larger and smaller, where this rule is wrong."""

    def rule(g, out, x):
        return np.where(np.abs(x) > 5, 3, np.where(np.abs(x) < 0.01, 1, 2)) * g * x

    square = make(lambda x: x * x, rule)
    check_primitive(square, domains=[(0.5, 4)])
    with pytest.raises(GradientError, match="is wrong") as caught:
        check_primitive(square, shapes=[(3,)])
    assert "at large and small inputs" in caught.value.__notes__[0]


def test_the_conventions_of_a_primitive_of_the_project_are_checked_too():
    relu = PRIMITIVES["relu"]
    done = check_primitive(relu, lambda x: relu(x), inputs=1, kinks=[[0]], examples=2)
    assert "gradients at ties and kinks are those of the convention" in done


def make_again(forward, *vjps):
    return tg.Primitive("of_a_test_too", forward, vjps, formula="", vjp_formulas=[""])


def values(x):
    return x.data if isinstance(x, tg.Tensor) else x


def wrong_slope_at_the_largest(g, out, x):
    """A right gradient whose own is off by 1e-4, at one element."""
    largest = values(x) == np.max(values(x), initial=-9.0)
    return 2 * g * x + 1e-4 * g * largest * (x - values(x))


FAULTS = {
    "second order, at one element": (
        lambda x: x * x,
        wrong_slope_at_the_largest,
        "the second derivative, of input 0, is wrong at 1 of ",
    ),
    "value": (lambda x: x * x, lambda g, out, x: 2 * g * x, "the value"),
    "dtype": (lambda x: np.asarray(x * x, np.float64), lambda g, out, x: 2 * g * x, "not float32"),
    "gradient": (lambda x: x * x, lambda g, out, x: 2.00001 * g * x, "the gradient of input 0"),
    "float32": (
        lambda x: x * x,
        lambda g, out, x: (2 + (np.asarray(x).dtype == np.float32) * 0.01) * g * x,
        "float32",
    ),
    "second order": (
        lambda x: x * x,
        lambda g, out, x: 2 * g * values(x),
        "the second derivative, of input 0,",
    ),
    "second order, cotangent": (
        lambda x: x * x,
        lambda g, out, x: 2 * values(g) * x,
        "the second derivative, of ",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_found(make, fault):
    forward, rule, said = FAULTS[fault]
    square = make(forward, rule)
    reference = (lambda x: x * x * 1.1) if fault == "value" else lambda x: x * x
    with pytest.raises(GradientError, match=said) as caught:
        check_primitive(square, reference=reference, complex_step=False)
    assert "In the check: " in caught.value.__notes__[0]


def test_a_changed_cotangent_is_found(make):
    def rule(g, out, x):
        result = 2 * g * x
        if isinstance(g, np.ndarray):
            g *= 1.5
        return result

    with pytest.raises(GradientError, match="the cotangent was changed"):
        check_primitive(make(lambda x: x * x, rule), shapes=[(3,)])


def test_a_changed_input_is_found(make):
    def forward(x):
        out = x * x
        np.add(x, 1, out=x)
        return out

    with pytest.raises(GradientError, match="input 0 was changed"):
        square = make(forward, lambda g, out, x: 2 * g * x)
        check_primitive(square, shapes=[(3,)], reference=lambda x: (x - 1) * (x - 1))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"inputs": 2, "shapes": [((3,), (3,), (3,))]}, "3 shapes, .* for 2 inputs"),
        ({}, "cannot tell how many arrays"),
    ],
)
def test_what_the_battery_cannot_know_it_asks_for(options, said):
    with pytest.raises(ArgumentError, match=said):
        check_primitive(lambda *arrays: sum(arrays), **options)


def test_shapes_may_be_given_for_all_inputs_or_each():
    check_primitive(np.add, shapes=[(2,), ((2,), ())], examples=2)
    check_primitive(lambda x, y, z: x * y + z, examples=2)
