"""Schedules that rise and fall: one cycle, cosines that start anew, and the last part for SWA."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

from tinygrad_bp.errors import ArgumentError, require_argument, user_line
from tinygrad_bp.optim.optimizer import Group, Optimizer
from tinygrad_bp.optim.schedules import ClosedForm
from tinygrad_bp.optim.settings import is_list

Anneal = Literal["cos", "linear"]


def anneal(how: Anneal, start: float, end: float, gone: float) -> float:
    """The number that is `gone` of the way from `start` to `end`, along a cosine or a line.

    Examples
    --------
    >>> anneal("linear", 1.0, 3.0, 0.25), round(anneal("cos", 1.0, 3.0, 0.5), 12)
    (1.5, 2.0)
    """
    if how == "cos":
        return end + (start - end) * (1 + math.cos(math.pi * gone)) / 2
    return start + (end - start) * gone


class CosineAnnealingWarmRestarts(ClosedForm):
    r"""Half a cosine from the first learning rate down to `eta_min`, again and again [1]_.

    Parameters
    ----------
    optimizer : Optimizer
        Whose groups get the learning rates.
    T_0 : int
        Calls of `step` until the first restart.
    T_mult : int, default 1
        How many times longer each is than the one before.
    eta_min : float, default 0
        The learning rate that it goes down to.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter, "SGDR: Stochastic gradient descent with warm restarts", ICLR
       2017, https://arxiv.org/abs/1608.03983

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor(0.0, requires_grad=True)], lr=1.0)
    >>> schedule = CosineAnnealingWarmRestarts(optimizer, T_0=2, T_mult=2)
    >>> [round(schedule.rates(count)[0], 12) for count in (0, 1, 2, 4, 6)]
    [1.0, 0.5, 1.0, 0.5, 1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,  # noqa: N803 - the field's name
        T_mult: int = 1,  # noqa: N803
        eta_min: float = 0.0,
    ) -> None:
        name = "CosineAnnealingWarmRestarts"
        require_argument(T_0 > 0, name, "T_0", T_0, "choose T_0 >= 1")
        require_argument(T_mult >= 1, name, "T_mult", T_mult, "choose T_mult >= 1")
        require_argument(eta_min >= 0, name, "eta_min", eta_min, "choose eta_min >= 0")
        super().__init__(optimizer)
        self.T_0, self.T_mult, self.eta_min = T_0, T_mult, eta_min

    def rate(self, count: int, base: float) -> float:
        """See `CosineAnnealingWarmRestarts`."""
        length = self.T_0
        if self.T_mult == 1:
            count %= length
        while count >= length:
            count -= length
            length *= self.T_mult
        return anneal("cos", base, self.eta_min, count / length)


