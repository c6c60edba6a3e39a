"""How a ufunc of `scipy.special` becomes a primitive."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tinygrad_bp.core import FUNCTIONS, Primitive, is_grad_enabled
from tinygrad_bp.core.graph import Variable
from tinygrad_bp.core.messages import named
from tinygrad_bp.errors import OperationError, user_line


def differentiable(
    ufunc: Any,
    vjps: Sequence[Callable[..., Any] | None],
    formula: str,
    vjp_formulas: Sequence[str],
    *,
    parameters: Mapping[int, str] | None = None,
    analytic: bool = True,
    kinks: str = "",
) -> Primitive:
    """Make a ufunc a primitive of the name ``special.ufunc`` and what answers for the ufunc.

    Parameters
    ----------
    ufunc : ufunc
        The function. What a user has registered for it stays.
    vjps, formula, vjp_formulas, analytic, kinks
        As those of `Primitive`.
    parameters : dict, optional
        Position and name of the arguments in which no derivative is known. A tensor that requires
        a gradient is refused there, since a missing rule would count as a gradient of zero.
    """
    primitive = Primitive(
        f"special.{ufunc.__name__}",
        ufunc,
        vjps,
        formula=formula,
        vjp_formulas=vjp_formulas,
        analytic=analytic,
        kinks=kinks,
    )
    answer = primitive.apply if parameters is None else _guarded(primitive, parameters)
    FUNCTIONS.setdefault(ufunc, answer)
    return primitive


def _guarded(primitive: Primitive, parameters: Mapping[int, str]) -> Callable[..., Any]:
    def answer(*inputs: Any) -> Any:
        for i, word in parameters.items():
            x = inputs[i] if i < len(inputs) else None
            if isinstance(x, Variable) and x.requires_grad and is_grad_enabled():
                raise OperationError(
                    f"{primitive.name}: no derivative is known in its argument {word}, here a "
                    f"tensor{named(x)} {x._data.shape} {x._data.dtype} that requires a gradient "
                    f"(at {user_line()}).\n"
                    f"Fix: pass {word} as a number, an array, or t.detach()."
                )
        return primitive.apply(*inputs)

    answer.primitive = primitive  # type: ignore[attr-defined]
    return answer
