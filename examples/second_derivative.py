"""Derivatives of derivatives: Newton's method, with a Hessian that is a gradient of a gradient.

    python examples/second_derivative.py

``backward(create_graph=True)`` records the backward pass too, so the gradients that it leaves in
``.grad`` can be differentiated again. Here that gives the Hessian of Rosenbrock's valley, row by
row, and Newton's method is at the bottom within a few steps, where descent takes thousands.
"""

from __future__ import annotations

import numpy as np

import tinygrad_bp as tg


def rosenbrock(p: tg.Tensor) -> tg.Tensor:
    """The sum of 100 (p[i+1] - p[i]²)² + (1 - p[i])²; its minimum is 0, at ones."""
    return np.sum(100 * (p[1:] - p[:-1] ** 2) ** 2 + (1 - p[:-1]) ** 2)


def gradient_and_hessian(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    p = tg.Tensor(values, requires_grad=True)
    rosenbrock(p).backward(create_graph=True)
    gradient = p.grad
    rows = []
    for i in range(p.size):
        p.grad = None
        gradient[i].backward(retain_graph=True)
        rows.append(p.grad.data)
    return gradient.data, np.array(rows)


def main() -> None:
    start = np.array([-1.2, 1.0])

    p = start
    print("Newton's method")
    for step in range(20):
        gradient, hessian = gradient_and_hessian(p)
        value = rosenbrock(tg.as_tensor(p)).item()
        print(f"  step {step:2}  value {value:10.3e}  |gradient| {np.linalg.norm(gradient):8.1e}")
        if np.linalg.norm(gradient) < 1e-9:
            break
        p = p - np.linalg.solve(hessian, gradient)
    print("  minimum at", p.round(6))

    q = tg.Tensor(start, requires_grad=True)
    for _ in range(2_000):
        q.grad = None
        value = rosenbrock(q)
        value.backward()
        q.assign(q.data - 1e-3 * q.grad.data)
    print(f"gradient descent, 2,000 steps: value {rosenbrock(q).item():.3e}")


if __name__ == "__main__":
    main()
