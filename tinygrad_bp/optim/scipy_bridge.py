"""`minimize_scipy`: full-batch training by the optimizers of SciPy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.errors import (
    ArgumentError,
    NonFiniteError,
    ShapeError,
    a_kind,
    missing_extra,
    nearest,
    require_argument,
    user_line,
)
from tinygrad_bp.optim.checks import is_number, plain
from tinygrad_bp.optim.flat import Array, checked_parameters

# The methods of scipy.optimize.minimize that use the gradient and need no more than that.
METHODS = ("BFGS", "CG", "L-BFGS-B", "Newton-CG", "SLSQP", "TNC", "trust-constr")
# Those that keep within bounds.
BOUNDED = ("L-BFGS-B", "SLSQP", "TNC", "trust-constr")


def minimize_scipy(
    loss: Callable[[], Tensor],
    parameters: Iterable[Tensor],
    method: str = "L-BFGS-B",
    options: dict[str, Any] | None = None,
    callback: Callable[[Array], Any] | None = None,
    *,
    bounds: Any = None,
    tol: float | None = None,
) -> Any:
    """Minimize a loss over parameters with `scipy.optimize.minimize`.

    Parameters
    ----------
    loss : callable
        Takes nothing; returns the loss, a tensor with a single element, computed from the values
        that the parameters have when it is called.
    parameters : iterable of Tensor
        What to change. At the end they hold the minimum that was found, rounded to their dtypes,
        and no gradient.
    method : str
        ``"TNC"``, ``"L-BFGS-B"``, or another method of SciPy that uses the gradient.
    options : dict, optional
        Options of the method, as ``{"maxiter": 400}``.
    callback : callable, optional
        Called after each iteration with all parameters in one vector; the parameters hold the same
        values meanwhile.
    bounds : sequence of (low, high), or scipy.optimize.Bounds, optional
        A pair for each element of the parameters, in the order of ``x``, where None is no bound;
        ``Bounds(0, 1)`` bounds all of them. For ``"L-BFGS-B"``, ``"SLSQP"``, ``"TNC"`` and
        ``"trust-constr"``.
    tol : float, optional
        When to end; what it means depends on the method, and `options` say it more finely.

    Returns
    -------
    scipy.optimize.OptimizeResult
        ``x`` is the minimum as one float64 vector, ``fun`` the loss there.

    Raises
    ------
    ArgumentError
        There is no such method, it takes no bounds, or an argument is of another kind.
    NonFiniteError
        The loss is NaN or infinite where the search ended. After this or any other error the
        parameters hold their first values.
    MissingExtraError
        SciPy is not installed.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> p = tg.Tensor([3.0, -1.0], requires_grad=True)
    >>> result = minimize_scipy(lambda: ((p - 2) * (p - 2)).sum(), [p], method="TNC")
    >>> p.data.round(6)
    array([2., 2.])
    >>> _ = minimize_scipy(lambda: ((p - 2) * (p - 2)).sum(), [p], bounds=[(0, 1), (3, None)])
    >>> p.data
    array([1., 3.])
    """
    params = checked_parameters(parameters, "minimize_scipy")
    if not isinstance(method, str) or method not in METHODS:
        raise ArgumentError(
            f"minimize_scipy has no method {method!r} (at {user_line()}).\n"
            f"Fix: {nearest(str(method), METHODS)}"
        )
    for name, value, right, fix in (
        ("loss", loss, callable(loss), "a function of nothing that returns the loss"),
        ("options", options, isinstance(options, dict | None), "a dict, as {'maxiter': 400}"),
        ("callback", callback, callback is None or callable(callback), "a function of a vector"),
        ("tol", tol, tol is None or (is_number(plain(tol)) and tol >= 0), "a number from 0 on"),
    ):
        require_argument(right, "minimize_scipy", name, value, fix)
    try:
        from scipy import optimize
    except ImportError as error:
        raise missing_extra("scipy", "train", "minimize_scipy") from error
    minimize: Any = optimize.minimize

    first = [np.array(p.data) for p in params]
    cuts = np.cumsum([p.size for p in params])[:-1]

    def place(x: Array) -> None:
        for p, values in zip(params, np.split(x, cuts), strict=True):
            p.assign(values.reshape(p.shape))

    def evaluate(x: Array) -> tuple[float, Array]:
        place(x)
        for p in params:
            p.grad = None
        value = loss()
        if not isinstance(value, Tensor) or value.size != 1:
            raise ShapeError(
                f"the loss is {a_kind(value)} of shape {np.shape(value)}, not a tensor "
                "with a single element.\nFix: reduce it, as with .sum() or .mean()."
            )
        value.backward()
        gradients = [np.zeros(p.size) if p.grad is None else np.ravel(p.grad.data) for p in params]
        return float(value.item()), np.concatenate(gradients, dtype=np.float64)

    def report(x: Array, *state: Any) -> Any:
        place(x)
        return callback(x) if callback is not None else None

    try:
        result = minimize(
            evaluate,
            np.concatenate([values.ravel() for values in first], dtype=np.float64),
            jac=True,
            method=method,
            options=options,
            bounds=_bounds(bounds, method, sum(p.size for p in params), optimize),
            tol=tol,
            callback=None if callback is None else report,
        )
        if not np.isfinite(result.fun):
            raise NonFiniteError(
                f"{method} ended at a loss of {result.fun} ({result.message}). The parameters hold "
                "their first values.\n"
                "Fix: start from other values, or scale the loss; call loss() under "
                "tinygrad_bp.detect_anomaly() to find the operation."
            )
        place(result.x)
    except BaseException:
        for p, values in zip(params, first, strict=True):
            p.assign(values)
        raise
    finally:
        for p in params:
            p.grad = None
    return result


def _bounds(bounds: Any, method: str, size: int, optimize: Any) -> Any:
    """The bounds of so many numbers as SciPy's `Bounds`."""
    if bounds is None:
        return None
    if method not in BOUNDED:
        raise ArgumentError(
            f"minimize_scipy got bounds for {method}, which has none (at {user_line()}).\n"
            f"Fix: a method that keeps within bounds: {', '.join(BOUNDED)}."
        )
    try:
        if isinstance(bounds, optimize.Bounds):
            low, high = (np.asarray(x, np.float64) for x in (bounds.lb, bounds.ub))
        else:
            pairs = [(-np.inf if a is None else a, np.inf if b is None else b) for a, b in bounds]
            low, high = np.array(pairs, np.float64).reshape(size, 2).T
        low, high = (np.broadcast_to(x, (size,)) for x in (low, high))
        right = bool(np.all(low <= high))
    except (TypeError, ValueError):
        right = False
    if not right:
        raise ArgumentError(
            f"minimize_scipy got bounds that are no {size} pairs of a low number and a high one, "
            f"one for each element of the parameters (at {user_line()}).\n"
            f"Fix: [(low, high), ...] with {size} pairs, or scipy.optimize.Bounds(low, high)."
        )
    return optimize.Bounds(low, high)
