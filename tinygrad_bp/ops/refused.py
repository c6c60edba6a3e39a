"""NumPy functions that are refused on tensors, each with the reason why and what to do instead.

A function that is neither differentiable, nor a constant (`constants`), nor here is unknown; the
tests hold the three against NumPy's public names, so that a new NumPy brings none unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, NoReturn

import numpy as np

from tinygrad_bp.core import FUNCTIONS, is_grad_enabled, without_derivative
from tinygrad_bp.core.graph import Variable
from tinygrad_bp.errors import OperationError, user_line
from tinygrad_bp.ops import writing


class Refusal(NamedTuple):
    """Why a function is not available on tensors, and what to do instead."""

    why: str
    fix: str


#: Each NumPy function that is refused.
REFUSED: dict[Any, Refusal] = {}


def name_of(function: Any) -> str:
    """The name of a NumPy function as one writes it.

    Examples
    --------
    >>> name_of(np.sin), name_of(np.linalg.inv)
    ('np.sin', 'np.linalg.inv')
    """
    module = getattr(function, "__module__", None) or "numpy"  # those of SciPy's ufuncs have none
    module = module.replace("numpy.lib.scimath", "numpy.emath")
    return f"{module.replace('numpy', 'np', 1)}.{function.__name__}"


def refuse(functions: Iterable[Any], why: str, fix: str) -> None:
    """Let NumPy functions raise, with a reason, when a tensor is among their arguments."""
    for function in functions:
        REFUSED[function] = Refusal(why, fix)
        FUNCTIONS[function] = _raise(function)


def refuse_gradients(functions: Iterable[Any], why: str, fix: str) -> None:
    """Let them raise where a gradient would be lost; on other tensors they give constants."""
    functions = list(functions)
    without_derivative(dict.fromkeys(functions, why))
    for function in functions:
        REFUSED[function] = Refusal(why, fix)
        FUNCTIONS[function] = _raise_if_needed(function, FUNCTIONS[function])


def _error(function: Any) -> OperationError:
    why, fix = REFUSED[function]
    return OperationError(
        f"{name_of(function)} is not available on tensors: {why} (at {user_line()}).\nFix: {fix}."
    )


def _raise(function: Any) -> Callable[..., NoReturn]:
    def answer(*args: Any, **kwargs: Any) -> NoReturn:
        raise _error(function)

    return answer


def _raise_if_needed(function: Any, constant: Callable[..., Any]) -> Callable[..., Any]:
    def answer(*args: Any, **kwargs: Any) -> Any:
        if is_grad_enabled() and needs_gradient((args, list(kwargs.values()))):
            raise _error(function)
        return constant(*args, **kwargs)

    return answer


def needs_gradient(value: Any) -> bool:
    """Whether a tensor that requires a gradient is somewhere in it, in lists and tuples too."""
    if isinstance(value, Variable):
        return value.requires_grad
    return isinstance(value, (list, tuple)) and any(needs_gradient(v) for v in value)


# These are refused where they belong, in `writing` and `polynomials`.
for _function, _instead in writing.INSTEAD.items():
    REFUSED[_function] = Refusal("it writes into its first argument", _instead)
REFUSED[np.roots] = Refusal(
    "zeros may be complex",
    "call it on p.data where no gradient is wanted; a simple real zero x0, as a constant, has the "
    "gradient of x0 - np.polyval(p, x0) / np.polyval(np.polyder(p), x0)",
)

refuse(
    (np.busday_count, np.busday_offset, np.datetime_as_string, np.is_busday, np.isnat),
    "a tensor holds numbers, not dates",
    "call it on arrays of dates",
)
refuse_gradients(
    (
        *(np.fft.fft, np.fft.fft2, np.fft.fftn, np.fft.ifft, np.fft.ifft2, np.fft.ifftn),
        *(np.fft.rfft, np.fft.rfft2, np.fft.rfftn, np.fft.irfft, np.fft.irfft2, np.fft.irfftn),
        *(np.fft.hfft, np.fft.ihfft, np.sort_complex),
    ),
    "its numbers are complex, and gradients are those of real numbers",
    "call it on t.data where no gradient is wanted; a sum of few terms can be written with "
    "np.cos and np.sin",
)
refuse_gradients(
    (
        *(np.emath.sqrt, np.emath.log, np.emath.log2, np.emath.log10, np.emath.logn),
        *(np.emath.power, np.emath.arccos, np.emath.arcsin, np.emath.arctanh),
    ),
    "its result is complex outside of the real domain",
    "use the function of that name in np, inside of its domain",
)
refuse_gradients(
    (np.histogram_bin_edges,),
    "no rule is written for the edges, which follow the smallest and largest element",
    "np.linspace(np.min(t), np.max(t), n + 1), or call it on t.data",
)
refuse_gradients(
    (np.nextafter,),
    "the next number is no smooth function, though it lies next to one whose derivative is 1",
    "use x itself, or call it on t.data",
)
