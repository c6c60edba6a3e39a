"""First derivatives at inputs that are larger, smaller, or coarser than the rows usually draw."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.testing.mutants.rows import scaled
from tinygrad_bp.testing.numerical import numerical_gradient
from tinygrad_bp.testing.setting import Draw, require, values_of

LARGE, SMALL = 5.0, 1e-3


def large_inputs(case: Any, draw: Draw) -> None:
    """Inputs up to 10, where the function takes them."""
    _compare(case, scaled(case, LARGE, draw), None)


def small_inputs(case: Any, draw: Draw) -> None:
    """Inputs up to 0.002, with steps that do not reach over a kink at 0."""
    _compare(case, scaled(case, SMALL, draw), 2.0**-17)


def _compare(case: Any, arrays: Any, step: float | None) -> None:
    if arrays is None:
        return
    leaves = [Tensor(a, requires_grad=True) for a in arrays]
    out = case.call(*leaves)
    v = np.random.default_rng(0).uniform(0.5, 1.5, out.shape)
    out.backward(v)
    for i, leaf in enumerate(leaves):

        def f(x: Any, i: int = i) -> Any:
            values = (case.reference or case.call)(*arrays[:i], x, *arrays[i + 1 :])
            return np.sum(v * values)

        numeric, error = numerical_gradient(f, arrays[i], step=step)
        exact = np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.data
        known = np.isfinite(error)
        bound = np.maximum(1e-6 * np.abs(numeric), 2 * error)
        wrong = known & ~(np.abs(exact - numeric) <= bound)
        require(not wrong.any(), f"{case}: the gradient of input {i} is wrong at {arrays[i]}")


def float32_is_float64(case: Any, draw: Draw) -> None:
    """Gradients in float32 are those in float64, relative to the largest element of each."""
    for shapes in case.shapes:
        single = [a.astype(np.float32) for a in values_of(case, shapes, draw)]
        found = []
        for arrays in (single, [a.astype(np.float64) for a in single]):
            leaves = [Tensor(a, requires_grad=True) for a in arrays]
            out = case.call(*leaves)
            v = np.random.default_rng(0).uniform(0.5, 1.5, out.shape).astype(np.float32)
            out.backward(v.astype(out.dtype))
            found.append([None if x.grad is None else np.asarray(x.grad.data) for x in leaves])
        for i, (coarse, fine) in enumerate(zip(*found, strict=True)):
            if coarse is not None and fine is not None:
                scale = np.max(np.abs(fine), initial=0.0)
                right = np.all(np.abs(coarse - fine) <= 2e-5 * scale)
                require(right, f"{case}: in float32, the gradient of input {i} is wrong")
