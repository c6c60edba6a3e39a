"""Rows of attention and of Transformers."""

from __future__ import annotations

from typing import Any

import numpy as np
from with_torch.rows import Case, row

import tinygrad_bp as tg


def some(rng: np.random.Generator, high: int = 5) -> int:
    return int(rng.integers(1, high))


def yes(rng: np.random.Generator) -> bool:
    return bool(rng.integers(2))


def by_formula(function: Any) -> Any:
    """Theirs without the kernel that has no second derivative."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    def call(*inputs: Any, **keywords: Any) -> Any:
        with sdpa_kernel(SDPBackend.MATH):
            return function(*inputs, **keywords)

    return call


def mask(rng: np.random.Generator, shape: tuple[int, ...], seen: bool, numbers: bool) -> Any:
    """Numbers that are added, or truth values, which are `seen` where one looks: first in a row."""
    if numbers:
        return rng.normal(size=shape)
    chosen = rng.random(shape) < 0.5
    chosen[..., 0] = seen
    return chosen


@row("scaled_dot_product_attention", "axes, both kinds of mask, causal, scale, shared heads")
def scaled(rng: np.random.Generator) -> Case:
    import torch

    shared = yes(rng)
    lead = (some(rng, 3), 2) if shared else tuple(rng.integers(1, 3, size=rng.integers(1, 3)))
    n, m, d, features = (some(rng) for _ in range(4))
    q = rng.normal(size=(*lead, n, d))
    lead = (*lead[:-1], 1) if shared else lead
    k, v = rng.normal(size=(*lead, m, d)), rng.normal(size=(*lead, m, features))
    keywords: dict[str, Any] = {"enable_gqa": shared}
    kind = rng.integers(3)
    if kind == 0:
        keywords["attn_mask"] = mask(rng, (n, m), True, yes(rng))
    keywords["is_causal"] = bool(kind == 1)
    if yes(rng):
        keywords["scale"] = float(rng.uniform(0.1, 2))
    ours = tg.nn.functional.scaled_dot_product_attention
    theirs = by_formula(torch.nn.functional.scaled_dot_product_attention)
    return Case(ours, theirs, (q, k, v), keywords)


OPTIONS = "bias, batch_first, masks of both kinds, one sample or several"


def masks(rng: np.random.Generator, n: int, m: int, samples: int, rows: int) -> dict[str, Any]:
    """Keywords of attention, none, one or both, of one kind as PyTorch wants them."""
    numbers, found = yes(rng), {}
    if yes(rng):
        shape = (rows, n, m) if yes(rng) else (n, m)
        found["attn_mask"] = mask(rng, shape, False, numbers)
    if yes(rng):
        found["key_padding_mask"] = mask(rng, (samples, m), False, numbers)
    return found


@row(
    "MultiheadAttention",
    f"self- and cross-attention, kdim, vdim, add_bias_kv, add_zero_attn, {OPTIONS}, which weights",
    cases=30,
)
def multihead(rng: np.random.Generator) -> Case:
    import torch

    heads, n, m, samples = some(rng, 4), some(rng), some(rng), some(rng, 4)
    width = heads * some(rng, 4)
    options: dict[str, Any] = {"bias": yes(rng), "batch_first": yes(rng)}
    options |= {"add_bias_kv": yes(rng), "add_zero_attn": yes(rng)}
    of_itself = yes(rng)
    if not of_itself and yes(rng):
        options |= {"kdim": some(rng), "vdim": some(rng)}
    ours = tg.nn.MultiheadAttention(width, heads, dtype=float, generator=rng, **options)
    theirs = torch.nn.MultiheadAttention(width, heads, **options)
    if ours.in_proj_bias is not None:
        ours.in_proj_bias.assign(rng.normal(size=3 * width))
    single = not rng.integers(4)

    def sequence(steps: int, features: int) -> Any:
        both = (samples, steps) if options["batch_first"] else (steps, samples)
        return rng.normal(size=(steps, features) if single else (*both, features))

    m = n if of_itself else m
    keywords: dict[str, Any] = {"need_weights": yes(rng), "average_attn_weights": yes(rng)}
    keywords |= masks(rng, n, m, 1 if single else samples, heads * (1 if single else samples))
    if single and "key_padding_mask" in keywords:
        keywords["key_padding_mask"] = keywords["key_padding_mask"][0]
    if of_itself:
        call = by_formula(lambda x, **options: theirs(x, x, x, **options))
        return Case(ours, call, (sequence(n, width),), keywords, (ours, theirs))
    inputs = (sequence(n, width), sequence(m, ours.kdim), sequence(m, ours.vdim))
    return Case(ours, by_formula(theirs), inputs, keywords, (ours, theirs))
