"""The letters in the formulas of decompositions, computed by NumPy and SciPy: U, s, V, F, S."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from draw.derivation.lookup import UnreadableError
from scipy.linalg import solve_sylvester

DECOMPOSITIONS = {"cholesky", "eig", "eigh", "eigvals", "eigvalsh", "lyapunov", "nuclear_norm"}
DECOMPOSITIONS |= {"polar", "qr", "svd", "svdvals"}
#: What takes a matrix for symmetric, looks at one triangle, and gives that one the gradient.
SYMMETRIC = {"cholesky", "eigh", "eigvalsh"}


def letters_of(operation: str, params: Any, x: Any, out: Any, bar: Any) -> dict[str, Any]:
    """What the letters stand for that are no values of the graph, of a single matrix."""
    if operation == "cholesky":
        return {}
    if np.ndim(x) != 2:
        raise UnreadableError("a stack of matrices")
    m, n = x.shape
    if operation == "qr":
        return {"Q": out[:m], "R": out[m:], r"\bar{Q}": bar[:m], r"\bar{R}": bar[m:]}
    if operation == "lyapunov":  # X S + S X is the cotangent
        return {"S": solve_sylvester(x, x, bar)}
    if operation == "eigvalsh":
        return {"V": np.linalg.eigh(x, params["uplo"])[1]}
    if operation == "eigvals":
        return {"V": _ordered(x, out)}
    if operation == "eigh":
        w, v = out[:, n], out[:, :n]
        return {"w": w, "V": v, r"\bar{w}": bar[:, n], r"\bar{V}": bar[:, :n], "F": _gaps(w)}
    if operation == "eig":
        w, v = out[n], out[:n]
        return {"w": w, "V": v, r"\bar{w}": bar[n], r"\bar{V}": bar[:n], "F": _gaps(w)}
    if operation == "svd":
        u, s, v = out[:m], out[m], out[m + 1 :]
        bars = {r"\bar{U}": bar[:m], r"\bar{s}": bar[m], r"\bar{V}": bar[m + 1 :]}
        return {"U": u, "s": s, "V": v, "S": np.diag(s), "F": _gaps(s**2), **bars}
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    letters = {"U": u, "s": s, "V": vt.T}
    if operation == "polar":
        h, turn, one = out.T @ x, out.T @ bar @ out.T @ out, np.eye(n)
        system = np.kron(h, one) + np.kron(one, h.T)  # singular where the matrix is wide
        found = np.linalg.lstsq(system, np.ravel(turn - turn.T), rcond=1e-10)[0]
        letters["L"] = found.reshape(n, n)
    return letters


def numbered(letters: dict[str, Any], forward: str) -> dict[str, Any]:
    """The letters with the number that tells them apart from those of other decompositions."""
    found = re.search(r"\b[UVQ]_\{(\d+)\}", forward)
    return {f"{name}_{{{found[1]}}}" if found else name: a for name, a in letters.items()}


def triangle(a: Any, params: Any) -> Any:
    """The triangle that is looked at."""
    return np.triu(a) if params.get("uplo") == "U" else np.tril(a)


def symmetric(a: Any) -> Any:
    """The symmetric part, in which it does not matter which triangle has the gradient."""
    return (a + np.swapaxes(a, -1, -2)) / 2


def half(a: Any) -> Any:
    """The lower triangle, and half of the diagonal."""
    return np.tril(a) * (1 - np.eye(np.shape(a)[-1]) / 2)


def diagonal(a: Any) -> Any:
    """A diagonal matrix, of a vector or of the diagonal of a matrix."""
    return np.diag(a if np.ndim(a) == 1 else np.diag(a))


def _gaps(w: Any) -> Any:
    """1 / (w_j - w_i), and 0 on the diagonal."""
    gaps = w[None, :] - w[:, None]
    return np.divide(1.0, gaps, out=np.zeros_like(gaps), where=gaps != 0)


def _ordered(x: Any, values: Any) -> Any:
    """The eigenvectors in the order of the eigenvalues."""
    w, v = np.linalg.eig(x)
    return v[:, [int(np.argmin(np.abs(w - value))) for value in values]]
