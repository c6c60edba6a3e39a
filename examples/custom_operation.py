"""An operation that NumPy does not have, with its derivative beside it, checked and then used.

    python examples/custom_operation.py

The operation is log(cosh(x)): near x²/2 for small x, near |x| for large ones, so that as a loss it
is hardly moved by outliers. cosh(x) itself overflows beyond 710; the form used here does not. The
rule is plain NumPy, which is why derivatives of any order come with it.
"""

from __future__ import annotations

import numpy as np

import tinygrad_bp as tg
from tinygrad_bp import optim
from tinygrad_bp.testing import check_gradients

log_cosh = tg.Primitive(
    "log_cosh",
    lambda x: np.logaddexp(x, -x) - np.log(2.0),
    [lambda g, out, x: g * np.tanh(x)],
    formula=r"\ln\cosh x",
    vjp_formulas=[r"\tanh(x)\,\bar{z}"],
)


def main() -> None:
    x = np.linspace(-3, 3, 7)
    found = check_gradients(log_cosh, x, order=2)
    print(f"checked: {found.elements} derivatives, largest difference {found.difference:.1e}")
    print("at ±1000:", log_cosh(np.array([-1000.0, 1000.0])).data.round(3))

    # A straight line through points of y = 2x - 1, every tenth of which is far off.
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 200)
    y = 2 * x - 1 + 0.05 * rng.normal(size=200)
    y[::10] += 20
    for name, penalty in (("log cosh", log_cosh), ("squares", lambda r: r * r / 2)):
        slope = tg.Tensor(0.0, requires_grad=True)
        offset = tg.Tensor(0.0, requires_grad=True)
        optimizer = optim.Adam([slope, offset], lr=0.05)
        for _ in range(600):
            optimizer.zero_grad()
            np.mean(penalty(slope * x + offset - y)).backward()
            optimizer.step()
        print(f"{name:>8}: y = {slope.item():.2f} x {offset.item():+.2f}")


if __name__ == "__main__":
    main()
