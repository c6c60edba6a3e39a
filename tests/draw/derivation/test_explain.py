from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from draw.derivation.auditing import agree, audit, compute
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import tinygrad_bp as tg
from tinygrad_bp import errors
from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.draw.derivation import explain
from tinygrad_bp.draw.scene import nodes_behind
from tinygrad_bp.testing.programs import programs
from tinygrad_bp.train.commands import app


def _expression():
    x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    w = tg.Tensor(0.5, requires_grad=True, name="w")
    return np.sum(np.sin(x) * w + x**2)


def test_an_expression_as_text():
    assert str(explain(_expression())).splitlines() == [
        "The chain rule through 5 operations",
        "===================================",
        "",
        "Names",
        "-----",
        "  x  2  input",
        "  w     input",
        "",
        "Forward",
        "-------",
        "Each operation in the order in which it ran.",
        "",
        "  v₁ = sin x    2",
        "  v₂ = v₁ w     2",
        "  v₃ = x²       2",
        "  v₄ = v₂ + v₃  2",
        "  L = Σᵢ v₄,ᵢ",
        "",
        "Backward",
        "--------",
        "From the loss back: v̄ is the derivative of L with respect to v. Each operation",
        "sends to its inputs what arrives at its output, times its derivative; where",
        "several use a value, what they send is added. ⊙ multiplies element by element.",
        "",
        "  L̄ = 1",
        "  v̄₄ = L̄     2",
        "  v̄₃ = v̄₄    2",
        "  v̄₂ = v̄₄    2",
        "  v̄₁ = v̄₂ w  2",
        "",
        "Gradients",
        "---------",
        "What was wanted:",
        "",
        "  ∂L/∂x = x̄ = 2 v̄₃ ⊙ x + v̄₁ ⊙ cos x  2  2 paths meet",
        "  ∂L/∂w = w̄ = Σ v̄₂ ⊙ v₁",
    ]


def test_cotangents_may_be_written_as_derivatives():
    derivation = explain(_expression(), notation="derivatives")
    (x, w), slope = derivation.inputs, r"\frac{\partial \mathcal{L}}{\partial %s}"
    v1, v3 = slope % "v_{1}", slope % "v_{3}"
    assert x.cotangent == rf"{slope % 'x'} = 2 {v3} \odot x + {v1} \odot \cos x"
    assert w.bar == slope % "w"
    assert slope % "x" + " = " + slope % "x" not in derivation.markdown()


def test_numbers_stand_beside_the_symbols():
    loss = _expression()
    assert "[1, 4]" not in str(explain(loss))
    text = str(explain(loss, numbers=True))
    assert "Given\n-----\n  x  2\n      = [1, 2]\n  w\n      = 0.5\n" in text
    assert "  v₃ = x²       2\n      = [1, 4]\n" in text
    assert r"\begin{pmatrix} 1 & 4 \end{pmatrix}" in explain(loss, numbers=True).markdown()
    large = tg.Tensor(np.full(400, 2.0), requires_grad=True)
    text = str(explain(np.sum(large * large), numbers=True))
    assert "norm 80" in text


def test_the_user_s_gradients_and_graph_are_left_as_they_were():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    loss = np.sum(x * x)
    explain(loss, numbers=True)
    assert x.grad is None
    loss.backward()
    assert x.grad.data.tolist() == [2.0, 4.0]


