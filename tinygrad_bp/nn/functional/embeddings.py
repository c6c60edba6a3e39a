"""Rows of a table chosen by integers, as functions of tensors; `nn.functional` offers them."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, DTypeError, ShapeError, nearest
from tinygrad_bp.nn.targets import at_user
from tinygrad_bp.ops import embedding as rows

Mode = Literal["sum", "mean", "max"]


def embedding(
    indices: Any,
    weight: Any,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
) -> Tensor:
    """The rows of a table that the indices name.

    Parameters
    ----------
    indices : array_like of int
        Any shape.
    weight : array_like
        The table, of shape (num_embeddings, embedding_dim).
    padding_idx : int, optional
        A row that gets no gradient.
    max_norm : float, optional
        Rows that are longer are first shortened to this, in the table itself.
    norm_type : float, default 2.0
        Of which norm `max_norm` speaks.
    scale_grad_by_freq : bool, default False
        Whether the gradient of a row is divided by how often it is named.

    Returns
    -------
    Tensor
        Of shape (*indices.shape, embedding_dim).

    Raises
    ------
    DTypeError
        The indices are not integers.
    ArgumentError
        An index or `padding_idx` is not that of a row.
    ShapeError
        The table is no matrix.

    Examples
    --------
    >>> embedding([2, 0], np.array([[0.0, 0.5], [1.0, 1.5], [2.0, 2.5]]))
    Tensor([[2. , 2.5],
            [0. , 0.5]])
    """
    weight, chosen = _checked("embedding", indices, weight)
    padding_idx = row_number("embedding", padding_idx, len(weight.data))
    if max_norm is not None:
        _shorten(weight, np.unique(chosen.data), max_norm, norm_type)
    return rows.embedding.apply(
        weight, chosen, padding_idx=padding_idx, by_frequency=scale_grad_by_freq
    )


def embedding_bag(
    indices: Any,
    weight: Any,
    offsets: Any = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    mode: Mode = "mean",
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Of each bag of indices, the sum, mean or maximum of the rows that they name.

    Parameters
    ----------
    indices : array_like of int
        Shape (B, L), a bag in each row; or (N,), all bags one after another.
    weight : array_like
        The table, of shape (num_embeddings, embedding_dim).
    offsets : array_like of int, optional
        For indices of shape (N,): where each bag starts, the first at 0.
    max_norm, norm_type, scale_grad_by_freq
        As in `embedding`.
    mode : {"mean", "sum", "max"}
        What is taken of the rows of a bag. Of an empty bag it is 0.
    per_sample_weights : array_like, optional
        With mode "sum": a factor for each index.
    include_last_offset : bool, default False
        Whether the last offset is the end of the last bag, and starts none.
    padding_idx : int, optional
        An index that is passed over.

    Returns
    -------
    Tensor
        Of shape (B, embedding_dim).

    Raises
    ------
    DTypeError
        Indices or offsets are not integers.
    ArgumentError
        An index is not that of a row, the offsets are no starts of bags, or arguments do not go
        together.
    ShapeError
        A shape is none of those above.

    Examples
    --------
    >>> table = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
    >>> embedding_bag([0, 1, 2, 2], table, offsets=[0, 2], mode="sum")
    Tensor([[ 3., 30.],
            [ 6., 60.]])
    """
    name = "embedding_bag"
    if mode not in get_args(Mode):
        known = nearest(mode, get_args(Mode))
        raise ArgumentError(f"{at_user(name)}: there is no mode {mode!r}.\nFix: {known}")
    weight, chosen = _checked(name, indices, weight)
    factors = None if per_sample_weights is None else as_tensor(per_sample_weights)
    if factors is not None and (mode != "sum" or factors.shape != chosen.shape):
        raise ArgumentError(
            f"{at_user(name)}: per_sample_weights of shape {factors.shape}, with mode {mode!r} and "
            f"indices of shape {chosen.shape}.\nFix: mode='sum', and one weight for each index."
        )
    places, inside = _bags(name, chosen.data, offsets, include_last_offset)
    padding_idx = row_number(name, padding_idx, len(weight.data))
    found = embedding(chosen, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq)
    each = chosen.data
    if offsets is not None:
        found, each = found[places], each[places]
    inside = inside if padding_idx is None else inside & (each != padding_idx)
    mask = inside[..., None]
    if mode == "max":
        largest: Any = np.max(np.where(mask, found, -np.inf), axis=1, initial=-np.inf)
        return as_tensor(np.where(mask.any(axis=1), largest, weight.dtype.type(0)))
    if factors is not None:
        factors = factors if offsets is None else factors[places]
        found = found * np.expand_dims(factors, -1)
    total: Tensor = np.sum(np.where(mask, found, weight.dtype.type(0)), axis=1)
    if mode == "sum":
        return total
    mean: Tensor = total / np.maximum(inside.sum(axis=1), 1)[:, None].astype(weight.dtype)
    return mean


