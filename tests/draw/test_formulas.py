"""Formulas with the names of a graph. That they are right is for the derivation's tests to say."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from latex2mathml.converter import convert

import tinygrad_bp as tg
from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.draw.formulas import (
    Symbol,
    forward_formula,
    letters,
    parameters,
    rewrite,
    vjp_formula,
)
from tinygrad_bp.draw.scene import nodes_behind
from tinygrad_bp.testing.catalogue import families

V, BAR, W = Symbol("v", "1"), Symbol(r"\bar{v}", "1"), Symbol("W", above="2")
SIX, MINUS, SMALL = Symbol("6"), Symbol("-2"), Symbol("10^{-8}")


@pytest.mark.parametrize(
    ("formula", "names", "expected"),
    [
        ("x + y", {"x": V, "y": W}, "v_{1} + W^{2}"),
        ("e^x - 1", {"x": V}, "e^{v_{1}} - 1"),  # e^v_{1} would be e with v above and 1 below
        ("x^2", {"x": V}, "v_{1}^{2}"),
        ("x^2", {"x": W}, "(W^{2})^{2}"),
        ("x^2", {"x": MINUS}, "(-2)^{2}"),
        ("x^2", {"x": SMALL}, "(10^{-8})^{2}"),
        (r"X W^\top", {"X": V, "W": W}, r"v_{1} W^{2\top}"),
        ("x_i", {"x": V}, "v_{1,i}"),
        ("x_{i, j}^2", {"x": W}, "(W_{i, j}^{2})^{2}"),
        (r"\bar{z} \, y \, x^{y-1}", {"x": V, "y": SIX, r"\bar{z}": BAR}, None),
        ("x - y", {"x": V, "y": MINUS}, "v_{1} - (-2)"),
        (r"2 x \, y", {"x": V, "y": SIX}, r"2 v_{1} \,  \cdot 6"),
        (r"\bar{z} \ln x", {"x": SIX, r"\bar{z}": BAR}, r"\bar{v}_{1} \ln 6"),
        (r"\operatorname{sign} x", {"x": SIX}, r"\operatorname{sign} 6"),
        (r"\lfloor x / y \rfloor", {"x": SIX, "y": V}, r"\lfloor 6 / v_{1} \rfloor"),
        (r"\frac{x}{y}", {"x": SIX, "y": V}, r"\frac{6}{v_{1}}"),
        (r"\text{max of x}", {"x": V}, r"\text{max of x}"),
        (r"\exp x", {"x": V, "e": W}, r"\exp v_{1}"),
        (r"\bar{x}", {"x": V}, r"\bar{v_{1}}"),  # the conjugate, and not the cotangent
        (r"\sum_{x} x", {"x": V}, r"\sum_{v_{1}} v_{1}"),
    ],
)
def test_symbols_take_the_place_of_letters(formula, names, expected):
    text = rewrite(formula, names)
    if expected is None:
        expected = r"\bar{v}_{1} \,  \cdot 6 \, v_{1}^{6-1}"
    assert text == expected
    convert(text)


def test_a_brace_that_is_not_closed_is_an_error():
    with pytest.raises(ValueError, match="not closed"):
        rewrite(r"x_{i", {"x": V})


def _symbols(node):
    """Names that no letter of a formula is mistaken for: h and q, not used by any of them."""
    return [Symbol("h", str(i)) for i in range(len(node.sources))]


def _draw(case, shapes, rng):
    domains = (*case.domains, *[(-2, 2)] * len(shapes))
    return [
        tg.Tensor(rng.uniform(*domain, size=shape), requires_grad=True)
        for shape, domain in zip(shapes, domains, strict=False)
    ]


@pytest.mark.parametrize("family", families())
def test_every_primitive_has_formulas_in_the_names_of_the_graph(family):
    rng = np.random.default_rng(0)
    for case in families()[family]:
        shapes = next((s for s in case.shapes if all(map(all, s))), case.shapes[0])
        out = case.call(*_draw(case, shapes, rng))
        for node in nodes_behind([out]):
            inputs = _symbols(node)
            texts = [forward_formula(node, inputs, Symbol("q"))]
            for i in range(len(inputs)):
                texts.append(vjp_formula(node, i, inputs, Symbol("q"), Symbol(r"\bar{q}")))
            for text in filter(None, texts):
                tree = ET.fromstring(convert(text))
                names = {e.text for e in tree.iter("{http://www.w3.org/1998/Math/MathML}mi")}
                left = names & set("xyz" if family.startswith("special") else "xyzXYZW")
                assert not left, (case, text)  # Y_0 is a function, of those in special
            assert "=" in texts[0], (case, texts[0])
            assert re.search(r"q|Q R|\bV\b|U", texts[0]), (case, texts[0])


def _of(*inputs, call):
    node = call(*[tg.Tensor(x, requires_grad=True) for x in inputs]).node
    names = [Symbol(c) for c in "abc"][: len(node.sources)]
    forward = forward_formula(node, names, V)
    return [forward, *(vjp_formula(node, i, names, V, BAR) for i in range(len(names)))]


ONES = np.ones((2, 2))


@pytest.mark.parametrize(
    ("call", "count", "expected"),
    [
        (np.divide, 2, [r"v_{1} = \frac{a}{b}", r"\frac{\bar{v}_{1}}{b}", None]),
        (np.matmul, 2, [r"v_{1} = a \, b", r"\bar{v}_{1} \, b^{\top}", None]),
        (tg.nn.functional.linear, 2, [r"v_{1} = a \, b^{\top}", r"\bar{v}_{1} \, b", None]),
        (
            lambda x, y: np.einsum("ij,jk->ik", x, y),
            2,
            [
                r"v_{1,ik} = \textstyle\sum_{j} a_{ij} \, b_{jk}",
                r"\textstyle\sum_{k} \bar{v}_{1,ik} \, b_{jk}",
                r"\textstyle\sum_{i} \bar{v}_{1,ik} \, a_{ij}",
            ],
        ),
        (
            lambda x, y: np.concatenate([x, y]),
            2,
            ["v_{1} = (a, b)", r"\bar{v}_{1,[a]}", r"\bar{v}_{1,[b]}"],
        ),
        (lambda x, y: np.stack([x, y]), 2, ["v_{1} = (a, b)", None, r"\bar{v}_{1,2}"]),
        (
            lambda x, y: np.choose([[0, 1], [1, 0]], [x, y]),
            2,
            ["v_{1} = (b, c)_{a}", "", r"[a = 0] \, \bar{v}_{1}", None],
        ),
        (np.linalg.cholesky, 1, [r"v_{1} v_{1}^{\top} = a", None]),
        (np.sort, 1, [r"v_{1} = a_{\sigma}, \; v_{1,1} \le \dots \le v_{1,n}", None]),
        (
            lambda x, y: np.max(x, axis=0, initial=y[0, 0]),
            2,
            [
                r"v_{1} = \max(b, \max_i a_{i})",
                None,
                r"\bar{v}_{1} \, \frac{[b = v_{1}]}{\sum_i [a_{i} = v_{1}] + [b = v_{1}]}",
            ],
        ),
    ],
)
def test_formulas_of_operations(call, count, expected):
    arrays = [ONES, ONES * 2][:count]
    if call is np.linalg.cholesky:
        arrays = [np.eye(2)]
    found = _of(*arrays, call=call)
    for text, wanted in zip(found, expected, strict=True):
        assert wanted is None or text == wanted


def _own(name, formula, vjp_formulas):
    """Formulas of an operation of the user's own, forward and for its two inputs."""
    rules = [lambda g, out, x, y: g * y, None]
    own = tg.Primitive(name, lambda x, y: x * y, rules, formula=formula, vjp_formulas=vjp_formulas)
    try:
        return _of(2.0, 3.0, call=own)
    finally:
        del PRIMITIVES[name]


