"""`tg.primitive`: what it makes, and what it notices."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import errors
from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.testing import check_gradients


@pytest.fixture(autouse=True)
def _forget():
    """Forget the operations of the tests, and no others: some are registered when needed."""
    before = set(PRIMITIVES)
    yield
    for name in set(PRIMITIVES) - before:
        if PRIMITIVES[name].__module__ == __name__:
            del PRIMITIVES[name]


def test_ten_lines_make_an_operation_of_any_order():
    @tg.primitive(
        lambda g, out, x, y: g * 2 * x * y,
        lambda g, out, x, y: g * x**2,
        formula="x^2 y",
        vjp_formulas=[r"2 x y \\bar{z}", r"x^2 \\bar{z}"],
    )
    def square_times(x, y):
        """The square of x, times y."""
        return x**2 * y

    found = check_gradients(square_times, np.array([[1.0, -2.0]]), np.array([[0.5], [3.0]]))
    assert found.elements == 8  # of both orders
    x, y = (tg.Tensor(v, requires_grad=True) for v in (3.0, 5.0))
    square_times(x, y).backward(create_graph=True)
    slope, x.grad, y.grad = x.grad, None, None
    slope.backward()
    assert (x.grad.item(), y.grad.item()) == (10.0, 6.0)
    assert square_times.__doc__ == "The square of x, times y."
    assert str(inspect.signature(square_times)) == "(x, y)"
    assert PRIMITIVES["square_times"] is square_times


def test_on_arrays_it_gives_constants_and_takes_keywords():
    @tg.primitive(lambda g, out, x, *, k: g * k)
    def times(x, *, k):
        return x * k

    assert not times(np.ones(2), k=3.0).requires_grad
    x = tg.Tensor([1.0], requires_grad=True)
    times(x, k=3.0).sum().backward()
    assert x.grad.item() == 3.0


def test_the_number_of_rules_must_be_that_of_the_inputs():
    with pytest.raises(errors.ArgumentError, match="'both' has 2 inputs and 1 rules"):

        @tg.primitive(lambda g, out, x, y: g)
        def both(x, y):
            return x + y

    with pytest.raises(errors.ArgumentError, match=r"over 'forgot' without .*\n.*rule_of_x"):

        @tg.primitive
        def forgot(x):
            return x

        forgot(tg.Tensor(1.0))


def test_one_that_writes_into_its_input_is_named_and_nothing_is_changed():
    @tg.primitive(lambda g, out, x: g)
    def greedy(x):
        x += 1
        return x

    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(errors.InplaceError, match="'greedy' writes into an array"):
        greedy(x)
    np.testing.assert_array_equal(x.data, [1, 2])

    def rule(g, out, x):
        g *= 2
        return g

    @tg.primitive(rule)
    def twice(x):
        return 2 * x

    loss = twice(x).sum()
    with pytest.raises(errors.InplaceError, match="the rule of 'twice' for input 0 writes"):
        loss.backward()
    assert x.grad is None


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (lambda g, out, x: g[:1], r"rule of 'wrong' returned .* shape \(1,\) for input 0 of shape"),
        (lambda g, out, x: "g", "rule of 'wrong' for input 0 returned a str"),
        (lambda g, out, x: g * 1j, "rule of 'wrong' returned complex128"),
        (lambda g, out, x: (g, g), "rule of 'wrong' for input 0 returned a tuple"),
    ],
)
def test_what_a_rule_returns_is_checked(rule, words):
    wrong = tg.primitive(rule, name="wrong")(lambda x: 2 * x)
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    loss = wrong(x).sum()
    with pytest.raises(errors.VJPError, match=words):
        loss.backward()
    assert x.grad is None


def test_a_gradient_takes_the_dtype_of_its_input():
    double = tg.primitive(lambda g, out, x: np.float64(2) * g, name="double")(lambda x: x * 2)
    x = tg.Tensor([1.0], dtype=np.float32, requires_grad=True)
    double(x).sum().backward()
    assert x.grad.dtype == np.float32


def test_what_it_returns_is_checked_and_never_shares_memory():
    pair = tg.primitive(None, name="pair")(lambda x: (x, x))
    with pytest.raises(errors.DTypeError, match="'pair' returned a tuple"):
        pair(np.ones(2))
    same = tg.primitive(lambda g, out, x: g, name="same")(lambda x: x)
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    assert not np.shares_memory(same(x).data, x.data)
    assert tg.primitive(None, name="count")(lambda x: 3)(x).item() == 3


def test_rules_that_hold_once_refuse_a_second_derivative():
    import math

    @tg.primitive(lambda g, out, x: g * np.vectorize(math.cos)(x), once=True)
    def outside_sine(x):
        return np.vectorize(math.sin)(x)

    x = tg.Tensor([0.0], requires_grad=True)
    outside_sine(x).sum().backward(create_graph=True)
    assert x.grad.item() == 1.0
    with pytest.raises(errors.VJPError, match="'outside_sine' are right only once"):
        (x.grad**2).sum().backward()


def test_a_cell_of_a_notebook_may_run_again_but_a_taken_name_stays_taken():
    def cell(factor):
        @tg.primitive(lambda g, out, x: g * factor)
        def scaled(x):
            return x * factor

        return scaled

    cell(2.0)
    again = cell(3.0)
    assert again(np.float64(1.0)).item() == 3.0
    with pytest.raises(errors.ArgumentError, match="named 'add' already"):
        tg.primitive(None, name="add")(lambda x: x)


def test_a_rule_that_takes_too_few_or_too_many_arguments_is_refused_before_it_is_used():
    for rule, takes in ((lambda g, out: g, 2), (lambda g, out, x, y: g, 4)):
        with pytest.raises(errors.ArgumentError, match=f"'miscounted' .* takes {takes} .* given 3"):

            @tg.primitive(rule)
            def miscounted(x):
                return x + 0

    assert "miscounted" not in PRIMITIVES

    @tg.primitive(lambda *arguments: arguments[0])
    def open_ended(x):
        return x + 0

    assert tg.grad(open_ended)(1.0) == 1.0


def test_rules_get_the_defaults_of_the_function():
    @tg.primitive(lambda g, out, x, offset, *, k: g * k, None)
    def scaled(x, offset, *, k=3.0):
        return x * k + offset

    assert tg.grad(scaled)(1.0, 0.0) == 3.0
    assert tg.grad(scaled)(1.0, 0.0, k=5.0) == 5.0

    @tg.primitive(lambda g, out, x, **keywords: g * keywords["k"])
    def scaled_too(x, *, k=2.0, unused=None):
        return x * k

    assert tg.grad(scaled_too)(1.0) == 2.0

    @tg.primitive(lambda g, out, x, k: g * k)  # as a keyword, without a * before it
    def scaled_again(x, *, k=4.0):
        return x * k

    assert tg.grad(scaled_again)(1.0) == 4.0

    @tg.primitive(lambda g, out, x: g * 2)
    def doubled(x, *, verbose=False):
        return x * 2

    assert tg.grad(doubled)(1.0) == 2.0


def test_a_ufunc_has_as_many_inputs_as_numpy_says():
    own = tg.primitive(lambda g, out, x: g * 2 * x, name="own_square")(np.square)
    try:
        assert tg.grad(own)(3.0) == 6.0
    finally:
        del PRIMITIVES["own_square"]


def test_a_rule_that_returns_no_array_is_named_with_the_line_of_its_operation():
    @tg.primitive(lambda g, out, x: [g])
    def listed(x):
        return x + 0

    with pytest.raises(errors.VJPError, match=r"a list, not an array at test_custom\.py:\d+"):
        listed(tg.Tensor(1.0, requires_grad=True)).backward()


def test_a_call_that_does_not_fit_is_told_from_numbers_that_do_not():
    @tg.primitive(lambda g, out, x, y, *, k: g * y * k, lambda g, out, x, y, *, k: g * x * k)
    def product(x, y, *, k=1.0):
        return x * y * k

    x = tg.Tensor(3.0, requires_grad=True)
    for arguments, keywords, words in (
        ((x,), {}, "missing 1 required positional argument: 'y'"),
        ((x, 2.0), {"order": 1}, "unexpected keyword argument 'order'"),
        ((x, 2.0, 1.0), {}, "takes 2 positional arguments but 3 were given"),
    ):
        with pytest.raises(errors.OperationError, match=f"{words}\nFix: .* by position"):
            product(*arguments, **keywords)
    with pytest.raises(errors.OperationError, match="'product' got a tensor as y="):
        product(2.0, y=x)
    with pytest.raises(errors.OperationError, match=r"as k=(.|\n)*Fix: .* as t.data"):
        product(2.0, 3.0, k=x)
    assert tg.grad(product)(2.0, 3.0, k=x.data) == 9.0
