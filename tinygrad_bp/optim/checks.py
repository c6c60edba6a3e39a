"""What makes sense as a setting of an optimizer, and what as its saved state."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_bp.errors import ArgumentError, a_kind, require_argument, user_line
from tinygrad_bp.optim.flat import describe

if TYPE_CHECKING:
    from tinygrad_bp.core import Tensor
    from tinygrad_bp.optim.optimizer import Optimizer

# The numbers that make sense: 0 <= x, and for these 0 <= x < 1.
_BELOW_ONE = ("beta1", "beta2", "alpha", "rho")
# Those that are numbers in every optimizer that has them, and those that are whole ones.
_NUMBERS = (
    *("lr", "eps", "momentum", "dampening", "weight_decay", "lr_decay", "momentum_decay", "lambd"),
    *("t0", "initial_accumulator_value", "tolerance_grad", "tolerance_change", *_BELOW_ONE),
)
_WHOLE = ("max_iter", "max_eval", "history_size")
_FLAGS = ("maximize", "nesterov", "amsgrad", "centered", "decoupled_weight_decay")
# What the numbers of a pair are called.
_PAIRS = {
    "betas": ("beta1", "beta2"),
    "etas": ("etas[0]", "etas[1]"),
    "step_sizes": ("step_sizes[0]", "step_sizes[1]"),
}


def plain(value: Any) -> Any:
    """Numbers of NumPy as those of Python, which leave float32 parameters float32.

    Examples
    --------
    >>> plain([np.float32(0.5), 2])
    (0.5, 2)
    """
    if isinstance(value, (tuple, list)):
        return tuple(map(plain, value))
    without_axes = isinstance(value, np.generic | np.ndarray) and not value.ndim
    return value.item() if without_axes else value


def wrong_setting(key: str, value: Any) -> tuple[str, str] | None:
    """What is wrong with a setting, and the fix. One that is not known here may be anything.

    Examples
    --------
    >>> wrong_setting("lr", -1.0)
    ('lr=-1.0', 'choose 0 <= lr, and finite')
    >>> wrong_setting("lr", 0.1)
    """
    if key == "max_eval" and value is None:  # which is then made of max_iter
        return None
    if key in _FLAGS:
        return None if isinstance(value, bool) else (f"{key}={value!r}", "True or False")
    parts = {key: value}
    if key in _PAIRS:
        if not isinstance(value, tuple) or len(value) != 2:
            return f"{key}={value!r}", "a pair of numbers"
        parts = dict(zip(_PAIRS[key], value, strict=True))
    elif key not in (*_NUMBERS, *_WHOLE) and not is_number(value):
        return None
    for name, x in parts.items():
        below_one, whole = name in _BELOW_ONE, name in _WHOLE
        if not (is_number(x, whole) and x >= 0 and (x < 1 if below_one else math.isfinite(x))):
            a_number = ", a whole number" if whole else " < 1" if below_one else ", and finite"
            return f"{name}={x!r}", f"choose 0 <= {name}{a_number}"
    return None


def is_number(x: Any, whole: bool = False) -> bool:
    """Whether something is a number of Python that NumPy can compute with.

    Examples
    --------
    >>> is_number(2), is_number(0.5), is_number(0.5, whole=True), is_number(True)
    (True, True, False, False)
    """
    if isinstance(x, int):
        return not isinstance(x, bool) and abs(x) < 2**63
    return isinstance(x, float) and not whole


def check_closure(step: str, closure: Any) -> None:
    """Refuse what no step can call.

    Raises
    ------
    ArgumentError

    Examples
    --------
    >>> check_closure("SGD.step()", lambda: 0.5)
    """
    fix = "pass a function of nothing that computes loss and gradients, and returns the loss"
    require_argument(callable(closure), step, "closure", closure, fix)


def check_number(
    name: str, value: Any, *, least: float = 0, whole: bool = False, finite: bool = True
) -> None:
    """Refuse what is no number from `least` on.

    Raises
    ------
    ArgumentError

    Examples
    --------
    >>> check_number("max_norm", 1.0)
    """
    x = plain(value)
    if not (is_number(x, whole) and x >= least and (math.isfinite(x) or not finite)):
        kind = f"a whole number, {name}" if whole else name
        raise ArgumentError(
            f"{name} is {value!r} (at {user_line()}).\n"
            f"Fix: choose {kind} >= {least}{', and finite' if finite and not whole else ''}."
        )


def is_real(x: Any) -> bool:
    """Whether something is an array of real numbers, or a list of such.

    Examples
    --------
    >>> is_real([1.0, 2.0]), is_real([[1.0], []]), is_real("a")
    (True, False, False)
    """
    try:
        return np.asarray(x).dtype.kind in "fiu"
    except ValueError:  # lists of different lengths
        return False


def mismatches(optimizer: Optimizer, state_dict: Any) -> list[str]:
    """What in a state dictionary does not fit an optimizer.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0], requires_grad=True)])
    >>> mismatches(optimizer, optimizer.state_dict())
    []
    >>> mismatches(optimizer, {"optimizer": "SGD", "param_groups": []})
    ["it has no 'state'"]
    """
    if not isinstance(state_dict, dict):
        return [f"it is {a_kind(state_dict)}, not a dict"]
    kinds = {"optimizer": str, "param_groups": list, "state": list}
    wrong = [f"it has no {name!r}" for name in kinds if name not in state_dict] or [
        f"its {name!r} is {a_kind(state_dict[name])}, not a {kind.__name__}"
        for name, kind in kinds.items()
        if not isinstance(state_dict[name], kind)
    ]
    if wrong:
        return wrong
    if state_dict["optimizer"] != type(optimizer).__name__:
        return [f"it is the state of {state_dict['optimizer']!r}"]
    groups, states = state_dict["param_groups"], state_dict["state"]
    if len(groups) != len(optimizer.param_groups):
        return [f"it has {len(groups)} groups, not {len(optimizer.param_groups)}"]
    for what, parts in (("group", groups), ("the state of parameter", states)):
        for i, part in enumerate(parts):
            if not isinstance(part, dict):
                return [f"{what} {i} is {a_kind(part)}, not a dict"]
    for i, (group, saved) in enumerate(zip(optimizer.param_groups, groups, strict=True)):
        faults = _of_group(group, saved)
        if not faults:
            try:
                optimizer._check({**group, **saved})
            except ArgumentError as error:
                faults = [f": {str(error).partition(' (at')[0]}"]
        wrong += [f"group {i}{fault}" for fault in faults]
    params = [p for group in optimizer.param_groups for p in group["params"]]
    if wrong or len(states) != len(params):
        return wrong or [f"it has the state of {len(states)} parameters, not {len(params)}"]
    names = [
        set(optimizer._state_names({**group, **saved}))
        for group, saved in zip(optimizer.param_groups, groups, strict=True)
        for _ in group["params"]
    ]
    for i, (p, state) in enumerate(zip(params, states, strict=True)):
        wrong += [f"parameter {describe(p, i)}: {f}" for f in _of_parameter(p, state, names[i])]
    return wrong


def _of_group(group: dict[str, Any], saved: dict[str, Any]) -> list[str]:
    """What does not fit in the settings of a group."""
    params = saved.get("params")
    wrong = []
    if not isinstance(params, list):
        wrong.append(f": its 'params' is {a_kind(params)}, not a list")
    elif len(params) != len(group["params"]):
        wrong.append(f" has {len(params)} parameters, not {len(group['params'])}")
    off = {key for key, value in group.items() if value is False}  # flags of later versions
    for key in sorted((set(saved) ^ set(group)) - (off - set(saved)) - {"params"}, key=str):
        wrong.append(f": {'unexpected' if key in saved else 'missing'} {key!r}")
    for key in sorted(set(saved) & set(group) - {"params"}):
        if fault := wrong_setting(key, plain(saved[key])):
            wrong.append(f" has {fault[0]}")
    return wrong


def _of_parameter(p: Tensor, state: dict[str, Any], names: set[str]) -> list[str]:
    """What does not fit in the state of a parameter, which has arrays of these names."""
    steps = plain(state.get("step", 0))
    if not is_number(steps, whole=True) or steps < 0:
        return [f"'step' is {steps!r}"]
    wrong = []
    for name in sorted((({"step"} | (names if steps else set())) ^ set(state)), key=str):
        wrong.append(f"{'unexpected' if name in state else 'missing'} {name!r}")
    for name in sorted(names & set(state)):
        if not is_real(state[name]):
            wrong.append(f"{name!r} is no array of real numbers")
        elif np.shape(state[name]) != p.shape:
            wrong.append(f"{name!r} has the shape {np.shape(state[name])}")
    return wrong
