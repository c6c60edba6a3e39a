"""How a ufunc of `scipy.special` becomes a primitive."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tinygrad_bp.core import FUNCTIONS, Primitive, is_grad_enabled
from tinygrad_bp.core.graph import Variable
from tinygrad_bp.core.messages import named, plain
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
    FUNCTIONS.setdefault(ufunc, _answer(ufunc, primitive, parameters or {}))
    return primitive


def _answer(ufunc: Any, primitive: Primitive, parameters: Mapping[int, str]) -> Callable[..., Any]:
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
        return primitive.apply(*_promoted(ufunc, inputs))

    answer.primitive = primitive  # type: ignore[attr-defined]
    return answer


def _promoted(ufunc: Any, inputs: Sequence[Any]) -> Sequence[Any]:
    """The inputs in the dtypes to which the ufunc casts them.

    It does so itself, but its rules would not: ``1 - y`` of ``np.uint8(2)`` is 255, and the
    logarithm of uint8 is float16.
    """
    found = {x.dtype for x in inputs if hasattr(x, "dtype")}
    if len(found) == 1 and found.pop().kind == "f":
        return inputs
    inputs = [x if isinstance(x, Variable) else plain(x) for x in inputs]
    given = [getattr(x, "dtype", type(x)) for x in inputs]
    dtypes = ufunc.resolve_dtypes((*given, *[None] * ufunc.nout))
    return [
        x.astype(dtype) if hasattr(x, "dtype") and x.dtype != dtype else x
        for x, dtype in zip(inputs, dtypes, strict=False)
    ]
