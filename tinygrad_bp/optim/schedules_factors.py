"""Schedules that multiply the first learning rate by a factor of the number of steps."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

from tinygrad_bp.errors import require_argument
from tinygrad_bp.optim.checks import plain
from tinygrad_bp.optim.optimizer import Optimizer
from tinygrad_bp.optim.schedules import ClosedForm
from tinygrad_bp.optim.settings import is_finite, is_whole


class ExponentialLR(ClosedForm):
    """The learning rate times `gamma` at each step.

    Parameters
    ----------
    optimizer : Optimizer
        Whose groups get the learning rates.
    gamma : float
        The factor.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor(0.0, requires_grad=True)], lr=1.0)
    >>> schedule = ExponentialLR(optimizer, gamma=0.5)
    >>> schedule.step()
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        require_argument(gamma > 0, "ExponentialLR", "gamma", gamma, "choose gamma > 0")
        super().__init__(optimizer)
        self.gamma = gamma

    def rate(self, count: int, base: float) -> float:
        """See `ExponentialLR`."""
        return float(base * self.gamma**count)


class MultiStepLR(ClosedForm):
    """The learning rate times `gamma` at each of some steps.

    Parameters
    ----------
    optimizer : Optimizer
        Whose groups get the learning rates.
    milestones : iterable of int
        The steps; one that comes twice counts twice.
    gamma : float, default 0.1
        The factor.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor(0.0, requires_grad=True)], lr=1.0)
    >>> MultiStepLR(optimizer, [2, 5], gamma=0.5).rates(5)
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1) -> None:
        name, steps = "MultiStepLR", list(milestones)
        named = bool(steps) and all(map(is_whole, steps))
        require_argument(named, name, "milestones", steps, "name one step or more")
        require_argument(gamma > 0, name, "gamma", gamma, "choose gamma > 0")
        super().__init__(optimizer)
        self.milestones, self.gamma = sorted(steps), gamma

    def rate(self, count: int, base: float) -> float:
        """See `MultiStepLR`."""
        return float(base * self.gamma ** bisect_right(self.milestones, count))


class ConstantLR(ClosedForm):
    """The learning rate times `factor` for the first steps, and then the learning rate.

    Parameters
    ----------
    optimizer : Optimizer
        Whose groups get the learning rates.
    factor : float, default 1/3
        The factor.
    total_iters : int, default 5
        Calls of `step` until it is over.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor(0.0, requires_grad=True)], lr=1.0)
    >>> schedule = ConstantLR(optimizer, factor=0.5, total_iters=2)
    >>> [schedule.rates(count) for count in (0, 1, 2)]
    [[0.5], [0.5], [1.0]]
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5) -> None:
        name = "ConstantLR"
        require_argument(0 <= factor <= 1, name, "factor", factor, "choose 0 <= factor <= 1")
        _check_length(name, total_iters)
        super().__init__(optimizer)
        self.factor, self.total_iters = factor, total_iters
        self.begin()

    def rate(self, count: int, base: float) -> float:
        """See `ConstantLR`."""
        return base * self.factor if count < self.total_iters else base


class LinearLR(ClosedForm):
    """The learning rate times a factor that goes evenly from one to another.

    Parameters
    ----------
    optimizer : Optimizer
        Whose groups get the learning rates.
    start_factor : float, default 1/3
        The first factor.
    end_factor : float, default 1.0
        The last one, which stays.
    total_iters : int, default 5
        Calls of `step` until it is reached.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor(0.0, requires_grad=True)], lr=1.0)
    >>> schedule = LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> [schedule.rates(count) for count in (0, 1, 2, 3)]
    [[0.5], [0.75], [1.0], [1.0]]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
    ) -> None:
        name = "LinearLR"
        start, end = start_factor, end_factor
        require_argument(
            0 < start <= 1, name, "start_factor", start, "choose 0 < start_factor <= 1"
        )
        require_argument(0 <= end <= 1, name, "end_factor", end, "choose 0 <= end_factor <= 1")
        _check_length(name, total_iters)
        super().__init__(optimizer)
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = total_iters
        self.begin()

    def rate(self, count: int, base: float) -> float:
        """See `LinearLR`."""
        gone = min(count / self.total_iters, 1.0) if self.total_iters else 1.0
        return base * (self.start_factor + (self.end_factor - self.start_factor) * gone)


class PolynomialLR(ClosedForm):
    r"""The learning rate times :math:`(1 - t / T)^k`, down to 0.

    Parameters
    ----------
    optimizer : Optimizer
        Whose groups get the learning rates.
    total_iters : int, default 5
        :math:`T`.
    power : float, default 1.0
        :math:`k`.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor(0.0, requires_grad=True)], lr=1.0)
    >>> schedule = PolynomialLR(optimizer, total_iters=4, power=2.0)
    >>> [schedule.rates(count) for count in (0, 2, 4, 5)]
    [[1.0], [0.25], [0.0], [0.0]]
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0) -> None:
        name = "PolynomialLR"
        require_argument(
            total_iters > 0, name, "total_iters", total_iters, "choose total_iters >= 1"
        )
        require_argument(power > 0, name, "power", power, "choose power > 0")
        super().__init__(optimizer)
        self.total_iters, self.power = total_iters, power

    def rate(self, count: int, base: float) -> float:
        """See `PolynomialLR`."""
        return float(base * (1 - min(count / self.total_iters, 1.0)) ** self.power)


class LambdaLR(ClosedForm):
    """The learning rate times what a function of the number of steps returns.

    Parameters
    ----------
    optimizer : Optimizer
        Whose groups get the learning rates.
    lr_lambda : callable, or sequence of callable
        Called with the number of steps; one for all groups, or one for each. Functions are none of
        the state: make the schedule with the same ones when a run goes on.

    Raises
    ------
    ArgumentError
        A function returns what is no finite number from 0 on; then, in `step`, nothing was changed.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor(0.0, requires_grad=True)], lr=1.0)
    >>> LambdaLR(optimizer, lambda count: 1 / (1 + count)).rates(3)
    [0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
    ) -> None:
        groups = len(optimizer.param_groups)
        functions = [lr_lambda] * groups if callable(lr_lambda) else list(lr_lambda)
        require_argument(
            len(functions) == groups,
            "LambdaLR",
            "lr_lambda",
            lr_lambda,
            f"pass one function, or one for each of the {groups} groups",
        )
        super().__init__(optimizer)
        self.lr_lambdas = functions
        self.begin()

    def rates(self, count: int) -> list[float]:
        """See `LambdaLR`."""
        factors = [plain(function(count)) for function in self.lr_lambdas]
        for factor in factors:
            fix = "let it return a number from 0 on"
            right = is_finite(factor) and factor >= 0
            require_argument(right, "LambdaLR", f"lr_lambda({count})", factor, fix)
        return [base * factor for base, factor in zip(self.base_lrs, factors, strict=True)]


def _check_length(schedule: str, total_iters: int) -> None:
    right = total_iters >= 0
    require_argument(right, schedule, "total_iters", total_iters, "choose total_iters >= 0")
