r"""Recurrence over a whole sequence as one primitive: a simple (Elman) network, and a GRU.

What comes from the inputs is one product for all steps, and enters as `x`, of shape
(steps, samples, gates · units). A primitive adds the products with the states before, one step
after another, and gives all states, (steps, samples, units). On the way back only the cotangent
of the state runs through the steps; all that it is multiplied with is computed for all steps at
once before, and the gradients of the weights after. Inside, samples come last, so that the gates
of a step lie side by side in memory. Without first states, they are zeros. `ops.lstm` is made in
the same way.

One thread, float32, 64 units, 50 steps of 32 samples, forward and backward: 1.3 ms in place of the
3.2 that `RNNCell` takes step by step, and 4.9 in place of 13 for the GRU.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive
from tinygrad_bp.ops.activations import sigmoid
from tinygrad_bp.ops.helpers import apply


def samples_last(x: Any) -> Any:
    """A copy of (…, samples, units) as (…, units, samples)."""
    return np.ascontiguousarray(x.swapaxes(-1, -2))


def before(start: Any, states: Any) -> Any:
    """The states before each step: the first one, and all that follow but the last."""
    start = np.zeros(states.shape[1:], states.dtype) if start is None else start
    if not on_arrays(states, start):
        return np.concatenate((start[None], states[:-1]))
    found = np.empty(states.shape, states.dtype)  # steps and samples side by side, for a product
    found[0], found[1:] = start, states[:-1]
    return found


def on_arrays(*inputs: Any) -> bool:
    """Whether a rule is applied to arrays, and not recorded."""
    return all(x is None or isinstance(x, np.ndarray) for x in inputs)


def first(start: Any, shape: tuple[int, int], dtype: Any) -> Any:
    """The state before the first step, (units, samples)."""
    return np.zeros(shape, dtype) if start is None else np.asarray(start.T, dtype)


def common_dtype(*inputs: Any) -> np.dtype[Any]:
    """The dtype of the result, some inputs being None."""
    return np.result_type(*(x for x in inputs if x is not None))


def to_sigmoid(t: Any) -> None:
    r"""Of tanh(x/2) make the logistic function of x in place: :math:`(1 + \tanh(x/2)) / 2`."""
    t += 1
    t *= 0.5


def weight_gradient(dx: Any, states: Any) -> Any:
    """Sum of the products of (steps, samples, gates) and (steps, samples, units)."""
    return dx.reshape((-1, dx.shape[-1])).T @ states.reshape((-1, states.shape[-1]))


def _elman(name: str, activation: Any, slope: Any, **facts: Any) -> Primitive:
    """The network h_t = f(x_t + W h_{t-1}), given f in place, and its derivative in terms of h."""

    def forward(x: Any, w: Any, h0: Any = None) -> Any:
        steps, samples, units = x.shape
        dtype = common_dtype(x, w, h0)
        states = np.empty((steps, units, samples), dtype)
        states[:] = x.swapaxes(1, 2)
        product = np.empty((units, samples), dtype)
        w, h = w.astype(dtype, copy=False), first(h0, (units, samples), dtype)
        for state in states:
            np.dot(w, h, out=product)
            state += product
            activation(state)
            h = state
        return states.swapaxes(1, 2)

    def by_hand(g: Any, out: Any, w: Any, h0: Any) -> Any:
        d = samples_last(slope(out))
        back, turned = samples_last(g), np.ascontiguousarray(w.T, out.dtype)
        carry = np.zeros(d.shape[1:], d.dtype)
        for t in range(len(d) - 1, -1, -1):
            carry += back[t]
            d[t] *= carry
            np.dot(turned, d[t], out=carry)
        dx = samples_last(d)
        return [dx, weight_gradient(dx, before(h0, out)), carry.T]

    def rule(g: Any, out: Any, x: Any, w: Any, h0: Any = None) -> Any:
        count = 2 if h0 is None else 3
        if on_arrays(g, out, x, w, h0):
            return by_hand(g, out, w, h0)[:count]
        slopes, steps = slope(out), []
        carry: Any = 0
        for t in range(len(g) - 1, -1, -1):
            steps.append(slopes[t] * (g[t] + carry))
            carry = steps[-1] @ w
        dx = np.stack(steps[::-1])
        return [dx, weight_gradient(dx, before(h0, out)), carry][:count]

    return Primitive(name, forward, rule, joint=True, **facts)


rnn_tanh = _elman(
    "rnn_tanh",
    lambda h: np.tanh(h, out=h),
    lambda h: 1 - h * h,
    formula=r"\tanh(x_t + W z_{t-1}), \; z_0 = s",
    vjp_formulas=[
        r"\delta_t = (1 - z_t^2) \, (\bar{z}_t + W^\top \delta_{t+1})",
        r"\textstyle\sum_t \delta_t z_{t-1}^\top",
        r"W^\top \delta_1",
    ],
)
rnn_relu = _elman(
    "rnn_relu",
    lambda h: np.maximum(h, 0, out=h),
    lambda h: (h > 0).astype(h.dtype),
    formula=r"\max(x_t + W z_{t-1}, 0), \; z_0 = s",
    vjp_formulas=[
        r"\delta_t = [z_t > 0] \, (\bar{z}_t + W^\top \delta_{t+1})",
        r"\textstyle\sum_t \delta_t z_{t-1}^\top",
        r"W^\top \delta_1",
    ],
    analytic=False,
    kinks="0 where a state is 0",
)


def _gru(x: Any, w: Any, b: Any, h0: Any = None) -> Any:
    steps, samples, units = x.shape[0], x.shape[1], w.shape[1]
    dtype = common_dtype(x, w, b, h0)
    # Of r and u half, since a sigmoid is made of tanh(x/2); beside r, u and n what r multiplies.
    scale = np.repeat(np.array([0.5, 0.5, 1], dtype), units)[:, None]
    gates = np.empty((steps, 4 * units, samples), dtype)
    np.multiply(x.swapaxes(1, 2), scale, out=gates[:, : 3 * units])
    w, b = (w * scale).astype(dtype, copy=False), (b[:, None] * scale).astype(dtype, copy=False)
    gates[:, : 2 * units] += b[: 2 * units]
    product = np.empty((3 * units, samples), dtype)
    states = np.empty((steps, units, samples), dtype)
    h = first(h0, (units, samples), dtype)
    for gate, state in zip(gates, states, strict=True):
        np.dot(w, h, out=product)
        both, n, q = gate[: 2 * units], gate[2 * units : 3 * units], gate[3 * units :]
        r, u = both[:units], both[units:]
        both += product[: 2 * units]
        to_sigmoid(np.tanh(both, out=both))
        np.add(product[2 * units :], b[2 * units :], out=q)
        np.multiply(r, q, out=state)
        n += state
        np.tanh(n, out=n)
        np.subtract(h, n, out=state)
        state *= u
        state += n
        h = state
    return states.swapaxes(1, 2), gates


def _gru_slopes(r: Any, u: Any, n: Any, q: Any, h: Any) -> tuple[Any, Any, Any]:
    """Of the arguments of r, u and n, what the cotangent of the state is multiplied with."""
    of_n = (1 - u) * (1 - n * n)
    return of_n * q * r * (1 - r), (h - n) * u * (1 - u), of_n


def _gru_on_arrays(g: Any, h: Any, w: Any, gates: Any) -> Any:
    """The cotangents of x, of all that is added to the products with W, and of the first state."""
    steps, samples, units = g.shape
    r, u, n, q = gates.reshape((steps, 4, units, samples)).swapaxes(0, 1)
    of_r, of_u, of_n = _gru_slopes(r, u, n, q, samples_last(h))
    d = np.empty((steps, 3, units, samples), gates.dtype)
    d[:, 0], d[:, 1], d[:, 2] = of_r, of_u, of_n * r
    back, turned = samples_last(g), np.ascontiguousarray(w.T, gates.dtype)
    carry = np.zeros((units, samples), gates.dtype)
    product = np.empty_like(carry)
    for t in range(steps - 1, -1, -1):
        carry += back[t]
        d[t] *= carry
        of_n[t] *= carry
        carry *= u[t]
        carry += np.dot(turned, d[t].reshape((3 * units, samples)), out=product)
    dw = samples_last(d.reshape((steps, 3 * units, samples)))
    dx = dw.copy()
    dx[..., 2 * units :] = of_n.swapaxes(1, 2)
    return dx, dw, carry.T


def _gru_recorded(g: Any, h: Any, x: Any, w: Any, b: Any) -> Any:
    """The same, on tensors."""
    a, product = np.split(x, 3, axis=-1), np.split(h @ w.T + b, 3, axis=-1)
    r, u = (apply(sigmoid, a[k] + product[k]) for k in (0, 1))
    q = product[2]
    of_r, of_u, of_n = _gru_slopes(r, u, np.tanh(a[2] + r * q), q, h)
    of_w = np.concatenate((of_r, of_u, of_n * r), axis=-1)
    states, products = [], []
    carry: Any = 0
    for t in range(len(g) - 1, -1, -1):
        states.append(g[t] + carry)
        products.append(of_w[t] * np.concatenate([states[-1]] * 3, axis=-1))
        carry = states[-1] * u[t] + products[-1] @ w
    dw, dh = np.stack(products[::-1]), np.stack(states[::-1])
    return np.concatenate((dw[..., : 2 * w.shape[1]], of_n * dh), axis=-1), dw, carry


def _gru_vjp(g: Any, out: Any, x: Any, w: Any, b: Any, h0: Any = None, *, saved: Any) -> Any:
    h = before(h0, out)
    if on_arrays(g, out, x, w, b, h0):
        dx, dw, start = _gru_on_arrays(g, h, w, saved)
    else:
        dx, dw, start = _gru_recorded(g, h, x, w, b)
    found = [dx, weight_gradient(dw, h), dw.sum(axis=(0, 1)), start]
    return found if h0 is not None else found[:3]


gru = Primitive(
    "gru",
    _gru,
    _gru_vjp,
    joint=True,
    saves=True,
    formula=r"u_t z_{t-1} + (1 - u_t) \, n_t, \; (r_t, u_t) = \sigma(x_t + W z_{t-1} + b), \; "
    r"n_t = \tanh(x_t + r_t \, (W z_{t-1} + b)), \; z_0 = s",
    vjp_formulas=[
        r"\delta_t = g_t \, \partial z_t / \partial x_t, \; g_t = \bar{z}_t + u_{t+1} g_{t+1} + "
        r"W^\top \epsilon_{t+1}",
        r"\textstyle\sum_t \epsilon_t z_{t-1}^\top, \; \epsilon_t = g_t \, \partial z_t / "
        r"\partial (W z_{t-1})",
        r"\textstyle\sum_t \epsilon_t",
        r"u_1 g_1 + W^\top \epsilon_1",
    ],
)
