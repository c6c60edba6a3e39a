"""The page in a real browser: steps, folding, hovering, keys, samples, and nothing from outside."""

from __future__ import annotations

import os
import re
import shutil
import time

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

import tinygrad_bp as tg
from tinygrad_bp import nn
from tinygrad_bp.draw import page
from tinygrad_bp.draw.reading import read

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # which is small in containers
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
]
RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻−", "0123456789--")


def installed() -> tuple[str, str]:
    """The programs; without them the tests are skipped on a developer's machine, and fail in CI."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        if os.environ.get("CI") or os.environ.get("TINYGRAD_BP_BROWSER") == "1":
            pytest.fail("no Chromium: apt-get install chromium chromium-driver")
        pytest.skip("there is no Chromium with its driver on this machine")
    return browser, driver


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    """One browser for all tests of this file."""
    browser, driver = installed()
    options = Options()
    options.binary_location = browser
    profile = tmp_path_factory.mktemp("profile")
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    found = webdriver.Chrome(options=options, service=Service(driver))
    yield found
    found.quit()


@pytest.fixture
def show(chromium, tmp_path):
    """Opens the page of a loss. In the end there was no error, and no request but for the file."""

    def open_page(loss, **options):
        path = page(loss, tmp_path / "backprop.html", **options)
        chromium.get("about:blank")
        chromium.get_log("performance")
        chromium.get(path.as_uri())
        return Page(chromium)

    yield open_page
    assert chromium.get_log("browser") == []
    asked = [
        re.findall(r'"url":"([^"]*)"', line["message"])
        for line in chromium.get_log("performance")
        if '"Network.requestWillBeSent"' in line["message"]
    ]
    outside = [url for urls in asked for url in urls if not url.startswith(("file:", "data:"))]
    assert asked
    assert outside == []


class Page:
    """What a person sees and does."""

    def __init__(self, driver):
        self.driver = driver

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def press(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    def step(self):
        return int(re.match(r"step (\d+)", self.one("#at").text)[1])

    def seen(self, selector):
        """Those that are displayed, asked for at once: one by one takes long."""
        script = "return [...document.querySelectorAll(arguments[0])].filter((e) => "
        return self.driver.execute_script(script + "e.getClientRects().length)", selector)

    def state(self):
        """The box of the step, its lines, and the arrays of the panel."""
        return self.driver.execute_script(
            """const now = [...document.querySelectorAll(".box.now")];
            const line = (name) => now[0] && now[0].querySelector(name).textContent;
            const shown = [...document.querySelectorAll("#panel .shown")];
            return {now: now.map((g) => g.dataset.key), shown: shown.map((e) => e.innerText),
                    value: line(".value"), gradient: line(".gradient")}"""
        )


def numbers(text):
    """The numbers in a text, as the page writes them."""
    text = re.sub(r" · 10([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)", lambda m: f"e{m[1].translate(RAISED)}", text)
    return [float(x) for x in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", text.translate(RAISED))]


def four(values):
    """What the page shows of numbers: four digits."""
    return [float(f"{v:.4g}") for v in np.asarray(values, np.float64).ravel()]


@pytest.fixture
def expression():
    """(ab + c)² + a for a = 2, b = -3, c = 10: a has two paths, and so has what is squared."""
    a, b, c = (
        tg.Tensor(v, requires_grad=True, name=n) for n, v in (("a", 2.0), ("b", -3.0), ("c", 10.0))
    )
    d = a * b + c
    return (a, b, c), d * d * 0.3 + a


@pytest.fixture
def perceptron():
    model = nn.Sequential(nn.Linear(3, 4, generator=0), nn.Tanh(), nn.Linear(4, 2, generator=1))
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    return model, nn.functional.cross_entropy(model(x), np.array([0, 1, 1, 0, 1]))


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


def test_keys_alone_suffice(show, perceptron):
    seen = show(perceptron[1])
    seen.press(Keys.TAB)
    assert seen.driver.switch_to.active_element.text == "Skip to the steps"
    seen.press(Keys.ENTER)
    assert seen.driver.switch_to.active_element == seen.one("#slider")
    seen.press(Keys.ARROW_RIGHT)  # the slider's own
    assert seen.step() == 1
    seen.press(Keys.TAB, Keys.ARROW_RIGHT)
    assert seen.step() == 2
    seen.press(Keys.END)
    assert seen.step() == len(seen.driver.execute_script("return story.steps")) - 1
    seen.press(Keys.HOME, Keys.ARROW_RIGHT)
    assert seen.step() == 1
    reached = [seen.driver.switch_to.active_element.get_attribute("id")]
    for _ in range(60):  # all that can be reached, and where the focus is can be seen
        seen.press(Keys.TAB)
        active = seen.driver.switch_to.active_element
        if active.tag_name == "body":
            break
        reached.append(active.get_attribute("id"))
        style = "const s = getComputedStyle(document.activeElement.matches('svg g') ? "
        style += "document.activeElement.querySelector('rect') : document.activeElement); "
        width = seen.driver.execute_script(style + "return [s.outlineWidth, s.strokeWidth]")
        assert "3px" in width or "4px" in width, reached[-1]
    wanted = {e.get_attribute("id") for e in seen.seen("svg .box, svg .frame")}
    assert wanted <= set(reached)
    seen.driver.execute_script("document.getElementById('frame-c2').focus()")
    seen.press(Keys.ENTER)
    assert seen.one("#frame-c2").get_attribute("aria-expanded") == "false"
    seen.press(Keys.SPACE)
    assert seen.one("#frame-c2").get_attribute("aria-expanded") == "true"
    seen.press("t")
    assert seen.one("#tables").is_displayed()


def test_each_step_is_said(show, expression):
    seen = show(expression[1])
    said = "return document.getElementById('live').textContent"
    seen.press(Keys.ARROW_RIGHT)
    _wait(lambda: seen.driver.execute_script(said).startswith("Forward, multiply"))
    assert seen.driver.execute_script(said) == "Forward, multiply: v₁ from a and b. Value −6."
    seen.press(Keys.END, Keys.ARROW_LEFT)
    _wait(lambda: seen.driver.execute_script(said).startswith("Backward"))
    assert seen.driver.execute_script(said) == (
        "Backward, multiply: the cotangent of v₁ is 2.4; to a flows −7.2, together −6.2; "
        "to b flows 4.8."
    )
    assert seen.one("#slider").get_attribute("aria-valuetext").startswith("Backward, multiply")


def _wait(condition):
    for _ in range(60):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen within three seconds")


def test_hovering_shows_the_numbers(show, perceptron):
    model, loss = perceptron
    seen = show(loss)
    weight = dict(model.named_parameters())["0.weight"]
    key = next(k for k, b in read([loss], each=True).boxes.items() if b.tensor is weight)
    seen.press(Keys.END)
    ActionChains(seen.driver).move_to_element(seen.one(f"#box-{key}")).perform()
    value, gradient = seen.all("#tip .shown")
    loss.backward()
    assert numbers(value.text) == four(weight.data)
    assert numbers(gradient.text) == four(weight.grad.data)
    ActionChains(seen.driver).move_to_element(seen.one("h1")).perform()
    assert not seen.one("#tip").is_displayed()


def test_a_click_on_a_box_leads_to_its_step(show, perceptron):
    seen = show(perceptron[1])
    ActionChains(seen.driver).move_to_element(seen.one("#box-n2")).click().perform()
    assert seen.step() == 2
    seen.press(Keys.END)
    ActionChains(seen.driver).move_to_element(seen.one("#box-n4")).click().perform()
    assert seen.one("#panel h2").text == "Backward 1 of 4: cross_entropy_labels"


def test_a_click_folds_a_module_and_another_unfolds_it(show, perceptron):
    seen = show(perceptron[1])
    paths = "return [...document.querySelectorAll('.arrow')].map((p) => p.getAttribute('d'))"
    before, height = (
        seen.driver.execute_script(paths),
        seen.driver.execute_script("return stage.now"),
    )
    boxes = len(seen.seen("svg .box"))
    title = seen.one("#title-c2")
    ActionChains(seen.driver).move_to_element(title).click().perform()
    assert len(seen.seen("svg .box")) == boxes - 3
    assert "1 operation · 2 parameters" in seen.one("#frame-c2").text
    assert seen.driver.execute_script("return stage.now") < height
    assert seen.one("#arrow-1").is_displayed() is False  # from the weight, within
    ends = seen.driver.execute_script(
        """const p = document.getElementById("arrow-0"), r = frames.get("c2").shut;
        const q = p.getPointAtLength(p.getTotalLength());
        return [q.x - r.x, r.x + r.w - q.x, q.y - r.y, r.y + r.h - q.y]"""
    )
    assert min(ends) == pytest.approx(0, abs=0.2)  # the tip is on the border of what is folded
    seen.press("1", Keys.ARROW_RIGHT)
    assert "now" in seen.one("#frame-c2").get_attribute("class").split()
    ActionChains(seen.driver).move_to_element(seen.one("#title-c2")).click().perform()
    assert len(seen.seen("svg .box")) == boxes
    assert seen.driver.execute_script(paths) == before
    seen.press("f")
    assert len(seen.seen("svg .frame")) == 1
    assert len(seen.seen("svg .box")) == 3  # the samples, their labels and the loss
    seen.press("f")
    assert len(seen.seen("svg .box")) == boxes


def test_folded_modules_never_change_the_order_from_top_to_bottom(show, perceptron):
    seen = show(perceptron[1])
    tops = """fold([arguments[0]], true);
    const b = [...boxes.values()].filter((b) => !hiddenIn(b.frame)), map = squeezed().map;
    const result = b.every((p) => b.every((q) => p.y >= q.y || map(p.y) < map(q.y)));
    fold([arguments[0]], false);
    return result"""
    keys = seen.driver.execute_script("return [...frames.keys()]")
    assert all(seen.driver.execute_script(tops, key) for key in keys)


def test_a_sample_can_be_chosen(show, perceptron):
    _, loss = perceptron
    seen = show(loss)
    outputs = {
        k: b.node.out for k, b in read([loss], each=True).boxes.items() if b.node is not None
    }
    Select(seen.one("#sample")).select_by_visible_text("3")
    seen.driver.execute_script("go(2)")
    assert numbers(seen.all("#panel .shown")[-1].text) == four(outputs["n2"][3])
    shown = numbers(seen.one("#box-n2 .value").text)
    assert shown == four(np.linalg.norm(outputs["n2"][3].astype(np.float64)))
    Select(seen.one("#sample")).select_by_visible_text("all 5")
    assert numbers(seen.all("#panel .shown")[-1].text) == four(outputs["n2"])


def test_the_tables_hold_the_same_numbers(show, perceptron):
    model, loss = perceptron
    seen = show(loss)
    seen.press(Keys.END, "t")
    assert not seen.one("#stage").is_displayed()
    loss.backward()
    rows = {row.find_element(By.CSS_SELECTOR, "th").text: row for row in seen.all("tr[data-key]")}
    for name, parameter in model.named_parameters():
        value, gradient = rows[name].find_elements(By.CSS_SELECTOR, ".shown")
        assert numbers(value.text) == four(parameter.data)
        assert numbers(gradient.text) == four(parameter.grad.data)
    seen.one("tr[data-step='2'] button").click()
    assert seen.step() == 2
    assert seen.one("[aria-current]").get_attribute("data-step") == "2"


def test_light_and_dark(show, perceptron):
    seen = show(perceptron[1])
    background = "return getComputedStyle(document.body).backgroundColor"

    def prefer(scheme):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        seen.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    prefer("light")
    light = seen.driver.execute_script(background)
    seen.one("#theme").click()
    dark = seen.driver.execute_script(background)
    assert light != dark
    seen.one("#theme").click()
    prefer("dark")
    _wait(lambda: seen.driver.execute_script(background) == dark)
    prefer("light")
    missing = """const css = document.querySelector("style").textContent;
    const style = getComputedStyle(document.documentElement);
    return [...css.matchAll(/var\\((--[a-z-]+)\\)/g)].map((m) => m[1])
      .filter((name) => !style.getPropertyValue(name))"""
    assert seen.driver.execute_script(missing) == []


def test_the_picture_zooms_and_pans(show, perceptron):
    seen = show(perceptron[1])
    view = (
        "return document.getElementById('picture').getAttribute('viewBox').split(' ').map(Number)"
    )
    x, _, w, h = seen.driver.execute_script(view)
    seen.press("+")
    assert seen.driver.execute_script(view)[2] == pytest.approx(0.8 * w, rel=1e-3)
    stage = seen.one("#picture")
    ActionChains(seen.driver).move_to_element_with_offset(
        stage, -400, 0
    ).click_and_hold().move_by_offset(50, 30).release().perform()
    moved = seen.driver.execute_script(view)
    assert moved[0] < x + 0.1 * w
    seen.press("0")
    assert seen.driver.execute_script(view)[2:] == pytest.approx([w, h], rel=1e-3)
    ActionChains(seen.driver).scroll_by_amount(0, 0).perform()
    seen.one("#out").click()
    assert seen.driver.execute_script(view)[2] > w


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
