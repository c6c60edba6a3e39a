"""What all optimizers share: groups, flat buffers, the step, and the state on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.errors import (
    ArgumentError,
    StateDictError,
    nearest,
    require_argument,
    user_line,
    user_place,
)
from tinygrad_bp.optim.checks import check_closure, mismatches, plain, wrong_setting
from tinygrad_bp.optim.flat import (
    Array,
    FlatParameters,
    checked_parameters,
    describe,
    no_gradients,
)

Group = dict[str, Any]


class Optimizer:
    """Changes parameters so that the loss, whose gradients they carry, falls.

    At construction the values of the parameters move into buffers of the optimizer, one for each
    group and dtype, of which every ``p.data`` is a view from then on. A step is then a few NumPy
    calls, whatever the number of layers. An array taken from ``p.data`` before that stays as it
    was; a parameter that is given other memory later is moved again.

    A parameter whose gradient is None is passed over, with its state; gradients are not changed.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        The parameters; or groups of them, as ``{"params": [...], "lr": 0.01}``, where settings
        that a group does not have are those of the optimizer.
    defaults : dict
        The settings.

    Attributes
    ----------
    param_groups : list of dict
        Each group's parameters under ``"params"``, and its settings, which may be changed.

    Raises
    ------
    ArgumentError
        There are no parameters, or a setting does not exist or makes no sense.
    GraphError
        A parameter is not a leaf.
    """

    param_groups: list[Group]
    # Whether the rule is one of whole parameters, which are then neither joined nor cut.
    _whole = False

    def __init__(self, params: Iterable[Tensor] | Iterable[Group], defaults: Group) -> None:
        name = type(self).__name__
        self._step_name = f"{name}.step()"
        defaults = {**defaults, "maximize": defaults.get("maximize", False)}
        listed: Any = params
        kinds = (Tensor, np.ndarray, list, tuple)
        whole = isinstance(params, kinds) or hasattr(params, "parameters")
        if isinstance(params, Iterable) and not whole:
            listed = list(params)
        grouped = isinstance(listed, (list, tuple)) and listed and isinstance(listed[0], dict)
        given: Any = listed if grouped else [{"params": listed}]
        self.param_groups = []
        self._begun: dict[int, tuple[float, float]] = {}  # see `Schedule`
        seen: set[int] = set()
        for group in given:
            fix = "let all groups be dicts, as {'params': [...], 'lr': 0.01}"
            require_argument(isinstance(group, dict), name, "a group", group, fix)
            unknown = [key for key in group if key not in defaults and key != "params"]
            if unknown or "params" not in group:
                word = unknown[0] if unknown else "params"
                raise ArgumentError(
                    f"{name} {'does not know the setting' if unknown else 'got a group without'} "
                    f"{word!r} (at {user_line()}).\nFix: "
                    f"{nearest(word, defaults) if unknown else 'name its parameters: params=[...]'}"
                )
            settings = {**defaults, **group, "params": checked_parameters(group["params"], name)}
            for key in defaults:
                settings[key] = plain(settings[key])
                if wrong := wrong_setting(key, settings[key]):
                    got, fix = wrong
                    raise ArgumentError(f"{name} got {got} (at {user_line()}).\nFix: {fix}.")
            self._check(settings)
            repeated = [p for p in settings["params"] if id(p) in seen]
            if repeated:
                raise ArgumentError(
                    f"{name} got the parameter {describe(repeated[0], 0)} in two groups (at "
                    f"{user_line()}).\nFix: put each parameter into one group."
                )
            seen.update(id(p) for p in settings["params"])
            self.param_groups.append(settings)
        self._flats = [self._flatten(group["params"]) for group in self.param_groups]

    def _check(self, group: Group) -> None:
        """Raise an `ArgumentError` where settings do not go together."""

    def _state_names(self, group: Group) -> tuple[str, ...]:
        """The names of the arrays that `_update` gets after the parameters."""
        raise NotImplementedError

    def _update(self, group: Group, t: int, g: Array, p: Array, *state: Array) -> None:
        """The rule: change parameters and state in place, in their `t`-th step; never `g`."""
        raise NotImplementedError

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        Parameters
        ----------
        closure : callable, optional
            Called first; it computes loss and gradients anew, as `LBFGS` needs it.

        Returns
        -------
        object
            What the closure returned; None without one.

        Raises
        ------
        GraphError
            No parameter has a gradient.
        """
        loss = None
        if closure is not None:
            check_closure(self._step_name, closure)
            loss = closure()
        for i, flats in enumerate(self._flats):
            for flat in flats:
                if not flat.is_current():
                    self._flats[i] = self._flatten(self.param_groups[i]["params"], flats)
                    break
        where = user_place(self._step_name)
        g: Any = None
        for i, group in enumerate(self.param_groups):
            names = self._state_names(group)
            uphill = group["maximize"]
            for flat in self._flats[i]:
                for t, g, part in flat.updates(where, names):
                    self._update(group, t, -g if uphill else g, *part)
        if g is None:
            count = sum(len(group["params"]) for group in self.param_groups)
            raise no_gradients(self._step_name, count)
        return loss

    def _flatten(self, params: list[Tensor], *held: Any) -> list[FlatParameters]:
        flats = _flatten(params, *held)
        for flat in flats:
            flat.whole = self._whole
        return flats

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to None."""
        for group in self.param_groups:
            for p in group["params"]:
                p._grad = None  # as p.grad = None, which costs a call

    def state_dict(self) -> dict[str, Any]:
        """All that a later run needs in order to go on bit for bit, but the parameters.

        Returns
        -------
        dict
            Plain data: ``"optimizer"`` is the name of the class; ``"state"`` a list with, for each
            parameter in order, a dict of its number of steps and its arrays; ``"param_groups"``
            the settings, with the positions of the parameters in that list.
        """
        state: list[dict[str, Any]] = []
        groups: list[Group] = []
        for group, flats in zip(self.param_groups, self._flats, strict=True):
            first = len(state)
            held = _states(flats, self._state_names(group))
            state += [held[id(p)] for p in group["params"]]
            groups.append({**group, "params": list(range(first, len(state)))})
        return {"optimizer": type(self).__name__, "state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over state and settings, as `state_dict` returned them.

        Raises
        ------
        StateDictError
            They are those of another optimizer or of other parameters. Nothing was changed.
        """
        wrong = mismatches(self, state_dict)
        if wrong:
            raise StateDictError(
                f"the state does not fit this {type(self).__name__} (at {user_line()}). Nothing "
                "was changed.\n  " + "\n  ".join(wrong) + "\n"
                "Fix: make the optimizer with the same groups of the same parameters, in the same "
                "order, as when the state was saved."
            )
        states = iter(state_dict["state"])
        for i, (group, saved) in enumerate(
            zip(self.param_groups, state_dict["param_groups"], strict=True)
        ):
            for key, value in saved.items():
                if key != "params":
                    group[key] = plain(value)
            by_parameter = {id(p): next(states) for p in group["params"]}
            self._flats[i] = self._flatten(group["params"], self._flats[i], by_parameter)

    def __repr__(self) -> str:
        lines = []
        for group in self.param_groups:
            settings = ", ".join(f"{key}={x}" for key, x in group.items() if key != "params")
            numbers = sum(p.size for p in group["params"])
            lines.append(f"{settings}: {len(group['params'])} parameters of {numbers} numbers")
        return f"{type(self).__name__}({'; '.join(lines)})"


