"""Cases of `tinygrad_bp.ops.activations`; the references are the formulas of the textbooks."""

from __future__ import annotations

import numpy as np
from scipy import special

from tinygrad_bp.ops import activations
from tinygrad_bp.testing.catalogue.case import Case

SINGLES = (((3,),), ((2, 3),), ((),), ((0, 2),))
WIDE = ((-8.0, 8.0),)
ZERO = ((0.0,),)


def _leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def _elu(x):
    return np.where(x > 0, x, 1.5 * (np.exp(x) - 1))


CASES = [
    Case(
        "sigmoid",
        activations.sigmoid,
        SINGLES,
        lambda x: np.exp(x) / (np.exp(x) + 1),
        WIDE,
        complex_step=True,
    ),
    Case("relu", activations.relu, SINGLES, lambda x: np.where(x > 0, x, 0 * x), WIDE, ZERO),
    Case("softsign", activations.softsign, SINGLES, lambda x: x / (1 + np.abs(x)), WIDE, ZERO),
    Case(
        "softplus",
        activations.softplus,
        SINGLES,
        lambda x: np.log(1 + np.exp(x)),
        WIDE,
        complex_step=True,
    ),
    Case(
        "softplus",
        activations.log_sigmoid,
        SINGLES,
        lambda x: np.log(1 / (1 + np.exp(-x))),
        complex_step=True,
        label="log_sigmoid",
    ),
    Case(
        "sigmoid",
        activations.silu,
        SINGLES,
        lambda x: x / (1 + np.exp(-x)),
        complex_step=True,
        label="silu",
    ),
    Case(
        "leaky_relu",
        lambda x: activations.leaky_relu(x, slope=0.2),
        SINGLES,
        lambda x: _leaky(x).astype(x.dtype),
        kinks=ZERO,
    ),
    Case(
        "elu",
        lambda x: activations.elu(x, alpha=1.5),
        SINGLES,
        lambda x: _elu(x).astype(x.dtype),
        kinks=ZERO,
    ),
    Case("normal_cdf", activations.normal_cdf, SINGLES, special.ndtr, ((-6.0, 6.0),)),
    Case(
        "gelu",
        activations.gelu,
        SINGLES,
        lambda x: x * (1 + special.erf(x / 2**0.5)) / 2,
        complex_step=True,
    ),
    Case(
        "sigmoid",
        lambda x: activations.gelu(x, "tanh"),
        SINGLES,
        lambda x: x / 2 * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))),
        label="gelu by tanh",
        complex_step=True,
    ),
]
