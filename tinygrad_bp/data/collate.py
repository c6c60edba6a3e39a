"""From samples to a batch: arrays are stacked, whatever tuples and dicts they come in."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.data.arguments import as_array, is_dataset
from tinygrad_bp.errors import DataError, ShapeError, require_argument

__all__ = ["collate"]


def collate(samples: Sequence[Any]) -> Any:
    """A batch of the same form as its samples, with a first axis in each array.

    Parameters
    ----------
    samples : sequence
        Of arrays, tensors or numbers; or of tuples, named tuples, lists or dicts of those. What
        is none of them, as a text, comes as a list.

    Returns
    -------
    object
        Arrays where arrays or numbers were, tensors where tensors were; a tuple for a list.

    Raises
    ------
    ShapeError
        Arrays of different shapes.
    DataError
        Tuples of different lengths, or dicts of different keys.

    Examples
    --------
    >>> collate([{"x": np.zeros(2), "y": 0}, {"x": np.ones(2), "y": 1}])
    {'x': array([[0., 0.],
           [1., 1.]]), 'y': array([0, 1])}
    """
    listed = is_dataset(samples) and not isinstance(samples, str | bytes | Mapping)
    require_argument(
        listed and len(samples) > 0, "collate", "samples", samples, "a list of samples"
    )
    first = samples[0]
    if isinstance(first, (np.ndarray, Tensor)):
        shapes = [np.shape(sample) for sample in samples]
        if len(set(shapes)) > 1:
            raise ShapeError(
                f"arrays of the shapes {_some(shapes)} make no batch.\n"
                "Fix: bring them to one shape, as with collate_fn=data.PadCollate() for sequences."
            )
        return np.stack(samples)
    if isinstance(first, (numbers.Number, np.generic)):
        return as_array("collate", samples)
    if isinstance(first, Mapping):
        if any(set(sample) != set(first) for sample in samples):
            raise DataError(
                f"dicts of the keys {_some([list(sample) for sample in samples])} make no batch.\n"
                "Fix: the same keys in each sample."
            )
        return {key: collate([sample[key] for sample in samples]) for key in first}
    if isinstance(first, (tuple, list)):
        lengths = [len(sample) for sample in samples]
        if len(set(lengths)) > 1:
            raise DataError(
                f"samples of {_some(lengths)} parts make no batch.\n"
                "Fix: the same parts in each sample."
            )
        parts = [collate(part) for part in zip(*samples, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else tuple(parts)
    return list(samples)


def _some(facts: Sequence[Any]) -> str:
    """The first of the facts and those that differ from it, each once."""
    return ", ".join(dict.fromkeys(str(fact) for fact in facts))