def test_an_operation_without_formulas_is_called_by_its_name():
    assert _own("times_it", "", []) == [
        r"v_{1} = \operatorname{times\_it}(a, b)",
        r"J_{a}^\top \, \bar{v}_{1}",
        "",
    ]
    assert _own("<b>", "{x", ["x}", "}"]) == _own("b", "", [])
    assert _own("!?", "", [])[0] == r"v_{1} = \operatorname{f}(a, b)"


PIECES = ["x", "y", "z", r"\bar{z}", "(", ")", "{", "}", "[", r"\frac", r"\left("]
PIECES += ["_", "^", "=", ",", r"\text", "\\", "2"]


@given(st.lists(st.sampled_from(PIECES)))
def test_no_formula_of_a_users_own_stops_a_picture(pieces):
    text = "".join(pieces)
    assert _own("own", text, [text, text])[0]


def test_letters_stand_for_the_inputs_in_their_order():
    x = tg.Tensor(ONES, requires_grad=True)
    assert letters(tg.nn.functional.linear(x, x, x[0]).node) == ("X", "W", "b")
    assert letters(np.concatenate([x, x, x]).node) == ("x_1", "x_2", "x_3")


def test_parameters_are_the_values_of_the_other_letters():
    x = tg.Tensor(np.ones((4, 3)), requires_grad=True)
    functional = tg.nn.functional
    assert parameters(functional.cross_entropy(x, np.zeros(4, int)).node) == {"s": 0.25}
    assert parameters(functional.leaky_relu(x, 0.2).node) == {r"\alpha": 0.2}
    assert parameters(np.mean(x, axis=0).node) == {"n": 4}
    assert parameters(np.mean(x, where=np.eye(4, 3) > 0).node) == {}  # n may depend on the mask
    assert parameters((x * 2.0).node) == {}
