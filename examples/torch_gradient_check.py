"""A gradient of another library, checked through NumPy: here PyTorch's, or its NumPy stand-in.

    python examples/torch_gradient_check.py

`check_gradients(f, x, gradient=g)` needs two functions of arrays and nothing else. So whatever has
a gradient can be checked: wrap it so that arrays go in and come out. Where PyTorch is not
installed, the same function in NumPy takes its place, and the same slip is found in it.
"""

from __future__ import annotations

import importlib.util

import numpy as np

from tinygrad_bp.testing import GradientError, check_gradients

TORCH = importlib.util.find_spec("torch") is not None


def with_torch():
    """The loss and its gradient by PyTorch's autograd, as functions of arrays."""
    import torch

    def loss(w, x, y):
        w, x, y = map(torch.as_tensor, (w, x, y))
        return torch.nn.functional.mse_loss(torch.tanh(x @ w), y).numpy()

    def gradient(w, x, y):
        w = torch.tensor(w, requires_grad=True)
        x, y = torch.as_tensor(x), torch.as_tensor(y)
        torch.nn.functional.mse_loss(torch.tanh(x @ w), y).backward()
        return w.grad.numpy()

    return loss, gradient


def with_numpy():
    """The same two functions by hand."""

    def loss(w, x, y):
        return np.mean((np.tanh(x @ w) - y) ** 2)

    def gradient(w, x, y):
        a = np.tanh(x @ w)
        return x.T @ (2 * (a - y) / a.size * (1 - a**2))

    return loss, gradient


def main() -> None:
    rng = np.random.default_rng(0)
    w, x, y = rng.normal(size=(3, 2)), rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    loss, gradient = with_torch() if TORCH else with_numpy()
    print("the gradient is", "PyTorch's" if TORCH else "written by hand, as PyTorch is not there")

    found = check_gradients(loss, w, x, y, argnums=0, gradient=gradient)
    print(f"right: {found.elements} derivatives agree to 1e-9: {found.difference < 1e-9}")

    def per_sample(w, x, y):
        """What comes of a loss that is summed over the samples, where the mean was meant."""
        return gradient(w, x, y) * len(x)

    try:
        check_gradients(loss, w, x, y, argnums=0, gradient=per_sample)
    except GradientError as error:
        print(f"wrong: {error}")


if __name__ == "__main__":
    main()
