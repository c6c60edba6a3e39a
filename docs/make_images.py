"""Make the pictures of docs/images anew: ``python docs/make_images.py``.

They are the graph and the curves of a run of the recipe `digits`, the expression that
examples/first_graph.py draws, and the errors of numerical derivatives against their steps.
"""

from __future__ import annotations

import runpy
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from tinygrad_bp.draw import draw, save
from tinygrad_bp.train import load_recipe, train

DOCS = Path(__file__).resolve().parent
IMAGES = DOCS / "images"


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


def main() -> None:
    """Write every picture."""
    IMAGES.mkdir(exist_ok=True)
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
