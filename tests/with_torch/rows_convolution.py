"""Rows of convolution, of its transpose, and of windows as columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from with_torch.rows import Case, row

import tinygrad_bp as tg


def each(rng: np.random.Generator, axes: int, low: int, high: int) -> Any:
    """A number from low to high, or one for each axis."""
    if rng.integers(2):
        return int(rng.integers(low, high + 1))
    return tuple(rng.integers(low, high + 1, size=axes).tolist())


def along(value: Any, axes: int) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,) * axes


def sample(rng: np.random.Generator, *shape: int) -> Any:
    """A batch of some samples, or one sample without a batch axis."""
    batch = () if rng.random() < 0.2 else (int(rng.integers(1, 4)),)
    return rng.normal(size=(*batch, *shape))


def _convolution(axes: int) -> None:
    @row(
        f"Conv{axes}d",
        "stride, padding (also 'same', 'valid'), padding_mode, dilation, groups, bias, no batch",
        cases=24,
    )
    def convolution(rng: np.random.Generator) -> Case:
        import torch

        groups = int(rng.integers(1, 4))
        c, o = (groups * int(rng.integers(1, 3)) for _ in range(2))
        kernel, dilation = each(rng, axes, 1, 3), each(rng, axes, 1, 2)
        stride = each(rng, axes, 1, 3)
        padding = each(rng, axes, 0, 2)
        if rng.random() < 0.4:
            padding, stride = str(rng.choice(["same", "valid"])), 1
        mode = str(rng.choice(["zeros", "reflect", "replicate", "circular"]))
        spans = [
            d * (k - 1) + 1 for k, d in zip(along(kernel, axes), along(dilation, axes), strict=True)
        ]
        # Longer than the padding, of which 'reflect' repeats no element twice.
        size = [
            max(span, 3) + int(n) for span, n in zip(spans, rng.integers(4, size=axes), strict=True)
        ]
        arguments = (c, o, kernel, stride, padding, dilation, groups, bool(rng.integers(2)), mode)
        ours = getattr(tg.nn, f"Conv{axes}d")(*arguments, dtype=float, generator=rng)
        theirs = getattr(torch.nn, f"Conv{axes}d")(*arguments)
        return Case(ours, theirs, (sample(rng, c, *size),))


def _transposed(axes: int) -> None:
    @row(
        f"ConvTranspose{axes}d",
        "stride, padding, output_padding, output_size, dilation, groups, bias, no batch",
        cases=24,
    )
    def transposed(rng: np.random.Generator) -> Case:
        import torch

        groups = int(rng.integers(1, 4))
        c, o = (groups * int(rng.integers(1, 3)) for _ in range(2))
        kernel, dilation = each(rng, axes, 2, 3), each(rng, axes, 1, 2)
        stride, padding = each(rng, axes, 1, 3), each(rng, axes, 0, 1)
        steps = zip(along(stride, axes), along(dilation, axes), strict=True)
        more = tuple(int(rng.integers(max(step))) for step in steps)
        size = (rng.integers(2, 4, size=axes)).tolist()
        bias = bool(rng.integers(2))
        arguments = (c, o, kernel, stride, padding, more, groups, bias, dilation)
        ours = getattr(tg.nn, f"ConvTranspose{axes}d")(*arguments, dtype=float, generator=rng)
        theirs = getattr(torch.nn, f"ConvTranspose{axes}d")(*arguments)
        x = sample(rng, c, *size)
        keywords = {}
        if rng.integers(2):
            least = theirs(torch.tensor(x).float()).shape[-axes:]
            room = zip(least, more, along(stride, axes), strict=True)
            keywords["output_size"] = [n - m + int(rng.integers(s)) for n, m, s in room]
        return Case(ours, theirs, (x,), keywords)


for _axes in (1, 2, 3):
    _convolution(_axes)
    _transposed(_axes)


def _windows(rng: np.random.Generator) -> tuple[Any, list[int], list[int]]:
    """Arguments of unfold, a size that they fit, and how many windows it has."""
    kernel, dilation = each(rng, 2, 1, 3), each(rng, 2, 1, 2)
    padding, stride = each(rng, 2, 0, 2), each(rng, 2, 1, 3)
    arguments = (kernel, dilation, padding, stride)
    size, counts = [], []
    for k, d, q, s in zip(*(along(a, 2) for a in arguments), strict=True):
        size.append(d * (k - 1) + 1 + int(rng.integers(4)))
        counts.append((size[-1] + 2 * q - d * (k - 1) - 1) // s + 1)
    return arguments, size, counts


@row("Unfold", "dilation, padding, stride, no batch")
def unfold(rng: np.random.Generator) -> Case:
    import torch

    arguments, size, _ = _windows(rng)
    x = sample(rng, int(rng.integers(1, 4)), *size)
    return Case(tg.nn.Unfold(*arguments), torch.nn.Unfold(*arguments), (x,))


@row("Fold", "dilation, padding, stride, no batch")
def fold(rng: np.random.Generator) -> Case:
    import torch

    arguments, size, counts = _windows(rng)
    rows = int(rng.integers(1, 4)) * int(np.prod(along(arguments[0], 2)))
    x = sample(rng, rows, int(np.prod(counts)))
    made = (tuple(size), *arguments)
    return Case(tg.nn.Fold(*made), torch.nn.Fold(*made), (x,))
