"""Networks: modules, layers, activations, losses, initializers and their declarations."""

from tinygrad_bp.nn import functional, init
from tinygrad_bp.nn.activations import (
    ELU,
    GELU,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Softsign,
    Tanh,
)
from tinygrad_bp.nn.layers import Dropout, Flatten, Identity, Linear, Sequential
from tinygrad_bp.nn.losses import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HalfSquaredErrorLoss,
    HuberLoss,
    L1Loss,
    MSELoss,
)
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.parameter import Buffer, Parameter
from tinygrad_bp.nn.registry import register_layer
from tinygrad_bp.nn.spec import NetworkSpec

__all__ = [
    "ELU",
    "GELU",
    "BCEWithLogitsLoss",
    "Buffer",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "HalfSquaredErrorLoss",
    "HuberLoss",
    "Identity",
    "L1Loss",
    "LeakyReLU",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "MSELoss",
    "Module",
    "NetworkSpec",
    "Parameter",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softsign",
    "Tanh",
    "functional",
    "init",
    "register_layer",
]
