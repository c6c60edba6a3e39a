"""Embeddings: tables of vectors, of which integers choose rows."""

from __future__ import annotations

from typing import Any, Self, get_args

import numpy as np
import numpy.typing as npt

from tinygrad_bp.core.tensor import Tensor
from tinygrad_bp.errors import ArgumentError, ShapeError, nearest
from tinygrad_bp.nn.arguments import positive, shown
from tinygrad_bp.nn.functional import embeddings as functional
from tinygrad_bp.nn.init import Declaration, Seed, child_stream, initialize
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.parameter import Parameter
from tinygrad_bp.nn.registry import register_layer


class _Table(Module):
    """What both layers share: a table, and how its rows are read."""

    takes_indices = True

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        *,
        dtype: npt.DTypeLike = np.float32,
        generator: Seed = None,
        weight_init: Declaration | None = None,
    ) -> None:
        self.num_embeddings = positive("num_embeddings", num_embeddings)
        self.embedding_dim = positive("embedding_dim", embedding_dim)
        name = type(self).__name__
        self.padding_idx = functional.row_number(name, padding_idx, self.num_embeddings)
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq = bool(scale_grad_by_freq)
        self.weight_init = weight_init
        shape = (self.num_embeddings, self.embedding_dim)
        declared = "normal" if weight_init is None else weight_init
        values = initialize(declared, shape, child_stream(generator), dtype)
        if self.padding_idx is not None:
            values[self.padding_idx] = 0
        self.weight = Parameter(values, dtype, name="weight")

    @classmethod
    def from_pretrained(cls, embeddings: Any, freeze: bool = True, **options: Any) -> Self:
        """A layer with the values of a table.

        Parameters
        ----------
        embeddings : array_like
            Shape (num_embeddings, embedding_dim).
        freeze : bool, default True
            Whether the table is kept from being trained.
        **options
            Arguments of the class.

        Raises
        ------
        ShapeError
            The table is no matrix.

        Examples
        --------
        >>> import tinygrad_bp as tg
        >>> tg.nn.Embedding.from_pretrained([[1.0, 2.0], [3.0, 4.0]])(1)
        Tensor([3., 4.])
        """
        values = np.asarray(embeddings.data if isinstance(embeddings, Tensor) else embeddings)
        if values.ndim != 2:
            raise ShapeError(
                f"{cls.__name__}.from_pretrained: a table of shape {values.shape}.\n"
                "Fix: shape (num_embeddings, embedding_dim)."
            )
        rows, columns = values.shape
        layer = cls(rows, columns, dtype=values.dtype, **options)
        layer.weight.assign(values)
        layer.weight.requires_grad_(not freeze)
        return layer

    def extra_repr(self) -> str:
        """The size of the table, and the arguments that are not at their defaults."""
        return shown(self)


@register_layer
class Embedding(_Table):
    """A table of vectors, of which integers choose rows.

    Parameters
    ----------
    num_embeddings : int
        How many rows there are: the indices are less than that.
    embedding_dim : int
        The length of each.
    padding_idx : int, optional
        A row that is zero at first and gets no gradient, for the places where there is nothing.
    max_norm : float, optional
        Rows that are longer are shortened to this, in the table, when they are chosen.
    norm_type : float, default 2.0
        Of which norm `max_norm` speaks.
    scale_grad_by_freq : bool, default False
        Whether the gradient of a row is divided by how often the batch names it.
    dtype : dtype, default float32
        Of the table.
    generator : Generator, int or None
        Where the first values come from; a generator gives this layer a child stream of its own.
    weight_init : str or dict, optional
        An initializer of `nn.init`. Without one, they are normal of deviation 1.

    Attributes
    ----------
    weight : Parameter
        Of shape (num_embeddings, embedding_dim).

    Raises
    ------
    ArgumentError
        An argument makes no sense; on a call: an index is not that of a row.
    DTypeError
        On a call: the input is not of integers.

    Examples
    --------
    >>> words = Embedding(100, 8, padding_idx=0, generator=0)
    >>> words([[3, 14, 0], [99, 3, 0]]).shape
    (2, 3, 8)
    """

    def forward(self, indices: Any) -> Tensor:
        """Map integers (...) to (..., embedding_dim)."""
        return functional.embedding(
            indices,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
        )


@register_layer
class EmbeddingBag(_Table):
    """The sum, mean or maximum of the rows that each bag of integers chooses from a table.

    Parameters
    ----------
    num_embeddings : int
        How many rows there are: the indices are less than that.
    embedding_dim : int
        The length of each.
    max_norm : float, optional
        Rows that are longer are shortened to this, in the table, when they are chosen.
    norm_type : float, default 2.0
        Of which norm `max_norm` speaks.
    scale_grad_by_freq : bool, default False
        Whether the gradient of a row is divided by how often the batch names it.
    mode : {"mean", "sum", "max"}
        What is taken of the rows of a bag.
    include_last_offset : bool, default False
        Whether the last offset is the end of the last bag, and starts none.
    padding_idx : int, optional
        An index that is passed over.
    dtype : dtype, default float32
        Of the table.
    generator : Generator, int or None
        Where the first values come from; a generator gives this layer a child stream of its own.
    weight_init : str or dict, optional
        An initializer of `nn.init`. Without one, they are normal of deviation 1.

    Attributes
    ----------
    weight : Parameter
        Of shape (num_embeddings, embedding_dim).

    Raises
    ------
    ArgumentError
        An argument makes no sense; on a call: an index is not that of a row.
    DTypeError
        On a call: the input is not of integers.

    Examples
    --------
    >>> bags = EmbeddingBag(10, 4, mode="sum", generator=0)
    >>> bags([[1, 2], [3, 3]]).shape, bags([1, 2, 3], offsets=[0, 0, 2]).shape
    ((2, 4), (3, 4))
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: functional.Mode = "mean",
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        *,
        dtype: npt.DTypeLike = np.float32,
        generator: Seed = None,
        weight_init: Declaration | None = None,
    ) -> None:
        if mode not in get_args(functional.Mode):
            known = nearest(mode, get_args(functional.Mode))
            raise ArgumentError(f"EmbeddingBag: there is no mode {mode!r}.\nFix: {known}")
        super().__init__(
            num_embeddings,
            embedding_dim,
            padding_idx,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            dtype=dtype,
            generator=generator,
            weight_init=weight_init,
        )
        self.mode = mode
        self.include_last_offset = bool(include_last_offset)

    def forward(self, indices: Any, offsets: Any = None, per_sample_weights: Any = None) -> Tensor:
        """Map integers (B, L), or (N,) with the starts of B bags, to (B, embedding_dim)."""
        return functional.embedding_bag(
            indices,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )
