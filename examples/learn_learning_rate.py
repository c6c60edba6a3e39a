"""Learning rates that are learned: the gradient of a whole training run by the rate of each step.

    python examples/learn_learning_rate.py

A training run is a function from rates to losses, made of NumPy and of gradients. So it has a
gradient itself, back through all of its steps. Descending along that one gives each step a rate of
its own, by which the loss falls faster than by the best single rate.
"""

from __future__ import annotations

import argparse

import numpy as np
from matplotlib import pyplot

import tinygrad_bp as tg
from tinygrad_bp import data, nn, optim
from tinygrad_bp.testing import check_gradients


def start(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    v, w = rng.normal(size=(64, 32)) / 8, rng.normal(size=(32, 10)) / np.sqrt(32)
    return {"V": v, "c": np.zeros(32), "W": w, "b": np.zeros(10)}


def loss(p, x, labels):
    return nn.functional.cross_entropy(np.tanh(x @ p["V"] + p["c"]) @ p["W"] + p["b"], labels)


def training(log_rates, p, x, labels):
    """The losses after each step of gradient descent."""
    losses = []
    for rate in np.exp(log_rates):
        gradient = tg.grad(loss)(p, x, labels)
        p = {name: p[name] - rate * gradient[name] for name in p}
        losses.append(loss(p, x, labels))
    return np.stack(losses)


def main() -> None:
    parser = argparse.ArgumentParser(description="Learn the rate of each step of a training run.")
    parser.add_argument("--updates", type=int, default=120, help="of the rates")
    parser.add_argument("--steps", type=int, default=25, help="of the training run")
    parser.add_argument("--out", default="learn_learning_rate.png", help="file for the plots")
    args = parser.parse_args()

    digits = data.load_digits().train
    run = start(0), digits.inputs[::2] / 16, digits.labels[::2]
    other = start(1), digits.inputs[1::2] / 16, digits.labels[1::2]
    found = check_gradients(lambda r: training(r, *run), np.log([0.1, 0.3, 0.5]), order=1)
    print(f"gradient through three steps: largest relative difference {found.difference:.1e}")
    constant = np.log(np.geomspace(0.1, 3, 30))[:, np.newaxis] * np.ones(args.steps)
    best = min(constant, key=lambda r: np.mean(training(r, *run)).item())

    rates = tg.Tensor(constant[0], requires_grad=True)
    optimizer = optim.Adam([rates], lr=0.08)
    schedule = optim.CosineAnnealingLR(optimizer, args.updates)
    for _ in range(args.updates):
        optimizer.zero_grad()
        np.mean(training(rates, *run)).backward()
        optimizer.step()
        schedule.step()

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    names = {"first guess": constant[0], "best constant": best, "learned": rates.data}
    for name, chosen in names.items():
        here, there = (training(chosen, *which).data for which in (run, other))
        print(f"{name:13}  mean loss {here.mean():.3f}  other digits and start {there.mean():.3f}")
        left.plot(np.exp(chosen), drawstyle="steps-mid")
        right.plot(here, label=name)
    left.set(xlabel="step", ylabel="learning rate")
    right.set(xlabel="step", ylabel="loss", ylim=0)
    figure.legend(loc="outside right center", frameon=False)
    figure.savefig(args.out, dpi=100)


if __name__ == "__main__":
    main()
