"""Make the pictures of docs/images anew: ``python docs/make_images.py``.

They are the graph and the curves of a run of the recipe `digits`, and the expression that
examples/first_graph.py draws.
"""

from __future__ import annotations

import runpy
import tempfile
from pathlib import Path

from PIL import Image

from tinygrad_bp.draw import draw, save
from tinygrad_bp.train import load_recipe, train

DOCS = Path(__file__).resolve().parent
IMAGES = DOCS / "images"


def main() -> None:
    """Write every picture."""
    IMAGES.mkdir(exist_ok=True)
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
