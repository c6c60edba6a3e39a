r"""The backpropagation equations of a multilayer perceptron, derived by hand, in NumPy alone.

This module is the witness: it shares no code with the differentiation engine, so that where both
agree, both are right. ``docs/backpropagation.md`` derives every line of it.

The names are those of the derivation. A batch has one sample per row, and layer
:math:`l = 1, \dots, L` maps :math:`a^{l-1}` of shape :math:`(n, n_{l-1})` to :math:`a^l`:

.. math:: z^l = a^{l-1} W^{l\top} + b^l, \qquad a^l = f^l(z^l), \qquad a^0 = x .

With :math:`\delta^l = \partial \mathcal{L} / \partial z^l` the four equations are

.. math::

    \delta^L &= \nabla_{a^L} \mathcal{L} \odot f^{L\prime}(z^L) &
    \delta^l &= (\delta^{l+1} W^{l+1}) \odot f^{l\prime}(z^l) \\
    \partial \mathcal{L} / \partial b^l &= \textstyle\sum_{\text{rows}} \delta^l &
    \partial \mathcal{L} / \partial W^l &= \delta^{l\top} a^{l-1} .

Lists count from 0: ``weights[l - 1]``, ``biases[l - 1]``, ``z[l - 1]`` and ``deltas[l - 1]``
belong to layer :math:`l`, and ``a[l]`` is :math:`a^l`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_bp.errors import ArgumentError, DTypeError, ShapeError, nearest

Array = NDArray[np.floating[Any]]


class Activation(NamedTuple):
    r"""An activation :math:`f` and how a slope goes back through it.

    ``back(g, z, a)`` turns :math:`g = \partial \mathcal{L} / \partial a` into
    :math:`\partial \mathcal{L} / \partial z`. It may overwrite `g`, and neither `z` nor `a`.
    """

    function: Callable[[Array], Array]
    back: Callable[[Array, Array, Array], Array]


class Trace(NamedTuple):
    """What the forward pass leaves for the backward pass; arrays to read, not to write into."""

    z: list[Array]
    """``z[l - 1]``, (n, n_l): the weighted inputs of layer l."""
    a: list[Array]
    """``a[l]``, (n, n_l): the outputs of layer l; ``a[0]`` is x, ``a[-1]`` the network's output."""
    weights: Sequence[Array]
    biases: Sequence[Array | None]
    activations: Sequence[str]


class Gradients(NamedTuple):
    """What the backward pass finds; every array has the dtype of the weights."""

    deltas: list[Array]
    """``deltas[l - 1]``, (n, n_l): the derivative of the loss with respect to ``z[l - 1]``."""
    weights: list[Array]
    biases: list[Array | None]
    value: float
    """The loss, penalty included."""


def _sigmoid(z: Array) -> Array:
    # 1 + exp(t) is exact enough at both ends, and the cap on t = -z keeps it below infinity.
    t = np.minimum(-z, _EXP_MAX[z.dtype.char])
    np.exp(t, out=t)
    t += 1
    return np.divide(1, t, out=t)


def _sigmoid_back(g: Array, z: Array, a: Array) -> Array:
    g *= a * (1 - a)
    return g


def _tanh_back(g: Array, z: Array, a: Array) -> Array:
    g *= 1 - a * a
    return g


def _softsign_back(g: Array, z: Array, a: Array) -> Array:
    g /= (1 + np.abs(z)) ** 2
    return g


def _relu_back(g: Array, z: Array, a: Array) -> Array:
    g *= z > 0
    return g


def _softmax(z: Array) -> Array:
    p: Array = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return p


def _softmax_back(g: Array, z: Array, a: Array) -> Array:
    g -= (g * a).sum(axis=1, keepdims=True)
    g *= a
    return g


# The largest number whose exp is finite, with room for the rounding of the number itself.
_EXP_MAX = {char: float(np.log(np.finfo(char).max)) * (1 - 1e-3) for char in "efdg"}

