"""Initializers: plain functions of (shape, generator, dtype) that return an array.

Numbers are drawn in float64 and then cast, so that networks of any dtype start from the same
values. Fans follow the layout (out, in, *kernel): fan_in = in · Π kernel, fan_out = out · Π kernel.

`INITIALIZERS` holds them by name; a declaration is the name, or a dict as
``{"name": "normal", "std": 0.01}``.
"""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.errors import ArgumentError, ShapeError, TgError, nearest, user_line
from tinygrad_bp.nn.arguments import between, finite, real

Array = npt.NDArray[Any]
Shape = tuple[int, ...]
Seed = np.random.Generator | int | None
Declaration = str | Mapping[str, Any]


def child_stream(generator: Seed) -> np.random.Generator:
    """The stream of random numbers of one layer.

    Parameters
    ----------
    generator : Generator, int or None
        A generator hands out a child of its own, the next one at each call, and is not advanced
        itself: what one layer draws does not change what the others draw. An integer is a seed;
        None stands for fresh entropy.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> first, second = child_stream(rng), child_stream(rng)
    >>> bool(first.random() == second.random())
    False
    """
    if isinstance(generator, np.random.Generator):
        return generator.spawn(1)[0]
    whole = isinstance(generator, (int, np.integer)) and not isinstance(generator, bool)
    if generator is None or (whole and generator >= 0):
        return np.random.default_rng(generator)
    raise ArgumentError(
        "a generator is a numpy.random.Generator, an integer seed of 0 or more, or None, not "
        f"{generator!r} (at {user_line()}).\nFix: 0, or np.random.default_rng(0)."
    )


