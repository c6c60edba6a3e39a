"""The page in a real browser, and what one does with it: keys, hovering, folding, samples."""

from __future__ import annotations

import numpy as np
import pytest
from draw.stepping.browser import four, numbers, wait
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from tinygrad_bp import nn
from tinygrad_bp.draw.reading import read


@pytest.fixture
def perceptron():
    model = nn.Sequential(nn.Linear(3, 4, generator=0), nn.Tanh(), nn.Linear(4, 2, generator=1))
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    return model, nn.functional.cross_entropy(model(x), np.array([0, 1, 1, 0, 1]))


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
    wait(lambda: seen.driver.execute_script(background) == dark)
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