ACTIVATIONS: dict[str, Activation] = {
    "identity": Activation(lambda z: z, lambda g, z, a: g),
    "relu": Activation(lambda z: np.maximum(z, 0), _relu_back),
    "sigmoid": Activation(_sigmoid, _sigmoid_back),
    "softmax": Activation(_softmax, _softmax_back),
    "softsign": Activation(lambda z: z / (1 + np.abs(z)), _softsign_back),
    "tanh": Activation(lambda z: np.tanh(z), _tanh_back),
}
"""The activations by name; relu'(0) = 0, and softmax is taken over the outputs of each sample."""


def _half_squared_error(output: Array, targets: Array) -> tuple[float, Array]:
    error = output - targets
    return 0.5 * float(np.vdot(error, error)), error


def _squared_error(output: Array, targets: Array) -> tuple[float, Array]:
    value, error = _half_squared_error(output, targets)
    error *= 2
    return 2 * value, error


def _sigmoid_cross_entropy(output: Array, targets: Array) -> tuple[float, Array]:
    terms = np.maximum(output, 0)
    terms -= output * targets
    terms += np.log1p(np.exp(-np.abs(output)))
    slope = _sigmoid(output)
    slope -= targets
    return float(terms.sum()), slope


def _softmax_cross_entropy(output: Array, targets: NDArray[Any]) -> tuple[float, Array]:
    shifted = output - output.max(axis=1, keepdims=True)
    p = np.exp(shifted)
    total = p.sum(axis=1, keepdims=True)
    p /= total
    log_total = np.log(total)
    if targets.ndim == 1:
        chosen = np.arange(len(targets)), targets
        value = float(log_total.sum() - shifted[chosen].sum())
        p[chosen] -= 1
    else:
        value = float((targets * (log_total - shifted)).sum())
        p *= targets.sum(axis=1, keepdims=True)
        p -= targets
    return value, p


LOSSES: dict[str, Callable[[Array, Any], tuple[float, Array]]] = {
    "half_squared_error": _half_squared_error,
    "sigmoid_cross_entropy": _sigmoid_cross_entropy,
    "softmax_cross_entropy": _softmax_cross_entropy,
    "squared_error": _squared_error,
}
"""The losses by name: the sum of all terms, and its slope; cross-entropies are of logits."""

REDUCTIONS = ("mean", "mean_elements", "sum")


def forward(
    weights: Sequence[Array],
    biases: Sequence[Array | None] | None,
    x: ArrayLike,
    activations: Sequence[str],
) -> Trace:
    r"""The forward pass: :math:`z^l = a^{l-1} W^{l\top} + b^l`, :math:`a^l = f^l(z^l)`.

    Parameters
    ----------
    weights : sequence of arrays
        One per layer, (n_l, n_{l-1}), all of one floating-point dtype, in which all is computed.
    biases : sequence of (array or None), or None
        One per layer, (n_l,), or None for a layer without; None for no biases at all.
    x : array
        A batch, (n, n_0), with n ≥ 1; cast to the dtype of the weights.
    activations : sequence of str
        One name of `ACTIVATIONS` per layer.

    Raises
    ------
    ShapeError, DTypeError, ArgumentError
        What does not fit, naming the layer.

    Examples
    --------
    >>> trace = forward([np.array([[1.0, -2.0]])], None, [[3.0, 1.0]], ["relu"])
    >>> trace.z[0], trace.a[1]
    (array([[1.]]), array([[1.]]))
    """
    biases = _checked(weights, biases, activations)
    a = np.asarray(x, dtype=weights[0].dtype)
    inputs = weights[0].shape[1]
    if a.ndim != 2 or a.shape[1] != inputs or not len(a):
        raise ShapeError(
            f"layer 1: x has shape {a.shape}, and the weights {weights[0].shape} take a batch of "
            f"shape (samples, {inputs}), with one sample or more.\n"
            "Fix: x[None, :] for one sample, x.reshape(len(x), -1) for images."
        )
    trace = Trace([], [a], weights, biases, activations)
    for w, b, name in zip(weights, biases, activations, strict=True):
        z = a @ w.T
        if b is not None:
            z += b
        a = ACTIVATIONS[name].function(z)
        trace.z.append(z)
        trace.a.append(a)
    return trace


