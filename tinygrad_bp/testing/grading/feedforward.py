"""A network of Linear layers one after another, taken apart as backpropagation on paper does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.nn import Identity, Linear, Module, Sequential
from tinygrad_bp.nn.utils import is_parametrized

Array = NDArray[np.float64]


class Layer(NamedTuple):
    """One Linear layer, with the modules that stand between it and the next."""

    path: str
    linear: Linear
    after: tuple[Module, ...]

    def parameter(self, kind: str) -> str:
        """The name in the model of its ``"weight"`` or ``"bias"``."""
        return f"{self.path}.{kind}" if self.path else kind

    def activate(self, z: Any) -> Any:
        """The layer's output a = f(z)."""
        for module in self.after:
            z = module(z)
        return z

    def back(self, g: Array, z: Array) -> Array:
        """The slope of the loss with respect to z, from its slope g with respect to f(z)."""
        if not self.after:
            return g
        start = Tensor(z, requires_grad=True)
        out = self.activate(start)
        out.backward(g)
        return np.zeros_like(z) if start.grad is None else np.asarray(start.grad.data)

    @property
    def activation(self) -> str:
        """Its name, for messages."""
        return " and ".join(type(module).__name__ for module in self.after)


class Feedforward:
    """Layers, and what a forward pass leaves for the equations of the backward pass.

    Layers count from 0 here, and from 1 in names: ``inputs[i]``, ``z[i]`` and ``outputs[i]`` are
    what layer i is given, what its Linear makes of it, and what leaves its activation.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> linears = [tg.nn.Linear(2, 3, dtype=np.float64), tg.nn.Linear(3, 1, dtype=np.float64)]
    >>> net = Feedforward.of(tg.nn.Sequential(linears[0], tg.nn.Tanh(), linears[1]))
    >>> output = net.forward(np.ones((4, 2)))
    >>> net.layers[0].activation, net.z[0].shape, output.shape
    ('Tanh', (4, 3), (4, 1))
    """

    def __init__(self, before: list[Module], layers: list[Layer]) -> None:
        self.before, self.layers = before, layers
        self.tensors: list[Tensor] = []
        self.inputs: list[Array] = []
        self.outputs: list[Array] = []

    @classmethod
    def of(cls, model: Module) -> Feedforward | None:
        """The layers of a model; None where it is not one Linear after another."""
        before: list[Module] = []
        layers: list[Layer] = []
        for path, module in _modules(model, ""):
            if type(module) is Linear:
                layers.append(Layer(path, module, ()))
            elif isinstance(module, Identity):
                continue
            elif next(iter(module.parameters()), None) is not None:
                return None
            elif layers:
                layers[-1] = layers[-1]._replace(after=(*layers[-1].after, module))
            else:
                before.append(module)
        # What is used twice has one gradient, a sum that no single formula gives; and a weight that
        # is computed from others has none that is kept.
        each = [p for layer in layers for p in layer.linear.parameters()]
        shared = len({id(p) for p in each}) < len(each)
        computed = any(is_parametrized(layer.linear) for layer in layers)
        return None if shared or computed or not layers else cls(before, layers)

    def forward(self, x: Any) -> Tensor:
        """The output, with every z kept for its gradient."""
        self.tensors, self.inputs, self.outputs = [], [], []
        a = x
        for module in self.before:
            a = module(a)
        for layer in self.layers:
            self.inputs.append(np.asarray(a.data if isinstance(a, Tensor) else a))
            z = layer.linear(a)
            z.retain_grad()
            self.tensors.append(z)
            a = layer.activate(z)
            self.outputs.append(np.asarray(a.data))
        return as_tensor(a)

    @property
    def z(self) -> list[Array]:
        """The weighted inputs of each layer."""
        return [np.asarray(z.data) for z in self.tensors]

    def deltas(self) -> list[Array]:
        """The slopes of the loss with respect to each z, after its backward pass."""
        return [
            np.zeros(z.shape) if z.grad is None else np.asarray(z.grad.data) for z in self.tensors
        ]

    def rest(self, i: int) -> Callable[[Array], Tensor]:
        """The network from the z of layer i on."""

        def run(z: Array) -> Tensor:
            a = self.layers[i].activate(as_tensor(z))
            for layer in self.layers[i + 1 :]:
                a = layer.activate(layer.linear(a))
            return as_tensor(a)

        return run


def _modules(model: Any, path: str) -> Iterator[tuple[str, Module]]:
    """The modules in order, those of nested Sequentials among them, with dotted names."""
    if isinstance(model, Sequential) and type(model).forward is Sequential.forward:
        for name, module in model.items():
            yield from _modules(module, f"{path}.{name}" if path else name)
    else:
        yield path, model
