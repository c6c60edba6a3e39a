"""The mistakes that people make in backpropagation by hand, as formulas that are wrong on purpose.

Each function gives pairs of a cause in words and the array that one gets by it. An answer that is
equal to one of the arrays has been explained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.core import Tensor
from tinygrad_bp.testing.grading.feedforward import Feedforward
from tinygrad_bp.testing.grading.truth import Truth

Array = NDArray[np.float64]
Mistakes = Iterator[tuple[str, Array]]

_ROUNDING = 64 * float(np.finfo(np.float64).eps)

#: Derivatives as they are written down for the output a = f(z), and easily put elsewhere.
_IN_OUTPUTS: dict[str, tuple[str, Callable[[Array], Array]]] = {
    "Sigmoid": ("a (1 - a)", lambda a: a * (1 - a)),
    "Tanh": ("1 - a²", lambda a: 1 - a * a),
    "Softsign": ("(1 - |a|)²", lambda a: (1 - np.abs(a)) ** 2),
    "ReLU": ("[a > 0]", lambda a: np.where(a > 0, 1.0, 0.0)),
}


class Equations(NamedTuple):
    """The equations of the backward pass, right and wrong, of one network and its data."""

    truth: Truth
    net: Feedforward

    def slope(self, i: int, later: Array | None) -> Array:
        """The slope of the loss with respect to the output of layer i, from the next layer's δ."""
        if later is None:
            return self.truth.slope
        found: Array = later @ self.net.layers[i + 1].linear.weight.data
        return found

    def delta(self, i: int, later: Array | None) -> Array:
        """The δ of layer i."""
        return self.net.layers[i].back(self.slope(i, later), self.net.z[i])

    def weight(self, i: int, delta: Array) -> Array:
        """The gradient of the weights of layer i."""
        w = self.net.layers[i].linear.weight.data
        found: Array = delta.T @ self.net.inputs[i] + self.truth.l2 * w
        return found

    def bias(self, i: int, delta: Array) -> Array:
        """The gradient of the biases of layer i."""
        found: Array = delta.sum(axis=0)
        return found

    def rounding(self, kind: str, i: int) -> float:
        """What rounding may make of a formula of layer i whose terms cancel."""
        delta = np.abs(self.truth.deltas[i])
        if kind == "weight":
            terms = delta.T @ np.abs(self.net.inputs[i])
        elif kind == "bias":
            terms = delta.sum(axis=0)
        elif i + 1 < len(self.net.layers):
            later = np.abs(self.truth.deltas[i + 1])
            terms = later @ np.abs(self.net.layers[i + 1].linear.weight.data)
        else:
            terms = np.abs(self.truth.slope)
        return _ROUNDING * float(np.max(terms, initial=0.0))

    def wrong_deltas(self, i: int, later: Array | None) -> Mistakes:
        """What can go wrong in the δ of layer i, given that of the next layer."""
        layer, z, slope = self.net.layers[i], self.net.z[i], self.slope(i, later)
        right = layer.back(slope, z)
        if layer.after:
            yield f"the derivative of {layer.activation} is missing", slope
            a = self.net.outputs[i]
            if a.shape == z.shape:
                f = f"the derivative of {layer.activation}"
                yield f"{f} is taken at the output a, and belongs at z", layer.back(slope, a)
                yield f"{f} is there twice", layer.back(right, z)
            yield from self._other_formulas(i, slope)
            yield from self._other_slopes(i, slope)
        if later is None:
            yield from self._last(right)
            return
        w = self.net.layers[i + 1].linear.weight.data
        name = f"W{i + 2}"
        if later.shape == z.shape:
            through = f"δ{i + 2} is not carried back through {name}"
            yield through, layer.back(later, z)
            yield f"{name} is transposed", layer.back(later @ w.T, z)
            yield f"{through}, and the derivative of the activation is missing", later
        for k, other in enumerate(self.net.layers):
            v = other.linear.weight.data
            if k != i + 1 and v.shape == w.shape:
                yield f"δ{i + 2} goes back through W{k + 1}, not {name}", layer.back(later @ v, z)

    def _other_formulas(self, i: int, slope: Array) -> Mistakes:
        """Derivatives written down for an output a, with something else put in."""
        own, z, a = self.net.layers[i].activation, self.net.z[i], self.net.outputs[i]
        if a.shape != z.shape:
            return
        for name, (formula, function) in _IN_OUTPUTS.items():
            if name == own:
                yield f"z stands in the place of a in {formula}", slope * function(z)
            else:
                other = f"the derivative is that of {name}, {formula}, not of {own}"
                yield other, slope * function(a)
                yield f"{other}, and z stands in the place of a", slope * function(z)

    def _other_slopes(self, i: int, slope: Array) -> Mistakes:
        """The derivatives of other layers in the place of that of layer i."""
        layer, z = self.net.layers[i], self.net.z[i]
        for k, other in enumerate(self.net.layers):
            if k == i:
                continue
            own = f"the derivative of {layer.activation}"
            if self.net.z[k].shape == z.shape:
                yield f"{own} is taken at z{k + 1}, not z{i + 1}", layer.back(slope, self.net.z[k])
            if other.after and other.activation != layer.activation:
                yield (
                    f"the derivative is that of {other.activation}, as in layer {k + 1}, not of "
                    f"{layer.activation}",
                    other.back(slope, z),
                )

    def _last(self, right: Array) -> Mistakes:
        """What can go wrong at the output, where the loss begins."""
        out = self.truth.output
        y = np.asarray(self.truth.y)
        if y.shape == out.shape[:1] and y.dtype.kind in "iu" and out.ndim == 2:
            y = np.eye(out.shape[1])[y]
        if not self.net.layers[-1].after:
            with np.errstate(over="ignore"):
                s = 1 / (1 + np.exp(-out))
            yield (
                "the derivative of the sigmoid is too much: it cancels against the loss",
                right * s * (1 - s),
            )
        if y.shape == out.shape and out.ndim == 2:
            n = len(out)
            difference = out - y
            yield (
                "it is the output minus the target, without what the loss does to the output",
                difference / n,
            )
            yield "the target is missing", self._with_target(np.zeros_like(difference))

    def _with_target(self, y: Array) -> Array:
        """The last δ for another target, or NaN where the loss has no such target."""
        last = len(self.net.layers) - 1
        z = Tensor(self.net.z[last], requires_grad=True)
        try:
            self.truth.function(self.net.layers[last].activate(z), y).backward()
        except (ValueError, TypeError):
            return np.full(z.shape, np.nan)
        return np.full(z.shape, np.nan) if z.grad is None else np.asarray(z.grad.data)

    def wrong_weights(self, i: int, delta: Array) -> Mistakes:
        """What can go wrong in the gradient of the weights of layer i, given its δ."""
        a, w, l2 = self.net.inputs[i], self.net.layers[i].linear.weight.data, self.truth.l2
        product = delta.T @ a
        if l2:
            yield "the penalty λW is missing", product
            yield "the penalty is 2λW, and should be λW", product + 2 * l2 * w
            yield "the penalty is subtracted", product - l2 * w
            yield "the penalty is divided by the number of samples", product + l2 * w / len(a)
            yield "only the penalty is there", l2 * w
        yield "it is transposed", a.T @ delta + l2 * w.T
        at = f"a{i}" if i else "x"
        others = {f"z{i}": self.net.z[i - 1]} if i else {}
        others |= {f"a{k + 1}": out for k, out in enumerate(self.net.outputs) if k + 1 != i}
        if i:
            others["x"] = self.net.inputs[0]
        for name, other in others.items():
            if other.shape == a.shape:
                yield f"{name} stands in the place of {at}", delta.T @ other + l2 * w
        for k, which in ((0, "first"), (-1, "last")):
            if len(a) > 1:
                sample = np.outer(delta[k], a[k]) + l2 * w
                yield f"only the {which} sample is in it", sample

    def wrong_biases(self, i: int, delta: Array) -> Mistakes:
        """What can go wrong in the gradient of the biases of layer i, given its δ."""
        b = self.net.layers[i].linear.bias
        right = delta.sum(axis=0)
        if b is not None and self.truth.l2:
            yield (
                "the penalty is on weights alone, and here on biases",
                (right + self.truth.l2 * b.data),
            )
        yield (
            "δ is summed over axis 1, the units, and not over axis 0, the samples",
            delta.sum(axis=1),
        )
        yield "δ is not summed over the samples, axis 0", delta
        yield "δ is summed over everything, not over axis 0 alone", np.asarray(delta.sum())
        yield (
            "δ is summed over everything, not over axis 0 alone",
            np.full(right.shape, delta.sum()),
        )
        if len(delta) > 1:
            yield "only the first sample is in it", delta[0]
            yield "only the last sample is in it", delta[-1]
