"""NumPy's functions that write into their first argument: refused, naming the way that records."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core import FUNCTIONS
from tinygrad_bp.core.graph import Variable
from tinygrad_bp.errors import InplaceError, user_line

#: What to use in place of each, where the result shall have a gradient.
INSTEAD = {
    np.copyto: "np.where(mask, values, t), or np.broadcast_to(values, shape) for a whole array",
    np.fill_diagonal: "np.where(np.eye(n, dtype=bool), values, t)",
    np.place: "np.where(mask, values, t), or t.at[mask].set(values)",
    np.put: "t.at[indices].set(values) on a tensor with one axis, as t.ravel() is",
    np.put_along_axis: "t.at[index].set(values), or np.where(mask, values, t)",
    np.putmask: "np.where(mask, values, t)",
}


def _refusing(function: Any, remedy: str) -> None:
    name = function.__name__

    def answer(*args: Any, **kwargs: Any) -> Any:
        target, *rest = (*args, *kwargs.values())
        if isinstance(target, Variable):
            what = f"would write into a tensor of shape {target.shape}"  # type: ignore[attr-defined]
        elif any(isinstance(x, Variable) and x.requires_grad for x in rest):
            what = "would turn a tensor that requires a gradient into plain numbers"
        else:
            args = tuple(_values(x) for x in args)
            return function(*args, **{key: _values(x) for key, x in kwargs.items()})
        raise InplaceError(
            f"np.{name} {what} (at {user_line()}). Nothing was changed.\nFix: {remedy}."
        )

    FUNCTIONS[function] = answer


def _values(x: Any) -> Any:
    return x._data if isinstance(x, Variable) else x


for _function, _remedy in INSTEAD.items():
    _refusing(_function, _remedy)