def loss_and_slope(
    output: Array, targets: ArrayLike, *, loss: str, reduction: str = "sum"
) -> tuple[float, Array]:
    r"""The loss of a network's output and its slope :math:`\partial \mathcal{L} / \partial a^L`.

    Parameters
    ----------
    output : array
        :math:`a^L`, (n, n_L).
    targets : array
        (n, n_L). For ``"softmax_cross_entropy"`` also integer labels, (n,).
    loss : str
        ``"half_squared_error"`` :math:`\tfrac12 (a - y)^2`, ``"squared_error"``
        :math:`(a - y)^2`, ``"sigmoid_cross_entropy"`` :math:`\log(1 + e^a) - y a`, each with a
        term per output; ``"softmax_cross_entropy"`` :math:`-\sum_k y_k \log p_k`,
        :math:`p = \mathrm{softmax}(a)`, with a term per sample.
    reduction : str
        ``"sum"`` of all terms, ``"mean"`` over samples of the sum of their terms, or
        ``"mean_elements"``, the mean over all terms.

    Raises
    ------
    ShapeError, DTypeError, ArgumentError
        Targets that do not fit the output or the loss, and unknown names.

    Examples
    --------
    >>> import numpy as np
    >>> loss_and_slope(np.array([[3.0]]), [[1.0]], loss="half_squared_error")
    (2.0, array([[2.]]))
    """
    _known("loss", loss, LOSSES)
    _known("reduction", reduction, REDUCTIONS)
    value, slope = LOSSES[loss](output, _checked_targets(output, targets, loss))
    if reduction == "sum":
        return value, slope
    one_per_sample = reduction == "mean" or loss == "softmax_cross_entropy"
    terms = len(output) if one_per_sample else output.size
    slope *= 1 / terms
    return value / terms, slope


def backward(
    trace: Trace, targets: ArrayLike, *, loss: str, reduction: str = "sum", l2: float = 0.0
) -> Gradients:
    r"""The backward pass: from :math:`\delta^L` down to the gradients of every layer.

    Parameters
    ----------
    trace : Trace
        What `forward` returned; its weights must not have changed since.
    targets, loss, reduction
        As for `loss_and_slope`.
    l2 : float
        Adds :math:`\tfrac12 \lambda \sum_l \sum_{ij} (W^l_{ij})^2`, whatever the reduction; the
        biases are not penalised.

    Raises
    ------
    ShapeError, DTypeError, ArgumentError
        As `loss_and_slope`.

    Examples
    --------
    >>> import numpy as np
    >>> trace = forward([np.array([[2.0]])], None, [[3.0]], ["identity"])
    >>> back = backward(trace, [[5.0]], loss="half_squared_error")
    >>> back.value, back.deltas, back.weights
    (0.5, [array([[1.]])], [array([[3.]])])
    """
    z, a, weights, biases, activations = trace
    value, g = loss_and_slope(a[-1], targets, loss=loss, reduction=reduction)
    found = Gradients([], [], [], value)
    l2 = float(l2)  # a NumPy scalar would turn float32 into float64
    if l2:
        for w in weights:
            value += 0.5 * l2 * float(np.sum(w * w))
    for i in reversed(range(len(weights))):
        delta = ACTIVATIONS[activations[i]].back(g, z[i], a[i + 1])
        few = len(delta) < 512  # then column after column in memory, as `nn.Linear` keeps weights
        w_gradient = np.dot(a[i].T, delta).T if few else np.dot(delta.T, a[i])
        if l2:
            w_gradient += l2 * weights[i]
        found.deltas.append(delta)
        found.weights.append(w_gradient)
        found.biases.append(None if biases[i] is None else np.ones(len(delta), delta.dtype) @ delta)
        if i:
            g = delta @ weights[i]
    return Gradients(found.deltas[::-1], found.weights[::-1], found.biases[::-1], value)


