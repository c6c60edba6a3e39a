"""Rows of embeddings, bilinear forms and normalised vectors."""

from __future__ import annotations

import numpy as np
from with_torch.rows import Case, row

import tinygrad_bp as tg


@row(
    "Embedding",
    "padding_idx, max_norm, norm_type, scale_grad_by_freq, axes of the indices",
    cases=24,
)
def embedding(rng: np.random.Generator) -> Case:
    import torch

    n, d = int(rng.integers(1, 6)), int(rng.integers(1, 5))
    options = {
        "padding_idx": None if rng.integers(2) else int(rng.integers(-n, n)),
        "max_norm": None if rng.integers(2) else float(rng.uniform(0.5, 2)),
        "norm_type": float(rng.choice([1.0, 2.0, 3.0])),
        "scale_grad_by_freq": bool(rng.integers(2)),
    }
    ours = tg.nn.Embedding(n, d, **options, dtype=float, generator=rng)
    indices = rng.integers(n, size=rng.integers(1, 5, size=rng.integers(1, 4)))
    return Case(ours, torch.nn.Embedding(n, d, **options), (indices,))


@row(
    "EmbeddingBag",
    "mode, padding_idx, max_norm, scale_grad_by_freq, offsets, include_last_offset, "
    "per_sample_weights",
    cases=24,
)
def embedding_bag(rng: np.random.Generator) -> Case:
    import torch

    n, d = int(rng.integers(1, 6)), int(rng.integers(1, 5))
    mode = str(rng.choice(["sum", "mean", "max"]))
    options = {
        "mode": mode,
        "padding_idx": None if rng.integers(2) else int(rng.integers(n)),
        "max_norm": None if rng.integers(2) else float(rng.uniform(0.5, 2)),
        # PyTorch refuses it with "max".
        "scale_grad_by_freq": mode != "max" and bool(rng.integers(2)),
    }
    keywords = {}
    if rng.integers(2):
        indices = rng.integers(n, size=rng.integers(1, 5, size=2))
    else:
        indices = rng.integers(n, size=rng.integers(1, 9))
        offsets = np.sort([0, *rng.integers(len(indices), size=rng.integers(4))])
        if rng.integers(2):
            options["include_last_offset"] = True
            offsets = np.append(offsets, len(indices))
        keywords["offsets"] = offsets
    ours = tg.nn.EmbeddingBag(n, d, **options, dtype=float, generator=rng)
    theirs = torch.nn.EmbeddingBag(n, d, **options)
    if mode == "sum" and not options["scale_grad_by_freq"] and rng.integers(2):
        keywords["per_sample_weights"] = rng.normal(size=indices.shape)
    return Case(ours, theirs, (indices,), keywords)


@row("Bilinear", "bias, leading axes")
def bilinear(rng: np.random.Generator) -> Case:
    import torch

    n, m, k = (int(v) for v in rng.integers(1, 5, size=3))
    bias, lead = bool(rng.integers(2)), rng.integers(1, 4, size=rng.integers(1, 3))
    ours = tg.nn.Bilinear(n, m, k, bias, dtype=float, generator=rng)
    inputs = (rng.normal(size=(*lead, n)), rng.normal(size=(*lead, m)))
    return Case(ours, torch.nn.Bilinear(n, m, k, bias), inputs)


@row("functional.normalize", "p, axis, eps")
def normalize(rng: np.random.Generator) -> Case:
    import torch

    shape = rng.integers(1, 5, size=rng.integers(1, 4))
    axis, p = int(rng.integers(-len(shape), len(shape))), float(rng.choice([1.0, 2.0, 3.0]))
    eps = float(rng.choice([1e-12, 1.0]))

    def ours(x):
        return tg.nn.functional.normalize(x, p, axis, eps)

    def theirs(x):
        return torch.nn.functional.normalize(x, p, axis, eps)

    return Case(ours, theirs, (rng.normal(size=shape),))


@row("Dropout, Dropout1d-3d, AlphaDropout, FeatureAlphaDropout", "in eval mode, or with p = 0")
def dropouts(rng: np.random.Generator) -> Case:
    import torch

    name, axes = [
        ("Dropout", 2),
        ("Dropout1d", 3),
        ("Dropout2d", 4),
        ("Dropout3d", 5),
        ("AlphaDropout", 2),
        ("FeatureAlphaDropout", 4),
    ][rng.integers(6)]
    training = bool(rng.integers(2))
    p = 0.0 if training else float(rng.uniform())
    ours, theirs = getattr(tg.nn, name)(p, generator=rng), getattr(torch.nn, name)(p)
    x = rng.normal(size=rng.integers(1, 4, size=axes))
    return Case(ours.train(training), theirs.train(training), (x,))
