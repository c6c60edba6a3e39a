"""Other sizes as functions: adaptive pooling, interpolation, and channels laid out as pixels.

What is linear along each axis is a matrix for each axis, (to, from); see `functional.images` for
the arguments.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, ShapeError, nearest
from tinygrad_bp.nn.geometry import Counts, batched, sizes, where
from tinygrad_bp.ops.convolution import convolution
from tinygrad_bp.ops.geometry import Sizes
from tinygrad_bp.ops.pooling import avg_pool_spread, max_pool, which_is_largest

#: Networks ask for the same few matrices again and again, and of small images to make one takes as
#: long as to multiply by it.
_kept = functools.lru_cache(maxsize=32)

#: A length of the output along each axis; None keeps that of the input.
Lengths = int | tuple[int | None, ...] | list[int | None] | None


def _along(x: Tensor, maps: list[tuple[Any, Any]]) -> Tensor:
    """The last axes of x, each multiplied by a matrix of which the second array tells what counts.

    That is a convolution with the axis as channels and a kernel of one element, and not `matmul`,
    which would carry a NaN, times 0, to where it does not belong.
    """
    geometry: dict[str, Any] = {"stride": (1,), "padding": ((0, 0),), "dilation": (1,), "groups": 1}
    real, shape = _real(x), [*x.shape]
    for axis, (matrix, used) in reversed([*enumerate(maps, x.ndim - len(maps))]):
        x = x.reshape(math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]))
        weights = matrix.astype(real)[..., None]
        x = convolution.apply(x, weights, used=used[..., None], **geometry)
        shape[axis] = len(matrix)
    return x.reshape(shape)


def _real(x: Tensor) -> Any:
    return x.dtype if x.dtype.kind in "fc" else np.dtype(float)


def _lengths(name: str, output_size: Any, x: Tensor, axes: int) -> Sizes:
    each = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * axes
    if len(each) == axes:
        each = tuple(n if m is None else m for m, n in zip(each, x.shape[2:], strict=True))
    return sizes(f"{name}: output_size", each, axes)


def _bounds(n: int, m: int) -> tuple[Any, Any]:
    """Where each of m windows begins and ends that cover n elements as evenly as can be."""
    i = np.arange(m)
    return i * n // m, -(-(i + 1) * n // m)


def adaptive_avg_pool_nd(axes: int, x: Any, output_size: Lengths) -> Tensor:
    """Means of as many windows as are asked for; see `adaptive_avg_pool2d`."""
    name = f"adaptive_avg_pool{axes}d"
    x, has_batch = batched(name, x, axes)
    out = _lengths(name, output_size, x, axes)
    z: Any
    if all(m == 1 for m in out):
        z = np.mean(x, axis=tuple(range(2, x.ndim)), keepdims=True)
    else:
        z = _along(x, [_means(n, m) for n, m in zip(x.shape[2:], out, strict=True)])
    return as_tensor(z if has_batch else z[0])


@_kept
def _means(n: int, m: int) -> tuple[Any, Any]:
    """The matrix that takes the mean of each window, and which elements are in it."""
    first, last = _bounds(n, m)
    at = np.arange(n)
    inside = (at >= first[:, None]) & (at < last[:, None])
    return inside / (last - first)[:, None], inside


def adaptive_avg_pool1d(x: Any, output_size: Lengths) -> Tensor:
    """Means of as many windows as are asked for; see `adaptive_avg_pool2d`.

    Examples
    --------
    >>> adaptive_avg_pool1d(np.array([[[1.0, 2.0, 6.0]]]), 2)
    Tensor([[[1.5, 4. ]]])
    """
    return adaptive_avg_pool_nd(1, x, output_size)


def adaptive_avg_pool2d(x: Any, output_size: Lengths) -> Tensor:
    """Means of as many windows as are asked for, which cover the input as evenly as can be.

    Window i of m, along n elements, goes from ⌊i n/m⌋ to ⌈(i + 1) n/m⌉.

    Parameters
    ----------
    x : array_like
        Shape (N, C, H, W), or (C, H, W).
    output_size : int or tuple
        How many windows; None in a tuple keeps the length of the axis.

    Examples
    --------
    >>> adaptive_avg_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 1)
    Tensor([[[[7.5]]]])
    >>> adaptive_avg_pool2d(np.ones((1, 1, 5, 7)), (None, 3)).shape
    (1, 1, 5, 3)
    """
    return adaptive_avg_pool_nd(2, x, output_size)


def adaptive_avg_pool3d(x: Any, output_size: Lengths) -> Tensor:
    """Means of as many windows as are asked for, along three axes; see `adaptive_avg_pool2d`.

    Examples
    --------
    >>> adaptive_avg_pool3d(np.ones((1, 2, 4, 4, 4)), (1, 2, 3)).shape
    (1, 2, 1, 2, 3)
    """
    return adaptive_avg_pool_nd(3, x, output_size)


def adaptive_max_pool_nd(axes: int, x: Any, output_size: Lengths, return_indices: bool) -> Any:
    """Max pooling of windows laid out side by side, the short ones with their end twice."""
    name = f"adaptive_max_pool{axes}d"
    x, has_batch = batched(name, x, axes)
    out = _lengths(name, output_size, x, axes)
    places: list[Any] = []
    for n, m in zip(x.shape[2:], out, strict=True):
        first, last = _bounds(n, m)
        longest = int(np.max(last - first, initial=1))
        places.append(np.minimum(first[:, None] + np.arange(longest), last[:, None] - 1))
    kernel = tuple(place.shape[1] for place in places)
    geometry = {
        "kernel": kernel,
        "stride": kernel,
        "padding": ((0, 0),) * axes,
        "dilation": (1,) * axes,
    }
    laid: Any = x
    for axis, place in enumerate(places, 2):
        if not np.array_equal(place.ravel(), np.arange(x.shape[axis])):
            laid = np.take(laid, place.ravel(), axis)
    z = max_pool.apply(laid, **geometry)
    z = z if has_batch else z[0]
    if not return_indices:
        return z
    inner = np.unravel_index(which_is_largest(laid, **geometry).astype(np.intp), kernel)
    index: Any = 0
    for i, (k, place, n) in enumerate(zip(inner, places, x.shape[2:], strict=True)):
        rows = np.arange(len(place)).reshape(-1, *(1,) * (axes - 1 - i))
        index = index * n + place[rows, k]
    return z, as_tensor(index if has_batch else index[0])


def adaptive_max_pool1d(x: Any, output_size: Lengths, return_indices: bool = False) -> Any:
    """The largest of as many windows as are asked for; see `adaptive_max_pool2d`.

    Examples
    --------
    >>> adaptive_max_pool1d(np.array([[[1.0, 2.0, 6.0]]]), 2)
    Tensor([[[2., 6.]]])
    """
    return adaptive_max_pool_nd(1, x, output_size, return_indices)


def adaptive_max_pool2d(x: Any, output_size: Lengths, return_indices: bool = False) -> Any:
    """The largest of as many windows as are asked for; see `adaptive_avg_pool2d`.

    `return_indices` is that of `max_pool2d`.

    Examples
    --------
    >>> adaptive_max_pool2d(np.arange(9.0).reshape(1, 1, 3, 3), 2)
    Tensor([[[[4., 5.],
              [7., 8.]]]])
    """
    return adaptive_max_pool_nd(2, x, output_size, return_indices)


def adaptive_max_pool3d(x: Any, output_size: Lengths, return_indices: bool = False) -> Any:
    """The largest of as many windows, along three axes; see `adaptive_max_pool2d`.

    Examples
    --------
    >>> adaptive_max_pool3d(np.ones((1, 2, 4, 4, 4)), (1, 2, 3)).shape
    (1, 2, 1, 2, 3)
    """
    return adaptive_max_pool_nd(3, x, output_size, return_indices)


_MODES = {"nearest": 0, "nearest-exact": 0, "area": 0, "linear": 1, "bilinear": 2, "trilinear": 3}


def interpolate(
    x: Any,
    size: Counts | None = None,
    scale_factor: float | tuple[float, ...] | list[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
) -> Tensor:
    """Images of another size, by the nearest element or between the nearest ones.

    Parameters
    ----------
    x : array_like
        Shape (N, C, L), (N, C, H, W) or (N, C, D, H, W).
    size : int or tuple, optional
        That of the output.
    scale_factor : float or tuple, optional
        How many times as long the output is; this or `size`.
    mode : {'nearest', 'nearest-exact', 'linear', 'bilinear', 'trilinear', 'area'}
        'linear' is for one axis, 'bilinear' for two, 'trilinear' for three. 'nearest' takes element
        ⌊i/s⌋, 'nearest-exact' ⌊(i + ½)/s⌋; 'area' is `adaptive_avg_pool2d`.
    align_corners : bool, default False
        For the linear modes: whether the first and the last elements stay where they are, or the
        outer edges of theirs.
    recompute_scale_factor : bool, default False
        Whether the scale is that of the sizes, where `scale_factor` does not give whole ones.

    Raises
    ------
    ArgumentError
        There is no such mode, or not one of `size` and `scale_factor`.
    ShapeError
        The mode is for another number of axes.

    Examples
    --------
    >>> x = np.array([[[0.0, 4.0]]])
    >>> interpolate(x, scale_factor=2)
    Tensor([[[0., 0., 4., 4.]]])
    >>> interpolate(x, 4, mode="linear"), interpolate(x, 3, mode="linear", align_corners=True)
    (Tensor([[[0., 1., 3., 4.]]]), Tensor([[[0., 2., 4.]]]))
    """
    x = as_tensor(x)
    axes = x.ndim - 2
    _check_mode(x, axes, mode, align_corners)
    out, scales = _target(x.shape[2:], size, scale_factor, bool(recompute_scale_factor))
    if mode == "area":
        return adaptive_avg_pool_nd(axes, x, out)
    times = tuple(m // n for n, m in zip(x.shape[2:], out, strict=True))
    if mode == "nearest" and scales == tuple(1 / k for k in times if k):
        return _repeated(x, times, out)
    each = zip(x.shape[2:], out, scales, strict=True)
    if mode.startswith("nearest"):
        return _along(x, [_nearest(n, m, s, 0.5 * (mode != "nearest")) for n, m, s in each])
    return _along(x, [_between(n, m, s, bool(align_corners)) for n, m, s in each])


def _check_mode(x: Tensor, axes: int, mode: str, align_corners: Any) -> None:
    if mode not in _MODES:
        raise ArgumentError(
            f"{where('interpolate')}: no mode {mode!r}.\nFix: {nearest(mode, _MODES)}"
        )
    if axes not in ((_MODES[mode],) if _MODES[mode] else (1, 2, 3)):
        fit = [name for name, n in _MODES.items() if n in (0, axes)]
        raise ShapeError(
            f"{where('interpolate')}: mode {mode!r} is not for an input of {x.shape}, with a batch "
            f"axis, channels and {axes} more.\nFix: "
            + (f"one of {fit}." if axes in (1, 2, 3) else "an input (N, C, H, W).")
        )
    if align_corners is not None and not _MODES[mode]:
        raise ArgumentError(
            f"{where('interpolate')}: align_corners is for the linear modes, not for {mode!r}.\n"
            "Fix: leave it out."
        )


def _target(
    size: Sizes, wanted: Any, factor: Any, recompute: bool
) -> tuple[Sizes, tuple[float, ...]]:
    """The size of the output, and how far one step in it is in the input, along each axis."""
    if (wanted is None) == (factor is None):
        raise ArgumentError(
            f"{where('interpolate')}: size={wanted} and scale_factor={factor}.\nFix: one of them."
        )
    if wanted is not None:
        out = sizes("size", wanted, len(size))
        return out, tuple(n / m for n, m in zip(size, out, strict=True))
    factors = tuple(factor) if isinstance(factor, (tuple, list)) else (factor,) * len(size)
    if len(factors) != len(size) or not all(isinstance(f, (int, float)) and f > 0 for f in factors):
        raise ArgumentError(
            f"{where('interpolate')}: scale_factor is a positive number, or {len(size)} of them, "
            f"not {factor!r}.\nFix: scale_factor=2, for twice the size."
        )
    out = tuple(math.floor(n * f) for n, f in zip(size, factors, strict=True))
    if min(out) < 1:
        raise ShapeError(
            f"{where('interpolate')}: of {size}, a scale_factor of {factor} leaves nothing.\n"
            "Fix: a larger one."
        )
    if recompute:
        return out, tuple(n / m for n, m in zip(size, out, strict=True))
    return out, tuple(1 / f for f in factors)


def _repeated(x: Tensor, times: Sizes, out: Sizes) -> Tensor:
    """Each element as a block, which is what carries sums over blocks back.

    Twice 64 × 16 × 14 × 14, there and back, takes 1.1 ms in place of the 12.7 of `np.repeat`.
    """
    geometry = {"padding": ((0, 0),) * len(out), "dilation": (1,) * len(out), "divisor": 1}
    return avg_pool_spread.apply(x, size=out, kernel=times, stride=times, **geometry)


@_kept
def _nearest(n: int, m: int, scale: float, half: float) -> tuple[Any, Any]:
    """The matrix that takes the nearest element, and which one that is."""
    at = np.floor((np.arange(m) + half) * scale).astype(int)
    unit = np.eye(n)[np.minimum(at, n - 1)]
    return unit, unit > 0


@_kept
def _between(n: int, m: int, scale: float, align_corners: bool) -> tuple[Any, Any]:
    """The matrix that lies between two elements in proportion to the distance of each, and which.

    Both count, even at a distance of 0, as in PyTorch: a NaN there makes a NaN.
    """
    i = np.arange(m)
    if align_corners:
        at = i * ((n - 1) / (m - 1) if m > 1 else 0.0)
    else:
        at = np.maximum((i + 0.5) * scale - 0.5, 0.0)
    low = np.minimum(at.astype(int), n - 1)
    high = np.minimum(low + 1, n - 1)
    part = np.minimum(at - low, 1.0)[:, None]
    if n == m:  # a copy, whatever the scale is
        low, high, part = i, i, np.zeros((m, 1))
    unit = np.eye(n)
    return unit[low] * (1 - part) + unit[high] * part, unit[low] + unit[high] > 0


def pixel_shuffle(x: Any, upscale_factor: int) -> Tensor:
    """Channels laid out as pixels: (N, C · r², H, W) to (N, C, H · r, W · r).

    Examples
    --------
    >>> pixel_shuffle(np.arange(4.0).reshape(4, 1, 1), 2)
    Tensor([[[0., 1.],
             [2., 3.]]])
    """
    x = as_tensor(x)
    (r,) = sizes("upscale_factor", upscale_factor, 1)
    if x.ndim < 3 or x.shape[-3] % (r * r):
        raise ShapeError(
            f"{where('pixel_shuffle')}: input {x.shape}, expected (…, C · {r * r}, H, W).\n"
            f"Fix: a number of channels that {r * r} divides."
        )
    *lead, c, h, w = x.shape
    z: Any = x.reshape(*lead, c // (r * r), r, r, h, w)
    k = len(lead) + 1
    z = z.transpose(*range(k), k + 2, k, k + 3, k + 1)
    return z.reshape(*lead, c // (r * r), h * r, w * r)  # type: ignore[no-any-return]


def pixel_unshuffle(x: Any, downscale_factor: int) -> Tensor:
    """Pixels laid out as channels, (N, C, H · r, W · r) to (N, C · r², H, W).

    Examples
    --------
    >>> pixel_unshuffle(np.arange(4.0).reshape(1, 2, 2), 2).shape
    (4, 1, 1)
    """
    x = as_tensor(x)
    (r,) = sizes("downscale_factor", downscale_factor, 1)
    if x.ndim < 3 or x.shape[-2] % r or x.shape[-1] % r:
        raise ShapeError(
            f"{where('pixel_unshuffle')}: input {x.shape}, expected (…, C, {r} · H, {r} · W).\n"
            f"Fix: height and width that {r} divides."
        )
    *lead, c, h, w = x.shape
    z: Any = x.reshape(*lead, c, h // r, r, w // r, r)
    k = len(lead) + 1
    z = z.transpose(*range(k), k + 1, k + 3, k, k + 2)
    return z.reshape(*lead, c * r * r, h // r, w // r)  # type: ignore[no-any-return]
