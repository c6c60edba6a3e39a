"""L-BFGS, with a line search."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.errors import ArgumentError, NonFiniteError, StateDictError, a_kind, user_line
from tinygrad_bp.optim.checks import check_closure, is_number, is_real, plain
from tinygrad_bp.optim.flat import Array, no_gradients
from tinygrad_bp.optim.line_search import Point, strong_wolfe
from tinygrad_bp.optim.optimizer import Group, Optimizer


@dataclass
class _Memory:
    """What is known of the curvature: the last steps, and how the gradient changed in each."""

    iterations: int = 0
    evaluations: int = 0
    steps: list[Array] = field(default_factory=list)
    changes: list[Array] = field(default_factory=list)
    scale: float = 1.0
    gradient: Array | None = None
    direction: Array | None = None
    length: float = 0.0


class LBFGS(Optimizer):
    r"""L-BFGS [1]_: steps by an inverse Hessian that is made of the last gradients.

    For losses of the whole training set, or without noise: `step` calls a closure, several times,
    that sets gradients to None, computes the loss, calls ``backward()`` and returns the loss.

    Parameters
    ----------
    params : iterable of Tensor
        The parameters, which are one group.
    lr : float
        The length of a step, and with a line search the first that is tried.
    max_iter : int
        Steps within one call of `step`.
    max_eval : int, optional
        Calls of the closure within one call of `step`; by default 5/4 of `max_iter`.
    tolerance_grad : float
        It ends where the largest element of the gradient is at most this.
    tolerance_change : float
        It ends where parameters and loss change by less than this.
    history_size : int
        How many steps are remembered.
    line_search_fn : {None, "strong_wolfe"}
        Whether to look for a step along each direction that fulfils the strong Wolfe conditions.
    maximize : bool
        Whether to go uphill.

    References
    ----------
    .. [1] D. C. Liu, J. Nocedal, "On the limited memory BFGS method for large scale optimization",
       Math. Program. 45, 1989.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> p = tg.Tensor([-1.5, 2.0], requires_grad=True)
    >>> optimizer = LBFGS([p], max_iter=50, line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2
    ...     loss.backward()
    ...     return loss
    >>> first = optimizer.step(closure)
    >>> p.data.round(4)
    array([1., 1.])
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
            "maximize": maximize,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ArgumentError(
                f"LBFGS got {len(self.param_groups)} groups (at {user_line()}), but its curvature "
                "is that of all parameters together.\nFix: pass the parameters as one list."
            )
        self._memory = _Memory()

    def _check(self, group: Group) -> None:
        search = group["line_search_fn"]
        if search is not None and not (isinstance(search, str) and search == "strong_wolfe"):
            raise ArgumentError(
                f"LBFGS got line_search_fn={search!r} (at {user_line()}).\n"
                "Fix: None or 'strong_wolfe'."
            )

    def _state_names(self, group: Group) -> tuple[str, ...]:
        return ()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Go `max_iter` steps, or until it ends by itself.

        Parameters
        ----------
        closure : callable
            Sets gradients to None, computes the loss, calls ``backward()``, returns the loss.

        Returns
        -------
        object
            What the closure returned first.

        Raises
        ------
        ArgumentError
            There is no closure.
        GraphError
            The closure leaves no gradient.
        NonFiniteError
            The loss or its gradient is not finite at the start. Nothing was changed.
        """
        if closure is None:
            raise ArgumentError(
                f"LBFGS.step() needs a closure (at {user_line()}).\nFix: pass a function that "
                "calls zero_grad(), computes the loss, calls backward() and returns the loss."
            )
        check_closure(self._step_name, closure)
        group, memory = self.param_groups[0], self._memory
        first = closure()
        loss, g = self._found(first)
        if not (np.isfinite(loss) and np.isfinite(g).all()):
            raise NonFiniteError(
                f"LBFGS.step() starts from a loss of {loss} or a gradient that is not finite (at "
                f"{user_line()}). Nothing was changed.\n"
                "Fix: call the closure under tinygrad_bp.detect_anomaly() to find the operation."
            )
        memory.evaluations += 1
        most = group["max_eval"]
        left = (group["max_iter"] * 5 // 4 if most is None else most) - 1
        for n in range(group["max_iter"]):
            if np.max(np.abs(g), initial=0.0) <= group["tolerance_grad"] or left < (n > 0):
                break
            d = self._turn(g)
            slope, before = float(g @ d), loss
            if slope > -group["tolerance_change"]:
                break
            last = n == group["max_iter"] - 1
            loss, g, count = self._move(closure, Point(0.0, loss, g, slope), d, left, last)
            left -= count
            memory.evaluations += count
            moved = np.max(np.abs(d * memory.length), initial=0.0)
            small = group["tolerance_change"]
            if moved <= small or abs(loss - before) < small:
                break
        return first

    def _turn(self, g: Array) -> Array:
        """The direction: minus the gradient times the inverse Hessian as it is remembered."""
        memory, keep = self._memory, self.param_groups[0]["history_size"]
        memory.iterations += 1
        if memory.gradient is not None and memory.direction is not None:
            change, step = g - memory.gradient, memory.direction * memory.length
            along = float(change @ step)
            if along > 1e-10 and keep:
                memory.changes = [*memory.changes, change][-keep:]
                memory.steps = [*memory.steps, step][-keep:]
                memory.scale = along / float(change @ change)
        d = -g
        pairs = list(zip(memory.steps, memory.changes, strict=True))
        weights = []
        for step, change in reversed(pairs):  # Nocedal & Wright, algorithm 7.4
            weights.append(float(step @ d) / float(change @ step))
            d = d - weights[-1] * change
        d = d * memory.scale
        for (step, change), weight in zip(pairs, reversed(weights), strict=True):
            d = d + step * (weight - float(change @ d) / float(change @ step))
        memory.gradient, memory.direction, memory.length = g, d, 0.0  # until it is gone
        return d

    def _move(
        self, closure: Callable[[], Any], start: Point, d: Array, left: int, last: bool
    ) -> tuple[float, Array, int]:
        """Go along a direction: the loss and the gradient there, and how many were computed."""
        group, memory = self.param_groups[0], self._memory
        x, t = self._values(), group["lr"]
        if memory.iterations == 1:
            t *= min(1.0, 1 / float(np.abs(start.g).sum()))
        if group["line_search_fn"] is None:
            self._place(x + t * d)
            memory.length = t
            if last:  # the next call of `step` computes it anew
                return start.f, start.g, 0
            return (*self._found(closure()), 1)

        def evaluate(t: float) -> Point:
            self._place(x + t * d)
            f, g = self._found(closure())
            return Point(t, np.inf if np.isnan(f) else f, g, float(g @ d))

        try:
            largest = float(np.max(np.abs(d), initial=0.0))
            tolerance = group["tolerance_change"]
            point, count = strong_wolfe(evaluate, start, t, largest, tolerance, left)
        except BaseException:
            self._place(x)
            raise
        self._place(x + point.t * d)
        memory.length = point.t
        return point.f, point.g, count

    def _values(self) -> Array:
        """All parameters in one vector."""
        return np.concatenate([p.data.ravel() for p in self.param_groups[0]["params"]])

    def _place(self, x: Array) -> None:
        """Write a vector into the parameters."""
        start = 0
        for p in self.param_groups[0]["params"]:
            p.assign(x[start : start + p.size].reshape(p.shape))
            start += p.size

    def _found(self, loss: Any) -> tuple[float, Array]:
        """The loss and the gradient of all parameters, to be made small."""
        params = self.param_groups[0]["params"]
        if all(p.grad is None for p in params):
            raise no_gradients(self._step_name, len(params))
        g = np.concatenate(
            [np.zeros(p.size, p.dtype) if p.grad is None else p.grad.data.ravel() for p in params]
        )
        one = isinstance(loss, (Tensor, np.ndarray)) and loss.size == 1
        number: Any = loss.item() if one else plain(loss)
        if not is_number(number):
            raise ArgumentError(
                f"the closure of {self._step_name} returned {a_kind(loss)} (at {user_line()}), "
                "not one number.\nFix: let it return the loss."
            )
        value = float(number)
        return (-value, -g) if self.param_groups[0]["maximize"] else (value, g)

    def state_dict(self) -> dict[str, Any]:
        """All that a later run needs, with what is known of the curvature under ``"memory"``."""
        return {**super().state_dict(), "memory": asdict(self._memory)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned; see `Optimizer.load_state_dict`."""
        memory = state_dict.get("memory") if isinstance(state_dict, dict) else None
        size = sum(p.size for p in self.param_groups[0]["params"])
        if not isinstance(memory, dict) or not _fits(memory, size):
            raise StateDictError(
                f"the state has no memory for {size} numbers of LBFGS (at {user_line()}). Nothing "
                "was changed.\nFix: load what state_dict() of an LBFGS for the same parameters "
                "returned."
            )
        super().load_state_dict({k: v for k, v in state_dict.items() if k != "memory"})
        arrays = {key: [np.array(v) for v in memory[key]] for key in ("steps", "changes")}
        self._memory = _Memory(**{**memory, **arrays})


def _fits(memory: dict[str, Any], size: int) -> bool:
    """Whether this is a memory of so many numbers."""
    if set(memory) != set(asdict(_Memory())):
        return False
    lists, counts = ("steps", "changes"), ("iterations", "evaluations")
    if not all(isinstance(memory[key], list) for key in lists) or not all(
        is_number(plain(memory[key]), key in counts) for key in (*counts, "scale", "length")
    ):
        return False
    steps, changes = memory["steps"], memory["changes"]
    given = [v for v in (memory["gradient"], memory["direction"]) if v is not None]
    return len(steps) == len(changes) and all(
        is_real(v) and np.shape(v) == (size,) for v in [*given, *steps, *changes]
    )
