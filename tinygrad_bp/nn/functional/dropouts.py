"""Noise in training, as functions of tensors; `nn.functional` offers them.

Each is the identity outside of training, and draws from the generator that it is given.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn.arguments import weak
from tinygrad_bp.nn.functional.activations import as_real, softmax
from tinygrad_bp.nn.targets import at_user

# What `selu` tends to for very negative inputs, with the sign turned.
_ALPHA = 1.7580993408473766


def dropout(
    x: Any, p: float = 0.5, training: bool = True, generator: np.random.Generator | None = None
) -> Tensor:
    """Set elements to zero with probability `p`, and divide the others by 1 - p.

    N. Srivastava et al., "Dropout", JMLR 15 (2014), in the inverted form.

    Parameters
    ----------
    x : array_like
        Any shape.
    p : float
        In [0, 1]; with 1, everything is zero.
    training : bool, default True
        Without it, `x` is returned as it is.
    generator : numpy.random.Generator
        Where the choice comes from; needed in training.

    Raises
    ------
    ArgumentError
        `p` lies outside of [0, 1], or there is no generator.

    Examples
    --------
    >>> sorted(set(dropout(np.ones(99), 0.5, generator=np.random.default_rng(0)).data.tolist()))
    [0.0, 2.0]
    """
    return _dropped("dropout", x, p, training, generator, None)


def dropout1d(
    x: Any, p: float = 0.5, training: bool = True, generator: np.random.Generator | None = None
) -> Tensor:
    """`dropout` of whole channels of (N, C, L) or (C, L).

    J. Tompson et al., "Efficient object localization using convolutional networks", CVPR 2015.

    Raises
    ------
    ArgumentError
        `p` lies outside of [0, 1], or there is no generator.
    ShapeError
        The input has another number of axes.

    Examples
    --------
    >>> dropout1d(np.ones((1, 4, 2)), 0.5, generator=np.random.default_rng(1)).data.tolist()
    [[[0.0, 0.0], [2.0, 2.0], [2.0, 2.0], [2.0, 2.0]]]
    """
    return _dropped("dropout1d", x, p, training, generator, {2: 1, 3: 2})


def dropout2d(
    x: Any, p: float = 0.5, training: bool = True, generator: np.random.Generator | None = None
) -> Tensor:
    """`dropout` of whole channels of (N, C, H, W) or (N, C, L); see `dropout1d`.

    Examples
    --------
    >>> dropout2d(np.ones((1, 1, 2, 2)), 0.5, training=False).shape
    (1, 1, 2, 2)
    """
    return _dropped("dropout2d", x, p, training, generator, {3: 2, 4: 2})


def dropout3d(
    x: Any, p: float = 0.5, training: bool = True, generator: np.random.Generator | None = None
) -> Tensor:
    """`dropout` of whole channels of (N, C, D, H, W) or (C, D, H, W); see `dropout1d`.

    Examples
    --------
    >>> dropout3d(np.ones((1, 1, 2, 2, 2)), 0.5, training=False).shape
    (1, 1, 2, 2, 2)
    """
    return _dropped("dropout3d", x, p, training, generator, {4: 1, 5: 2})


def drop_path(
    x: Any, p: float = 0.5, training: bool = True, generator: np.random.Generator | None = None
) -> Tensor:
    """`dropout` of whole samples, as of what a residual branch adds: stochastic depth.

    G. Huang et al., "Deep networks with stochastic depth", ECCV 2016.

    Examples
    --------
    >>> drop_path(np.ones((2, 3)), 0.5, generator=np.random.default_rng(2)).data.tolist()
    [[2.0, 2.0, 2.0], [0.0, 0.0, 0.0]]
    """
    ndim = np.ndim(x)
    return _dropped("drop_path", x, p, training, generator, {ndim: 1} if ndim else {1: 1})


def alpha_dropout(
    x: Any, p: float = 0.5, training: bool = True, generator: np.random.Generator | None = None
) -> Tensor:
    """Set elements to the lower limit of `selu`, and scale all so that mean and variance stay.

    G. Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017.

    Parameters
    ----------
    x : array_like
        Any shape.
    p : float, default 0.5
        The probability with which an element is set, in [0, 1]; with 1, everything is zero, as in
        PyTorch.
    training : bool, default True
        Without it, `x` is returned as it is.
    generator : numpy.random.Generator
        Where the choice comes from; needed in training.

    Raises
    ------
    ArgumentError
        `p` lies outside of [0, 1], or there is no generator.

    Examples
    --------
    >>> y = alpha_dropout(np.zeros(99), 0.5, generator=np.random.default_rng(0)).data
    >>> sorted({round(v, 4) for v in y.tolist()})
    [-0.7792, 0.7792]
    """
    return _alpha_dropped("alpha_dropout", x, p, training, generator, None)


def feature_alpha_dropout(
    x: Any, p: float = 0.5, training: bool = True, generator: np.random.Generator | None = None
) -> Tensor:
    """`alpha_dropout` of whole channels of (N, C, ...).

    Examples
    --------
    >>> feature_alpha_dropout(np.ones((2, 3, 4)), 0.5, training=False).shape
    (2, 3, 4)
    """
    return _alpha_dropped("feature_alpha_dropout", x, p, training, generator, 2)


def gaussian_noise(
    x: Any, std: float = 0.1, training: bool = True, generator: np.random.Generator | None = None
) -> Tensor:
    """Add normal noise of mean 0 to every element.

    Parameters
    ----------
    x : array_like
        Any shape.
    std : float, default 0.1
        Deviation of the noise.
    training : bool, default True
        Without it, `x` is returned as it is.
    generator : numpy.random.Generator
        Where the noise comes from; needed in training.

    Raises
    ------
    ArgumentError
        `std` is negative, or there is no generator.

    Examples
    --------
    >>> gaussian_noise(np.zeros(3), 1.0, generator=np.random.default_rng(0)).data.round(2).tolist()
    [0.13, -0.13, 0.64]
    """
    if not 0 <= std < math.inf:
        raise ArgumentError(f"{at_user('gaussian_noise')}: std is {std!r}.\nFix: std >= 0.")
    if not training or std == 0:
        return as_tensor(x)
    values = as_real(x)
    rng = checked_generator("gaussian_noise", generator)
    noisy: Tensor = values + (rng.standard_normal(values.shape) * std).astype(values.dtype)
    return noisy


def gaussian_dropout(
    x: Any, p: float = 0.5, training: bool = True, generator: np.random.Generator | None = None
) -> Tensor:
    """Multiply every element by normal noise of mean 1 and variance p / (1 - p), as of `dropout`.

    N. Srivastava et al., "Dropout", JMLR 15 (2014), section 10.

    Raises
    ------
    ArgumentError
        `p` lies outside of [0, 1), or there is no generator.

    Examples
    --------
    >>> gaussian_dropout(np.ones(2), 0.5, generator=np.random.default_rng(0)).data.round(2).tolist()
    [1.13, 0.87]
    """
    _check_probability("gaussian_dropout", p)
    if p == 1:
        raise ArgumentError(
            f"{at_user('gaussian_dropout')}: the probability p is {p!r}, and the variance "
            "p / (1 - p) of the noise infinite.\nFix: a number in [0, 1)."
        )
    if not training or p == 0:
        return as_tensor(x)
    values = as_real(x)
    rng = checked_generator("gaussian_dropout", generator)
    factors = rng.normal(1.0, math.sqrt(p / (1 - p)), values.shape)
    noisy: Tensor = values * factors.astype(values.dtype)
    return noisy


def zoneout(
    h: Any,
    x: Any,
    p: float = 0.5,
    training: bool = True,
    generator: np.random.Generator | None = None,
) -> Tensor:
    """Of each element, the old value `h` with probability `p`, else the new one; or their mean.

    D. Krueger et al., "Zoneout", arXiv:1606.01305.

    Parameters
    ----------
    h, x : array_like
        The state of a recurrent network before a step and after it, of one shape.
    p : float, default 0.5
        In [0, 1].
    training : bool, default True
        Without it, ``p * h + (1 - p) * x`` is returned.
    generator : numpy.random.Generator
        Where the choice comes from; needed in training.

    Raises
    ------
    ArgumentError
        `p` lies outside of [0, 1], or there is no generator.
    ShapeError
        The shapes differ.

    Examples
    --------
    >>> zoneout(np.zeros(2), np.ones(2), 0.25, training=False)
    Tensor([0.75, 0.75])
    """
    p = weak(p)
    h, x = as_real(h), as_real(x)
    if h.shape != x.shape:
        raise ShapeError(
            f"{at_user('zoneout')}: states of shapes {h.shape} and {x.shape}.\nFix: one shape."
        )
    if not 0 <= p <= 1:
        raise ArgumentError(f"{at_user('zoneout')}: p is {p!r}.\nFix: a number in [0, 1].")
    if not training:
        mean: Tensor = h * p + x * (1 - p)
        return mean
    chosen: Any = np.where(checked_generator("zoneout", generator).random(x.shape) < p, h, x)
    return as_tensor(chosen)


def gumbel_softmax(
    logits: Any,
    tau: float = 1.0,
    hard: bool = False,
    axis: int = -1,
    generator: np.random.Generator | None = None,
    *,
    dim: int | None = None,
) -> Tensor:
    """A draw from the distribution over classes that the logits stand for, with a gradient.

    The softmax of the logits with Gumbel noise, which is nearly one-hot for a small `tau`. E. Jang
    et al., "Categorical reparameterization with Gumbel-softmax", ICLR 2017.

    Parameters
    ----------
    logits : array_like
        Unnormalised log-probabilities.
    tau : float, default 1.0
        Temperature, larger than 0.
    hard : bool, default False
        Whether to return one-hot vectors, with the gradient of the soft ones.
    axis : int, default -1
        That of the classes.
    generator : numpy.random.Generator
        Where the noise comes from.
    dim : int, optional
        The axis, by PyTorch's name for it.

    Raises
    ------
    ArgumentError
        `tau` is not positive, or there is no generator.

    Examples
    --------
    >>> logits = np.array([[0.0, 9.0, 0.0]])
    >>> gumbel_softmax(logits, hard=True, generator=np.random.default_rng(0))
    Tensor([[0., 1., 0.]])
    """
    tau = weak(tau)
    name, axis = "gumbel_softmax", axis if dim is None else dim
    if not tau > 0:
        raise ArgumentError(f"{at_user(name)}: tau is {tau!r}.\nFix: tau > 0.")
    x = as_real(logits)
    noise = checked_generator(name, generator).gumbel(size=x.shape).astype(x.dtype)
    soft = softmax((x + noise) / tau, axis=axis)
    if not hard:
        return soft
    values = soft.data
    one_hot = np.zeros_like(values)
    np.put_along_axis(one_hot, values.argmax(axis=axis, keepdims=True), 1, axis=axis)
    drawn: Tensor = soft - values + one_hot  # exactly one-hot, as the first two cancel
    return drawn


def _check_probability(name: str, p: float) -> None:
    if not 0 <= p <= 1:
        raise ArgumentError(
            f"{at_user(name)}: the probability p is {p!r}.\n"
            "Fix: a number in [0, 1]; 0.5 drops half of the elements."
        )


def checked_generator(name: str, generator: Any) -> np.random.Generator:
    """The generator that is drawn from in training; an `ArgumentError` where there is none."""
    if not isinstance(generator, np.random.Generator):
        raise ArgumentError(
            f"{at_user(name)} draws at random in training and has no generator.\n"
            "Fix: generator=numpy.random.default_rng(seed)."
        )
    return generator


def _kept(name: str, x: Tensor, p: float, generator: Any, axes: int | None) -> Any:
    """For each element, or for all that share the first axes, whether it is kept."""
    shape = x.shape if axes is None else x.shape[:axes] + (1,) * (x.ndim - axes)
    return checked_generator(name, generator).random(shape, np.float32) >= p


def _dropped(
    name: str, x: Any, p: float, training: bool, generator: Any, forms: dict[int, int] | None
) -> Tensor:
    """Dropout of what shares its first axes: how many these are, by how many there are in all."""
    _check_probability(name, p)
    values = as_tensor(x)
    if forms is not None and values.ndim not in forms:
        raise ShapeError(
            f"{at_user(name)}: an input of shape {values.shape}.\n"
            f"Fix: {' or '.join(map(str, forms))} axes."
        )
    if not training or p == 0:
        return values
    axes = None if forms is None else forms[values.ndim]
    keep = _kept(name, values, p, generator, axes)
    factors = keep.astype(values.dtype if values.dtype.kind == "f" else np.dtype(float))
    if p < 1:  # with 1, none is kept
        factors *= 1 / (1 - p)
    kept: Tensor = values * factors
    return kept


def _alpha_dropped(
    name: str, x: Any, p: float, training: bool, generator: Any, axes: int | None
) -> Tensor:
    p = weak(p)
    _check_probability(name, p)
    if not training or p == 0:
        return as_tensor(x)
    values = as_real(x)
    if axes is not None and values.ndim < axes:
        raise ShapeError(f"{at_user(name)}: an input of shape {values.shape}.\nFix: (N, C, ...).")
    keep = _kept(name, values, p, generator, axes).astype(values.dtype)
    if p == 1:
        none: Tensor = values * keep  # no scale would bring the variance back
        return none
    scale = ((_ALPHA**2 * p + 1) * (1 - p)) ** -0.5
    kept: Tensor = values * (keep * scale) + (keep - (1 - p)) * (_ALPHA * scale)
    return kept
