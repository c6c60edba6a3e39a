from __future__ import annotations

import warnings

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import errors
from tinygrad_bp.core import PRIMITIVES, Primitive
from tinygrad_bp.transforms import (
    IndependentWarning,
    grad,
    hessian,
    hvp,
    jvp,
    vjp,
)

X = np.array([0.3, -1.2, 2.0])


def value(t):
    """The array of what is no tensor, or a constant one."""
    return np.asarray(t)


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda x: 3.0, r"returned 3.0, which is no tensor"),
        (lambda x: float(x) ** 2, r"which is no tensor"),
        (lambda x: x.detach() * 2.0, r"'argument 0' was cut off by detach\(\) at test_refusals.py"),
        (lambda x: np.sign(x) * 2.0, r"cut off by sign"),
        (lambda x: tg.Tensor(3.0), r"does not depend on argument 0; that derivative is zero"),
    ],
)
def test_an_output_that_does_not_depend_on_the_argument_gives_zeros_and_a_warning(f, words):
    with pytest.warns(IndependentWarning, match=words) as caught:
        g = grad(f)(2.0)
    assert value(g) == 0.0
    assert caught[0].filename == __file__


def test_the_warning_names_the_place_and_the_tensor():
    x = {"w": [1.0, 2.0], "b": tg.Tensor(3.0, name="bias")}
    with pytest.warns(IndependentWarning, match=r"depend on argument 0\['w'\]\[1\], bias; "):
        g = grad(lambda p: p["w"][0] ** 2)(x)
    assert [value(t) for t in (*g["w"], g["b"])] == [2.0, 0.0, 0.0]


def test_one_argument_of_two_is_named():
    with pytest.warns(IndependentWarning, match="depend on argument 1; "):
        assert grad(lambda x, y: x**2, (0, 1))(3.0, 4.0) == (6.0, 0.0)


def test_the_warning_comes_once_where_gradients_are_nested():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        grad(grad(lambda x: tg.Tensor(2.0)))(1.0)
        vjp(lambda x: tg.Tensor(2.0), 1.0)[1](1.0)
        _, t = jvp(lambda x: tg.Tensor(2.0), (1.0,), (1.0,))
    assert [w.category for w in caught] == [IndependentWarning] * 3
    assert value(t) == 0.0


@pytest.mark.parametrize(
    ("f", "error", "words"),
    [
        (lambda x: x * np.ones(3), errors.ShapeError, r"returned shape \(3,\).*\n.*jacobian.*\n?"),
        (lambda x: x > 0, errors.DTypeError, "tensor of shape .* and dtype bool"),
        (lambda x: np.argmax(x), errors.DTypeError, "dtype int64.*\n.*no derivative"),
        (lambda x: None, errors.DTypeError, "returned None"),
        (lambda x: 3, errors.DTypeError, "returned 3 "),
        (lambda x: (x, x), errors.DTypeError, "container of a tensor.*\n.*has_aux"),
        (lambda x: np.asarray(x), errors.ConversionError, "'argument 0'"),
    ],
)
def test_outputs_without_a_gradient_are_errors_that_say_what_to_use(f, error, words):
    with pytest.raises(error, match=words):
        grad(f)(2.0)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (3, "argument 0 is 3 .*\n.*use a float, as 2.0"),
        (True, "argument 0 is True"),
        (np.arange(3), r"an array of shape \(3,\) and dtype int64"),
        (tg.Tensor([1, 2]), r"a tensor of shape \(2,\) and dtype int64"),
        (1j, "argument 0 is 1j"),
        ("text", "argument 0 is 'text'"),
        (None, "argument 0 is None"),
        ({"a": 1, "b": "c"}, "nothing in argument 0 is a real number"),
    ],
)
def test_arguments_that_are_no_real_numbers_are_refused(x, words):
    with pytest.raises(errors.DTypeError, match=words):
        grad(lambda x: 1.0)(x)


@pytest.mark.parametrize("argnums", [2, -3, (0, 0), (0, -2), (), "x", 1.5])
def test_argnums_that_name_no_argument_are_refused_before_anything_runs(argnums):
    def never(x, y):
        raise AssertionError

    with pytest.raises(errors.ArgumentError, match="argnums=.* 2 positional arguments"):
        grad(never, argnums)(1.0, 2.0)


def test_a_missing_pair_is_an_error():
    with pytest.raises(errors.ArgumentError, match="pair .value, aux., but '<lambda>' returned"):
        grad(lambda x: x, has_aux=True)(1.0)


def test_cotangents_and_tangents_that_do_not_fit_are_refused():
    _, pullback = vjp(lambda x: {"a": x, "b": np.sum(x)}, X)
    with pytest.raises(errors.ArgumentError, match=r"Missing: the output\['b'\]"):
        pullback({"a": X})
    with pytest.raises(errors.ArgumentError, match=r"Unexpected: the output\['c'\]"):
        pullback({"a": X, "b": 1.0, "c": 1.0})
    with pytest.raises(errors.ShapeError, match=r"has shape \(2,\), .* of shape \(3,\)"):
        pullback({"a": X[:2], "b": 1.0})
    with pytest.raises(errors.DTypeError, match="not real numbers"):
        pullback({"a": X * 1j, "b": 1.0})
    with pytest.raises(errors.ArgumentError, match="has 2 arguments, but as tangents it got 1"):
        jvp(np.multiply, (1.0, 2.0), (1.0,))
    with pytest.raises(errors.ShapeError, match=r"tangent of argument 0\['w'\] has shape \(2,\)"):
        jvp(lambda p: p["w"] * 2, ({"w": X},), ({"w": X[:2]},))


def test_a_rule_that_is_right_only_once_has_a_gradient_and_no_second_one():
    cube = Primitive(
        "test_once_cube",
        lambda x: x**3,
        [lambda g, out, x: g * 3 * np.asarray(x) ** 2],
        formula="x^3",
        vjp_formulas=[""],
        once=True,
    )
    try:
        assert grad(cube)(2.0) == 12.0
        for second in (grad(grad(cube)), hessian(cube), lambda x: hvp(cube, x, 1.0)):
            with pytest.raises(errors.VJPError, match="'test_once_cube' are right only once"):
                second(2.0)
    finally:
        PRIMITIVES.pop("test_once_cube")


def test_without_a_positional_argument_there_is_nothing_to_differentiate_by():
    with pytest.raises(errors.ArgumentError, match=r"no positional argument(.|\n)*as in vjp\(f, x"):
        tg.vjp(np.sin)
    with pytest.raises(errors.ArgumentError, match="keyword arguments are not differentiated"):
        tg.grad(lambda x: x * x)(x=1.0)
