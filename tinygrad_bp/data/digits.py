"""scikit-learn's digits: 1,797 of 8×8 pixels, which come with the library."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.data.collection import Collection, Examples
from tinygrad_bp.errors import missing_extra

__all__ = ["load_digits"]


def load_digits() -> Collection:
    """The handwritten digits that scikit-learn carries, which need no download.

    Returns
    -------
    Collection
        Inputs float64 (1797, 64), whole numbers 0..16; no test split (see `Collection.split`).

    Raises
    ------
    MissingExtraError
        scikit-learn is not installed.

    Examples
    --------
    >>> digits = load_digits()
    >>> digits.train, digits.image_shape, digits.value_range
    (Examples(1797 x 64 float64), (8, 8), (0.0, 16.0))
    """
    try:
        from sklearn import datasets
    except ImportError as error:
        raise missing_extra("scikit-learn", "train", "load_digits") from error
    inputs, labels = datasets.load_digits(return_X_y=True)
    return Collection(
        "digits",
        Examples(np.ascontiguousarray(inputs, np.float64), labels.astype(np.int64)),
        image_shape=(8, 8),
        source="scikit-learn",
        value_range=(0.0, 16.0),
    )
