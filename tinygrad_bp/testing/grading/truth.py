"""The gradients to grade by: autograd's, each confirmed by a numerical derivative."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.core import Tensor, as_tensor, no_grad
from tinygrad_bp.errors import ArgumentError, ShapeError, nearest
from tinygrad_bp.nn import Module, NetworkSpec, functional
from tinygrad_bp.testing.grading.feedforward import Feedforward
from tinygrad_bp.testing.numerical import numerical_gradient

Array = NDArray[np.float64]
Loss = Callable[[Any, Any], Tensor]

LOSSES: dict[str, Loss] = {
    "binary_cross_entropy_with_logits": functional.binary_cross_entropy_with_logits,
    "cross_entropy": functional.cross_entropy,
    "half_squared_error": functional.half_squared_error,
    "huber_loss": functional.huber_loss,
    "l1_loss": functional.l1_loss,
    "mse_loss": functional.mse_loss,
}
#: What a numerical derivative and autograd may differ by, relative to the largest element.
NUMERICAL_LIMIT = 1e-7
# A large step has little rounding error, and a small one reaches over no kink of a ReLU: the one
# with the smallest error bar counts.
_STEPS = (2.0**-10, 2.0**-14, 2.0**-18)


class Difference(NamedTuple):
    """The largest relative difference of a gradient from a witness.

    Attributes
    ----------
    value : float
        Relative to the largest element of the gradient.
    where : str
        The index of the element, or ``"direction 3"``; empty where all agree exactly.
    error : float
        The error bar of the witness there, relative too; 0 for formulas.
    """

    value: float
    where: str
    error: float = 0.0


class Truth(NamedTuple):
    """What the right answers are.

    Attributes
    ----------
    model : Module
        The float64 copy, in evaluation mode, that everything was computed with.
    net : Feedforward or None
        Its layers, where it is one Linear after another.
    x, y
        The data, floating-point numbers as float64.
    output : array
        What the model makes of x.
    loss : float
        The penalty included.
    l2 : float
        The weight of the penalty.
    root : callable
        Records the loss again, for those who read the graph.
    gradients : dict
        Of the parameters, by name.
    deltas : list of array
        Of each layer; empty where there is no `net`.
    slope : array
        The derivative of the loss with respect to the output.
    function : callable
        The loss of (output, target), without the penalty.
    """

    model: Module
    net: Feedforward | None
    x: Any
    y: Any
    output: Array
    loss: float
    l2: float
    root: Callable[[], Tensor]
    gradients: dict[str, Array]
    deltas: list[Array]
    slope: Array
    function: Loss

    def confirm(
        self, deltas: bool = False, elements: int = 12, directions: int = 4
    ) -> dict[str, Difference]:
        """What each gradient differs by from a numerical derivative.

        With `deltas`, those of the layers too, as ``"delta 1"``. Of each array, some elements are
        compared, and some directions.
        """
        rng = np.random.default_rng(0)
        found = {}
        for name, parameter in self.model.named_parameters():
            start = parameter.data

            def at(values: Array, parameter: Any = parameter, shape: Any = start.shape) -> float:
                parameter.data = values.reshape(shape)
                return _number(self.root)

            found[name] = numerical(at, start, self.gradients[name], rng, elements, directions)
            parameter.data = start
        for i, delta in enumerate(self.deltas if deltas else []):
            assert self.net is not None  # there are deltas
            z, rest = self.net.z[i], self.net.rest(i)

            def loss(values: Array, rest: Any = rest, shape: Any = z.shape) -> float:
                return _number(lambda: self.function(rest(values.reshape(shape)), self.y))

            found[f"delta {i + 1}"] = numerical(loss, z, delta, rng, elements, directions)
        return found


def find_truth(model: Module | NetworkSpec, loss: Loss | str, data: Any, l2: float = 0.0) -> Truth:
    """Autograd's gradients, in float64, of a copy of the model.

    Parameters
    ----------
    model, loss, data, l2
        As for `check_equivalent`.

    Raises
    ------
    ArgumentError
        There is no such loss.
    ShapeError
        The loss is not one number.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> model = tg.nn.Linear(1, 1, weight_init="ones", bias_init="zeros")
    >>> truth = find_truth(model, "mse_loss", ([[3.0]], [[1.0]]))
    >>> truth.loss, truth.gradients
    (4.0, {'weight': array([[12.]]), 'bias': array([4.])})
    """
    twin = model.build(0) if isinstance(model, NetworkSpec) else copy.deepcopy(model)
    twin = twin.astype(np.float64).eval()
    x, y = (_in_float64(part) for part in data)
    function = _function(loss)
    net = Feedforward.of(twin)
    if net is not None:
        net.forward(x)
        if any(z.ndim != 2 for z in net.tensors):
            net = None
    penalised = [p for p in twin.parameters() if p.ndim > 1] if l2 else []

    def total(output: Tensor) -> Tensor:
        value = as_tensor(function(output, y))
        for w in penalised:
            value = value + 0.5 * l2 * np.sum(w * w)
        return value

    twin.zero_grad()
    output = twin(x) if net is None else net.forward(x)
    value = total(output)
    if value.shape:
        raise ShapeError(
            f"the loss has the shape {value.shape}, and what is differentiated is one number.\n"
            "Fix: a loss that sums over the samples, or takes their mean."
        )
    number = value.item()
    output.retain_grad()
    value.backward()
    slope = np.zeros(output.shape) if output.grad is None else np.asarray(output.grad.data)
    gradients = {
        name: np.zeros(p.shape) if p.grad is None else np.asarray(p.grad.data)
        for name, p in twin.named_parameters()
    }
    deltas = [] if net is None else net.deltas()
    twin.zero_grad()
    made = np.asarray(output.data)

    def root() -> Tensor:
        return total(twin(x))

    return Truth(twin, net, x, y, made, number, l2, root, gradients, deltas, slope, function)


def largest(given: Array, expected: Array) -> Difference:
    """The largest difference of two arrays of one shape, relative to the second."""
    if not expected.size:
        return Difference(0.0, "")
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.abs(given - expected)
    # A NaN is the largest of all for argmax.
    worst = np.unravel_index(int(np.argmax(difference)), expected.shape)
    scale = float(np.max(np.abs(expected))) or 1.0
    value = float(difference[worst]) / scale
    where = str([int(i) for i in worst]) if value else ""
    return Difference(value if np.isfinite(value) else np.inf, where)


def numerical(
    f: Callable[[Array], float],
    start: Array,
    exact: Array,
    rng: np.random.Generator,
    elements: int = 12,
    directions: int = 4,
) -> Difference:
    """The largest difference of a gradient from numerical derivatives.

    They are taken at some elements, the largest of the gradient among them, and along some
    directions.
    """
    if not start.size:
        return Difference(0.0, "")
    best = int(np.argmax(np.abs(exact)))
    others = rng.permutation(start.size)[: elements - 1]
    some = sorted({best, *(int(i) for i in others)})
    compared: list[tuple[float, float, float, str]] = []
    gradient, error = _best(f, start, some)
    for i in some:
        index = str([int(k) for k in np.unravel_index(i, start.shape)])
        compared.append((exact.flat[i], gradient.flat[i], error.flat[i], index))
    for k in range(directions):
        direction = rng.normal(size=start.shape)
        direction /= np.linalg.norm(direction)
        slope, bar = _best(lambda t, d=direction: f(start + t[0] * d), np.zeros(1), [0])  # type: ignore[misc]  # d is bound
        along = float(np.vdot(exact, direction))
        compared.append((along, slope[0], bar[0], f"direction {k + 1}"))
    scale = float(np.abs(exact).max()) or max(abs(c[1]) for c in compared) or 1.0
    all_found = [
        Difference(abs(a - n) / scale, at if a != n else "", e / scale) for a, n, e, at in compared
    ]
    return max(all_found, key=lambda d: d.value if np.isfinite(d.value) else np.inf)


def _best(f: Callable[[Array], float], x: Array, elements: list[int]) -> tuple[Array, Array]:
    """The numerical gradient, for each element with the step that has the smallest error bar."""
    gradient, error = numerical_gradient(f, x, step=_STEPS[0], elements=elements)
    for step in _STEPS[1:]:
        other, bar = numerical_gradient(f, x, step=step, elements=elements)
        gradient, error = np.where(bar < error, other, gradient), np.minimum(bar, error)
    return gradient, error


def _number(root: Callable[[], Tensor]) -> float:
    with no_grad():
        return float(root().item())


def _function(loss: Loss | str) -> Loss:
    if not isinstance(loss, str):
        return loss
    if loss not in LOSSES:
        raise ArgumentError(
            f"there is no loss {loss!r}.\nFix: {nearest(loss, LOSSES)}; or give a function of "
            "(output, target)."
        )
    return LOSSES[loss]


def _in_float64(part: Any) -> Any:
    array = np.asarray(part.data if isinstance(part, Tensor) else part)
    return array.astype(np.float64) if array.dtype.kind == "f" else array
