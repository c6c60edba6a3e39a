"""What both estimators share: their settings, and how they are fitted to arrays."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from tinygrad_bp.core import no_grad
from tinygrad_bp.data import DataLoader
from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.nn import Module
from tinygrad_bp.sklearn import networks, training

Array = NDArray[Any]
DTYPES = (np.float64, np.float32)  # of samples; the first is for those that are neither
_CHUNK = 10_000  # samples that are predicted at once, so that memory stays small


class Read(NamedTuple):
    """Samples and targets after they were checked.

    Attributes
    ----------
    rows, targets : ndarray
        One row each for a sample.
    outputs : tuple of int
        How many outputs the network may have, the usual number first.
    weights : ndarray or None
        What the samples count, for the targets that they have.
    """

    rows: Array
    targets: Array
    outputs: tuple[int, ...]
    weights: Array | None


@contextmanager
def _as_before_on_error(estimator: Any) -> Iterator[None]:
    """Give an estimator back all attributes that it had, where samples or settings are refused."""
    before = dict(vars(estimator))
    try:
        yield
    except Exception:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


class NetworkEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The settings, as `NetworkRegressor` describes them, and the fitting."""

    def __init__(
        self,
        network: Any = None,
        *,
        hidden_layer_sizes: Any = (100,),
        activation: str = "ReLU",
        loss: Any = None,
        optimizer: Any = "Adam",
        lr: float = 1e-3,
        optimizer_options: dict[str, Any] | None = None,
        batch_size: int | str = "auto",
        shuffle: bool = True,
        max_iter: int = 200,
        tol: float | None = 1e-4,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        warm_start: bool = False,
        callbacks: Iterable[Callable[[Any], Any]] | None = None,
        verbose: bool = False,
        random_state: Any = None,
    ) -> None:
        self.network = network
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.loss = loss
        self.optimizer = optimizer
        self.lr = lr
        self.optimizer_options = optimizer_options
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state

    # ------------------------------------------------------------------ what each estimator adds

    def _read(self, rows: Any, y: Any, *, fresh: bool, partial: bool) -> Read:
        """Check the samples, and what is to be predicted for them."""
        raise NotImplementedError

    def _announced(self, classes: Any) -> None:
        """Hear of all classes, before there are samples of each."""

    def _check(self, model: Module) -> None:
        """Refuse a network that does not go with the loss."""

    def _loss_name(self) -> str:
        """The loss where none is given."""
        raise NotImplementedError

    def _goals(self, targets: Array) -> Array:
        """Targets as the loss takes them."""
        raise NotImplementedError

    def _rated(self, outputs: Array, targets: Array, weights: Array | None) -> float:
        """The score of outputs: larger is better."""
        raise NotImplementedError

    _stratified = False  # whether samples are set aside in the proportions of the targets

    # ------------------------------------------------------------------ fitting

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803
        """Train the network on samples, from the beginning unless `warm_start` is set.

        Parameters
        ----------
        X : array_like of shape (N, features)
            The samples; or an array (N, ...), as of images, where `network` is given.
        y : array_like of shape (N,) or (N, outputs)
            What is to be predicted for each.
        sample_weight : array_like of shape (N,), optional
            How much each counts, beside the others; one of weight 0 is left out.

        Returns
        -------
        self

        Raises
        ------
        ArgumentError, SpecError, ShapeError
            A setting makes no sense, or the network does not fit the data.
        NonFiniteError
            The loss became NaN or infinite.
        """
        fresh = not (self.warm_start and hasattr(self, "network_"))
        if self.max_iter < 1:
            raise ArgumentError(f"max_iter is {self.max_iter!r}.\nFix: 1 or more.")
        with _as_before_on_error(self):
            arrays = self._prepare(X, y, sample_weight, fresh=fresh)
            arrays, held = self._set_aside(arrays) if self.early_stopping else (arrays, [])
            batches = self._batches(arrays)
        self._run(batches, held)
        return self

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> Self:  # noqa: N803
        """One epoch more, whatever the settings say of ends and beginnings."""
        fresh = not hasattr(self, "network_")
        with _as_before_on_error(self):
            self._announced(classes)
            batches = self._batches(self._prepare(X, y, sample_weight, fresh=fresh, partial=True))
        self._epoch(batches)
        self._told()
        return self

    def _prepare(
        self,
        X: Any,  # noqa: N803
        y: Any,
        sample_weight: Any,
        *,
        fresh: bool,
        partial: bool = False,
    ) -> list[Array]:
        """Inputs, targets and, where they differ, weights; a new network where it has to be."""
        rows, given = self._rows(X)
        read = self._read(rows, y, fresh=fresh, partial=partial)
        weights = read.weights
        if sample_weight is not None:
            own = _check_sample_weight(
                sample_weight, read.rows, dtype=np.float64, ensure_non_negative=True
            )
            weights = own if weights is None else weights * own
        if weights is not None and not weights.any():
            raise ArgumentError(
                "the weights of all samples are 0, so there is nothing to learn from.\n"
                "Fix: a positive weight for those that count."
            )
        if fresh:
            self._make(read.rows, given or read.rows.shape[1:], read.outputs)
        arrays = [self._inputs(read.rows), self._goals(read.targets)]
        if weights is None:
            return arrays
        arrays = [array[weights > 0] for array in arrays]
        weights = weights[weights > 0]
        return arrays if (weights == weights[0]).all() else [*arrays, weights / weights.mean()]

    def _make(self, rows: Array, given: tuple[int, ...], outputs: tuple[int, ...]) -> None:
        """A new network for samples like these, its optimizer, and an empty history."""
        random = check_random_state(self.random_state)
        entropy = random.randint(0, 2**32, 4, dtype=np.uint32).tolist()
        seeds = np.random.SeedSequence(entropy).spawn(2)
        first, generator = (np.random.default_rng(seed) for seed in seeds)
        network = networks.declared(self.network)
        if self.network is None:
            network = networks.perceptron(
                rows.shape[1], outputs[0], self.hidden_layer_sizes, self.activation, rows.dtype
            )
        shape = networks.sample_shape(network, given)
        model = networks.build(network or self.network, shape, outputs[0], first)
        self._check(model)
        dtype = networks.dtype_of(model, rows.dtype)
        sample = rows[0].reshape(shape).astype(dtype)
        count = networks.count_outputs(model, sample, outputs)
        optimizer = training.make_optimizer(self.optimizer, model, self.lr, self.optimizer_options)
        self.network_, self.optimizer_, self.n_outputs_ = model, optimizer, count
        self._generator, self._shape, self._dtype = generator, shape, dtype
        self._loss()  # refused now, where there is no such loss
        self.n_iter_ = 0
        self.loss_curve_: list[float] = []
        self.validation_scores_: list[float] = []

    def _set_aside(self, arrays: list[Array]) -> tuple[list[Array], list[Array]]:
        """Arrays for training, and arrays that tell when to stop."""
        try:
            train, held = train_test_split(
                np.arange(len(arrays[0])),
                test_size=self.validation_fraction,
                stratify=arrays[1] if self._stratified else None,
                random_state=int(self._generator.integers(2**32)),
            )
        except ValueError as error:
            raise ArgumentError(
                f"early_stopping cannot set {self.validation_fraction} of {len(arrays[0])} samples "
                f"aside: {error}\nFix: another validation_fraction, more samples of each class, or "
                "early_stopping=False."
            ) from error
        return [array[train] for array in arrays], [array[held] for array in arrays]

    def _run(self, batches: DataLoader, held: list[Array]) -> None:
        """Epochs until one of the ends; with the best weights where samples are set aside."""
        progress = training.Progress(self.tol, self.n_iter_no_change)
        best = None
        for _ in range(self.max_iter):
            value = self._epoch(batches)
            if held:
                x, targets, *weights = held
                score = self._rated(self._outputs(x), targets, weights[0] if weights else None)
                self.validation_scores_.append(score)
                value = -score
            if progress.update(value) and held:
                best = self.network_.state_dict()
            if self._told() or progress.stalled:
                break
        else:
            if self.tol is not None:
                warnings.warn(
                    f"after {self.max_iter} epochs, {type(self).__name__} was still learning.\n"
                    "Fix: a larger max_iter or lr; or tol=None, where so many are what you want.",
                    ConvergenceWarning,
                    stacklevel=3,
                )
        if best is not None:
            self.network_.load_state_dict(best)

    def _loss(self) -> training.Loss:
        return training.loss_function(self.loss or self._loss_name())

    def _batches(self, arrays: list[Array]) -> DataLoader:
        return training.batches(arrays, self.batch_size, self.shuffle, self._generator)

    def _epoch(self, batches: DataLoader) -> float:
        value = training.epoch(self.network_, self.optimizer_, self._loss(), batches)
        self.n_iter_ += 1
        self.loss_curve_.append(value)
        return value

    def _told(self) -> bool:
        """Tell of the epoch; whether a callback asks to stop."""
        if self.verbose:
            score = f", score {self.validation_scores_[-1]:.4f}" if self.validation_scores_ else ""
            print(f"epoch {self.n_iter_}: loss {self.loss_curve_[-1]:.6f}{score}")
        told = [callback(self) for callback in self.callbacks or ()]  # each of them
        return any(isinstance(answer, bool | np.bool) and bool(answer) for answer in told)

    # ------------------------------------------------------------------ predicting

    def _rows(self, X: Any) -> tuple[Any, tuple[int, ...]]:  # noqa: N803
        """Samples as rows, and their own shape, where they came as an array of more axes."""
        if self.network is None or not isinstance(X, np.ndarray) or X.ndim < 3:
            return X, ()
        return X.reshape(len(X), math.prod(X.shape[1:])), X.shape[1:]

    def _inputs(self, rows: Array) -> Array:
        """Rows as the network takes them."""
        return rows.reshape(len(rows), *self._shape).astype(self._dtype, copy=False)

    def _outputs(self, inputs: Array) -> Array:
        """What the network gives for inputs, in eval mode and without recording."""
        self.network_.eval()
        with no_grad():
            parts = [
                training.columns(self.network_(inputs[start : start + _CHUNK])).data
                for start in range(0, len(inputs), _CHUNK)
            ]
        return np.concatenate(parts)

    def _predicted(self, X: Any) -> Array:  # noqa: N803
        """The outputs for samples that a user gives, in their dtype."""
        check_is_fitted(self, "network_")
        rows = validate_data(self, self._rows(X)[0], reset=False, dtype=DTYPES)
        return self._outputs(self._inputs(rows)).astype(rows.dtype, copy=False)
