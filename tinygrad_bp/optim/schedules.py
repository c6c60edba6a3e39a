"""Schedules: what the learning rate is, step by step or epoch by epoch."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_bp.errors import StateDictError, require_argument, user_line
from tinygrad_bp.optim.checks import is_number, plain
from tinygrad_bp.optim.optimizer import Optimizer
from tinygrad_bp.optim.settings import checked, is_finite, is_list, is_whole


class Schedule:
    """Numbers of which a schedule consists, and their way to disk and back.

    Attributes
    ----------
    optimizer : Optimizer
        Whose groups get the learning rates.
    base_lrs : list of float
        The rate that each group had before any schedule was made for the optimizer, or was given
        since by hand.
    """

    _state: tuple[str, ...]

    def __init_subclass__(cls) -> None:
        """Have every schedule look at the kinds of its arguments before all else."""
        super().__init_subclass__()
        if "__init__" in vars(cls):
            cls.__init__ = checked(cls.__init__)  # type: ignore[method-assign]

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        # A schedule that begins with another rate sets it when it is made. The next one that is
        # made, as a part of SequentialLR, is to count from the rate before, as in PyTorch.
        begun = optimizer._begun
        self.base_lrs = [
            begun[i][1] if i in begun and begun[i][0] == group["lr"] else float(group["lr"])
            for i, group in enumerate(optimizer.param_groups)
        ]

    def _set(self, rates: list[float]) -> None:
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = lr

    def get_last_lr(self) -> list[float]:
        """The learning rates that are in force, of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """What a later run needs in order to go on: plain numbers."""
        state = {name: getattr(self, name) for name in self._state}
        return {"schedule": type(self).__name__, "base_lrs": list(self.base_lrs), **state}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned.

        Raises
        ------
        StateDictError
            It is that of another schedule or of other groups. Nothing was changed.
        """
        expected = {"schedule", "base_lrs", *self._state}
        state = state_dict if isinstance(state_dict, dict) else {}
        kind, rates = state.get("schedule"), state.get("base_lrs", [])
        count = len(rates) if is_list(rates) else 0
        differ = sorted(map(str, expected ^ set(state)))
        odd = [k for k in self._state if k in state and not _fits(k, state[k])]
        if (
            not isinstance(kind, str)
            or kind != type(self).__name__
            or differ
            or odd
            or not (count == len(self.base_lrs) and all(map(is_finite, rates)))
        ):
            raise StateDictError(
                f"the state of {kind!r} for {count} groups does not fit this "
                f"{type(self).__name__} for {len(self.base_lrs)} (at {user_line()})"
                + (f"; missing or unexpected: {', '.join(differ)}" if differ else "")
                + "".join(f"; {name} is {state[name]!r}" for name in odd)
                + ". Nothing was changed.\nFix: make the schedule as when the state was saved."
            )
        self.base_lrs = list(map(float, rates))
        for name in self._state:
            setattr(self, name, plain(state[name]))


def _fits(name: str, value: Any) -> bool:
    """Whether a number of a schedule's state is one: the best metric so far, or a count."""
    if name == "best":
        return value is None or is_number(plain(value))
    return is_whole(value) and value >= 0


class ClosedForm(Schedule):
    """A learning rate that is a function of the number of steps and of the first rate."""

    _state = ("count",)

    def __init__(self, optimizer: Optimizer) -> None:
        super().__init__(optimizer)
        self.count = 0

    def rate(self, count: int, base: float) -> float:
        """The learning rate after `count` steps, where it was `base` at first."""
        raise NotImplementedError

    def rates(self, count: int) -> list[float]:
        """The learning rate of each group after `count` steps."""
        return [self.rate(count, base) for base in self.base_lrs]

    def go_to(self, count: int) -> None:
        """Set what holds after `count` steps, and leave `self.count` as it is."""
        self._set(self.rates(count))

    def begin(self) -> None:
        """Set what holds before the first step, where that is not the first rate."""
        self.go_to(0)
        for i, (group, base) in enumerate(
            zip(self.optimizer.param_groups, self.base_lrs, strict=True)
        ):
            self.optimizer._begun[i] = (group["lr"], base)

    def step(self) -> None:
        """Go on to the next step or epoch, and set the learning rate of every group."""
        self.go_to(self.count + 1)
        self.count += 1


