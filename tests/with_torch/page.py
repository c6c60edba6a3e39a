"""Write docs/compared-with-torch.md: `PYTHONPATH=tests python tests/with_torch/page.py`."""

from __future__ import annotations

from pathlib import Path

from with_torch.rows import TOLERANCE, Row, compare, load_rows

PAGE = Path(__file__).parents[2] / "docs" / "compared-with-torch.md"
HEAD = f"""# Compared with PyTorch

Each row is one thing that both have, with the same names and defaults, at random shapes and
options, in float64: the largest difference that was found, relative to the largest element of each
array (or to 1), of outputs, of running statistics, of the gradients of all inputs and parameters,
and of second derivatives (the gradient of a random combination of all these gradients). Parameters
pass from one to the other by their names. The tests allow {TOLERANCE:g} (tests/with_torch/, which
needs the extra `dev`); `PYTHONPATH=tests python tests/with_torch/page.py` makes this page.

Where PyTorch itself is off, rows keep away from it. Its CELU rounds 1/alpha to float32, so
alpha is a power of two; its Hardsigmoid has a float32 gradient, so ours is held against relu6(x
+ 3) / 6; its weight_norm has a wrong second derivative, so ours is held against the operations
one by one; its layer_norm and batch_norm have none with a bias and no weight; its
cosine_similarity has the gradient of another function below eps. It has no second derivative of
CTC and of losses with a margin of several classes; ours are held against numerical ones.
Dropouts draw other numbers: here they are in eval mode, elsewhere their statistics are tested.
Optimizers are compared over 40 steps in tests/with_torch/test_optimizers.py, files in
test_files.py.

| | options drawn | cases | outputs | statistics | gradients | second derivatives |
| --- | --- | --- | --- | --- | --- | --- |
"""


def line(row: Row) -> str:
    """A row of the page."""
    found = [compare(row, seed) for seed in range(row.cases)]
    output, state, gradient, second = (
        f"{max(getattr(each, kind) for each in found):.0e}"
        for kind in ("output", "state", "gradient", "second")
    )
    return (
        f"| `{row.name}` | {row.options} | {row.cases} | {output} | {state} | {gradient} | "
        f"{second if row.second else '-'} |\n"
    )


if __name__ == "__main__":
    PAGE.write_text(HEAD + "".join(map(line, load_rows())), encoding="utf-8")
