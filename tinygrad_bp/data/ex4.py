"""`ex4data1.mat`: 5,000 digits of 20×20 pixels, and `ex4weights.mat`: weights trained on such."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.data.collection import Collection, Examples
from tinygrad_bp.data.folders import cache_folder, look_in, named_folder, not_found
from tinygrad_bp.data.idx import looks_like_html
from tinygrad_bp.errors import DataError, missing_extra

__all__ = ["load_ex4", "load_ex4_weights"]

_DATA = "ex4data1.mat"
_WEIGHTS = "ex4weights.mat"


def load_ex4(data_dir: str | os.PathLike[str] | None = None) -> Collection:
    """The digits of ``ex4data1.mat``.

    The file calls the digit 0 label 10, because MATLAB counts from 1: here it is label 0. The
    features stay in the file's order, column by column, in which the published weights
    expect them; `Collection.images` draws them upright.

    Parameters
    ----------
    data_dir : path, optional
        The folder that holds the file, or one that holds ``ex4/``; by default what the environment
        variable ``TINYGRAD_BP_DATA`` names, else the user's cache folder.

    Returns
    -------
    Collection
        Inputs float64 (5000, 400), about 0..1; no test split.

    Raises
    ------
    DataNotFoundError
        The file is not there.
    DataError
        The file is damaged, or holds something else.
    MissingExtraError
        SciPy is not installed.
    """
    path = _find(_DATA, data_dir)
    content = _read(path, ("X", "y"))
    inputs, labels = content["X"], content["y"].reshape(-1)
    side = round(inputs.shape[1] ** 0.5) if inputs.ndim == 2 else 0
    if inputs.ndim != 2 or len(labels) != len(inputs) or side * side != inputs.shape[1]:
        raise DataError(
            f"{path}: expected X (5000, 400) and y (5000, 1), found X {inputs.shape} and y "
            f"{content['y'].shape}.\nFix: use another copy of the file."
        )
    if not np.isfinite(inputs).all():
        raise DataError(
            f"{path}: expected finite pixels in X, found NaN or infinity.\n"
            "Fix: use another copy of the file."
        )
    if not np.isin(labels, np.arange(1, 11)).all():
        raise DataError(
            f"{path}: expected labels 1..10 (10 for the digit 0), found {labels.min()}.."
            f"{labels.max()}.\nFix: use another copy of the file."
        )
    return Collection(
        "ex4",
        Examples(np.ascontiguousarray(inputs, np.float64), labels.astype(np.int64) % 10),
        image_shape=(side, side),
        source=str(path),
        image_order="F",
        value_range=(0.0, 1.0),
    )


def load_ex4_weights(
    data_dir: str | os.PathLike[str] | None = None,
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """The weights of ``ex4weights.mat``, made to fit the labels of `load_ex4`.

    The file's ``Theta`` has the bias as its first column, and the output of the digit 0 as its last
    row: here the biases are apart, and row d of the last layer belongs to the digit d.

    Parameters
    ----------
    data_dir : path, optional
        As in `load_ex4`.

    Returns
    -------
    list of (weight (outputs, inputs), bias (outputs,))
        For each layer, float64: 400-25-10.

    Raises
    ------
    DataNotFoundError
        The file is not there.
    DataError
        The file is damaged, or holds something else.
    MissingExtraError
        SciPy is not installed.
    """
    path = _find(_WEIGHTS, data_dir)
    content = _read(path, ("Theta1", "Theta2"))
    first, last = (np.asarray(content[name], np.float64) for name in ("Theta1", "Theta2"))
    if first.ndim != 2 or last.ndim != 2 or last.shape != (10, len(first) + 1):
        raise DataError(
            f"{path}: expected Theta1 (25, 401) and Theta2 (10, 26), found {first.shape} and "
            f"{last.shape}.\nFix: use another copy of the file."
        )
    last = np.roll(last, 1, axis=0)
    return [(theta[:, 1:].copy(), theta[:, 0].copy()) for theta in (first, last)]


def _find(name: str, data_dir: str | os.PathLike[str] | None) -> Path:
    named = named_folder(data_dir)
    folders = look_in(named if named is not None else cache_folder(), "ex4")
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise not_found(name, folders, [name])


def _read(path: Path, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise missing_extra("scipy", "train", path.name) from error
    try:
        content = loadmat(path, variable_names=names)
    except Exception as error:  # a damaged file may raise anything
        with path.open("rb") as file:
            html = looks_like_html(file.read(16))
        what = "a web page (HTML)" if html else f"{type(error).__name__}: {error}"
        raise DataError(
            f"{path}: expected a MATLAB 5 file, found {what}.\nFix: use another copy of the file."
        ) from error
    for name in names:
        if not isinstance(content.get(name), np.ndarray) or content[name].dtype.kind not in "iuf":
            found = ", ".join(key for key in content if not key.startswith("__")) or "none of them"
            raise DataError(
                f"{path}: expected the arrays {' and '.join(names)}, found {found}.\n"
                "Fix: use another copy of the file."
            )
    return {name: content[name] for name in names}