def gradients(
    weights: Sequence[Array],
    biases: Sequence[Array | None] | None,
    x: ArrayLike,
    targets: ArrayLike,
    *,
    activations: Sequence[str],
    loss: str,
    reduction: str = "sum",
    l2: float = 0.0,
) -> tuple[float, Gradients]:
    """The loss and its gradients: `forward`, then `backward`, which see for arguments and errors.

    Examples
    --------
    >>> import numpy as np
    >>> network = {"weights": [np.zeros((2, 1))], "biases": None, "activations": ["identity"]}
    >>> value, back = gradients(**network, x=[[3.0]], targets=[0], loss="softmax_cross_entropy")
    >>> back.weights[0].ravel()
    array([-1.5,  1.5])
    """
    trace = forward(weights, biases, x, activations)
    found = backward(trace, targets, loss=loss, reduction=reduction, l2=l2)
    return found.value, found


def _known(what: str, name: str, names: Iterable[str]) -> None:
    if name not in names:
        raise ArgumentError(f"there is no {what} {name!r}.\nFix: {nearest(name, names)}")


def _checked(
    weights: Sequence[Array], biases: Sequence[Array | None] | None, activations: Sequence[str]
) -> Sequence[Array | None]:
    """The biases, one entry per layer, once everything fits together."""
    layers = len(weights)
    biases = (None,) * layers if biases is None else biases
    if not layers or len(biases) != layers or len(activations) != layers:
        raise ShapeError(
            f"there are {layers} weights, {len(biases)} biases and {len(activations)} "
            "activations.\nFix: one of each per layer, in lists; None for a layer without biases."
        )
    dtype, before = weights[0].dtype, None
    for number, (w, b, name) in enumerate(zip(weights, biases, activations, strict=True), 1):
        _known(f"activation for layer {number}:", name, ACTIVATIONS)
        if w.ndim != 2 or w.shape[1] != (before or w.shape[1]):
            raise ShapeError(
                f"layer {number}: the weights have shape {w.shape}, expected (outputs, "
                f"{f'{before}), for the outputs of layer {number - 1}' if before else 'inputs)'}.\n"
                "Fix: one row per output; transpose weights that are (inputs, outputs)."
            )
        before = w.shape[0]
        if b is not None and b.shape != (before,):
            raise ShapeError(
                f"layer {number}: the biases have shape {b.shape}, and the weights {w.shape} have "
                f"{before} outputs.\nFix: biases of shape ({before},)."
            )
        if dtype.kind != "f" or w.dtype != dtype or (b is not None and b.dtype != dtype):
            raise DTypeError(
                f"layer {number}: weights {w.dtype}{'' if b is None else f', biases {b.dtype}'}, "
                f"after weights {dtype} in layer 1.\n"
                "Fix: one floating-point dtype for all, as by w.astype(np.float64)."
            )
    return biases


def _checked_targets(output: Array, targets: ArrayLike, loss: str) -> NDArray[Any]:
    """The targets as an array that fits the output: its shape and dtype, or integer labels."""
    y = np.asarray(targets)
    samples, outputs = output.shape
    if loss == "softmax_cross_entropy" and y.shape == (samples,):
        if y.dtype.kind not in "iu":
            raise DTypeError(f"labels are integers, not {y.dtype}.\nFix: labels.astype(np.int64)")
        if y.min() < 0 or y.max() >= outputs:
            raise ArgumentError(
                f"labels go from {y.min()} to {y.max()}, where {outputs} outputs have the labels "
                f"0 to {outputs - 1}.\nFix: number the classes from 0."
            )
        return y
    if y.shape != output.shape:
        raise ShapeError(
            f"{loss} has targets of shape {y.shape} for an output of shape {output.shape}.\n"
            f"Fix: targets of the output's shape; labels become one-hot rows by "
            f"np.eye({outputs})[labels]."
        )
    return y.astype(output.dtype, copy=False)
