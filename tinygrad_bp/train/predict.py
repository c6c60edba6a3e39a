"""What a trained network says of one digit."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.core import no_grad
from tinygrad_bp.data import Collection
from tinygrad_bp.errors import ArgumentError, DataError, NonFiniteError
from tinygrad_bp.train.objective import Objective
from tinygrad_bp.train.run import RunFolder, load_model
from tinygrad_bp.train.samples import load_samples, scaled

Array = NDArray[Any]
_INK_SHARE = 0.7  # of the side of an image, that the digit fills, as in MNIST


class Prediction(NamedTuple):
    """An image, what it is, and what the network takes it for.

    Attributes
    ----------
    picture : ndarray of shape (rows, columns)
        Ink from 0 (paper) to 1 (black).
    probabilities : ndarray of shape (classes,)
        What the network says of each class.
    names : tuple of str
        The classes.
    label : str or None
        The true class, where it is known.
    title : str
        Which image it is.
    """

    picture: Array
    probabilities: Array
    names: tuple[str, ...]
    label: str | None
    title: str

    @property
    def answer(self) -> str:
        """The class with the largest probability."""
        return self.names[int(self.probabilities.argmax())]


def predict(
    run: str | Path,
    *,
    index: int | None = None,
    image: str | Path | None = None,
    data_dir: str | Path | None = None,
) -> Prediction:
    """Ask the network of a run for one digit: a test sample, or an image of your own.

    Parameters
    ----------
    run : path
        The run folder.
    index : int, optional
        The position of a test sample (of a training sample, where the recipe has no test set).
    image : path, optional
        A picture file in its place: one digit, dark on light or light on dark. It is cropped to
        the ink, centred and scaled to the network's input.
    data_dir : path, optional
        Where the data files are.

    Raises
    ------
    CheckpointError, DataError, ArgumentError, NonFiniteError
        The run, the image or the index is no good; the message says why.
    """
    folder = RunFolder.open(run)
    model, shift, scale = load_model(folder)
    samples = load_samples(folder.recipe, data_dir)
    dataset, label = samples.dataset, None
    if image is not None:
        pixels, title = _read_image(Path(image), dataset), str(image)
        x = scaled(pixels.reshape(1, -1), shift, scale, samples.inputs.dtype)
    else:
        inputs, labels, split = samples.test_inputs, samples.test_labels, "test"
        if not len(labels):
            inputs, labels, split = samples.inputs, samples.labels, "training"
        index = index or 0
        if not 0 <= index < len(labels):
            raise ArgumentError(
                f"there is no {split} sample {index}: there are {len(labels):,}.\n"
                f"Fix: a number from 0 to {len(labels) - 1}."
            )
        x = inputs[index : index + 1]
        title, label = f"{dataset.name}, {split} sample {index}", dataset.class_names[labels[index]]
    objective = Objective(folder.recipe.loss, model, len(samples.labels))
    with no_grad():
        probabilities = objective.probabilities(model(x).data)[0]
    if not np.isfinite(probabilities).all():
        raise NonFiniteError(
            f"the network of {run} gives probabilities that are not finite for {title}.\n"
            "Fix: train it anew; its model.safetensors holds NaN, infinite or huge weights."
        )
    low, high = dataset.value_range
    picture = dataset.images(x[0] * scale + shift)
    picture = np.clip((picture - low) / (high - low), 0, 1)
    return Prediction(picture, probabilities, dataset.class_names, label, title)


def _read_image(path: Path, dataset: Collection) -> Array:
    """A picture file as one row of pixels, as the data set has them."""
    from PIL import Image, UnidentifiedImageError  # matplotlib brings it

    try:
        with Image.open(path) as file:
            canvas = Image.new("RGBA", file.size, "white")
            canvas.alpha_composite(file.convert("RGBA"))
        grey = np.asarray(canvas.convert("L"), np.float64) / 255
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path} cannot be read as a picture: {getattr(error, 'strerror', None) or error}.\n"
            "Fix: give a PNG or JPEG file of one digit."
        ) from None
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ink = 1 - grey if np.median(border) > 0.5 else grey
    rows, columns = np.nonzero(ink > 0.25)
    if not len(rows):
        raise DataError(
            f"{path} shows no digit: all of it is of nearly one colour.\n"
            "Fix: give a picture of one digit, dark on light or light on dark."
        )
    ink = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    height, width = dataset.image_shape
    share = _INK_SHARE if min(height, width) > 8 else 1.0
    factor = share * min(height / ink.shape[0], width / ink.shape[1])
    size = (max(1, round(ink.shape[1] * factor)), max(1, round(ink.shape[0] * factor)))
    small = Image.fromarray((ink * 255).astype(np.uint8)).resize(size, Image.Resampling.BOX)
    page = np.zeros((height, width))
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    page[top : top + size[1], left : left + size[0]] = np.asarray(small) / 255
    low, high = dataset.value_range
    return low + (high - low) * page.ravel(order=dataset.image_order)
