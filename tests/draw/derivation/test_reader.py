"""The reader of formulas reads what they say, and the audit notices what is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from draw.derivation.auditing import audit, compute_lines
from draw.derivation.reader import Reader, UnreadableError
from draw.derivation.test_registry import _derivation

import tinygrad_bp as tg
from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.draw.derivation import explain
from tinygrad_bp.nn import functional as F  # noqa: N812
from tinygrad_bp.testing.catalogue import cases

A = np.array([[1.0, 2.0], [3.0, 4.0]])
B = np.array([[0.5, -1.0], [2.0, 0.25]])
VALUES = {"A^{1}": A, "b_{2}": B, "c": 3.0, r"\bar{v}_{1}": B, r"\frac{\partial L}{\partial x}": A}


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (r"A^{1} b_{2}", A @ B),
        (r"A^{1} \odot b_{2}", A * B),
        (r"A^{1\top} b_{2}", A.T @ B),
        (r"(A^{1})^{2} - c \, b_{2}", A**2 - 3 * B),
        (r"-\frac{c}{2} A^{1} + b_{2}^{2} / 4", -1.5 * A + B**2 / 4),
        (r"e^{-b_{2}} \odot \cos b_{2}", np.exp(-B) * np.cos(B)),
        (r"\ln 2 \, \sin \pi b_{2}", np.log(2) * np.sin(np.pi * B)),
        (r"[b_{2} > 0] \odot \max(A^{1}, 2)", (B > 0) * np.maximum(A, 2)),
        (r"\textstyle\sum_{\text{rows}} \bar{v}_{1}", B.sum(axis=0)),
        (r"\textstyle\sum A^{1} \odot \bar{v}_{1}", np.sum(A * B)),
        (r"\sqrt{A^{1}} \odot \left( 1 + |b_{2}| \right)^{2}", np.sqrt(A) * (1 + np.abs(B)) ** 2),
        (r"\frac{\partial L}{\partial x} \odot 2", 2 * A),
        (r"[b_{2} > 0] \; ? \; A^{1} : -c", np.where(B > 0, A, -3.0)),
    ],
)
def test_what_formulas_say(formula, expected):
    assert np.allclose(Reader(VALUES, "backpropagation").read(formula), expected, rtol=1e-14)


@pytest.mark.parametrize("formula", ["A^{1} +", "d", r"A^{1} )", r"\frac{1}{2", r"\strange{c}"])
def test_what_is_no_formula_is_not_read(formula):
    with pytest.raises(UnreadableError):
        Reader(VALUES, "backpropagation").read(formula)


def test_two_arrays_side_by_side_are_a_product_of_matrices_and_nothing_else():
    with pytest.raises(AssertionError, match="side by side in a formula of multiply"):
        Reader(VALUES, "multiply").read(r"A^{1} b_{2}")


@pytest.mark.parametrize(
    "name",
    ["tanh", "sigmoid", "multiply", "divide", "power", "matmul", "linear", "softmax", "logsumexp",
     "mean", "sum", "var", "max", "where", "cross_entropy_labels", "inv", "special.gamma",
     "cumsum"],
)  # fmt: skip
def test_a_formula_that_is_twice_as_large_is_noticed(name, monkeypatch):
    case = next(case for case in cases() if case.primitive == name)
    shapes = next(s for s in case.shapes if all(0 not in shape for shape in s))

    def verdicts():
        return [kind for kind, _, _ in audit(_derivation(case, shapes), name)]

    assert set(verdicts()) == {"ok"}
    formulas = [f.split(r", \;")[0] for f in PRIMITIVES[name].vjp_formulas]
    doubled = [rf"2 \, ({f})" if f else f for f in formulas]
    monkeypatch.setattr(PRIMITIVES[name], "vjp_formulas", tuple(doubled))
    assert "wrong" in verdicts()


def test_a_wrong_slope_of_an_activation_is_noticed_in_the_four_equations(monkeypatch):
    w, v = (tg.Tensor(np.ones(s) / 2, requires_grad=True) for s in ((5, 3), (2, 5)))
    x, y = np.ones((4, 3)), np.zeros((4, 2))
    loss = F.mse_loss(F.linear(F.sigmoid(F.linear(x, w)), v), y)
    compute_lines(explain(loss))
    monkeypatch.setattr(PRIMITIVES["sigmoid"], "vjp_formulas", (r"z \, (1 + z) \, \bar{z}",))
    with pytest.raises(AssertionError):
        compute_lines(explain(loss))
