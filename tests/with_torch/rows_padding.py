"""Rows of padding."""

from __future__ import annotations

from typing import Any

import numpy as np
from with_torch.rows import Case, row
from with_torch.rows_convolution import sample

import tinygrad_bp as tg

MODES = ("constant", "reflect", "replicate", "circular")


def _widths(rng: np.random.Generator, axes: int) -> tuple[int, ...]:
    """Before and after each axis, at most 2, the last axis first."""
    return tuple(rng.integers(-1, 3, size=2 * axes).tolist())


def _layer(kind: str, axes: int) -> None:
    @row(f"{kind}Pad{axes}d", "one number, or each side; cut off; no batch")
    def padding(rng: np.random.Generator) -> Case:
        import torch

        name = f"{kind}Pad{axes}d"
        widths: Any = int(rng.integers(0, 3)) if rng.integers(2) else _widths(rng, axes)
        arguments = (widths, float(rng.normal())) if kind == "Constant" else (widths,)
        x = sample(rng, 2, *rng.integers(4, 7, size=axes).tolist())
        return Case(getattr(tg.nn, name)(*arguments), getattr(torch.nn, name)(*arguments), (x,))


for _axes in (1, 2, 3):
    for _kind in ("Constant", "Zero", "Reflection", "Replication", "Circular"):
        _layer(_kind, _axes)


@row("functional.pad", "mode, value, any number of axes, cut off", cases=24)
def pad(rng: np.random.Generator) -> Case:
    import torch

    mode = str(rng.choice(MODES))
    axes = int(rng.integers(1, 4))
    x = sample(rng, 2, *rng.integers(4, 7, size=axes).tolist())
    widths = _widths(rng, axes)
    if mode == "constant":
        keywords = {"mode": mode, "value": float(rng.normal())} if rng.integers(2) else {}
        widths = widths[: 2 * int(rng.integers(1, axes + 1))]
    else:
        keywords = {"mode": mode}
    return Case(
        lambda x: tg.nn.functional.pad(x, widths, **keywords),
        lambda x: torch.nn.functional.pad(x, widths, **keywords),
        (x,),
    )
