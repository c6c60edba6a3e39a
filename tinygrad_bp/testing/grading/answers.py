"""What the writer of formulas calls them: W1, dW1, grad_b1, delta1, 0.weight, or lists by layer."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.errors import ArgumentError

#: What a name means apart from its number.
_MEANINGS = {
    "weight": ("w", "weight", "weights", "dw", "dweight", "theta", "dtheta"),
    "bias": ("b", "bias", "biases", "db", "dbias"),
    "delta": ("delta", "deltas", "d", "dz", "δ"),
    "loss": ("loss", "value", "cost"),
}
_KINDS = {word: kind for kind, words in _MEANINGS.items() for word in words}


class Parameters(dict[str, Any]):
    """The parameters as plain arrays, under the model's names and under W1, b1, W2 and so on.

    Examples
    --------
    >>> found = Parameters({"0.weight": 1, "0.bias": 2}, {"weight 1": "0.weight"})
    >>> found["0.weight"], found["W1"], list(found)
    (1, 1, ['0.weight', '0.bias'])
    """

    def __init__(self, values: Mapping[str, Any], layers: Mapping[str, str]) -> None:
        super().__init__(values)
        self._layers = layers

    def __missing__(self, name: str) -> Any:
        found = self._layers.get(meaning(name))
        if found is None:
            raise KeyError(f"{name!r}: the parameters are {', '.join(self)}, or W1, b1, W2, b2, …")
        return self[found]


def meaning(name: str) -> str:
    """What a name stands for, as ``"weight 2"``; empty where it is none of the known ones.

    Examples
    --------
    >>> [meaning(name) for name in ("dW2", "grad_b1", "delta_3", "weights2", "loss", "momentum1")]
    ['weight 2', 'bias 1', 'delta 3', 'weight 2', 'loss', '']
    """
    word = re.sub(r"[\s_.\[\]]", "", name.lower())
    word = re.sub(r"^(grad(ient)?|∂)", "", word)
    word = re.sub(r"(grad(ient)?s?)(?=\d*$)", "", word)
    match = re.fullmatch(r"(\D+?)(\d+)?", word)
    kind = _KINDS.get(match[1]) if match else None
    if match is None or kind is None:
        return ""
    return kind if match[2] is None else f"{kind} {int(match[2])}"


def answers(returned: Any) -> dict[str, Any]:
    """What a function of gradients returned, by name.

    Parameters
    ----------
    returned : dict, NamedTuple or dataclass
        A list under one of its names has an entry for each layer, from the first to the last.

    Raises
    ------
    ArgumentError
        It is none of these.

    Examples
    --------
    >>> answers({"weights": [1.0, 2.0], "b1": 3.0, "biases": [None]})
    {'weights1': 1.0, 'weights2': 2.0, 'b1': 3.0}
    """
    found: dict[str, Any] = {}
    for name, value in _fields(returned):
        if isinstance(value, (list, tuple)) and meaning(name) in ("weight", "bias", "delta"):
            numbered = {f"{name}{k}": part for k, part in enumerate(value, 1)}
            found |= {key: part for key, part in numbered.items() if part is not None}
        elif value is not None:
            found[name] = value
    return found


def _fields(returned: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(returned, Mapping):
        yield from ((str(name), value) for name, value in returned.items())
    elif hasattr(returned, "_asdict"):
        yield from returned._asdict().items()
    elif dataclasses.is_dataclass(returned) and not isinstance(returned, type):
        for field in dataclasses.fields(returned):
            yield field.name, getattr(returned, field.name)
    else:
        raise ArgumentError(
            f"the function of gradients returned {type(returned).__name__}, and its formulas have "
            "no names.\n"
            'Fix: return a dict, as {"W1": …, "b1": …}, a NamedTuple or a dataclass.'
        )


def as_numbers(value: Any) -> np.ndarray[Any, Any] | None:
    """An answer as an array of real numbers, or None where it is none."""
    try:
        array = np.asarray(value.data if isinstance(value, Tensor) else value)
    except (ValueError, TypeError):
        return None
    return array if array.dtype.kind in "fiub" else None