class OneCycleLR(ClosedForm):
    r"""Up to `max_lr` and down to almost nothing, in one cycle over the whole training [1]_.

    The momentum, or :math:`\beta_1`, goes the other way.

    Parameters
    ----------
    optimizer : Optimizer
        Whose groups get the learning rates.
    max_lr : float or sequence of float
        The greatest rate, of all groups or of each.
    total_steps : int, optional
        The length; or give `epochs` and `steps_per_epoch`.
    epochs, steps_per_epoch : int, optional
        Whose product is the length.
    pct_start : float, default 0.3
        The share of the length in which the rate rises.
    anneal_strategy : {"cos", "linear"}
        Along what.
    cycle_momentum : bool, default True
        Whether the momentum goes from `max_momentum` to `base_momentum` and back.
    base_momentum, max_momentum : float or sequence of float
        Its bounds.
    div_factor : float, default 25
        The first rate is ``max_lr / div_factor``.
    final_div_factor : float, default 1e4
        The last one is the first divided by this.
    three_phase : bool, default False
        Whether it goes down to the first rate as it went up, and then to the last.

    Raises
    ------
    ArgumentError
        A setting makes no sense; or, of `step`, the cycle is over.

    References
    ----------
    .. [1] L. N. Smith, N. Topin, "Super-convergence: Very fast training of neural networks using
       large learning rates", 2017, https://arxiv.org/abs/1708.07120

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor(0.0, requires_grad=True)], momentum=0.9)
    >>> schedule = OneCycleLR(optimizer, max_lr=1.0, total_steps=11, div_factor=10)
    >>> [round(schedule.rates(count)[0], 6) for count in (0, 2, 10)]
    [0.1, 0.962745, 1e-05]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Anneal = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
    ) -> None:
        name = "OneCycleLR"
        if total_steps is None:
            total_steps = (epochs or 0) * (steps_per_epoch or 0)
        fix = "choose total_steps >= 1, or epochs and steps_per_epoch"
        require_argument(total_steps > 0, name, "total_steps", total_steps, fix)
        require_argument(0 <= pct_start <= 1, name, "pct_start", pct_start, "a share from 0 to 1")
        for key, value in (("div_factor", div_factor), ("final_div_factor", final_div_factor)):
            require_argument(value > 0, name, key, value, f"{key} > 0")
        known = anneal_strategy in ("cos", "linear")
        require_argument(known, name, "anneal_strategy", anneal_strategy, "'cos' or 'linear'")
        has_momentum = all("momentum" in g or "betas" in g for g in optimizer.param_groups)
        fix = f"{type(optimizer).__name__} has no momentum: cycle_momentum=False"
        require_argument(not cycle_momentum or has_momentum, name, "cycle_momentum", True, fix)
        peaks = _of_each(optimizer, "max_lr", max_lr)
        low = _of_each(optimizer, "base_momentum", base_momentum)
        high = _of_each(optimizer, "max_momentum", max_momentum)
        super().__init__(optimizer)
        self.total_steps, self.anneal_strategy = total_steps, anneal_strategy
        self.cycle_momentum = cycle_momentum
        top = float(pct_start * total_steps) - 1
        ends = [top, 2 * top, total_steps - 1.0] if three_phase else [top, total_steps - 1.0]
        self._ends = [0.0, *ends]
        first = [peak / div_factor for peak in peaks]
        way = zip(first, peaks, strict=True)
        turns = [[a, b, *([a] if three_phase else []), a / final_div_factor] for a, b in way]
        self._turns = turns
        back = [high] if three_phase else []
        self._momenta = list(zip(high, low, *back, high, strict=True))
        self.base_lrs = first
        self.begin()

    def rates(self, count: int) -> list[float]:
        """See `OneCycleLR`."""
        return [self._at(count, turns) for turns in self._turns]

    def _at(self, count: int, turns: Sequence[float]) -> float:
        """The number that goes from turn to turn, after `count` steps."""
        for i, (start, end) in enumerate(zip(self._ends, self._ends[1:], strict=False)):
            if count <= end or i == len(turns) - 2:
                gone = min((count - start) / (end - start), 1.0) if end != start else 1.0
                return anneal(self.anneal_strategy, turns[i], turns[i + 1], gone)
        raise AssertionError("the last phase ends the loop")

    def go_to(self, count: int) -> None:
        """Set rates and momenta of this step."""
        if count > self.total_steps:
            raise ArgumentError(
                f"OneCycleLR is over after its {self.total_steps} steps (at {user_line()}). "
                "Nothing was changed.\nFix: give it as many total_steps as the training has."
            )
        super().go_to(count)
        if self.cycle_momentum:
            for group, turns in zip(self.optimizer.param_groups, self._momenta, strict=True):
                _set_momentum(group, self._at(count, turns))


class SWALR(ClosedForm):
    """To a constant learning rate, for the last part of a training whose weights are averaged.

    Parameters
    ----------
    optimizer : Optimizer
        Whose groups get the learning rates.
    swa_lr : float or sequence of float
        The rate, of all groups or of each.
    anneal_epochs : int, default 10
        Calls of `step` until it is reached.
    anneal_strategy : {"cos", "linear"}
        Along what.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor(0.0, requires_grad=True)], lr=1.0)
    >>> schedule = SWALR(optimizer, swa_lr=0.5, anneal_epochs=2, anneal_strategy="linear")
    >>> [schedule.rates(count) for count in (0, 1, 2, 3)]
    [[1.0], [0.75], [0.5], [0.5]]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | Sequence[float],
        anneal_epochs: int = 10,
        anneal_strategy: Anneal = "cos",
    ) -> None:
        name = "SWALR"
        fix = "choose anneal_epochs >= 0"
        require_argument(anneal_epochs >= 0, name, "anneal_epochs", anneal_epochs, fix)
        known = anneal_strategy in ("cos", "linear")
        require_argument(known, name, "anneal_strategy", anneal_strategy, "'cos' or 'linear'")
        rates = _of_each(optimizer, "swa_lr", swa_lr)
        super().__init__(optimizer)
        self.swa_lrs, self.anneal_epochs = rates, anneal_epochs
        self.anneal_strategy: Anneal = anneal_strategy

    def rates(self, count: int) -> list[float]:
        """See `SWALR`."""
        gone = min(count / self.anneal_epochs, 1.0) if self.anneal_epochs else float(count > 0)
        pairs = zip(self.base_lrs, self.swa_lrs, strict=True)
        return [anneal(self.anneal_strategy, base, rate, gone) for base, rate in pairs]


def _of_each(optimizer: Optimizer, name: str, value: float | Sequence[float]) -> list[float]:
    """A number for each group."""
    groups = len(optimizer.param_groups)
    numbers: Any = list(value) if is_list(value) else [value] * groups  # type: ignore[arg-type]
    fix = f"choose {name} >= 0, one number or one for each of the {groups} groups"
    right = len(numbers) == groups and all(x >= 0 for x in numbers)
    require_argument(right, "the schedule", name, value, fix)
    return [float(x) for x in numbers]


def _set_momentum(group: Group, value: float) -> None:
    if "betas" in group:
        group["betas"] = (value, *group["betas"][1:])
    else:
        group["momentum"] = value
