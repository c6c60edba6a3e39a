"""Optimizers as their papers give them: a few lines of NumPy, which share no code with ours."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.optim import (
    ASGD,
    LAMB,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lion,
    NAdam,
    RAdam,
    RMSprop,
    Rprop,
)

STEPS = 60


def sgd(p, gradient, lr, momentum=0, dampening=0, weight_decay=0, nesterov=False):
    b = None
    for t in range(STEPS):
        g = gradient(p, t) + weight_decay * p
        if momentum:
            b = g if b is None else momentum * b + (1 - dampening) * g
            g = g + momentum * b if nesterov else b
        p = p - lr * g
        yield p


def adam(p, gradient, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False, decoupled=0):
    m = v = v_max = np.zeros_like(p)
    for t in range(1, STEPS + 1):
        g = gradient(p, t - 1) + weight_decay * p
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        v_max = np.maximum(v_max, v)
        m_hat, v_hat = m / (1 - betas[0] ** t), (v_max if amsgrad else v) / (1 - betas[1] ** t)
        p = p - lr * decoupled * p - lr * m_hat / (np.sqrt(v_hat) + eps)
        yield p


def adamw(p, gradient, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False):
    return adam(p, gradient, lr, betas, eps, amsgrad=amsgrad, decoupled=weight_decay)


def rmsprop(p, gradient, lr, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False):
    v = mean = b = np.zeros_like(p)
    for t in range(STEPS):
        g = gradient(p, t) + weight_decay * p
        v = alpha * v + (1 - alpha) * g**2
        mean = alpha * mean + (1 - alpha) * g
        b = momentum * b + g / (np.sqrt(v - mean**2 if centered else v) + eps)
        p = p - lr * b
        yield p


def adagrad(p, gradient, lr, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10):
    total = initial_accumulator_value
    for t in range(STEPS):
        g = gradient(p, t) + weight_decay * p
        total = total + g**2
        p = p - lr / (1 + t * lr_decay) * g / (np.sqrt(total) + eps)
        yield p


def adadelta(p, gradient, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0):
    squares = moves = np.zeros_like(p)
    for t in range(STEPS):
        g = gradient(p, t) + weight_decay * p
        squares = rho * squares + (1 - rho) * g**2
        move = -np.sqrt(moves + eps) / np.sqrt(squares + eps) * g
        moves = rho * moves + (1 - rho) * move**2
        p = p + lr * move
        yield p


def adamax(p, gradient, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0):
    m = u = np.zeros_like(p)
    for t in range(1, STEPS + 1):
        g = gradient(p, t - 1) + weight_decay * p
        m = betas[0] * m + (1 - betas[0]) * g
        u = np.maximum(betas[1] * u, np.abs(g) + eps)
        p = p - lr / (1 - betas[0] ** t) * m / u
        yield p


def nadam(
    p, gradient, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, momentum_decay=4e-3, decoupled=0
):
    m = v = np.zeros_like(p)
    mu = betas[0] * (1 - 0.5 * 0.96 ** (np.arange(STEPS + 2) * momentum_decay))
    for t in range(1, STEPS + 1):
        g = gradient(p, t - 1) + weight_decay * p
        p = p - lr * decoupled * p
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        m_hat = mu[t + 1] * m / (1 - np.prod(mu[1 : t + 2]))
        m_hat = m_hat + (1 - mu[t]) * g / (1 - np.prod(mu[1 : t + 1]))
        p = p - lr * m_hat / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
        yield p


def radam(p, gradient, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, decoupled=0):
    m = v = np.zeros_like(p)
    rho_inf = 2 / (1 - betas[1]) - 1
    for t in range(1, STEPS + 1):
        g = gradient(p, t - 1) + weight_decay * p
        p = p - lr * decoupled * p
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        rho = rho_inf - 2 * t * betas[1] ** t / (1 - betas[1] ** t)
        step = m / (1 - betas[0] ** t)
        if rho > 5:
            r = (rho - 4) / (rho_inf - 4) * (rho - 2) / (rho_inf - 2) * rho_inf / rho
            step = np.sqrt(r) * np.sqrt(1 - betas[1] ** t) * step / (np.sqrt(v) + eps)
        p = p - lr * step
        yield p


def decoupled(reference):
    """The reference with its weight decay decoupled, which ours has as a flag."""

    def path(p, gradient, weight_decay, decoupled_weight_decay, **settings):
        return reference(p, gradient, decoupled=weight_decay, **settings)

    return path


def lion(p, gradient, lr, betas=(0.9, 0.99), weight_decay=0):
    m = np.zeros_like(p)
    for t in range(STEPS):
        g = gradient(p, t)
        c = betas[0] * m + (1 - betas[0]) * g
        p = p - lr * (np.sign(c) + weight_decay * p)
        m = betas[1] * m + (1 - betas[1]) * g
        yield p


def lamb(p, gradient, lr, betas=(0.9, 0.999), eps=1e-6, weight_decay=1e-2):
    m = v = np.zeros_like(p)
    for t in range(1, STEPS + 1):
        g = gradient(p, t - 1)
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        r = m / (1 - betas[0] ** t) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
        u = r + weight_decay * p
        norms = np.sqrt(np.sum(p**2)), np.sqrt(np.sum(u**2))
        p = p - lr * (norms[0] / norms[1] if all(norms) else 1) * u
        yield p


def rprop(p, gradient, lr, etas=(0.5, 1.2), step_sizes=(1e-6, 50)):
    size, before = np.full_like(p, lr), np.zeros_like(p)
    for t in range(STEPS):
        g = gradient(p, t)
        product = g * before
        size = np.where(product > 0, np.minimum(size * etas[1], step_sizes[1]), size)
        size = np.where(product < 0, np.maximum(size * etas[0], step_sizes[0]), size)
        g = np.where(product < 0, 0, g)
        p, before = p - np.sign(g) * size, g
        yield p


def asgd(p, gradient, lr, lambd=1e-4, alpha=0.75, t0=1e6, weight_decay=0):
    eta = lr
    for t in range(1, STEPS + 1):
        g = gradient(p, t - 1) + weight_decay * p
        p = p - eta * lambd * p - eta * g
        eta = lr / (1 + lambd * lr * t) ** alpha
        yield p


CASES = [
    (SGD, sgd, {"lr": 0.05}),
    (SGD, sgd, {"lr": 0.05, "weight_decay": 0.1}),
    (SGD, sgd, {"lr": 0.02, "momentum": 0.9}),
    (SGD, sgd, {"lr": 0.02, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.01}),
    (SGD, sgd, {"lr": 0.02, "momentum": 0.8, "nesterov": True, "weight_decay": 0.01}),
    (Adam, adam, {"lr": 0.05}),
    (Adam, adam, {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}),
    (AdamW, adamw, {"lr": 0.05}),
    (AdamW, adamw, {"lr": 0.02, "betas": (0.5, 0.9), "eps": 1e-4, "weight_decay": 0.3}),
    (RMSprop, rmsprop, {"lr": 0.02}),
    (RMSprop, rmsprop, {"lr": 0.02, "alpha": 0.9, "eps": 1e-3, "weight_decay": 0.1}),
    (RMSprop, rmsprop, {"lr": 0.01, "momentum": 0.7}),
    (RMSprop, rmsprop, {"lr": 0.01, "alpha": 0.9, "centered": True, "momentum": 0.5}),
    (Adagrad, adagrad, {"lr": 0.2}),
    (
        Adagrad,
        adagrad,
        {
            "lr": 0.2,
            "lr_decay": 0.1,
            "weight_decay": 0.1,
            "initial_accumulator_value": 0.3,
            "eps": 1e-3,
        },
    ),
    (Adam, adam, {"lr": 0.05, "betas": (0.5, 0.6), "amsgrad": True}),
    (AdamW, adamw, {"lr": 0.05, "weight_decay": 0.1, "betas": (0.5, 0.6), "amsgrad": True}),
    (Adadelta, adadelta, {}),
    (Adadelta, adadelta, {"lr": 0.5, "rho": 0.7, "eps": 1e-3, "weight_decay": 0.1}),
    (Adamax, adamax, {"lr": 0.05}),
    (Adamax, adamax, {"lr": 0.02, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    (NAdam, nadam, {"lr": 0.05}),
    (NAdam, nadam, {"lr": 0.02, "weight_decay": 0.1, "momentum_decay": 0.1, "eps": 1e-3}),
    (NAdam, decoupled(nadam), {"lr": 0.02, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    (RAdam, radam, {"lr": 0.05}),
    (RAdam, radam, {"lr": 0.05, "betas": (0.8, 0.9), "weight_decay": 0.1, "eps": 1e-3}),
    (RAdam, decoupled(radam), {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    (Lion, lion, {"lr": 0.01}),
    (Lion, lion, {"lr": 0.01, "betas": (0.5, 0.7), "weight_decay": 0.3}),
    (LAMB, lamb, {"lr": 0.02}),
    (LAMB, lamb, {"lr": 0.02, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0}),
    (Rprop, rprop, {"lr": 0.01}),
    (Rprop, rprop, {"lr": 0.05, "etas": (0.3, 1.5), "step_sizes": (0.01, 0.2)}),
    (ASGD, asgd, {"lr": 0.05}),
    (ASGD, asgd, {"lr": 0.05, "lambd": 0.1, "alpha": 0.6, "weight_decay": 0.1}),
]