class StepLR(ClosedForm):
    """The learning rate times `gamma` every `step_size` steps.

    Parameters
    ----------
    optimizer : Optimizer
        Whose groups get the learning rates.
    step_size : int
        Calls of `step` between two changes.
    gamma : float, default 0.1
        The factor.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> from tinygrad_bp.optim import SGD
    >>> optimizer = SGD([tg.Tensor(0.0, requires_grad=True)], lr=0.4)
    >>> schedule = StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for _ in range(4):
    ...     schedule.step()
    >>> optimizer.param_groups[0]["lr"]
    0.1
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        require_argument(step_size > 0, "StepLR", "step_size", step_size, "choose step_size >= 1")
        require_argument(gamma > 0, "StepLR", "gamma", gamma, "choose gamma > 0")
        super().__init__(optimizer)
        self.step_size, self.gamma = step_size, gamma

    def rate(self, count: int, base: float) -> float:
        """See `StepLR`."""
        return float(base * self.gamma ** (count // self.step_size))


class CosineAnnealingLR(ClosedForm):
    r"""Half a cosine from the first learning rate down to `eta_min` in `T_max` steps [1]_.

    .. math:: \eta_t = \eta_{min} + (\eta_0 - \eta_{min}) (1 + \cos(\pi t / T_{max})) / 2

    Parameters
    ----------
    optimizer : Optimizer
        Whose groups get the learning rates.
    T_max : int
        Calls of `step` until `eta_min` is reached; the rate rises again afterwards.
    eta_min : float, default 0
        The least learning rate.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter, "SGDR: Stochastic gradient descent with warm restarts", ICLR
       2017, https://arxiv.org/abs/1608.03983

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> from tinygrad_bp.optim import SGD
    >>> optimizer = SGD([tg.Tensor(0.0, requires_grad=True)], lr=1.0)
    >>> schedule = CosineAnnealingLR(optimizer, T_max=4)
    >>> for _ in range(4):
    ...     schedule.step()
    >>> optimizer.param_groups[0]["lr"]
    0.0
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:  # noqa: N803 - the field's name
        require_argument(T_max > 0, "CosineAnnealingLR", "T_max", T_max, "choose T_max >= 1")
        require_argument(
            eta_min >= 0, "CosineAnnealingLR", "eta_min", eta_min, "choose eta_min >= 0"
        )
        super().__init__(optimizer)
        self.T_max, self.eta_min = T_max, eta_min

    def rate(self, count: int, base: float) -> float:
        """See `CosineAnnealingLR`."""
        return (
            self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * count / self.T_max)) / 2
        )


