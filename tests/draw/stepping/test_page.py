"""The page in a real browser: what it shows at each step, and nothing from outside."""

from __future__ import annotations

import numpy as np
import pytest
from draw.stepping.browser import four, installed, numbers, wait
from selenium.webdriver.common.keys import Keys

import tinygrad_bp as tg
from tinygrad_bp.draw.reading import read


@pytest.fixture
def expression():
    """(ab + c)² + a for a = 2, b = -3, c = 10: a has two paths, and so has what is squared."""
    a, b, c = (
        tg.Tensor(v, requires_grad=True, name=n) for n, v in (("a", 2.0), ("b", -3.0), ("c", 10.0))
    )
    d = a * b + c
    return (a, b, c), d * d * 0.3 + a


@pytest.mark.parametrize("name", ["CI", "TINYGRAD_BP_BROWSER"])
def test_where_tests_must_run_a_missing_browser_fails_them(name, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(name, "1")
    with pytest.raises(pytest.fail.Exception, match="apt-get install chromium"):
        installed()


def test_each_step_shows_the_numbers_of_the_tensors(show, expression):
    leaves, loss = expression
    nodes = {
        key: box.node for key, box in read([loss], each=True).boxes.items() if box.node is not None
    }
    seen = show(loss)
    for key, node in nodes.items():
        seen.one("#next").click()
        state = seen.state()
        assert state["now"] == [key]
        assert numbers(state["shown"][-1]) == four(node.out)
        assert numbers(state["value"]) == four(node.out)
    with tg.record_grads() as tape:
        loss.backward()
    for key, arrived in _cotangents(tape, nodes):
        seen.one("#next").click()
        state = seen.state()
        assert state["now"] == [key]
        assert numbers(state["shown"][0]) == four(arrived)
        assert numbers(state["gradient"]) == four(arrived)
    seen.one("#next").click()
    assert not seen.one("#next").is_enabled()
    assert [numbers(text) for text in seen.state()["shown"]] == [four(x.grad.data) for x in leaves]


def _cotangents(tape, nodes):
    """The gradients of a tape, which come in the order of the pass, by the keys of the boxes."""
    of_nodes = [line.gradient.data for line in tape if line.operation != "leaf"]
    return zip(reversed(nodes), of_nodes, strict=True)


def test_where_paths_meet_the_sum_grows_on_the_box(show, expression):
    _, loss = expression
    seen = show(loss)
    operations = len([b for b in read([loss], each=True).boxes.values() if b.node is not None])
    seen.driver.execute_script(f"go({operations + 1})")
    texts = [seen.one("#box-v1 .gradient").text]
    label = seen.one("#box-v1").get_attribute("aria-label")
    assert label == "a, a, number · float64, value 2, gradient 1 from 1 of 2 paths"
    seen.press(Keys.END)
    texts.append(seen.one("#box-v1 .gradient").text)
    assert texts == ["∂ 1 + …", "∂ −6.2"]  # 1 + 0.3 · 2 · 4 · -3


def test_arrows_show_what_flows_at_a_step(show, expression):
    _, loss = expression
    scene = read([loss], each=True)
    seen = show(loss)

    def flowing(kind):
        script = "return [...document.querySelectorAll(arguments[0])].map((p) => "
        script += "[p.dataset.tail, p.dataset.head])"
        return [tuple(ends) for ends in seen.driver.execute_script(script, f".arrow.{kind}")]

    steps = seen.driver.execute_script("return story.steps.map((s) => [s.phase, s.box])")
    needed = {key for key, b in scene.boxes.items() if b.node or b.role == "input"}
    for k, (phase, box) in enumerate(steps):
        seen.driver.execute_script(f"go({k})")
        taken = [(a.tail, a.head) for a in scene.arrows if a.head == box]
        back = [(tail, head) for tail, head in taken if tail in needed]
        assert flowing("flow") == (taken if phase == "forward" else [])
        assert flowing("flow-back") == (back if phase == "backward" else [])
    assert len(flowing("passed")) == len([a for a in scene.arrows if a.tail in needed])


def test_each_step_is_said(show, expression):
    seen = show(expression[1])
    said = "return document.getElementById('live').textContent"
    seen.press(Keys.ARROW_RIGHT)
    wait(lambda: seen.driver.execute_script(said).startswith("Forward, multiply"))
    assert seen.driver.execute_script(said) == "Forward, multiply: v₁ from a and b. Value −6."
    seen.press(Keys.END, Keys.ARROW_LEFT)
    wait(lambda: seen.driver.execute_script(said).startswith("Backward"))
    assert seen.driver.execute_script(said) == (
        "Backward, multiply: the cotangent of v₁ is 2.4; to a flows −7.2, together −6.2; "
        "to b flows 4.8."
    )
    assert seen.one("#slider").get_attribute("aria-valuetext").startswith("Backward, multiply")


NAMES = [
    "</script><script>window.evil = 1</script>",
    "<img src=x onerror='window.evil = 1'>",
    "\"'><svg/onload=window.evil=1>",
    "&lt;b&gt; ]]> --> %DATA% \\u003c",
    "a\nb\x00c\u2028d",
    "\\href{javascript:window.evil=1}{x}",
]


def test_what_is_not_finite_stands_out_and_stays_in_its_box(show):
    x = tg.Tensor([1.0, 0.0, -1.0], requires_grad=True, name="x")
    with np.errstate(all="ignore"):
        seen = show(np.sum(np.log(x) * np.array([np.inf, 2.0, 1e-8])))
    seen.press(Keys.END)
    assert seen.one("#box-v1 .gradient").text == "∂ 2 not finite"
    assert [e.text for e in seen.all("#panel td")] == ["∞", "∞", "−1 · 10⁻⁸"]
    assert seen.one("#box-n3 .value").text == "= nan"
    assert seen.driver.execute_script(
        """return [...boxes.values()].every(({ g }) => [...g.querySelectorAll("text")].every((t) =>
          t.getBBox().width <= g.querySelector("rect").getBBox().width - 8))"""
    )


def test_any_name_is_shown_as_it_is_and_runs_nothing(show):
    total = tg.Tensor(1.0, requires_grad=True, name="start") * 1.0
    for name in NAMES:
        total = total + tg.Tensor(2.0, requires_grad=True, name=name)
    seen = show(total, title=NAMES[0])
    assert seen.one("h1").text == NAMES[0]
    seen.press(Keys.END, "t")
    shown = "return [...document.querySelectorAll('tr[data-key] th')].map((e) => e.textContent)"
    texts = seen.driver.execute_script(shown)
    assert set(NAMES) - set(texts) == {NAMES[4]}
    assert "a\\nb\\x00c\\u2028d" in texts
    assert seen.driver.execute_script("return window.evil") is None
    assert seen.driver.execute_script("return document.querySelectorAll('script').length") == 2
