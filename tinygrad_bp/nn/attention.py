"""`MultiheadAttention`: attention by several heads side by side, with projections before and after.

The function, without projections, is `functional.scaled_dot_product_attention`.
"""

from __future__ import annotations

import functools
import operator
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.core.tensor import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, DTypeError
from tinygrad_bp.nn.arguments import positive, shown
from tinygrad_bp.nn.cells import choice, misfit
from tinygrad_bp.nn.dropout import probability
from tinygrad_bp.nn.functional.attention import attend, where_open
from tinygrad_bp.nn.init import Seed, child_stream, glorot_normal, glorot_uniform
from tinygrad_bp.nn.layers import Linear
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.parameter import Parameter
from tinygrad_bp.nn.positions import RotaryPositions
from tinygrad_bp.nn.registry import register_layer
from tinygrad_bp.nn.sequences import Shape, check_declared
from tinygrad_bp.ops.linear_algebra import linear


@register_layer(sizes={"embed_dim": -1})
class MultiheadAttention(Module):
    r"""Attention by several heads: each looks at linear maps of its own of the whole input.

    A. Vaswani et al., "Attention is all you need", NeurIPS 2017.

    Parameters
    ----------
    embed_dim : int
        Features of queries and outputs.
    num_heads : int
        The features are divided among so many heads.
    dropout : float, default 0
        With which probability a weight is set to zero in training.
    bias : bool, default True
        Whether projections have biases.
    add_bias_kv : bool, default False
        Whether there is a key and a value more, which are trained.
    add_zero_attn : bool, default False
        Whether there is a key and a value more, of zeros: what to look at where nothing fits.
    kdim, vdim : int, optional
        Features of keys and values, where not `embed_dim`.
    batch_first : bool, default False
        Whether sequences come and go as (samples, steps, ...). A spec needs it.
    causal : bool, default False
        Whether query i looks at the keys up to i alone, as for what follows in a spec.
    rotary : bool, default False
        Whether queries and keys are turned by their positions: see `RotaryPositions`.
    returns : {"all", "output"}
        The output and the weights, or the output alone, as for what follows in a spec.
    dtype : dtype, default float32
        Of the parameters.
    generator : Generator, int or None
        Where first values and dropout come from.
    input_shape : tuple of int, optional
        Given by a spec.

    Attributes
    ----------
    in_proj_weight, in_proj_bias : Parameter or None
        The maps of queries, keys and values below each other, (3 · embed_dim, embed_dim).
    q_proj_weight, k_proj_weight, v_proj_weight : Parameter or None
        In place of `in_proj_weight`, where keys or values have other features.
    bias_k, bias_v : Parameter or None
        Of shape (1, 1, embed_dim), with `add_bias_kv`.
    out_proj : Linear
        The map of what the heads give.

    Examples
    --------
    >>> attention = MultiheadAttention(8, 2, batch_first=True)
    >>> output, weights = attention(np.zeros((4, 5, 8), np.float32))
    >>> output.shape, weights.shape
    ((4, 5, 8), (4, 5, 5))
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        *,
        causal: bool = False,
        rotary: bool = False,
        returns: str = "all",
        dtype: npt.DTypeLike = np.float32,
        generator: Seed = None,
        input_shape: Shape | None = None,
    ) -> None:
        self.embed_dim = positive("embed_dim", embed_dim)
        self.num_heads = positive("num_heads", num_heads)
        if embed_dim % num_heads:
            raise ArgumentError(
                f"MultiheadAttention: {embed_dim} features do not divide into {num_heads} heads.\n"
                "Fix: a number of heads that divides embed_dim."
            )
        self.kdim = embed_dim if kdim is None else positive("kdim", kdim)
        self.vdim = embed_dim if vdim is None else positive("vdim", vdim)
        self.dropout = float(probability(self, "dropout", dropout, "[0, 1)"))
        self.bias, self.batch_first = bias, batch_first
        self.add_bias_kv, self.add_zero_attn = add_bias_kv, add_zero_attn
        self.returns = choice("returns", returns, ("all", "output"))
        self.causal = causal
        self.rotary = RotaryPositions(embed_dim // num_heads) if rotary else None
        check_declared(self, input_shape)
        self._make(child_stream(generator), dtype)

    def _make(self, rng: np.random.Generator, dtype: npt.DTypeLike) -> None:
        """The parameters, in the order of PyTorch."""
        n = self.embed_dim
        shapes = {"in_proj_weight": (3 * n, n)}
        if (self.kdim, self.vdim) != (n, n):
            widths = {"q": n, "k": self.kdim, "v": self.vdim}
            shapes = {f"{name}_proj_weight": (n, width) for name, width in widths.items()}
        self.in_proj_weight: Parameter | None = None
        for name, shape in shapes.items():
            setattr(self, name, Parameter(glorot_uniform(shape, rng, dtype), dtype, name=name))
        self.in_proj_bias: Parameter | None = None
        if self.bias:
            self.in_proj_bias = Parameter(np.zeros(3 * n), dtype, name="in_proj_bias")
        self.bias_k: Parameter | None = None
        self.bias_v: Parameter | None = None
        if self.add_bias_kv:
            for name in ("bias_k", "bias_v"):
                drawn = glorot_normal((1, 1, n), rng, dtype)
                setattr(self, name, Parameter(drawn, dtype, name=name))
        self.out_proj = Linear(n, n, self.bias, dtype=dtype, generator=rng, bias_init="zeros")
        self.generator = rng.spawn(1)[0] if self.dropout else None

    def forward(
        self,
        query: Any,
        key: Any = None,
        value: Any = None,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> Any:
        """Let queries look at keys, and give them the values there.

        Parameters
        ----------
        query : array_like
            (queries, samples, embed_dim); with `batch_first`, (samples, queries, embed_dim); or
            (queries, embed_dim) for a single sample.
        key, value : array_like, optional
            The same with `kdim` and `vdim`; the query and the key, unless given.
        key_padding_mask : array_like, optional
            (samples, keys): of truth values, whether nobody looks at a key; of numbers, what is
            added to the scores. A query that looks at nothing gets zeros.
        need_weights : bool, default True
            Whether to return the weights too; None stands for them otherwise.
        attn_mask : array_like, optional
            (queries, keys) or (samples · heads, queries, keys), as `key_padding_mask`.
        average_attn_weights : bool, default True
            Whether the weights are the mean of those of all heads.
        is_causal : bool, default False
            Whether query i looks at keys up to i alone, where there is no `attn_mask`.

        Returns
        -------
        Tensor, or Tensor and Tensor or None
            The output, of the shape of the query; and the weights, (samples, queries, keys), or
            (samples, heads, queries, keys).
        """
        q = as_tensor(query)
        k = q if key is None or key is query else as_tensor(key)
        v = k if value is None or value is key else as_tensor(value)
        self._check(q, k, v)
        single = q.ndim == 2
        order = (0, 2, 1, 3) if self.batch_first and not single else (1, 2, 0, 3)
        q, k, v = self._heads(q, k, v, order)
        bias = self._bias(q.shape, k.shape[2], key_padding_mask, attn_mask, is_causal)
        p = self.dropout if self.training else 0.0
        y, weights = attend(q, k, v, bias, dropout_p=p, generator=self.generator)
        y = np.transpose(y, (0, 2, 1, 3) if order[0] == 0 else (2, 0, 1, 3))
        y = y.reshape((*y.shape[:2], self.embed_dim))
        y = self.out_proj(y[:, 0] if single else y)
        if self.returns == "output":
            return y
        if not need_weights:
            return y, None
        weights = weights.mean(axis=1) if average_attn_weights else weights
        return y, weights[0] if single else weights

    def _check(self, q: Tensor, k: Tensor, v: Tensor) -> None:
        axes = "samples, steps" if self.batch_first else "steps, samples"
        sizes = (self.embed_dim, self.kdim, self.vdim)
        for x, n, what in zip((q, k, v), sizes, ("query", "key", "value"), strict=True):
            if x.ndim not in (2, 3) or x.ndim != q.ndim or x.shape[-1] != n:
                expected = f"({axes}, {n}), or (steps, {n}) for one sample"
                raise misfit(self, what, x.shape, expected, "features last, and axes as many.")
        if k.shape[:-1] != v.shape[:-1]:
            fix = "a value for each key."
            raise misfit(self, "value", v.shape, str((*k.shape[:-1], self.vdim)), fix)
        of_samples = 0 if self.batch_first else 1
        if q.ndim == 3 and k.shape[of_samples] != q.shape[of_samples]:
            expected = f"({axes}, {self.kdim}) of {q.shape[of_samples]} samples"
            raise misfit(self, "key", k.shape, expected, "keys for the samples of the query.")

    def _heads(self, q: Any, k: Any, v: Any, order: tuple[int, ...]) -> tuple[Any, Any, Any]:
        """Queries, keys and values, (samples, heads, steps, features) each.

        `order` are the axes of (..., heads, features) that become these; the one of samples is
        put in where there is a single sample.
        """
        shape = (self.num_heads, self.embed_dim // self.num_heads)
        if q is k is v and self.in_proj_weight is not None:
            joined: Any = linear(q, self.in_proj_weight, self.in_proj_bias)
            joined = joined.reshape((*_two_axes(q), 3, *shape))
            all_three = np.transpose(joined, (2, *(axis + (axis > 1) for axis in order)))
            q, k, v = all_three[0], all_three[1], all_three[2]
        else:
            maps = zip((q, k, v), *self._maps(), strict=True)
            q, k, v = (
                np.transpose(linear(x, w, b).reshape((*_two_axes(x), *shape)), order)
                for x, w, b in maps
            )
        if self.rotary is not None:
            q, k = self.rotary(q), self.rotary(k)
        more: list[tuple[Any, Any]] = []
        if self.bias_k is not None and self.bias_v is not None:
            more.append((self.bias_k, self.bias_v))
        if self.add_zero_attn:
            more.append((np.zeros(self.embed_dim, q.dtype),) * 2)
        for pair in more:
            one = (len(q), shape[0], 1, shape[1])
            ends = [np.broadcast_to(x.reshape((1, shape[0], 1, shape[1])), one) for x in pair]
            k, v = (np.concatenate(both, axis=2) for both in zip((k, v), ends, strict=True))
        return q, k, v

    def _maps(self) -> tuple[list[Any], list[Any]]:
        """The weights and the biases of queries, keys and values, each by itself."""
        thirds = [slice(i * self.embed_dim, (i + 1) * self.embed_dim) for i in range(3)]
        joined, bias = self.in_proj_weight, self.in_proj_bias
        return (
            [getattr(self, f"{name}_proj_weight") for name in "qkv"]
            if joined is None
            else [joined[each] for each in thirds],
            [None if bias is None else bias[each] for each in thirds],
        )

    def _bias(
        self, shape: Shape, keys: int, key_padding_mask: Any, attn_mask: Any, is_causal: bool
    ) -> Any:
        """What the masks add to the scores; None where there are none."""
        samples, heads, queries, _ = shape
        given = keys - self.add_bias_kv - self.add_zero_attn
        parts: list[Any] = []
        if self.causal or (is_causal and attn_mask is None):
            parts.append(where_open(np.tri(queries, given, dtype=bool), self.out_proj.weight.dtype))
        if attn_mask is not None:
            mask = self._numbers("attn_mask", attn_mask)
            if mask.shape not in ((queries, given), (samples * heads, queries, given)):
                expected = f"({queries}, {given}) or ({samples * heads}, {queries}, {given})"
                raise misfit(self, "attn_mask", mask.shape, expected, "queries before keys.")
            parts.append(mask.reshape((samples, heads, queries, given)) if mask.ndim == 3 else mask)
        if key_padding_mask is not None:
            mask = self._numbers("key_padding_mask", key_padding_mask)
            if mask.shape not in [(samples, given), *[(given,)] * (samples == 1)]:
                expected = str((samples, given))
                raise misfit(self, "key_padding_mask", mask.shape, expected, "samples before keys.")
            parts.append(mask.reshape((samples, 1, 1, given)))
        if not parts:
            return None
        bias = functools.reduce(operator.add, parts)
        ends = [(0, 0)] * (bias.ndim - 1) + [(0, keys - given)]
        return np.pad(bias, ends) if keys != given else bias

    def _numbers(self, name: str, mask: Any) -> Any:
        """A mask as numbers that are added, of which minus infinity is where nobody looks."""
        mask = mask if isinstance(mask, Tensor) else np.asarray(mask)
        dtype = self.out_proj.weight.dtype
        if mask.dtype.kind == "b":
            return where_open(np.logical_not(mask), dtype)
        if mask.dtype.kind != "f":
            raise DTypeError(
                f"in {type(self).__name__}: {name} is of {mask.dtype}, neither truth values nor "
                f"what is added.\nFix: {name} == 0, or {name} != 0: true is where nobody looks."
            )
        return mask

    def config(self) -> dict[str, Any]:
        """What a spec says of this layer."""
        return {
            name: getattr(self, name)
            for name in ("num_heads", "dropout", "bias", "add_bias_kv", "add_zero_attn")
        } | {
            "kdim": None if self.kdim == self.embed_dim else self.kdim,
            "vdim": None if self.vdim == self.embed_dim else self.vdim,
            "batch_first": self.batch_first,
            "causal": self.causal,
            "rotary": self.rotary is not None,
            "returns": self.returns,
        }

    def extra_repr(self) -> str:
        """The arguments."""
        return shown(self, **self.config())


def _two_axes(x: Any) -> tuple[int, int]:
    """The lengths of the axes before the features; a single sample is one of one."""
    return len(x), x.shape[1] if x.ndim > 2 else 1
