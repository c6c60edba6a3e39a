"""Make the pictures of docs/images anew: ``python docs/make_images.py [PAGE ...]``.

The pages of `PAGES` save their pictures: their Python runs here as the tests run it, and what they
show is copied. Of a saved HTML page, the picture is a screenshot. With no page named, all pictures
are made; the others are the graph and the curves of a run of the recipe `digits`, the expression
that examples/first_graph.py draws, and the errors of numerical derivatives against their steps.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import runpy
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from tinygrad_bp.draw import draw, save
from tinygrad_bp.train import load_recipe, train

DOCS = Path(__file__).resolve().parent
IMAGES = DOCS / "images"
PAGES = ("see", "gallery", "derivation", "data", "training", "units", "networks")


def derivative_errors(path: Path) -> None:
    """The error of three numerical derivatives of exp(sin x) at 0.7, against the step."""
    from matplotlib.figure import Figure

    def f(x: np.ndarray) -> np.ndarray:
        return np.exp(np.sin(x))

    x, h = 0.7, 2.0 ** np.arange(-48, 0.5, 0.5)
    exact = np.cos(x) * np.exp(np.sin(x))
    near, far = f(x + h) - f(x - h), f(x + 2 * h) - f(x - 2 * h)
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for label, found, mark in (
        ("two points", near / (2 * h), "o"),
        ("five points", (8 * near - far) / (12 * h), "s"),
        ("complex step", f(x + 1j * h).imag / h, "^"),
    ):
        # What is exact to the last digit is drawn at half a rounding error.
        error = np.maximum(np.abs(found / exact - 1), 2.0**-53)
        axes.loglog(h, error, mark, ls="-", lw=0.7, ms=2.5, label=label)
    axes.set(xlabel="step", ylabel="relative error", ylim=(3e-17, 10))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=130)


def screenshot(page: Path, target: Path) -> None:
    """The picture of a page in Chromium; one of `draw.page` after three quarters of its steps."""
    from selenium import webdriver
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    options = webdriver.ChromeOptions()
    for option in ("headless=new", "no-sandbox", "disable-gpu", "window-size=1400,900"):
        options.add_argument(f"--{option}")
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    with webdriver.Chrome(options, service) as browser:
        browser.get(page.as_uri())
        body = browser.find_element(By.TAG_NAME, "body")
        for slider in browser.find_elements(By.CSS_SELECTOR, "input[type=range]"):
            body.send_keys(Keys.ARROW_RIGHT * (int(slider.get_attribute("max")) * 3 // 4))
            break
        else:  # a derivation, which is as long as it is
            browser.set_window_size(1000, 200 + int(body.get_attribute("scrollHeight")))
        browser.save_screenshot(str(target))


def pictures_of(page: str) -> None:
    """Run the Python of a page in an empty folder, and keep the pictures that the page shows."""
    text = (DOCS / f"{page}.md").read_text()
    shown = re.findall(rf"\]\(images/{page}/([\w.-]+)\)", text)
    target = IMAGES / page
    with tempfile.TemporaryDirectory() as folder:
        before = Path.cwd()
        os.chdir(folder)
        try:
            namespace: dict[str, object] = {"__name__": "__main__"}
            for block in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
                lines = "\n" * text.count("\n", 0, block.start(1))  # so that places are the page's
                with contextlib.redirect_stdout(io.StringIO()):
                    exec(compile(lines + block[1], f"{page}.md", "exec"), namespace)
        finally:
            os.chdir(before)
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in shown:
            made = Path(folder, name)
            if not made.exists():
                screenshot(made.with_suffix(".html"), made)
            (target / name).write_bytes(made.read_bytes())


def main() -> None:
    """Write the pictures of the pages that are named, or all."""
    IMAGES.mkdir(exist_ok=True)
    for page in sys.argv[1:] or PAGES:
        pictures_of(page)
    if sys.argv[1:]:
        return
    derivative_errors(IMAGES / "numerical-derivatives.png")
    with tempfile.TemporaryDirectory() as folder:
        run, _ = train(load_recipe("digits"), out=Path(folder, "run"))
        with Image.open(run.path / "curves.png") as picture:
            # 64 colours are enough for lines on white, at a third of the size.
            few = picture.convert("RGB").quantize(64)
            few.save(IMAGES / "digits-curves.png", optimize=True)
        (IMAGES / "digits-graph.svg").write_bytes((run.path / "graph.svg").read_bytes())
    example = runpy.run_path(str(DOCS.parent / "examples" / "first_graph.py"))
    save(draw(example["expression"]()), IMAGES / "expression.svg")


if __name__ == "__main__":
    main()
