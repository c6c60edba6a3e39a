"""The nuclear norm, and the polar factor that is its derivative, at any order and tie.

Through singular vectors the second derivative would divide by the distance of singular values.
The polar factor knows no vectors: what follows is written in inverses and a Lyapunov equation,
in which only sums of singular values appear.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive
from tinygrad_bp.ops.helpers import apply
from tinygrad_bp.ops.matrices import FINITE, check_matrices, checked, transposed


def _lyapunov_forward(x: Any, y: Any) -> Any:
    w, v = np.linalg.eigh(x)
    sums = w[..., :, None] + w[..., None, :]
    limit = _tolerance(x) * np.max(np.abs(w), axis=-1, initial=0)
    none = sums <= limit[..., None, None]
    return v @ (np.where(none, 0, transposed(v) @ y @ v) / np.where(none, 1, sums)) @ transposed(v)


def _tolerance(x: Any) -> float:
    """What is 0 up to rounding, relative to the largest."""
    return float(max(x.shape[-2:], default=0) * np.finfo(x.dtype).eps)


def _lyapunov_x(g: Any, out: Any, x: Any, y: Any) -> Any:
    back, zt = apply(_lyapunov, x, g), transposed(out)
    return -(back @ zt + zt @ back)


_lyapunov: Primitive = Primitive(
    "lyapunov",
    _lyapunov_forward,
    [_lyapunov_x, lambda g, out, x, y: apply(_lyapunov, x, g)],
    formula=r"Z: \; X Z + Z X = Y, \quad X = X^\top \ge 0",
    vjp_formulas=[
        r"-(S Z^\top + Z^\top S), \; X S + S X = \bar{Z}",
        r"S, \; X S + S X = \bar{Z}",
    ],
    analytic=False,
    kinks="where X is 0 so is Z, and stays so",
)


def _polar_forward(x: Any) -> Any:
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    return (u * (s > _tolerance(x) * s[..., :1])[..., None, :]) @ vt


def _polar_rule(g: Any, out: Any, x: Any) -> Any:
    zt = transposed(out)
    inverse = np.linalg.pinv(x, _tolerance(x))
    size = zt @ x  # symmetric, with the singular values for its eigenvalues
    turn = zt @ g @ (zt @ out)
    rows, columns = g @ (inverse @ out), out @ (inverse @ g)
    inner = out @ apply(_lyapunov, (size + transposed(size)) / 2, turn - transposed(turn))
    return inner + rows - out @ (zt @ rows) + columns - columns @ (zt @ out)


_polar = Primitive(
    "polar",
    _polar_forward,
    [_polar_rule],
    formula=r"U V^\top, \quad U \operatorname{diag}(s) V^\top = X",
    vjp_formulas=[
        r"Z L + (I - Z Z^\top) \bar{Z} X^+ Z + Z X^+ \bar{Z} (I - Z^\top Z), \;"
        r" H L + L H = Z^\top \bar{Z} Z^\top Z - Z^\top Z \bar{Z}^\top Z, \; H = Z^\top X"
    ],
    analytic=False,
    kinks="where the rank changes there is no derivative; taken is that at constant rank",
)


def _nuclear_forward(x: Any) -> Any:
    check_matrices("norm", x)
    return np.sum(checked("norm", np.linalg.svdvals, x, fix=FINITE), axis=-1)


_nuclear_norm = Primitive(
    "nuclear_norm",
    _nuclear_forward,
    [lambda g, out, x: g[..., None, None] * apply(_polar, x)],
    formula=r"\textstyle\sum_i s_i, \quad U \operatorname{diag}(s) V^\top = X",
    vjp_formulas=[r"\bar{z} \, U V^\top"],
    analytic=False,
    kinks="at a singular value of 0 its derivative is 0",
)


def nuclear_norm(x: Any) -> Any:
    """Sum of the singular values of each matrix; that of a wide one is taken of its transpose.

    Nothing that the rules make is then larger than the matrix.
    """
    wide = x.ndim > 1 and x.shape[-2] < x.shape[-1]
    return _nuclear_norm(transposed(x) if wide else x)
