"""Optimizers on flat buffers, schedules, gradient clipping, and the bridge to SciPy."""

from tinygrad_bp.optim.adagrad import Adagrad
from tinygrad_bp.optim.adam import Adam, AdamW
from tinygrad_bp.optim.clip import clip_grad_norm_, clip_grad_value_
from tinygrad_bp.optim.optimizer import Optimizer
from tinygrad_bp.optim.rmsprop import RMSprop
from tinygrad_bp.optim.schedules import (
    CosineAnnealingLR,
    LinearWarmup,
    ReduceLROnPlateau,
    StepLR,
)
from tinygrad_bp.optim.scipy_bridge import minimize_scipy
from tinygrad_bp.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "CosineAnnealingLR",
    "LinearWarmup",
    "Optimizer",
    "RMSprop",
    "ReduceLROnPlateau",
    "StepLR",
    "clip_grad_norm_",
    "clip_grad_value_",
    "minimize_scipy",
]
