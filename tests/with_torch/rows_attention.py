"""Rows of attention and of Transformers."""

from __future__ import annotations

import warnings
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


def transformer_options(rng: np.random.Generator) -> dict[str, Any]:
    """Arguments that both have; dropout is none, as both draw in ways of their own."""
    return {
        "dim_feedforward": some(rng),
        "dropout": 0.0,
        "activation": str(rng.choice(["relu", "gelu"])),
        "layer_norm_eps": float(rng.choice([1e-5, 0.1])),
        "batch_first": yes(rng),
        "norm_first": yes(rng),
        "bias": yes(rng),
    }


class Sizes:
    """Drawn sizes, and sequences of them."""

    def __init__(self, rng: np.random.Generator, options: dict[str, Any]) -> None:
        self.rng, self.first = rng, options["batch_first"]
        self.heads, self.samples = some(rng, 3), some(rng, 3)
        self.width = self.heads * (1 + some(rng, 3))
        self.single = not rng.integers(4)

    def sequence(self, steps: int) -> Any:
        both = (self.samples, steps) if self.first else (steps, self.samples)
        return self.rng.normal(size=(*([steps] if self.single else both), self.width))

    def masks(self, n: int, m: int) -> list[Any]:
        samples = 1 if self.single else self.samples
        found = masks(self.rng, n, m, samples, samples * self.heads)
        padding = found.get("key_padding_mask")
        if padding is not None and self.single:
            padding = padding[0]
        return [found.get("attn_mask"), padding]


def both_of(kind: str, rng: np.random.Generator, *given: Any, **options: Any) -> tuple[Any, Any]:
    """Our module and theirs."""
    import torch

    ours = getattr(tg.nn, kind)(*given, dtype=float, generator=rng, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what would be faster
        return ours, getattr(torch.nn, kind)(*given, **options)


TRANSFORMER = f"activation, norm_first, eps, {OPTIONS}"


@row("TransformerEncoderLayer", TRANSFORMER)
def encoder_layer(rng: np.random.Generator) -> Case:
    options = transformer_options(rng)
    sizes, n = Sizes(rng, options), some(rng)
    pair = both_of("TransformerEncoderLayer", rng, sizes.width, sizes.heads, **options)
    seen = dict(zip(("src_mask", "src_key_padding_mask"), sizes.masks(n, n), strict=True))
    return Case(pair[0], by_formula(pair[1]), (sizes.sequence(n),), seen, pair)


@row("TransformerDecoderLayer", TRANSFORMER)
def decoder_layer(rng: np.random.Generator) -> Case:
    options = transformer_options(rng)
    sizes, n, m = Sizes(rng, options), some(rng), some(rng)
    pair = both_of("TransformerDecoderLayer", rng, sizes.width, sizes.heads, **options)
    names = ("tgt_mask", "tgt_key_padding_mask", "memory_mask", "memory_key_padding_mask")
    seen = dict(zip(names, sizes.masks(n, n) + sizes.masks(n, m), strict=True))
    return Case(pair[0], by_formula(pair[1]), (sizes.sequence(n), sizes.sequence(m)), seen, pair)


@row("TransformerEncoder", f"layers, norm, {TRANSFORMER}", cases=6)
def encoder(rng: np.random.Generator) -> Case:
    import torch

    options = transformer_options(rng)
    sizes, n, layers = Sizes(rng, options), some(rng), some(rng, 3)
    ours, theirs = both_of("TransformerEncoderLayer", rng, sizes.width, sizes.heads, **options)
    norms = [None, None]
    if yes(rng):
        norms = [tg.nn.LayerNorm(sizes.width, dtype=float), torch.nn.LayerNorm(sizes.width)]
    pair = (
        tg.nn.TransformerEncoder(ours, layers, norms[0]),
        torch.nn.TransformerEncoder(theirs, layers, norms[1], enable_nested_tensor=False),
    )
    seen = dict(zip(("mask", "src_key_padding_mask"), sizes.masks(n, n), strict=True))
    return Case(pair[0], by_formula(pair[1]), (sizes.sequence(n),), seen, pair)


@row("TransformerDecoder", f"layers, norm, {TRANSFORMER}", cases=6)
def decoder(rng: np.random.Generator) -> Case:
    import torch

    options = transformer_options(rng)
    sizes, n, m, layers = Sizes(rng, options), some(rng), some(rng), some(rng, 3)
    ours, theirs = both_of("TransformerDecoderLayer", rng, sizes.width, sizes.heads, **options)
    norms = [None, None]
    if yes(rng):
        norms = [tg.nn.LayerNorm(sizes.width, dtype=float), torch.nn.LayerNorm(sizes.width)]
    pair = (
        tg.nn.TransformerDecoder(ours, layers, norms[0]),
        torch.nn.TransformerDecoder(theirs, layers, norms[1]),
    )
    names = ("tgt_mask", "tgt_key_padding_mask", "memory_mask", "memory_key_padding_mask")
    seen = dict(zip(names, sizes.masks(n, n) + sizes.masks(n, m), strict=True))
    return Case(pair[0], by_formula(pair[1]), (sizes.sequence(n), sizes.sequence(m)), seen, pair)


@row("Transformer", f"layers of both, {TRANSFORMER}", cases=6)
def transformer(rng: np.random.Generator) -> Case:
    options = transformer_options(rng)
    sizes, n, m = Sizes(rng, options), some(rng), some(rng)
    layers = {"num_encoder_layers": some(rng, 3), "num_decoder_layers": some(rng, 3)}
    pair = both_of("Transformer", rng, sizes.width, sizes.heads, **layers, **options)
    of_src, of_tgt, of_memory = sizes.masks(m, m), sizes.masks(n, n), sizes.masks(n, m)
    seen = {
        "src_mask": of_src[0],
        "src_key_padding_mask": of_src[1],
        "tgt_mask": of_tgt[0],
        "tgt_key_padding_mask": of_tgt[1],
        "memory_mask": of_memory[0],
        "memory_key_padding_mask": of_memory[1],
    }
    return Case(pair[0], by_formula(pair[1]), (sizes.sequence(m), sizes.sequence(n)), seen, pair)