class ReduceLROnPlateau(Schedule):
    """The learning rate times `factor` where a metric has not improved for a while.

    Parameters
    ----------
    optimizer : Optimizer
        Whose groups get the learning rates.
    mode : {"min", "max"}
        Whether a smaller or a larger metric is better.
    factor : float, default 0.1
        The factor, less than 1.
    patience : int, default 10
        Calls of `step` without improvement that are let pass.
    threshold : float, default 1e-4
        The least improvement that counts.
    threshold_mode : {"rel", "abs"}
        Whether it is relative to the best metric.
    cooldown : int, default 0
        Calls of `step` after a reduction that do not count.
    min_lr : float, default 0
        The least learning rate.
    eps : float, default 1e-8
        A reduction by no more than this is not made.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> from tinygrad_bp.optim import SGD
    >>> optimizer = SGD([tg.Tensor(0.0, requires_grad=True)], lr=1.0)
    >>> schedule = ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     schedule.step(loss)
    >>> optimizer.param_groups[0]["lr"]
    0.5
    """

    _state = ("best", "bad_steps", "waiting")

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        name = "ReduceLROnPlateau"
        require_argument(mode in ("min", "max"), name, "mode", mode, "choose 'min' or 'max'")
        require_argument(0 < factor < 1, name, "factor", factor, "choose 0 < factor < 1")
        require_argument(patience >= 0, name, "patience", patience, "choose patience >= 0")
        require_argument(threshold >= 0, name, "threshold", threshold, "choose threshold >= 0")
        known = threshold_mode in ("rel", "abs")
        require_argument(known, name, "threshold_mode", threshold_mode, "choose 'rel' or 'abs'")
        for key, value in (("cooldown", cooldown), ("min_lr", min_lr), ("eps", eps)):
            require_argument(value >= 0, name, key, value, f"choose {key} >= 0")
        super().__init__(optimizer)
        self.mode, self.factor, self.patience = mode, factor, patience
        self.threshold, self.threshold_mode = threshold, threshold_mode
        self.cooldown, self.min_lr, self.eps = cooldown, min_lr, eps
        self.best: float | None = None
        self.bad_steps = self.waiting = 0

    def step(self, metric: Any) -> None:
        """Take note of a metric, as the loss of an epoch; NaN is no improvement."""
        try:
            value = float(metric)
        except (TypeError, ValueError, OverflowError):
            fix = "pass one number, as loss.item()"
            require_argument(False, "ReduceLROnPlateau.step()", "metric", metric, fix)
            raise
        sign = 1 if self.mode == "min" else -1
        best = self.best
        if not math.isnan(value) and (
            best is None or sign * value < sign * best - self._least(best)
        ):
            self.best, self.bad_steps = value, 0
        else:
            self.bad_steps += 1
        if self.waiting:
            self.waiting, self.bad_steps = self.waiting - 1, 0
        if self.bad_steps > self.patience:
            self.bad_steps, self.waiting = 0, self.cooldown
            for group in self.optimizer.param_groups:
                lower = max(group["lr"] * self.factor, self.min_lr)
                if group["lr"] - lower > self.eps:
                    group["lr"] = lower

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned; see there."""
        state = state_dict if isinstance(state_dict, dict) else {}
        super().load_state_dict({"waiting": 0, **state})  # it was not saved at first

    def _least(self, best: float) -> float:
        """The least improvement on the best metric that counts."""
        return self.threshold * (abs(best) if self.threshold_mode == "rel" else 1)


class LinearWarmup(ClosedForm):
    """The learning rate rises evenly, from ``lr / warmup_steps`` on, and then follows `after`.

    Parameters
    ----------
    optimizer : Optimizer
        Whose groups get the learning rates.
    warmup_steps : int
        Calls of `step` until the full learning rate is reached.
    after : schedule, optional
        Made for the same optimizer; its first step comes when the full rate was used once.
        Without it, the rate stays.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> from tinygrad_bp.optim import SGD
    >>> optimizer = SGD([tg.Tensor(0.0, requires_grad=True)], lr=1.0)
    >>> schedule = LinearWarmup(optimizer, 2, after=StepLR(optimizer, 1, gamma=0.5))
    >>> rates = []
    >>> for _ in range(5):
    ...     rates.append(optimizer.param_groups[0]["lr"])
    ...     schedule.step()
    >>> rates
    [0.5, 1.0, 0.5, 0.25, 0.125]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        warmup_steps: int,
        after: ClosedForm | ReduceLROnPlateau | None = None,
    ) -> None:
        name = "LinearWarmup"
        require_argument(
            warmup_steps > 0, name, "warmup_steps", warmup_steps, "choose warmup_steps >= 1"
        )
        fits = after is None or getattr(after, "optimizer", None) is optimizer
        fix = "pass a schedule that is made for the same optimizer"
        require_argument(fits, name, "after", after, fix)
        super().__init__(optimizer)
        self.warmup_steps, self.after = warmup_steps, after
        self.begin()

    def rate(self, count: int, base: float) -> float:
        """See `LinearWarmup`; as if there was no schedule after it."""
        return base * min(1.0, (count + 1) / self.warmup_steps)

    def step(self, *metric: Any) -> None:
        """Go on to the next step or epoch; a metric is handed on to the schedule after it."""
        if self.count + 1 < self.warmup_steps or self.after is None:
            super().step()
        else:
            self.after.step(*metric)
            self.count += 1

    def state_dict(self) -> dict[str, Any]:
        """What a later run needs in order to go on: plain numbers."""
        after = None if self.after is None else self.after.state_dict()
        return {**super().state_dict(), "after": after}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned; see there."""
        state = dict(state_dict) if isinstance(state_dict, dict) else {}
        after = state.pop("after", None)
        if (after is None) != (self.after is None):
            raise StateDictError(
                f"the state is that of a LinearWarmup {'without' if after is None else 'with'} a "
                f"schedule after it (at {user_line()}). Nothing was changed.\n"
                "Fix: make the schedule as when the state was saved."
            )
        before = self.state_dict()
        super().load_state_dict(state)
        if self.after is not None:
            try:
                self.after.load_state_dict(after)
            except StateDictError:
                super().load_state_dict({k: v for k, v in before.items() if k != "after"})
                raise
