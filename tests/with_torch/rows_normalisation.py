"""Rows of normalisation layers: options at random, train and eval, running values afterwards."""

from __future__ import annotations

import numpy as np
from with_torch.rows import Case, row

import tinygrad_bp as tg


def _moved(module, rng: np.random.Generator):
    """The module with parameters and running values other than those it starts with."""
    for _, parameter in module.named_parameters():
        parameter.assign(rng.normal(size=parameter.shape))
    for _, buffer in module.named_buffers():
        shape = buffer.shape
        buffer.assign(rng.uniform(0.5, 2, size=shape) if shape else rng.integers(5))
    return module


def _both(name, rng, *args, axes, train_only=False, **options):
    """One layer of both, in one mode, with a batch of random lengths."""
    import torch

    ours = _moved(getattr(tg.nn, name)(*args, **options, dtype=float), rng)
    theirs = getattr(torch.nn, name)(*args, **options)
    if not train_only and rng.integers(2):
        ours.eval()
        theirs.eval()
    return Case(ours, theirs, (rng.normal(1, 2, size=axes),))


def _options(rng):
    return {
        "eps": float(rng.choice([1e-5, 1e-3, 0.1])),
        "momentum": None if rng.integers(4) == 0 else float(rng.uniform()),
        "affine": bool(rng.integers(2)),
        "track_running_stats": bool(rng.integers(2)),
        "bias": bool(rng.integers(4)),
    }


OPTIONS = "eps, momentum, affine, bias, track_running_stats, train and eval"


@row("BatchNorm1d", OPTIONS, cases=24)
def batch_norm_1d(rng: np.random.Generator) -> Case:
    c, lengths = int(rng.integers(1, 5)), rng.integers(1, 5, size=rng.integers(2))
    return _both("BatchNorm1d", rng, c, axes=(rng.integers(2, 6), c, *lengths), **_options(rng))


@row("BatchNorm2d", OPTIONS, cases=24)
def batch_norm_2d(rng: np.random.Generator) -> Case:
    n, c, *lengths = (int(k) for k in rng.integers(1, 4, size=4))
    return _both("BatchNorm2d", rng, c, axes=(n + 1, c, *lengths), **_options(rng))


@row("BatchNorm3d", OPTIONS)
def batch_norm_3d(rng: np.random.Generator) -> Case:
    n, c, *lengths = (int(k) for k in rng.integers(1, 4, size=5))
    return _both("BatchNorm3d", rng, c, axes=(n + 1, c, *lengths), **_options(rng))


def _instance_norm(rng: np.random.Generator, rank: int) -> Case:
    n, c, *lengths = (int(k) for k in rng.integers(1, 4, size=2 + rank))
    axes = (n, c, lengths[0] + 1, *lengths[1:])
    options = _options(rng)
    options["momentum"] = options["momentum"] or 0.1  # theirs fails without
    return _both(f"InstanceNorm{rank}d", rng, c, axes=axes[rng.integers(2) :], **options)


@row("InstanceNorm1d", f"{OPTIONS}, a single sample", cases=24)
def instance_norm_1d(rng: np.random.Generator) -> Case:
    return _instance_norm(rng, 1)


@row("InstanceNorm2d", f"{OPTIONS}, a single sample")
def instance_norm_2d(rng: np.random.Generator) -> Case:
    return _instance_norm(rng, 2)


@row("InstanceNorm3d", f"{OPTIONS}, a single sample")
def instance_norm_3d(rng: np.random.Generator) -> Case:
    return _instance_norm(rng, 3)


@row("LayerNorm", "axes, eps, elementwise_affine, bias, leading axes")
def layer_norm(rng: np.random.Generator) -> Case:
    axes = tuple(int(n) for n in rng.integers(2, 5, size=rng.integers(1, 4)))
    lead = rng.integers(1, 4, size=rng.integers(3))
    shape = axes[0] if len(axes) == 1 and rng.integers(2) else axes
    options = {
        "eps": float(rng.choice([1e-5, 0.1])),
        "elementwise_affine": bool(rng.integers(2)),
        "bias": bool(rng.integers(2)),
    }
    return _both("LayerNorm", rng, shape, axes=(*lead, *axes), **options)


@row("RMSNorm", "axes, eps, elementwise_affine, leading axes")
def rms_norm(rng: np.random.Generator) -> Case:
    axes = tuple(int(n) for n in rng.integers(2, 5, size=rng.integers(1, 3)))
    lead = rng.integers(1, 4, size=rng.integers(3))
    options = {
        "eps": None if rng.integers(2) else 0.1,
        "elementwise_affine": bool(rng.integers(2)),
    }
    return _both("RMSNorm", rng, axes, axes=(*lead, *axes), **options)


@row("GroupNorm", "groups, eps, affine, bias, axes behind the channels")
def group_norm(rng: np.random.Generator) -> Case:
    groups, each = (int(k) for k in rng.integers(1, 4, size=2))
    axes = (rng.integers(1, 4), groups * each, *rng.integers(2, 4, size=rng.integers(1, 3)))
    options = {"eps": float(rng.choice([1e-5, 0.1]))}
    options |= {"affine": bool(rng.integers(2)), "bias": bool(rng.integers(4))}
    return _both("GroupNorm", rng, groups, groups * each, axes=axes, **options)


@row("LocalResponseNorm", "size, alpha, beta, k, axes behind the channels")
def local_response_norm(rng: np.random.Generator) -> Case:
    import torch

    size, c = int(rng.integers(1, 6)), int(rng.integers(1, 7))
    numbers = [float(v) for v in (rng.uniform(0.01, 1), rng.uniform(0.3, 1), rng.uniform(0.5, 2))]
    shape = (rng.integers(1, 3), c, *rng.integers(1, 4, size=rng.integers(1, 4)))
    ours = tg.nn.LocalResponseNorm(size, *numbers)
    return Case(ours, torch.nn.LocalResponseNorm(size, *numbers), (rng.normal(size=shape),))
