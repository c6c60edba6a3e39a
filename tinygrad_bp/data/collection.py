"""What a data reader returns: examples with their labels, and how to draw one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.data.arguments import is_number
from tinygrad_bp.errors import ArgumentError, DataError, ShapeError, require_argument

__all__ = ["Collection", "Examples"]


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs and the label of each.

    Parameters
    ----------
    inputs : ndarray of shape (N, features)
        The values as the file holds them (uint8 pixels 0..255, float64 ...): whoever trains scales
        them.
    labels : ndarray of shape (N,), int64
        The class of each example, counted from 0.

    Raises
    ------
    DataError
        The shapes do not belong together, or the dtypes are not numbers.

    Examples
    --------
    >>> examples = Examples(np.zeros((3, 4), np.uint8), np.array([0, 2, 1]))
    >>> len(examples), examples[:2].labels
    (3, array([0, 2]))
    >>> examples[1]
    (array([0, 0, 0, 0], dtype=uint8), np.int64(2))
    """

    inputs: NDArray[Any]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        inputs, labels = self.inputs, self.labels
        for name, given in (("inputs", inputs), ("labels", labels)):
            right = isinstance(given, np.ndarray)
            require_argument(right, "Examples", name, given, f"give {name} as an array")
        if inputs.ndim != 2 or labels.shape != inputs.shape[:1]:
            raise DataError(
                f"inputs of shape {inputs.shape} and labels of shape {labels.shape} do not belong "
                "together.\nFix: give inputs of shape (N, features) and labels of shape (N,)."
            )
        if inputs.dtype.kind not in "uif" or labels.dtype != np.int64:
            raise DataError(
                f"inputs of dtype {inputs.dtype} with labels of dtype {labels.dtype}.\n"
                "Fix: give inputs as integers or floats, and labels as int64."
            )

    def __len__(self) -> int:
        return len(self.inputs)

    @overload
    def __getitem__(self, index: int) -> tuple[NDArray[Any], np.int64]: ...
    @overload
    def __getitem__(self, index: slice | NDArray[Any]) -> Examples: ...
    def __getitem__(self, index: Any) -> Any:
        """Some of the examples: views for a slice, copies for an array; or one, with its label."""
        inputs, labels = self.inputs[index], self.labels[index]
        return Examples(inputs, labels) if labels.ndim else (inputs, labels)

    def __repr__(self) -> str:
        return f"Examples({len(self)} x {self.inputs.shape[1]} {self.inputs.dtype})"


@dataclass(frozen=True, eq=False)
class Collection:
    """The splits of a collection of labelled images, and what is needed to draw them.

    Parameters
    ----------
    name : str
        ``"mnist"``, ``"ex4"``, ``"digits"`` ...
    train : Examples
        What to learn from.
    test, validation : Examples, optional
        The other splits, where the source has them.
    image_shape : (int, int)
        Rows and columns of one image.
    class_names : tuple of str
        The name of class 0, 1, ...
    source : str
        The file or folder that it was read from.
    image_order : {"C", "F"}
        Whether an image was unrolled row by row (C) or column by column (F, as MATLAB does).
    value_range : (float, float)
        The values of black and of white.

    Examples
    --------
    >>> pixels = np.arange(6, dtype=np.uint8).reshape(1, 6)
    >>> examples = Examples(pixels, np.array([0]))
    >>> data = Collection("tiny", examples, image_shape=(2, 3), image_order="F")
    >>> data.images(data.train.inputs)[0]
    array([[0, 2, 4],
           [1, 3, 5]], dtype=uint8)
    """

    name: str
    train: Examples
    test: Examples | None = None
    validation: Examples | None = None
    image_shape: tuple[int, int] = (28, 28)
    class_names: tuple[str, ...] = tuple("0123456789")
    source: str = ""
    image_order: Literal["C", "F"] = "C"
    value_range: tuple[float, float] = (0.0, 255.0)

    def __post_init__(self) -> None:
        features = math.prod(self.image_shape)
        for split in ("train", "test", "validation"):
            examples: Examples | None = getattr(self, split)
            if examples is None:
                continue
            if examples.inputs.shape[1] != features:
                raise DataError(
                    f"{self.name}: {split} has {examples.inputs.shape[1]} features, but images of "
                    f"{self.image_shape} have {features} ({self.source}).\n"
                    "Fix: use files that belong together."
                )
            if len(examples) == 0:
                raise DataError(
                    f"{self.name}: {split} is empty ({self.source}).\nFix: use files with examples."
                )
            low, high = int(examples.labels.min()), int(examples.labels.max())
            if low < 0 or high >= len(self.class_names):
                raise DataError(
                    f"{self.name}: {split} has labels {low}..{high}, expected "
                    f"0..{len(self.class_names) - 1} ({self.source}).\n"
                    "Fix: use the label file that belongs to these images."
                )

    @property
    def features(self) -> int:
        """The number of values of one example."""
        return int(self.train.inputs.shape[1])

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    def images(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Rows of features as upright pictures.

        Parameters
        ----------
        rows : ndarray of shape (..., features)
            Examples, or anything laid out like them, as the weights of a hidden unit.

        Returns
        -------
        ndarray of shape (..., rows, columns)
            A view where that is possible.

        Raises
        ------
        ShapeError
            The last axis has another number of features.
        """
        height, width = self.image_shape
        if rows.shape[-1:] != (height * width,):
            raise ShapeError(
                f"{self.name}: rows of shape {rows.shape} are not images of {height}x{width}.\n"
                f"Fix: give an array of shape (..., {height * width})."
            )
        if self.image_order == "C":
            return rows.reshape(*rows.shape[:-1], height, width)
        return rows.reshape(*rows.shape[:-1], width, height).swapaxes(-1, -2)

    def split(self, fraction: float, generator: np.random.Generator) -> Collection:
        """Set a random part of the training examples apart as test examples.

        Parameters
        ----------
        fraction : float
            The part of the training examples that becomes the test split, rounded up.
        generator : numpy.random.Generator
            What decides which.

        Raises
        ------
        ArgumentError
            There is a test split already, or one of the two would be empty.

        Examples
        --------
        >>> examples = Examples(np.arange(8.0).reshape(8, 1), np.arange(8))
        >>> data = Collection("tiny", examples, image_shape=(1, 1))
        >>> data = data.split(0.25, np.random.default_rng(0))
        >>> data.train, data.test
        (Examples(6 x 1 float64), Examples(2 x 1 float64))
        """
        right = is_number(fraction) or isinstance(fraction, float)
        require_argument(right, "split", "fraction", fraction, "a share, as 0.2")
        right = isinstance(generator, np.random.Generator)
        fix = "generator=numpy.random.default_rng(seed)"
        require_argument(right, "split", "generator", generator, fix)
        total = len(self.train)
        count = math.ceil(total * fraction) if 0 < fraction < 1 else 0
        if self.test is not None or not 0 < count < total:
            raise ArgumentError(
                f"{self.name}: cannot set {fraction} of {total} training examples apart as a test "
                f"split; it {'has none yet' if self.test is None else 'has one already'}.\n"
                "Fix: give a fraction between 0 and 1, and split only what has no test examples."
            )
        order = generator.permutation(total)
        return replace(self, train=self.train[order[count:]], test=self.train[order[:count]])
