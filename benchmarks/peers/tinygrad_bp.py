"""tinygrad_bp, eager, as a user would write it: functional layers on parameters, an optimizer."""

import numpy as np
import workloads

import tinygrad_bp as tg
import tinygrad_bp.nn.functional as F
from peers._shared import cycle_batches, descend


def version():
    return tg.__version__


def mlp(work, data):
    params = [tg.nn.Parameter(p.T if p.ndim == 2 else p) for p in data.param_list]  # out x in
    layers = (
        list(zip(params[::2], params[1::2], strict=True)) if work.bias else [(p,) for p in params]
    )
    *below, top = layers
    hidden = F.relu if work.hidden == "relu" else F.sigmoid
    make = tg.optim.Adam if work.optimizer == "adam" else tg.optim.SGD
    optimizer = make(params, lr=work.lr)
    sse = work.output == "sigmoid_mse"
    pairs = cycle_batches(work, data.X, data.Y if sse else data.labels)
    linear, sigmoid = F.linear, F.sigmoid
    half_squared_error, cross_entropy = F.half_squared_error, F.cross_entropy

    def loss_of(x, y):
        for layer in below:
            x = hidden(linear(x, *layer))
        x = linear(x, *top)
        return half_squared_error(sigmoid(x), y) if sse else cross_entropy(x, y)

    def run(n):
        for _ in range(n):
            loss = loss_of(*next(pairs))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        return loss.item()

    return run


def objective(work, data):
    n0, n1, n2 = work.sizes
    c1, c2, c3 = np.cumsum([n0 * n1, n1, n1 * n2])
    X, Y, m, l2 = data.X, data.Y, work.samples, work.l2

    def value_and_grad(theta):
        t = tg.Tensor(theta, requires_grad=True)
        W1, b1, W2, b2 = t[:c1].reshape(n0, n1), t[c1:c2], t[c2:c3].reshape(n1, n2), t[c3:]
        z = F.sigmoid(X @ W1 + b1) @ W2 + b2
        bce = F.binary_cross_entropy_with_logits(z, Y, reduction="sum")
        J = (bce + l2 / 2 * ((W1 * W1).sum() + (W2 * W2).sum())) / m
        J.backward()
        return J.item(), t.grad.data

    return descend(value_and_grad, work, data)


def scalar(work, data):
    def run(n):
        for _ in range(n):
            x, y = (tg.Tensor(v, requires_grad=True) for v in workloads.SCALAR_START)
            total = workloads.scalar_expression(x, y, F.relu, work.depth)
            total.backward()
        return (total + x.grad + y.grad).item()

    return run


def chain(work, data):
    def run(n):
        for _ in range(n):
            start = x = tg.Tensor(data.X, requires_grad=True)
            for _ in range(work.depth):
                x = np.tanh(x * 1.01 + 0.1)
            total = x.sum()
            total.backward()
        return (total + start.grad.sum()).item()

    return run
