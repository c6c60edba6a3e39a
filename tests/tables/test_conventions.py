"""Every convention is what the rules do, and every kink of a primitive is among the conventions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import special

import tinygrad_bp as tg
from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.nn import functional
from tinygrad_bp.tables.conventions import Convention, conventions, table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conventions.md"

tg.ops.special.load()
WITH_POINT = [c for c in conventions() if c.at]


def names_in_graph(out) -> set[str]:
    names, todo = set(), [out]
    while todo:
        node = todo.pop().node
        if node is not None:
            names.add(node.primitive.name)
            todo += [x for x in node.inputs if isinstance(x, tg.Tensor)]
    return names


@pytest.mark.parametrize("convention", WITH_POINT, ids=lambda c: f"{c.operation} at {c.at}")
def test_the_gradient_at_the_point_is_what_the_convention_says(convention):
    leaves = [tg.Tensor(v, requires_grad=True, dtype=float) for v in convention.at]
    names = {"np": np, "F": functional, "sp": special, **dict(zip("xy", leaves, strict=False))}
    out = eval(convention.operation, names)
    assert convention.primitive in names_in_graph(out)
    with np.errstate(divide="ignore"):  # where the gradient is infinite
        out.sum().backward()
    for leaf, expected in zip(leaves, convention.derivative, strict=True):
        found = np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.data
        np.testing.assert_array_equal(found, expected)


def test_every_kink_of_a_primitive_is_among_the_conventions():
    """Asked of a fresh interpreter, since other tests register primitives of their own."""
    program = (
        "import scipy.special, tinygrad_bp as tg;"
        "tg.core.registry.load_late(); told = {c.primitive for c in tg.conventions()};"
        "print({n for n, p in tg.core.PRIMITIVES.items() if p.kinks} - told)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout.strip() == "set()", run.stdout + run.stderr


def test_the_kinks_of_a_new_primitive_join_the_list():
    name = "conventions test"
    PRIMITIVES.pop(name, None)
    tg.Primitive(name, np.abs, [None], formula="", vjp_formulas=[""], kinks="a kink at 0")
    try:
        assert Convention(name, name, (), (), "a kink at 0") in conventions()
    finally:
        del PRIMITIVES[name]


def test_every_convention_has_a_reason_and_a_primitive():
    for convention in conventions():
        assert convention.why
        assert convention.primitive in PRIMITIVES
        assert len(convention.at) == len(convention.derivative)


def test_what_is_said_of_ties_and_zeros_in_words_agrees_with_the_numbers():
    """A rule that takes half, or nothing, says so in its kinks."""
    words = {0.0: ("0",), 0.5: ("half", "evenly"), np.inf: ("infinite",), -np.inf: ("infinite",)}
    for c in WITH_POINT:
        kinks, slope = PRIMITIVES[c.primitive].kinks, c.derivative[0]
        if kinks and slope in words and c.primitive != "norm":
            assert any(word in kinks for word in words[slope]), f"{c.operation}: {kinks!r}"


def test_the_page_shows_every_convention():
    page = PAGE.read_text()
    for line in table().splitlines():
        assert line in page, f"{line}\nFix: python -m tinygrad_bp.tables docs"
