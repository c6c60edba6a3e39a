"""Networks: modules, layers, activations, losses, initializers and their declarations."""

from tinygrad_bp.nn import init
from tinygrad_bp.nn.layers import Dropout, Flatten, Identity, Linear, Sequential
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.parameter import Buffer, Parameter
from tinygrad_bp.nn.registry import register_layer
from tinygrad_bp.nn.spec import NetworkSpec

__all__ = [
    "Buffer",
    "Dropout",
    "Flatten",
    "Identity",
    "Linear",
    "Module",
    "NetworkSpec",
    "Parameter",
    "Sequential",
    "init",
    "register_layer",
]
