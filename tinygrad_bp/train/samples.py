"""The samples of a recipe: read, split, scaled, and handed out in batches that can be resumed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.data import Collection, DataLoader, load_digits, load_ex4, load_mnist
from tinygrad_bp.errors import RecipeError
from tinygrad_bp.train.recipe import Recipe

Array = NDArray[Any]


class Streams(NamedTuple):
    """The streams of random numbers of a run, none of which touches the others."""

    order: np.random.Generator
    split: np.random.Generator
    network: np.random.Generator


def streams(seed: int) -> Streams:
    """The streams that follow from a seed."""
    return Streams(*(np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3)))


@dataclass(frozen=True, eq=False)
class Samples:
    """What a recipe trains and tests on.

    Attributes
    ----------
    dataset : Collection
        As it was read and split, with pixels as they are in the file.
    inputs, labels : ndarray of shape (N, features), or (N, rows, columns), and (N,)
        For training, scaled.
    test_inputs, test_labels : ndarray
        For testing; empty where the recipe sets nothing aside.
    shift, scale : float
        An input is (pixel - shift) / scale.
    """

    dataset: Collection
    inputs: Array
    labels: Array
    test_inputs: Array
    test_labels: Array
    shift: float
    scale: float


def load_samples(
    recipe: Recipe, data_dir: str | Path | None = None, *, download: bool = True
) -> Samples:
    """Read, split and scale the data that a recipe names.

    Parameters
    ----------
    recipe : Recipe
        Its table ``data``, its seed, and its dtype.
    data_dir : path, optional
        Where the files are; see `tinygrad_bp.data`.
    download : bool
        Whether files that are nowhere may be downloaded.

    Raises
    ------
    RecipeError
        The recipe wants more samples than there are, its network is not for these images, or its
        scaling leaves nothing of the pixels.
    DataError, DataNotFoundError, DownloadError
        The data cannot be had.

    Examples
    --------
    >>> from tinygrad_bp.train.recipe import load_recipe
    >>> samples = load_samples(load_recipe("digits"))
    >>> samples.inputs.shape, samples.inputs.dtype, float(samples.inputs.max())
    ((1347, 64), dtype('float32'), 1.0)
    """
    table = recipe.data
    dataset = _read(table.name, data_dir, download)
    if table.test_fraction:
        dataset = dataset.split(table.test_fraction, streams(recipe.seed).split)
    _check_network(recipe, dataset)
    train, test = dataset.train, dataset.test
    if table.train_size is not None:
        if table.train_size > len(train):
            raise RecipeError(
                f"{recipe.name}: [data] train_size = {table.train_size}, and {table.name} has "
                f"{len(train)} training samples.\nFix: a smaller number, or leave it away."
            )
        train = train[: table.train_size]
    shift, scale = 0.0, table.divide_by
    if table.standardise:
        shift = float(train.inputs.mean(dtype=np.float64))
        scale = float(train.inputs.std(dtype=np.float64))
    dtype = np.dtype(recipe.dtype)
    test = train[:0] if test is None else test
    with np.errstate(all="ignore"):  # what comes of it is looked at below
        inputs, test_inputs = (
            _arranged(scaled(part.inputs, shift, scale, dtype), recipe, dataset)
            for part in (train, test)
        )
    _check_scaling(recipe, inputs, train.inputs)
    return Samples(dataset, inputs, train.labels, test_inputs, test.labels, shift, scale)


def _check_scaling(recipe: Recipe, inputs: Array, pixels: Array) -> None:
    """Refuse a scaling that leaves nothing to learn from: all the same, or not finite."""
    low, high = float(inputs.min()), float(inputs.max())
    if np.isfinite([low, high]).all() and (low < high or pixels.min() == pixels.max()):
        return
    table = recipe.data
    key = "standardise = true" if table.standardise else f"divide_by = {table.divide_by:g}"
    raise RecipeError(
        f"{recipe.name}: [data] {key} makes {recipe.dtype} inputs of {low:g} to {high:g} out of "
        f"pixels of {pixels.min():g} to {pixels.max():g}.\n"
        f"Fix: divide_by = {max(abs(float(pixels.max())), 1.0):g}, for inputs up to 1."
    )


def _check_network(recipe: Recipe, dataset: Collection) -> None:
    """Refuse a network whose inputs and outputs are not those of the data."""
    given, out = recipe.network.input_shape, recipe.network.shapes()[-1].shape
    if given not in ((dataset.features,), dataset.image_shape):
        raise RecipeError(
            f"{recipe.name}: [network] input_shape is {list(given)}, and a sample of "
            f"{dataset.name} has {dataset.features} pixels.\nFix: input_shape = "
            f"[{dataset.features}], or {list(dataset.image_shape)} with a Flatten in the network."
        )
    if out != (dataset.classes,):
        raise RecipeError(
            f"{recipe.name}: [network] gives an output of shape {list(out)}, and {dataset.name} "
            f"has {dataset.classes} classes.\n"
            f"Fix: end the network in a Linear with out_features = {dataset.classes}."
        )


def _arranged(rows: Array, recipe: Recipe, dataset: Collection) -> Array:
    """Rows of pixels, or upright images where the network takes those."""
    return rows if len(recipe.network.input_shape) == 1 else dataset.images(rows)


def _read(name: str, data_dir: str | Path | None, download: bool) -> Collection:
    if name == "digits":
        return load_digits()
    return load_mnist(data_dir, download=download) if name == "mnist" else load_ex4(data_dir)


def scaled(pixels: Array, shift: float, scale: float, dtype: np.dtype[Any]) -> Array:
    """(pixels - shift) / scale in a dtype, in one copy."""
    values = pixels.astype(dtype)
    if shift:
        values -= shift
    if scale != 1:
        values /= scale
    return values


class Batches:
    """The batches of a run, without end.

    Parameters
    ----------
    inputs, targets : ndarray
        One row for each sample.
    batch_size : int or "full"
        Samples of a batch.
    sampling : str
        ``"shuffled"``, ``"in_order"`` or ``"random"``, as in a recipe.
    generator : Generator
        Where the order comes from.

    Examples
    --------
    >>> x = np.arange(4)
    >>> batches = Batches(x, x, 2, "shuffled", np.random.default_rng(0))
    >>> first = next(batches)
    >>> state = batches.state_dict()
    >>> later = [next(batches)[0].tolist() for _ in range(3)]
    >>> batches.load_state_dict(state)
    >>> later == [next(batches)[0].tolist() for _ in range(3)]
    True
    """

    def __init__(
        self,
        inputs: Array,
        targets: Array,
        batch_size: int | str,
        sampling: str,
        generator: np.random.Generator,
    ) -> None:
        self.inputs, self.targets, self.generator = inputs, targets, generator
        self.batch_size = len(inputs) if batch_size == "full" else int(batch_size)
        self.random = sampling == "random"
        # All samples in another order are the same batch: a copy for nothing.
        shuffle = sampling == "shuffled" and self.batch_size < len(inputs)
        self.loader = DataLoader(
            inputs, targets, batch_size=self.batch_size, shuffle=shuffle, generator=generator
        )
        self._position = 0
        self.load_state_dict({"generator": generator.bit_generator.state, "position": 0})

    @property
    def per_epoch(self) -> int:
        """Batches of an epoch."""
        return len(self.loader)

    def __iter__(self) -> Batches:
        return self

    def __next__(self) -> tuple[Array, Array]:
        self._position += 1
        if self.random:
            drawn = self.generator.integers(0, len(self.inputs), self.batch_size)
            return self.inputs[drawn], self.targets[drawn]
        if self._position > self.per_epoch:
            self._begin()
            self._position = 1
        x, y = next(self._epoch)
        return x, y

    def _begin(self) -> None:
        """Begin an epoch, and remember how."""
        self._start = self.generator.bit_generator.state
        self._epoch = iter(self.loader)

    def state_dict(self) -> dict[str, Any]:
        """Where the run stands: the generator as the epoch began, and batches since then."""
        start = self.generator.bit_generator.state if self.random else self._start
        return {"generator": start, "position": 0 if self.random else self._position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from where `state_dict` was taken."""
        self.generator.bit_generator.state = state["generator"]
        self._position = state["position"]
        self._begin()
        next(islice(self._epoch, self._position, self._position), None)
