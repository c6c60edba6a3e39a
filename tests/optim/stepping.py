"""Every kind of optimizer, parameters of two dtypes, and steps by gradients made up for them."""

from __future__ import annotations

import numpy as np

import tinygrad_bp as tg
from tinygrad_bp import optim
from tinygrad_bp.optim import SGD, Adagrad, Adam, AdamW, RMSprop

KINDS = [
    (SGD, {}),
    (SGD, {"momentum": 0.9, "nesterov": True}),
    (Adam, {}),
    (AdamW, {}),
    (RMSprop, {"momentum": 0.5, "centered": True}),
    (Adagrad, {"lr_decay": 0.1}),
    (Adam, {"amsgrad": True, "maximize": True}),
    (optim.ASGD, {"t0": 1}),
]
MORE = ("Adadelta", "Adamax", "LAMB", "Lion", "NAdam", "RAdam", "Rprop")
KINDS += [(getattr(optim, name), {}) for name in MORE]


def parameters(dtypes=(np.float64, np.float32, np.float64), seed=0):
    rng = np.random.default_rng(seed)
    shapes = [(3, 2), (4,), ()]
    return [
        tg.Tensor(rng.normal(size=shape), requires_grad=True, dtype=dtype)
        for shape, dtype in zip(shapes, dtypes, strict=True)
    ]


def step(optimizer, params, t):
    for i, p in enumerate(params):
        p.grad = tg.Tensor(np.sin(p.data + t + i), dtype=p.dtype)
    optimizer.step()
