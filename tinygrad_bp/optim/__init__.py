"""Optimizers on flat buffers, schedules, averages of weights, and what is done to gradients."""

from tinygrad_bp.optim.adadelta import Adadelta
from tinygrad_bp.optim.adagrad import Adagrad
from tinygrad_bp.optim.adam import Adam, AdamW
from tinygrad_bp.optim.adamax import Adamax
from tinygrad_bp.optim.asgd import ASGD
from tinygrad_bp.optim.averaging import AveragedModel, get_ema_avg_fn, update_bn
from tinygrad_bp.optim.clip import clip_grad_norm_, clip_grad_value_
from tinygrad_bp.optim.gradients import GradientAccumulation, add_grad_noise_, centralize_grad_
from tinygrad_bp.optim.lamb import LAMB
from tinygrad_bp.optim.lbfgs import LBFGS
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
from tinygrad_bp.optim.schedules_chained import ChainedScheduler, SequentialLR
from tinygrad_bp.optim.schedules_cycles import SWALR, CosineAnnealingWarmRestarts, OneCycleLR
from tinygrad_bp.optim.schedules_factors import (
    ConstantLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
)
from tinygrad_bp.optim.scipy_bridge import minimize_scipy
from tinygrad_bp.optim.sgd import SGD

__all__ = [
    "ASGD",
    "LAMB",
    "LBFGS",
    "SGD",
    "SWALR",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "AveragedModel",
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "ExponentialLR",
    "GradientAccumulation",
    "LambdaLR",
    "LinearLR",
    "LinearWarmup",
    "Lion",
    "MultiStepLR",
    "NAdam",
    "OneCycleLR",
    "Optimizer",
    "PolynomialLR",
    "RAdam",
    "RMSprop",
    "ReduceLROnPlateau",
    "Rprop",
    "SequentialLR",
    "StepLR",
    "add_grad_noise_",
    "centralize_grad_",
    "clip_grad_norm_",
    "clip_grad_value_",
    "get_ema_avg_fn",
    "minimize_scipy",
    "update_bn",
]