def row_number(name: str, padding_idx: int | None, count: int) -> int | None:
    """The index of a padding row, counted from the start.

    Raises
    ------
    ArgumentError
        There is no such row.

    Examples
    --------
    >>> row_number("embedding", -1, 10), row_number("embedding", None, 10)
    (9, None)
    """
    if padding_idx is None:
        return None
    if not -count <= padding_idx < count:
        raise ArgumentError(
            f"{name}: padding_idx is {padding_idx}, and there are {count} rows.\n"
            f"Fix: an index from {-count} to {count - 1}."
        )
    return padding_idx % count


def _checked(name: str, indices: Any, weight: Any) -> tuple[Tensor, Tensor]:
    """The table and the indices as tensors, which go together."""
    weight, chosen = as_tensor(weight), as_tensor(_integers(name, "indices", indices))
    if weight.ndim != 2:
        raise ShapeError(
            f"{at_user(name)}: a table of shape {weight.shape}, expected (num_embeddings, "
            "embedding_dim).\nFix: pass the indices first, and then the table."
        )
    values, count = chosen.data, weight.shape[0]
    if values.size and not (values.min() >= 0 and values.max() < count):
        place = np.argwhere((values < 0) | (values >= count))[0].tolist()
        worst = values[tuple(place)]
        fix = f"num_embeddings={int(values.max()) + 1}, or l" if worst >= 0 else "L"
        raise ArgumentError(
            f"{at_user(name)}: the index at {place} is {worst}, and the table has {count} rows, 0 "
            f"to {count - 1}.\nFix: {fix}ook at how the indices were made."
        )
    return weight, chosen


def _integers(name: str, what: str, values: Any) -> Any:
    """Indices as they are, which are integers; no indices at all have any dtype."""
    array = values if isinstance(values, (Tensor, np.ndarray)) else np.asarray(values)
    if array.dtype.kind in "iu":
        return array
    if array.size == 0 and not isinstance(values, (Tensor, np.ndarray)):
        return array.astype(np.intp)
    reason = "are real numbers" if array.dtype.kind == "f" else f"have dtype {array.dtype}"
    raise DTypeError(
        f"{at_user(name)}: the {what} {reason}, but they name rows of a table.\n"
        "Fix: pass integers, as x.astype(np.int64), or use a Linear for real features."
    )


def _bags(
    name: str, indices: Any, offsets: Any, include_last_offset: bool
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """For each bag, the places of its indices, filled up to one length; and which are no filling.

    Places are those in the flat indices.
    """
    if indices.ndim == 2 and offsets is None:
        return np.arange(indices.size).reshape(indices.shape), np.ones(indices.shape, bool)
    if indices.ndim != 1 or offsets is None:
        raise ShapeError(
            f"{at_user(name)}: indices of shape {indices.shape}"
            + (" without offsets" if offsets is None else " and offsets")
            + ".\nFix: indices of shape (B, L), or of shape (N,) with offsets."
        )
    starts = np.asarray(_integers(name, "offsets", offsets))
    ends = np.append(starts[1:], indices.size)
    if include_last_offset:
        starts, ends = starts[:-1], ends[:-1]
    edges = np.append(starts, ends[-1:])
    if (
        (starts.size and starts[0] != 0)
        or np.any(np.diff(edges) < 0)
        or edges.max(initial=0) > indices.size
    ):
        raise ArgumentError(
            f"{at_user(name)}: the offsets {np.asarray(offsets).tolist()} are not where bags of "
            f"{indices.size} indices start.\nFix: begin with 0, and let them not fall."
        )
    lengths = ends - starts
    steps = np.arange(lengths.max(initial=0))
    inside = steps < lengths[:, None]
    return np.where(inside, starts[:, None] + steps, 0), inside


def _shorten(weight: Tensor, chosen: Any, max_norm: float, norm_type: float) -> None:
    """Bring the rows that are chosen and too long to length `max_norm`."""
    values = weight.data
    norms = np.linalg.norm(values[chosen], ord=norm_type, axis=1)
    long = norms > max_norm
    if long.any():
        shorter = values.copy()
        # The small number is PyTorch's, which keeps what is rounded from being too long again.
        shorter[chosen[long]] *= (max_norm / (norms[long] + 1e-7))[:, None]
        weight.assign(shorter)
