"""Attention and rotary positions as functions of tensors; `nn.functional` offers them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core.tensor import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn.arguments import weak
from tinygrad_bp.nn.functional.activations import softmax
from tinygrad_bp.nn.functional.dropouts import dropout
from tinygrad_bp.nn.targets import at_user


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    generator: np.random.Generator | None = None,
) -> Tensor:
    r"""Means of the values, weighed by how well their keys fit the queries.

    :math:`\operatorname{softmax}(Q K^\top / \sqrt{d} + M) \, V`; A. Vaswani et al., "Attention is
    all you need", NeurIPS 2017.

    Parameters
    ----------
    query : array_like
        (..., queries, d).
    key : array_like
        (..., keys, d).
    value : array_like
        (..., keys, features).
    attn_mask : array_like, optional
        (..., queries, keys), to which shapes broadcast: of truth values, whether a query looks at
        a key; of numbers, what is added to the scores. A query that looks at nothing gets zeros.
    dropout_p : float, default 0
        With which probability a weight is set to zero; the others are divided by 1 - p.
    is_causal : bool, default False
        Whether query i looks at the keys up to i alone.
    scale : float, optional
        In place of 1/√d.
    enable_gqa : bool, default False
        Whether several heads of queries, axis -3, share a head of keys and values.
    generator : numpy.random.Generator
        Where dropout draws from.

    Raises
    ------
    ShapeError
        The shapes do not go together.
    ArgumentError
        Both `attn_mask` and `is_causal` are given, or there is no generator for dropout.

    Examples
    --------
    >>> x = np.eye(2)
    >>> scaled_dot_product_attention(x, x, x, is_causal=True, scale=0.0)
    Tensor([[1. , 0. ],
            [0.5, 0.5]])
    """
    scale = weak(scale)
    q: Any = as_tensor(query)
    k: Any = as_tensor(key)
    v: Any = as_tensor(value)
    if is_causal and attn_mask is not None:
        raise ArgumentError(
            f"{at_user('scaled_dot_product_attention')}: there is a mask, and is_causal.\n"
            "Fix: put np.tri(queries, keys, dtype=bool) into the mask."
        )
    if min(q.ndim, k.ndim, v.ndim) < 2 or q.shape[-1] != k.shape[-1] or len_(k) != len_(v):
        raise ShapeError(
            f"{at_user('scaled_dot_product_attention')}: queries {q.shape}, keys {k.shape} and "
            f"values {v.shape} do not go together.\n"
            "Fix: (…, queries, d), (…, keys, d) and (…, keys, features)."
        )
    if enable_gqa:
        times = q.shape[-3] // k.shape[-3]
        k, v = (np.repeat(each, times, axis=-3) for each in (k, v))
    mask = np.tri(len_(q), len_(k), dtype=bool) if is_causal else attn_mask
    if mask is not None and not isinstance(mask, Tensor):
        mask = np.asarray(mask)
    if mask is not None and mask.dtype.kind == "b":
        mask = where_open(mask, q.dtype)
    y: Tensor = attend(q, k, v, mask, scale, dropout_p, generator)[0]
    return y


def len_(x: Any) -> int:
    """How many queries, keys or values there are: axis -2."""
    return int(x.shape[-2])


def where_open(looks: Any, dtype: Any) -> Any:
    """A mask of truth values as numbers that are added: 0, and a quarter of the least where false.

    It leaves nothing to see, as minus infinity does, but three of them add up to a number, and a
    graph without infinities shows those that are mistakes.

    Examples
    --------
    >>> where_open(np.array([True, False]), np.float16)
    array([ 0.0000e+00, -1.6376e+04], dtype=float16)
    """
    looks = looks.data if isinstance(looks, Tensor) else np.asarray(looks)
    bias = np.zeros(looks.shape, dtype)
    bias[~looks] = _least(bias.dtype)
    return bias


def _least(dtype: Any) -> Any:
    return np.finfo(dtype).min / 4


def attend(
    q: Any,
    k: Any,
    v: Any,
    bias: Any,
    scale: float | None = None,
    dropout_p: float = 0.0,
    generator: np.random.Generator | None = None,
) -> tuple[Any, Any]:
    """The weighed means of `v`, and the weights; `bias` is added to the scores."""
    scores = (q * (q.shape[-1] ** -0.5 if scale is None else scale)) @ np.swapaxes(k, -1, -2)
    closed: Any = False
    if bias is not None:
        least = _least(scores.dtype)
        bias = np.maximum(bias, least)
        bias = bias if bias.dtype == scores.dtype else bias.astype(scores.dtype)
        values = bias.data if isinstance(bias, Tensor) else bias
        closed = np.max(values, axis=-1, keepdims=True, initial=least) <= least
        scores = scores + bias
    weights = softmax(scores)
    if np.any(closed):
        weights = weights * ~closed
    if dropout_p:
        weights = dropout(weights, dropout_p, True, generator)
    return weights @ v, weights


def rotary(x: Any, start: int = 0, base: float = 10000.0) -> Tensor:
    r"""Turn pairs of features by angles that grow with the position.

    Features 2i and 2i+1 at position t are turned by :math:`t / b^{2i/n}`, so that the product of a
    query and a key depends on the distance of their positions alone. J. Su et al., "RoFormer",
    arXiv:2104.09864.

    Parameters
    ----------
    x : array_like
        (..., positions, features), an even number of features.
    start : int, default 0
        The first position.
    base : float, default 10000
        The base `b`.

    Raises
    ------
    ShapeError
        The number of features is odd.

    Examples
    --------
    >>> rotary(np.array([[1.0, 0.0], [1.0, 0.0]])).data.round(2)
    array([[1.  , 0.  ],
           [0.54, 0.84]])
    """
    x = as_tensor(x)
    if x.ndim < 2 or x.shape[-1] % 2:
        raise ShapeError(
            f"{at_user('rotary')}: input {x.shape}, expected (…, positions, features), where "
            "features are turned in pairs.\nFix: an even number of features."
        )
    length, features = x.shape[-2:]
    angles = angles_of(np.arange(start, start + length), features // 2, features, base)
    dtype = x.dtype if x.dtype.kind == "f" else np.dtype(float)
    cos, sin = np.cos(angles).astype(dtype), np.sin(angles).astype(dtype)
    a, b = x[..., 0::2], x[..., 1::2]
    pairs: Any = np.stack([a * cos - b * sin, a * sin + b * cos], axis=-1)
    turned: Tensor = pairs.reshape(x.shape)
    return turned


def angles_of(positions: Any, pairs: int, features: int, base: float) -> Any:
    """By how much pairs of features are turned at positions, (positions, pairs)."""
    return positions[:, None] * base ** (-2 * np.arange(pairs) / features)