def test_it_is_found_where_it_is_looked_for_and_numpy_alone_is_imported_before():
    assert tg.explain is tg.draw.explain is explain
    program = (
        "import sys, tinygrad_bp as tg; x = tg.Tensor(1.0, requires_grad=True);"
        "assert 'tinygrad_bp.draw' not in sys.modules; str(tg.explain(x * x));"
        "print(*(m for m in ('graphviz', 'latex2mathml', 'matplotlib') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_errors_name_the_way_out():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(errors.ShapeError, match=r"Fix: reduce it first"):
        explain(x * x)
    with pytest.raises(errors.GraphError, match="there is no graph"):
        explain(tg.Tensor(1.0))
    with pytest.raises(errors.ArgumentError, match=r"did you mean 'bars'\?"):
        explain(np.sum(x), notation="bar")
    loss = np.sum(x * x)
    loss.backward()
    with pytest.raises(errors.GraphError, match="retain_graph=True"):
        explain(loss)


def test_a_file_gets_the_format_of_its_name(tmp_path):
    derivation = explain(_expression())
    for ending, text in (
        (".md", derivation.markdown()),
        (".tex", derivation.latex()),
        (".html", derivation.html()),
        (".txt", str(derivation)),
    ):
        assert derivation.save(tmp_path / f"a{ending}").read_text(encoding="utf-8") == text
    with pytest.raises(errors.ArgumentError, match=r"did you mean '.md'"):
        derivation.save(tmp_path / "a.mdd")
    assert len(list(tmp_path.iterdir())) == 4


def test_the_same_graph_gives_the_same_text():
    texts = {explain(_expression(), numbers=True).html() for _ in range(3)}
    assert len(texts) == 1


@given(name=st.text(min_size=1, max_size=12))
@settings(max_examples=60)
def test_any_name_is_shown_and_none_breaks_out(name):
    x = tg.Tensor(2.0, requires_grad=True, name=name)
    derivation = explain(x * x)
    page = derivation.html()
    body = ET.fromstring(page[page.index("<body>") :].removesuffix("</html>\n"))
    printed = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    (symbol,) = [q.symbol for q in derivation.inputs]
    codes = [e.text for e in body.iter("code")]
    assert codes == [printed] or (not codes and symbol not in ("x", "x_{1}")) or name == "x"
    assert len(list(body.iter("h1"))) == 1
    assert not list(body.iter("script"))
    if codes:
        row = f"| ${symbol}$ |  | input "
        (line,) = [x for x in derivation.markdown().splitlines() if x.startswith(row)]
        assert printed.replace("|", r"\|") in line
        assert printed in str(derivation)


@pytest.mark.parametrize("name", ["a`b", "a|b", "$x$", "a_b_", "</code>", "\\", "x\ny", "e", "v1"])
def test_names_that_mean_something(name):
    x = tg.Tensor(2.0, requires_grad=True, name=name)
    y = tg.Tensor(3.0, requires_grad=True, name="v")
    derivation = explain(np.exp(x) * y)
    for text in (derivation.markdown(), derivation.latex(), derivation.html(), str(derivation)):
        assert "\ny" not in text.replace("\n\n", "")
    symbols = [q.symbol for q in derivation.quantities]
    assert len(set(symbols)) == len(symbols)
    values, _ = compute(derivation)
    for q in derivation.inputs:
        assert agree(values[q.bar], q.gradient)


@pytest.fixture
def an_operation_with():
    names = []

    def make(formula):
        names.append(f"of_the_user_{len(names)}")
        rules = [lambda g, out, x: 2 * g * x]
        return tg.Primitive(names[-1], np.square, rules, formula=formula, vjp_formulas=[formula])

    yield make
    for name in names:
        del PRIMITIVES[name]


@pytest.mark.parametrize(
    "formula",
    ["", r"\frac{x", "}{", r"\text{<script>alert(1)</script>}", "$x$", "<b>", "x_", "^", "\n", "(",
     r"\text{<img src='x' onerror='alert(1)'/>}", r"\undefined x", "\\", r"\left( x", "|x", "[",
     r"\sum", "--", r"\,", r"\frac", r"\bar", "\x00"],
)  # fmt: skip
def test_whatever_a_user_calls_a_formula_there_is_a_derivation(formula, an_operation_with):
    x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    derivation = explain(np.sum(an_operation_with(formula)(x) * x), numbers=True)
    assert str(derivation)
    assert derivation.latex()
    for line in derivation.markdown().splitlines():
        assert "<" not in line
        assert not line.startswith("$$") or line.replace(r"\$", "").count("$") == 4
    page = derivation.html()
    body = ET.fromstring(page[page.index("<body>") :].removesuffix("</html>\n"))
    assert not [*body.iter("script"), *body.iter("b"), *body.iter("img")]


def test_the_latex_document_closes_what_it_opens():
    text = explain(_expression(), numbers=True).latex()
    assert text.count(r"\[") == text.count(r"\]") == 14
    assert text.count("{") == text.count("}")
    assert text.startswith(r"\documentclass{article}")
    assert text.endswith("\\end{document}\n")


def test_the_page_has_a_formula_in_each_line():
    derivation = explain(_expression())
    page = derivation.html()
    body = ET.fromstring(page[page.index("<body>") :].removesuffix("</html>\n"))
    lines = [row for table in body.iter("table") for row in table if table.get("class") == "lines"]
    assert len(lines) == sum(len(section.lines) for section in derivation.sections)
    assert all(list(row.iter("math")) for row in lines)
    assert "http" not in page.replace("http://www.w3.org", "")


# Without those whose formulas leave something out: see ELSEWHERE of the registry's test.
TELLING = sorted(PRIMITIVES.keys() - {"copysign", "set", "pinv"})


@given(program=programs(max_operations=8, names=TELLING))
@settings(max_examples=60)
def test_random_programs_are_derived_with_every_node_once(program):
    leaves = [tg.Tensor(x, requires_grad=True, name=n) for n, x in zip(
        program.names, program.inputs, strict=True)]  # fmt: skip
    loss = program.run(*leaves)
    nodes = nodes_behind([loss])
    derivation = explain(loss)
    assert [step.operation for step in derivation.steps] == [n.primitive.name for n in nodes]
    symbols = [q.symbol for q in derivation.quantities]
    assert len(set(symbols)) == len(symbols)
    forward = next(s for s in derivation.sections if s.title == "Forward")
    if derivation.title.startswith("The chain rule"):  # of a perceptron, several make one line
        assert len(forward.lines) == len(nodes)
    begun = [line.latex.partition(" = ")[0] for line in derivation.sections[-1].lines]
    for q in derivation.inputs:
        whole = rf"\frac{{\partial \mathcal{{L}}}}{{\partial {q.symbol}}}"
        assert begun.count(whole) == (1 if q.bar else 0)
    for text in (str(derivation), derivation.markdown(), derivation.latex(), derivation.html()):
        assert text
    loss.backward()
    for leaf in leaves:
        found = [q for q in derivation.inputs if q.value is leaf.data]
        if leaf.grad is not None:
            assert np.allclose(found[0].gradient, leaf.grad.data, rtol=1e-9, equal_nan=True)
    with np.errstate(all="ignore"):
        wrong = [facts for kind, _, facts in audit(derivation) if kind == "wrong"]
    assert not wrong


def test_an_array_that_is_joined_with_itself_gets_two_different_parts():
    x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    derivation = explain(np.sum(np.concatenate([x, x]) * np.arange(4.0)))
    (q, _) = derivation.inputs
    assert q.cotangent == r"\bar{x} = \bar{v}_{1,[1]} + \bar{v}_{1,[2]}"
    values, given = compute(derivation)
    assert not given
    assert agree(values[q.bar], [2.0, 4.0])


def test_a_thousand_operations_take_no_recursion():
    y = tg.Tensor(1.0, requires_grad=True)
    for _ in range(2_000):
        y = y * 0.999
    derivation = explain(y)
    assert len(derivation.steps) == 2_000
    assert "v_{1999}" in derivation.markdown()


def test_the_letters_of_two_decompositions_are_told_apart():
    x = tg.Tensor([[3.0, 0.5], [0.5, 1.0]], requires_grad=True, name="w")
    first, second = np.linalg.eigvalsh(x), np.linalg.eigvalsh(x @ x)
    derivation = explain(np.sum(first * second))
    assert {"wrong", "un"}.isdisjoint(kind for kind, _, _ in audit(derivation))
    forward = [step.forward for step in derivation.steps if step.operation == "eigvalsh"]
    assert [text[:5] for text in forward] == ["V_{1}", "V_{2}"]
    assert derivation.inputs[0].symbol == r"\text{w}"  # which would be an eigenvalue


def test_a_diagonal_of_the_transpose_says_so():
    x = tg.Tensor(np.arange(9.0).reshape(3, 3), requires_grad=True, name="x")
    lower = explain(np.sum(np.diagonal(x, 1, 1, 0)))
    assert lower.steps[0].forward == "v_{1} = x_{i + 1, i}"
    trace = explain(np.trace(x, 1, 1, 0))
    assert trace.inputs[0].cotangent.endswith("[i = j + 1]")
    for derivation in (lower, trace):
        assert "wrong" not in {kind for kind, _, _ in audit(derivation)}


def test_a_second_derivative_is_a_graph_as_well():
    x = tg.Tensor(2.0, requires_grad=True, name="x")
    (x**3).backward(create_graph=True)
    values, given = compute(derivation := explain(x.grad))
    assert not given
    (q,) = [q for q in derivation.inputs if q.symbol == "x"]
    assert agree(values[q.bar], 12.0)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(app, ["explain", *arguments])


def test_the_command_prints_and_writes(run, tmp_path):
    assert "BP2" in run("digits").output
    assert r"\tag{BP4}" in run("ex4-tnc", "--format", "markdown", "--numbers").output
    done = run("digits", "-o", "deep/step.html", "--notation", "derivatives")
    assert done.output == "deep/step.html is written.\n"
    assert (tmp_path / "deep" / "step.html").read_text().startswith("<!doctype html>")
    done = run("digits", "-o", "step.pdf")
    assert done.exit_code == 1
    assert "Fix: a name that ends in .md, .tex, .html, .txt" in done.output
    assert not (tmp_path / "step.pdf").exists()


def test_what_the_letters_of_windows_stand_for_is_said():
    x = tg.Tensor(np.ones((1, 1, 6, 6)), requires_grad=True)
    y = tg.nn.functional.conv2d(x, np.ones((1, 1, 3, 3)), stride=(1, 2), padding=1)
    text = str(explain(tg.nn.functional.max_pool2d(y, 2).sum()))
    assert "d = 1, q = 1, s = (1, 2)" in text
    assert "d = 1, kernel = (2, 2), q = 0, s = 2" in text
