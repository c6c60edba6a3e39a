"""Random changes of images that leave them what they show: more samples than there are.

A transform is called with an image and a generator, from which all that is random comes. An image
is an array (..., rows, columns): the axes before the last two, as channels, are moved together.
What comes out has the shape and dtype of what went in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_bp.data.arguments import as_array, is_number
from tinygrad_bp.errors import ArgumentError, ShapeError, a_kind, missing_extra, require_argument

__all__ = [
    "Compose",
    "ElasticDistortion",
    "Normalize",
    "RandomRotation",
    "RandomShift",
    "Transform",
]

Array = NDArray[Any]
Generator = np.random.Generator


class Transform(Protocol):
    """What `DataLoader` takes as `transform`, and `Compose` puts together."""

    def __call__(self, image: Array, generator: Generator | None = None) -> Array:
        """The image, changed."""
        ...


@dataclass(frozen=True)
class RandomShift:
    """Moves an image by up to so many pixels, each way and independently.

    Parameters
    ----------
    pixels : float
        The most along either axis.
    fill : float
        What comes in at the border.
    subpixel : bool
        Whether moves between whole pixels, of linear interpolation, are drawn too.

    Examples
    --------
    >>> image = np.array([[0, 0, 0], [0, 9, 0], [0, 0, 0]])
    >>> RandomShift(1)(image, np.random.default_rng(0))
    array([[0, 0, 0],
           [0, 0, 0],
           [0, 9, 0]])
    """

    pixels: float
    fill: float = 0.0
    subpixel: bool = False

    def __post_init__(self) -> None:
        _check("RandomShift", pixels=self.pixels)
        _check_fill(self)

    def __call__(self, image: Array, generator: Generator | None = None) -> Array:
        """The image, moved."""
        rng, ndimage = _ready(self, image, generator)
        move: Array
        if self.subpixel:
            move = rng.uniform(-self.pixels, self.pixels, 2)
        else:
            most = int(self.pixels)
            move = rng.integers(-most, most, 2, endpoint=True)
        order = int(self.subpixel)
        return _each(image, lambda one: ndimage.shift(one, move, order=order, cval=self.fill))


@dataclass(frozen=True)
class RandomRotation:
    """Turns an image about its centre by up to so many degrees, either way.

    Parameters
    ----------
    degrees : float
        The most.
    fill : float
        What comes in at the corners.

    Examples
    --------
    >>> image = np.zeros((5, 5))
    >>> image[2] = 1.0
    >>> RandomRotation(45)(image, np.random.default_rng(0)).round(1)
    array([[0. , 0. , 0. , 0. , 0. ],
           [0. , 0. , 0. , 0.2, 0. ],
           [0.6, 0.8, 1. , 0.8, 0.6],
           [0. , 0.2, 0. , 0. , 0. ],
           [0. , 0. , 0. , 0. , 0. ]])
    """

    degrees: float
    fill: float = 0.0

    def __post_init__(self) -> None:
        _check("RandomRotation", degrees=self.degrees)
        _check_fill(self)

    def __call__(self, image: Array, generator: Generator | None = None) -> Array:
        """The image, turned."""
        rng, ndimage = _ready(self, image, generator)
        angle = rng.uniform(-self.degrees, self.degrees)
        return _each(
            image, lambda one: ndimage.rotate(one, angle, reshape=False, order=1, cval=self.fill)
        )


@dataclass(frozen=True)
class ElasticDistortion:
    """Moves each pixel by a smooth random field, as an unsteady hand does.

    P. Simard, D. Steinkraus, J. Platt, "Best practices for convolutional neural networks applied
    to visual document analysis", ICDAR 2003, whose values for images of 29×29 are the defaults.

    Parameters
    ----------
    alpha : float
        How far: the factor of the field. With the defaults, a pixel moves by about 1.4 each way.
    sigma : float
        How smoothly: the standard deviation, in pixels, of the Gaussian that the field, uniform in
        [-1, 1], is smoothed with.
    fill : float
        What comes in at the border.

    Examples
    --------
    >>> image = np.zeros((28, 28), np.uint8)
    >>> image[6:22, 12:16] = 255
    >>> changed = ElasticDistortion()(image, np.random.default_rng(0))
    >>> changed.shape, changed.dtype, bool((changed != image).any())
    ((28, 28), dtype('uint8'), True)
    """

    alpha: float = 34.0
    sigma: float = 4.0
    fill: float = 0.0

    def __post_init__(self) -> None:
        _check("ElasticDistortion", alpha=self.alpha, sigma=self.sigma)
        _check_fill(self)

    def __call__(self, image: Array, generator: Generator | None = None) -> Array:
        """The image, distorted."""
        rng, ndimage = _ready(self, image, generator)
        shape = image.shape[-2:]
        places = np.indices(shape, float)
        for axis in places:
            field = rng.uniform(-1.0, 1.0, shape)
            axis += self.alpha * ndimage.gaussian_filter(field, self.sigma, mode="constant")
        return _each(
            image, lambda one: ndimage.map_coordinates(one, places, order=1, cval=self.fill)
        )


class Normalize:
    """(x - mean) / std, for the whole image or for each channel of (channels, rows, columns).

    Parameters
    ----------
    mean, std : float, or array_like with one number for each channel
        What is subtracted, and what is then divided by. Integers become float32.

    Examples
    --------
    >>> Normalize(2.0, 4.0)(np.array([[2, 6]], np.uint8))
    array([[0., 1.]], dtype=float32)
    """

    def __init__(self, mean: ArrayLike, std: ArrayLike) -> None:
        for name, given in (("mean", mean), ("std", std)):
            real = as_array("Normalize", given).dtype.kind in "iuf"
            require_argument(real, "Normalize", name, given, "a number, or one for each channel")
        self.mean, self.std = (np.asarray(x, np.float64) for x in (mean, std))
        if not (np.isfinite(self.mean).all() and np.isfinite(self.std).all() and self.std.all()):
            raise ArgumentError(
                f"Normalize: mean is {mean!r} and std is {std!r}.\n"
                "Fix: finite numbers, and a std that is not 0."
            )

    def __call__(self, image: Array, generator: Generator | None = None) -> Array:
        """The image, scaled; nothing is random here."""
        right = isinstance(image, np.ndarray) and image.dtype.kind in "iuf"
        require_argument(right, "Normalize", "image", image, "an array of real numbers")
        mean, std = (x[..., None, None] if x.ndim else x for x in (self.mean, self.std))
        dtype = image.dtype if image.dtype.kind == "f" else np.dtype(np.float32)
        return ((image - mean) / std).astype(dtype)

    def __repr__(self) -> str:
        return f"Normalize({self.mean.tolist()}, {self.std.tolist()})"


class Compose:
    """Transforms one after the other.

    Parameters
    ----------
    transforms : list of callable
        Each is called with what the one before it gave, and the generator.

    Examples
    --------
    >>> change = Compose([RandomShift(2), RandomRotation(15), Normalize(0, 255)])
    >>> image = np.eye(8, dtype=np.uint8) * 255
    >>> change(image, np.random.default_rng(0)).dtype
    dtype('float32')
    """

    def __init__(self, transforms: list[Callable[..., Array]]) -> None:
        right = isinstance(transforms, list | tuple) and all(map(callable, transforms))
        require_argument(right, "Compose", "transforms", transforms, "a list of transforms")
        self.transforms = list(transforms)

    def __call__(self, image: Array, generator: Generator | None = None) -> Array:
        """The image after all of them."""
        for transform in self.transforms:
            image = transform(image, generator)
        return image

    def __repr__(self) -> str:
        return f"Compose({self.transforms})"


def _check(who: str, **values: Any) -> None:
    for name, value in values.items():
        right = is_number(value) and value >= 0
        require_argument(right, who, name, value, "a number from 0 on")


def _check_fill(transform: Any) -> None:
    fill = transform.fill
    require_argument(is_number(fill), type(transform).__name__, "fill", fill, "one finite number")


def _ready(who: Any, image: Array, generator: Generator | None) -> tuple[Generator, Any]:
    """The generator, if there is one and the image is one; and `scipy.ndimage`."""
    name = type(who).__name__
    if not isinstance(generator, np.random.Generator):
        raise ArgumentError(
            f"{name}: generator is {generator!r}.\nFix: call it with an image and "
            "np.random.default_rng(seed), or give the DataLoader a generator."
        )
    if not isinstance(image, np.ndarray) or image.dtype.kind not in "iufb" or image.ndim < 2:
        raise ShapeError(
            f"{name}: {_kind(image)} is no image.\n"
            "Fix: an array of shape (..., rows, columns), as `Collection.images` makes of rows."
        )
    try:
        from scipy import ndimage
    except ImportError as error:
        raise missing_extra("scipy", "train", name) from error
    return generator, ndimage


def _kind(image: Any) -> str:
    if not isinstance(image, np.ndarray):
        return a_kind(image)
    return f"an array of {f'shape {image.shape}' if image.ndim < 2 else image.dtype}"


def _each(image: Array, change: Callable[[Array], Array]) -> Array:
    """The same change of every plane of an image."""
    planes = image.reshape(-1, *image.shape[-2:])
    return np.stack([change(plane) for plane in planes]).reshape(image.shape)
