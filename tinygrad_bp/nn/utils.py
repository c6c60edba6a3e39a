"""Helpers around modules: parameters as one vector, and weights that are computed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_bp.core.tensor import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, ShapeError, a_kind, user_line
from tinygrad_bp.nn import parametrizations
from tinygrad_bp.nn.parametrizations import is_parametrized, remove_parametrizations

__all__ = [
    "is_parametrized",
    "parameters_to_vector",
    "parametrizations",
    "remove_parametrizations",
    "vector_to_parameters",
]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements of the parameters as one vector, through which gradients flow.

    Parameters
    ----------
    parameters : iterable of Tensor
        As ``module.parameters()`` gives them.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> parameters_to_vector(tg.nn.Linear(3, 2).parameters()).shape
    (8,)
    """
    flat = [p.reshape(-1) for p in _listed(parameters)]
    if not flat:
        raise ArgumentError(
            f"there are no parameters to make a vector of (at {user_line()}).\n"
            "Fix: module.parameters() of a module that has some."
        )
    vector: Tensor = np.concatenate(flat)  # type: ignore[assignment]
    return vector


def _listed(parameters: Iterable[Tensor]) -> list[Tensor]:
    found = list(parameters) if isinstance(parameters, Iterable) else [parameters]
    for p in found:
        if not isinstance(p, Tensor):
            raise ArgumentError(
                f"{a_kind(p)} is no parameter (at {user_line()}).\nFix: module.parameters()."
            )
    return found


def vector_to_parameters(vector: Any, parameters: Iterable[Tensor]) -> None:
    """Write the elements of a vector into the parameters, in their order.

    Parameters
    ----------
    vector : array_like
        As `parameters_to_vector` gives it.
    parameters : iterable of Tensor
        Their values are written in place.

    Raises
    ------
    ShapeError
        The vector has another number of elements. Nothing was changed.

    Examples
    --------
    >>> import numpy as np, tinygrad_bp as tg
    >>> layer = tg.nn.Linear(2, 1)
    >>> vector_to_parameters(np.arange(3.0), layer.parameters())
    >>> layer.weight.data, layer.bias.data
    (array([[0., 1.]], dtype=float32), array([2.], dtype=float32))
    """
    values = as_tensor(vector).data
    targets = _listed(parameters)
    size = sum(p.size for p in targets)
    if values.shape != (size,):
        raise ShapeError(
            f"a vector of shape {values.shape} for {size} elements of parameters (at "
            f"{user_line()}). Nothing was changed.\nFix: a vector of shape ({size},)."
        )
    start = 0
    for p in targets:
        p.assign(values[start : start + p.size].reshape(p.shape))
        start += p.size