def decayed(group: Group, g: Array, p: Array) -> Array:
    """The gradient with weight decay; where that is decoupled, `p` shrinks instead.

    Examples
    --------
    >>> p = np.array([2.0])
    >>> group = {"lr": 0.1, "weight_decay": 0.5, "decoupled_weight_decay": True}
    >>> decayed(group, np.array([1.0]), p), p
    (array([1.]), array([1.9]))
    """
    if not group["weight_decay"]:
        return g
    if group.get("decoupled_weight_decay"):
        p *= 1 - group["lr"] * group["weight_decay"]
        return g
    total: Array = g + group["weight_decay"] * p
    return total


def _flatten(
    params: list[Tensor],
    before: list[FlatParameters] | None = None,
    states: dict[int, dict[str, Any]] | None = None,
) -> list[FlatParameters]:
    """One flat buffer for each dtype, with the given states, or those held before."""
    states = states or _states(before or [])
    by_dtype: dict[Any, list[Tensor]] = {}
    for p in params:
        by_dtype.setdefault(p.dtype, []).append(p)
    flats = [FlatParameters(same) for same in by_dtype.values()]
    for flat in flats:
        for i, p in enumerate(flat.params):
            if id(p) in states:
                flat.set_state(i, states[id(p)])
    return flats


def _states(
    flats: list[FlatParameters], names: tuple[str, ...] | None = None
) -> dict[int, dict[str, Any]]:
    """The state of each parameter by its id: all of it, or the arrays of these names."""
    return {id(p): flat.state(i, names) for flat in flats for i, p in enumerate(flat.params)}
