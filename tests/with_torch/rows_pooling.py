"""Rows of pooling, interpolation, and channels laid out as pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from with_torch.rows import Case, row
from with_torch.rows_convolution import along, each, sample

import tinygrad_bp as tg

TIED = "; elements tie"


def _windows(rng: np.random.Generator, axes: int, dilated: bool) -> tuple[Any, Any, Any, Any, Any]:
    """Kernel, stride or None, padding of at most half of it, dilation, and a size that fits."""
    kernel = each(rng, axes, 1, 3)
    dilation = each(rng, axes, 1, 2) if dilated else 1
    stride = None if rng.random() < 0.3 else each(rng, axes, 1, 3)
    padding = tuple(int(rng.integers(k // 2 + 1)) for k in along(kernel, axes))
    steps = zip(along(kernel, axes), along(dilation, axes), strict=True)
    size = [d * (k - 1) + 1 + int(rng.integers(5)) for k, d in steps]
    return kernel, stride, padding, dilation, size


def _with_ties(rng: np.random.Generator, x: Any) -> Any:
    """Half of the time, numbers of which there are only three."""
    return np.sign(np.round(x)) if rng.integers(2) else x


def _max_pool(axes: int) -> None:
    options = f"stride, padding, dilation, ceil_mode, return_indices, no batch{TIED}"

    @row(f"MaxPool{axes}d", options, cases=24)
    def max_pool(rng: np.random.Generator) -> Case:
        import torch

        kernel, stride, padding, dilation, size = _windows(rng, axes, dilated=True)
        flags = rng.integers(2, size=2).astype(bool).tolist()
        arguments = (kernel, stride, padding, dilation, *flags)
        ours = getattr(tg.nn, f"MaxPool{axes}d")(*arguments)
        theirs = getattr(torch.nn, f"MaxPool{axes}d")(*arguments)
        return Case(ours, theirs, (_with_ties(rng, sample(rng, 2, *size)),))

    @row(f"MaxUnpool{axes}d", "stride, output_size, no batch")
    def max_unpool(rng: np.random.Generator) -> Case:
        import torch

        kernel = each(rng, axes, 1, 3)
        stride = None
        size = [
            k * int(n)
            for k, n in zip(along(kernel, axes), rng.integers(1, 4, size=axes), strict=True)
        ]
        if rng.integers(2):  # no windows overlap, for then theirs depend on their order
            stride = tuple(k + int(rng.integers(2)) for k in along(kernel, axes))
        keywords = {"output_size": size} if stride else {}
        pool = getattr(torch.nn, f"MaxPool{axes}d")(kernel, stride, return_indices=True)
        values, indices = pool(torch.tensor(sample(rng, 2, *size)))
        ours = getattr(tg.nn, f"MaxUnpool{axes}d")(kernel, stride)
        theirs = getattr(torch.nn, f"MaxUnpool{axes}d")(kernel, stride)
        return Case(ours, theirs, (values.numpy(), indices.numpy()), keywords)


def _avg_pool(axes: int) -> None:
    more = ", divisor_override" if axes > 1 else ""

    @row(
        f"AvgPool{axes}d",
        f"stride, padding, ceil_mode, count_include_pad{more}, no batch",
        cases=24,
    )
    def avg_pool(rng: np.random.Generator) -> Case:
        import torch

        kernel, stride, padding, _, size = _windows(rng, axes, dilated=False)
        flags = rng.integers(2, size=2).astype(bool).tolist()
        divisor = {}
        if axes > 1 and rng.integers(2):
            divisor["divisor_override"] = int(rng.integers(1, 9))
        arguments = (kernel, stride, padding, *flags)
        ours = getattr(tg.nn, f"AvgPool{axes}d")(*arguments, **divisor)
        theirs = getattr(torch.nn, f"AvgPool{axes}d")(*arguments, **divisor)
        return Case(ours, theirs, (sample(rng, 2, *size),))


def _adaptive(axes: int, kind: str) -> None:
    of_max = kind == "Max"
    options = "lengths, None among them" + (f", return_indices{TIED}" if of_max else "")

    @row(f"Adaptive{kind}Pool{axes}d", f"{options}, no batch")
    def adaptive(rng: np.random.Generator) -> Case:
        import torch

        out = each(rng, axes, 1, 5)
        if axes > 1 and rng.integers(2):
            out = (None, *along(out, axes)[1:])
        flags = (bool(rng.integers(2)),) if of_max else ()
        ours = getattr(tg.nn, f"Adaptive{kind}Pool{axes}d")(out, *flags)
        theirs = getattr(torch.nn, f"Adaptive{kind}Pool{axes}d")(out, *flags)
        x = sample(rng, 2, *rng.integers(1, 7, size=axes).tolist())
        return Case(ours, theirs, (_with_ties(rng, x) if of_max else x,))


for _axes in (1, 2, 3):
    _max_pool(_axes)
    _avg_pool(_axes)
    for _kind in ("Avg", "Max"):
        _adaptive(_axes, _kind)


@row(
    "interpolate",
    "modes nearest, nearest-exact, area, (bi-, tri-)linear; size, scale_factor, align_corners, "
    "recompute_scale_factor",
    cases=40,
)
def interpolate(rng: np.random.Generator) -> Case:
    import torch

    axes = int(rng.integers(1, 4))
    linear = ("linear", "bilinear", "trilinear")[axes - 1]
    mode = str(rng.choice(["nearest", "nearest-exact", "area", linear, linear]))
    keywords: dict[str, Any] = {"mode": mode}
    if mode == linear:
        keywords["align_corners"] = bool(rng.integers(2))
    if rng.integers(2):
        keywords["size"] = each(rng, axes, 1, 9)
    else:
        factors = rng.choice([0.5, 0.75, 1.0, 1.5, 2.0, 2.6, 3.0], size=axes).tolist()
        keywords["scale_factor"] = factors[0] if rng.integers(2) else tuple(factors)
        if rng.integers(2):
            keywords["recompute_scale_factor"] = bool(rng.integers(2))
    x = rng.normal(size=(2, 2, *rng.integers(2, 7, size=axes)))
    functions = (tg.nn.functional.interpolate, torch.nn.functional.interpolate)
    return Case(*functions, (x,), keywords)


@row("Upsample", "size, scale_factor, mode")
def upsample(rng: np.random.Generator) -> Case:
    import torch

    mode = str(rng.choice(["nearest", "bilinear"]))
    arguments = (None, int(rng.integers(1, 4))) if rng.integers(2) else (each(rng, 2, 1, 9), None)
    x = rng.normal(size=(2, 2, *rng.integers(2, 7, size=2)))
    return Case(tg.nn.Upsample(*arguments, mode), torch.nn.Upsample(*arguments, mode), (x,))


@row("PixelShuffle", "the factor, leading axes")
def pixel_shuffle(rng: np.random.Generator) -> Case:
    import torch

    r = int(rng.integers(1, 4))
    x = sample(rng, 2 * r * r, *rng.integers(1, 4, size=2))
    return Case(tg.nn.PixelShuffle(r), torch.nn.PixelShuffle(r), (x,))


@row("PixelUnshuffle", "the factor, leading axes")
def pixel_unshuffle(rng: np.random.Generator) -> Case:
    import torch

    r = int(rng.integers(1, 4))
    x = sample(rng, 2, *(r * rng.integers(1, 4, size=2)))
    return Case(tg.nn.PixelUnshuffle(r), torch.nn.PixelUnshuffle(r), (x,))
