"""Optimizers on flat buffers, schedules, gradient clipping, and the bridge to SciPy."""

from tinygrad_bp.optim.adadelta import Adadelta
from tinygrad_bp.optim.adagrad import Adagrad
from tinygrad_bp.optim.adam import Adam, AdamW
from tinygrad_bp.optim.adamax import Adamax
from tinygrad_bp.optim.asgd import ASGD
from tinygrad_bp.optim.clip import clip_grad_norm_, clip_grad_value_
from tinygrad_bp.optim.lamb import LAMB
from tinygrad_bp.optim.lion import Lion
from tinygrad_bp.optim.nadam import NAdam
from tinygrad_bp.optim.optimizer import Optimizer
from tinygrad_bp.optim.radam import RAdam
from tinygrad_bp.optim.rmsprop import RMSprop
from tinygrad_bp.optim.rprop import Rprop
from tinygrad_bp.optim.schedules import (
    CosineAnnealingLR,
    LinearWarmup,
    ReduceLROnPlateau,
    StepLR,
)
from tinygrad_bp.optim.scipy_bridge import minimize_scipy
from tinygrad_bp.optim.sgd import SGD

__all__ = [
    "ASGD",
    "LAMB",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "CosineAnnealingLR",
    "LinearWarmup",
    "Lion",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "ReduceLROnPlateau",
    "Rprop",
    "StepLR",
    "clip_grad_norm_",
    "clip_grad_value_",
    "minimize_scipy",
]
