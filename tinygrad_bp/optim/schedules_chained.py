"""Schedules made of schedules: one after the other, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from tinygrad_bp.errors import ArgumentError, StateDictError, a_kind, require_argument, user_line
from tinygrad_bp.optim.optimizer import Optimizer
from tinygrad_bp.optim.schedules import ClosedForm


class _Several(ClosedForm):
    """Schedules for one optimizer, which are asked for their rates and never step."""

    def __init__(self, optimizer: Optimizer | None, schedulers: Sequence[ClosedForm]) -> None:
        name = type(self).__name__
        require_argument(len(schedulers) > 0, name, "schedulers", schedulers, "pass some")
        for each in schedulers:
            if not isinstance(each, ClosedForm):
                raise ArgumentError(
                    f"{name} cannot have {a_kind(each)} among its schedulers: its rates "
                    f"are no function of the number of steps (at {user_line()}).\n"
                    "Fix: LinearWarmup(..., after=...) goes on with any schedule."
                )
            optimizer = optimizer or each.optimizer
            same = each.optimizer is optimizer
            require_argument(same, name, "schedulers", schedulers, "make all for one optimizer")
        super().__init__(optimizer or schedulers[0].optimizer)
        self.schedulers = list(schedulers)

    def state_dict(self) -> dict[str, Any]:
        """What a later run needs in order to go on: plain numbers."""
        return {**super().state_dict(), "schedulers": [s.state_dict() for s in self.schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned; see there."""
        own = dict(state_dict) if isinstance(state_dict, dict) else {}
        parts = own.pop("schedulers", [])
        parts = parts if isinstance(parts, list) else []
        if len(parts) != len(self.schedulers):
            raise StateDictError(
                f"the state is that of {len(parts)} schedules, and this {type(self).__name__} has "
                f"{len(self.schedulers)} (at {user_line()}). Nothing was changed.\n"
                "Fix: make the schedule as when the state was saved."
            )
        before = self.state_dict()
        try:
            super().load_state_dict(own)
            for schedule, part in zip(self.schedulers, parts, strict=True):
                schedule.load_state_dict(part)
        except StateDictError:
            super().load_state_dict({k: v for k, v in before.items() if k != "schedulers"})
            for schedule, part in zip(self.schedulers, before["schedulers"], strict=True):
                schedule.load_state_dict(part)
            raise


class SequentialLR(_Several):
    """One schedule after the other, each from its own beginning.

    Parameters
    ----------
    optimizer : Optimizer
        Whose groups get the learning rates.
    schedulers : sequence of schedule
        Made for the same optimizer, in any order. Only this one is stepped.
    milestones : sequence of int
        The calls of `step` at which the next one begins.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> from tinygrad_bp.optim import ConstantLR, ExponentialLR
    >>> optimizer = tg.optim.SGD([tg.Tensor(0.0, requires_grad=True)], lr=1.0)
    >>> parts = [ConstantLR(optimizer, factor=0.1), ExponentialLR(optimizer, gamma=0.5)]
    >>> schedule = SequentialLR(optimizer, parts, milestones=[2])
    >>> [schedule.rates(count)[0] for count in range(5)]
    [0.1, 0.1, 1.0, 0.5, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[ClosedForm], milestones: Sequence[int]
    ) -> None:
        between = len(milestones) == len(schedulers) - 1
        rising = all(a < b for a, b in pairwise([0, *milestones]))
        fix = f"choose {len(schedulers) - 1} steps, each after the one before"
        require_argument(between and rising, "SequentialLR", "milestones", milestones, fix)
        super().__init__(optimizer, schedulers)
        self.milestones = list(milestones)
        self.begin()

    def _now(self, count: int) -> tuple[ClosedForm, int]:
        """The schedule that is in force after `count` steps, and how many are its own."""
        i = bisect_right(self.milestones, count)
        return self.schedulers[i], count - (self.milestones[i - 1] if i else 0)

    def rates(self, count: int) -> list[float]:
        """See `SequentialLR`."""
        schedule, own = self._now(count)
        return schedule.rates(own)

    def go_to(self, count: int) -> None:
        """Set what the schedule in force says."""
        schedule, own = self._now(count)
        schedule.go_to(own)


class ChainedScheduler(_Several):
    """All schedules at once: the first learning rate times the factors of all of them.

    Parameters
    ----------
    schedulers : sequence of schedule
        Made for the same optimizer, in any order. Only this one is stepped.
    optimizer : Optimizer, optional
        By default that of the first of them.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> from tinygrad_bp.optim import ConstantLR, ExponentialLR
    >>> optimizer = tg.optim.SGD([tg.Tensor(0.0, requires_grad=True)], lr=1.0)
    >>> schedule = ChainedScheduler(
    ...     [ConstantLR(optimizer, 0.5, total_iters=2), ExponentialLR(optimizer, gamma=0.5)]
    ... )
    >>> [schedule.rates(count)[0] for count in range(4)]
    [0.5, 0.25, 0.25, 0.125]
    """

    def __init__(
        self, schedulers: Sequence[ClosedForm], optimizer: Optimizer | None = None
    ) -> None:
        super().__init__(optimizer, schedulers)
        self.begin()

    def rates(self, count: int) -> list[float]:
        """See `ChainedScheduler`."""
        rates = list(self.base_lrs)
        for schedule in self.schedulers:
            pairs = zip(rates, schedule.rates(count), schedule.base_lrs, strict=True)
            rates = [rate * now / base if base else 0.0 for rate, now, base in pairs]
        return rates
