"""A browser without a window, and what a person sees of a page and does with it."""

from __future__ import annotations

import os
import re
import shutil
import time

import numpy as np
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

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


def wait(condition):
    for _ in range(60):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen within three seconds")