def fans(shape: Shape) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight of shape (out, in, *kernel).

    Raises
    ------
    ShapeError
        The shape has fewer than two axes.

    Examples
    --------
    >>> fans((128, 784)), fans((6, 1, 5, 5))
    ((784, 128), (25, 150))
    """
    shape = _sizes(shape)
    if len(shape) < 2:
        raise ShapeError(
            f"the shape {shape} has no fan-in and fan-out: those belong to a weight of shape "
            "(out, in).\nFix: use zeros, constant, uniform or normal."
        )
    kernel = math.prod(shape[2:])
    return shape[1] * kernel, shape[0] * kernel


def constant(
    shape: Shape, generator: Seed = None, dtype: npt.DTypeLike = np.float32, *, value: float
) -> Array:
    """One value everywhere.

    Examples
    --------
    >>> constant((2,), value=0.5)
    array([0.5, 0.5], dtype=float32)
    """
    return np.full(_sizes(shape), finite("value", value), real(dtype))


def zeros(shape: Shape, generator: Seed = None, dtype: npt.DTypeLike = np.float32) -> Array:
    """Zero everywhere.

    Examples
    --------
    >>> zeros((2,))
    array([0., 0.], dtype=float32)
    """
    return np.zeros(_sizes(shape), real(dtype))


def ones(shape: Shape, generator: Seed = None, dtype: npt.DTypeLike = np.float32) -> Array:
    """One everywhere.

    Examples
    --------
    >>> ones((2,))
    array([1., 1.], dtype=float32)
    """
    return np.ones(_sizes(shape), real(dtype))


def uniform(
    shape: Shape,
    generator: Seed = None,
    dtype: npt.DTypeLike = np.float32,
    *,
    low: float = -1.0,
    high: float = 1.0,
) -> Array:
    """Uniform on [low, high).

    Examples
    --------
    >>> a = uniform((1000,), 0, low=2, high=3)
    >>> bool(np.all((a >= 2) & (a <= 3)))
    True
    """
    if not finite("low", low) <= finite("high", high):
        raise ArgumentError(
            f"uniform needs low <= high, not low={low} and high={high}.\n"
            "Fix: say both, as low=-0.1, high=0.1."
        )
    return np.asarray(_rng(generator).uniform(low, high, _sizes(shape)), real(dtype))


def normal(
    shape: Shape,
    generator: Seed = None,
    dtype: npt.DTypeLike = np.float32,
    *,
    mean: float = 0.0,
    std: float = 1.0,
) -> Array:
    """Normal with this mean and standard deviation.

    Examples
    --------
    >>> normal((2, 3), 0, std=0.01).shape
    (2, 3)
    """
    mean, std = finite("mean", mean), between("std", std, 0)
    return np.asarray(_rng(generator).normal(mean, std, _sizes(shape)), real(dtype))


def glorot_uniform(
    shape: Shape,
    generator: Seed = None,
    dtype: npt.DTypeLike = np.float32,
    *,
    gain: float = 1.0,
) -> Array:
    r"""Uniform on ±gain · √(6 / (fan_in + fan_out)).

    It keeps the variance of signals and gradients through layers that are linear near zero, as
    tanh is: X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward
    neural networks", AISTATS 2010, equation 16.

    Examples
    --------
    >>> bool(np.abs(glorot_uniform((2, 4), 0)).max() <= 1)
    True
    """
    bound = between("gain", gain, 0) * math.sqrt(6 / max(sum(fans(shape)), 1))
    return uniform(shape, generator, dtype, low=-bound, high=bound)


def glorot_normal(
    shape: Shape,
    generator: Seed = None,
    dtype: npt.DTypeLike = np.float32,
    *,
    gain: float = 1.0,
) -> Array:
    r"""Normal with deviation gain · √(2 / (fan_in + fan_out)): see `glorot_uniform`.

    Examples
    --------
    >>> glorot_normal((2, 4), 0).shape
    (2, 4)
    """
    std = between("gain", gain, 0) * math.sqrt(2 / max(sum(fans(shape)), 1))
    return normal(shape, generator, dtype, std=std)


def he_uniform(
    shape: Shape,
    generator: Seed = None,
    dtype: npt.DTypeLike = np.float32,
    *,
    gain: float = math.sqrt(2),
    fan: str = "in",
) -> Array:
    r"""Uniform on ±gain · √(3 / fan), which keeps the variance through layers with ReLU.

    K. He et al., "Delving deep into rectifiers", ICCV 2015, section 2.2. `fan` is "in", which
    keeps that of the signals, or "out", which keeps that of the gradients.

    Examples
    --------
    >>> bool(np.abs(he_uniform((4, 6), 0)).max() <= 1)
    True
    """
    bound = between("gain", gain, 0) * math.sqrt(3 / _fan(shape, fan))
    return uniform(shape, generator, dtype, low=-bound, high=bound)


def he_normal(
    shape: Shape,
    generator: Seed = None,
    dtype: npt.DTypeLike = np.float32,
    *,
    gain: float = math.sqrt(2),
    fan: str = "in",
) -> Array:
    r"""Normal with deviation gain / √fan: see `he_uniform`.

    Examples
    --------
    >>> he_normal((4, 6), 0).shape
    (4, 6)
    """
    return normal(
        shape, generator, dtype, std=between("gain", gain, 0) / math.sqrt(_fan(shape, fan))
    )


#: Initializers by name. Add a function of (shape, generator, dtype, *, ...) to use it in a spec.
INITIALIZERS: dict[str, Callable[..., Array]] = {
    f.__name__: f
    for f in (
        constant,
        zeros,
        ones,
        uniform,
        normal,
        glorot_uniform,
        glorot_normal,
        he_uniform,
        he_normal,
    )
}


def initialize(
    declaration: Declaration,
    shape: Shape,
    generator: Seed = None,
    dtype: npt.DTypeLike = np.float32,
) -> Array:
    """An array made as declared: by a name, or by a dict of the name and its parameters.

    Raises
    ------
    ArgumentError
        The name or a parameter is not known, or a parameter has a value that makes no sense.

    Examples
    --------
    >>> initialize({"name": "constant", "value": 3}, (2,))
    array([3., 3.], dtype=float32)
    """
    given = dict(declaration) if isinstance(declaration, Mapping) else {"name": declaration}
    name = given.pop("name", None)
    if not isinstance(name, str) or name not in INITIALIZERS:
        known = nearest(name if isinstance(name, str) else "", INITIALIZERS)
        raise ArgumentError(
            f"there is no initializer {name!r}: {known}\n"
            'Fix: give a name, or a dict as {"name": "normal", "std": 0.01}.'
        )
    function = INITIALIZERS[name]
    arguments = inspect.signature(function).parameters
    own = [a.name for a in arguments.values() if a.kind is a.KEYWORD_ONLY]
    for key in given:
        if key not in own:
            raise ArgumentError(
                f"the initializer {name!r} has no parameter {key!r}.\n"
                f"Fix: {nearest(str(key), own) if own else f'the name alone, {name!r}.'}"
            )
    for key in own:
        if key not in given and arguments[key].default is inspect.Parameter.empty:
            raise ArgumentError(
                f"the initializer {name!r} needs the parameter {key!r}.\n"
                f'Fix: {{"name": {name!r}, {key!r}: ...}}'
            )
    try:
        values = function(shape, generator, dtype, **given)
    except TgError:
        raise
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"the initializer {name!r} cannot use {given}: {error}.\nFix: other values."
        ) from error
    if np.shape(values) != _sizes(shape):
        raise ArgumentError(
            f"the initializer {name!r} gave the shape {np.shape(values)} in place of {shape}.\n"
            "Fix: return an array of the shape that it is given."
        )
    return values


def _rng(generator: Seed) -> np.random.Generator:
    return generator if isinstance(generator, np.random.Generator) else child_stream(generator)


def _sizes(shape: Any) -> Shape:
    """A shape; a whole number stands for one axis."""
    try:
        sizes = tuple(operator.index(n) for n in (shape if np.iterable(shape) else (shape,)))
    except TypeError:
        sizes = (-1,)
    if min(sizes, default=0) < 0:
        raise ShapeError(
            f"no array has the shape {shape!r} (at {user_line()}).\n"
            "Fix: a tuple of whole numbers of 0 or more, as (128, 784)."
        )
    return sizes


def _fan(shape: Shape, fan: str) -> int:
    if fan not in ("in", "out"):
        raise ArgumentError(
            f"fan is 'in' or 'out', not {fan!r}.\n"
            "Fix: 'in' keeps the variance of signals, 'out' that of gradients."
        )
    return max(fans(shape)[fan == "out"], 1)
