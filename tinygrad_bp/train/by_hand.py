"""Training by the equations derived by hand, in place of automatic differentiation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from tinygrad_bp import backprop, nn
from tinygrad_bp.core import as_tensor
from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.train.objective import Objective

_ACTIVATIONS: dict[type[nn.Module], str] = {
    nn.Identity: "identity",
    nn.ReLU: "relu",
    nn.Sigmoid: "sigmoid",
    nn.Softmax: "softmax",
    nn.Softsign: "softsign",
    nn.Tanh: "tanh",
}
_LOSSES = {
    "cross_entropy": "softmax_cross_entropy",
    "half_squared_error": "half_squared_error",
    "mse": "squared_error",
    "binary_cross_entropy_with_logits": "sigmoid_cross_entropy",
}


class ByHand:
    """The gradients of a multilayer perceptron by the equations of `tinygrad_bp.backprop`.

    Parameters
    ----------
    model : Module
        Linear layers and activations one after another.
    objective : Objective
        What to minimise.

    Raises
    ------
    ArgumentError
        The network is none that the equations describe.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_bp.train.tables import Loss
    >>> model = nn.Sequential(nn.Linear(2, 3, dtype=np.float64), nn.Sigmoid())
    >>> objective = Objective(Loss(name="mse"), model, samples=1)
    >>> x, y = np.ones((1, 2)), np.zeros((1, 3))
    >>> value = ByHand(model, objective)(x, y)
    >>> by_hand = model[0].weight.grad.data
    >>> model.zero_grad()
    >>> objective(model(x), y).backward()
    >>> np.allclose(model[0].weight.grad.data, by_hand, rtol=1e-14)
    True
    """

    def __init__(self, model: nn.Module, objective: Objective) -> None:
        self.objective = objective
        if objective.loss.name not in _LOSSES or objective.options:
            options = "".join(f", {key}={value}" for key, value in objective.options.items())
            raise ArgumentError(_refusal(f"its loss is {objective.loss.name}{options}"))
        self.linears: list[nn.Linear] = []
        self.activations: list[str] = []
        for path, layer in _layers(model, ""):
            if isinstance(layer, nn.Linear) and not nn.utils.is_parametrized(layer):
                self.linears.append(layer)
                self.activations.append("identity")
            elif type(layer) is nn.Flatten and not self.linears:
                continue
            else:
                self._activate(path, layer)
        if not self.linears:
            raise ArgumentError(_refusal("it has no Linear layer"))
        parameters = [p for layer in self.linears for p in layer.parameters()]
        if len({id(p) for p in parameters}) < len(parameters):
            raise ArgumentError(_refusal("layers share parameters"))

    def _activate(self, path: str, layer: Any) -> None:
        """Put an activation after the last linear layer."""
        name = _ACTIVATIONS.get(type(layer))
        if name is None or (name == "softmax" and layer.axis not in (-1, 1)):
            what = f"layer {path!r}" if path else "it"
            raise ArgumentError(_refusal(f"{what} is {layer!r}"))
        if name == "identity":
            return
        if not self.linears or self.activations[-1] != "identity":
            where = "before the first Linear" if not self.linears else "right after an activation"
            raise ArgumentError(_refusal(f"the activation {path!r}, {layer!r}, is {where}"))
        self.activations[-1] = name

    def __call__(self, x: NDArray[Any], targets: NDArray[Any]) -> float:
        """Put the gradients into ``.grad`` of the parameters; return the loss."""
        weights = [layer.weight.data for layer in self.linears]
        biases = [None if layer.bias is None else layer.bias.data for layer in self.linears]
        trace = backprop.forward(weights, biases, x.reshape(len(x), -1), self.activations)
        found = backprop.backward(
            trace,
            targets,
            loss=_LOSSES[self.objective.loss.name],
            reduction="mean" if self.objective.loss.outputs == "sum" else "mean_elements",
            l2=self.objective.l2,
        )
        for layer, w, b in zip(self.linears, found.weights, found.biases, strict=True):
            layer.weight.grad = as_tensor(w)
            if layer.bias is not None and b is not None:
                layer.bias.grad = as_tensor(b)
        return found.value


def _layers(model: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The layers in order, those of nested Sequentials among them, with dotted names."""
    if isinstance(model, nn.Sequential) and type(model).forward is nn.Sequential.forward:
        for name, layer in model.items():
            yield from _layers(layer, f"{path}.{name}" if path else name)
    else:
        yield path, model


def _refusal(why: str) -> str:
    return (
        f"the equations by hand do not describe this network: {why}.\n"
        "They are for Linear layers, each with at most one of "
        f"{', '.join(sorted(kind.__name__ for kind in _ACTIVATIONS))} behind it, and for the "
        f"losses {', '.join(_LOSSES)}.\n"
        "Fix: use --gradients autograd, which differentiates every network."
    )
