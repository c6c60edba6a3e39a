"""`NetworkClassifier`: a network that tells classes apart, as an estimator of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import _check_partial_fit_first_call, check_classification_targets
from sklearn.utils.validation import validate_data

from tinygrad_bp import nn
from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.sklearn.base import DTYPES, Array, NetworkEstimator, Read


class NetworkClassifier(ClassifierMixin, NetworkEstimator):  # type: ignore[misc]
    """A network that tells to which class a sample belongs, and how probably.

    The network ends in one output for each class, without a softmax, which the loss has inside. Of
    two classes it may also have a single output, without a sigmoid.

    Parameters
    ----------
    network, hidden_layer_sizes, activation, optimizer, lr, optimizer_options, batch_size, shuffle
        As for `NetworkRegressor`.
    loss : str, Module or callable, optional
        As there, of outputs and class numbers, as ``CrossEntropyLoss(label_smoothing=0.1)``; by
        default the cross-entropy of the softmax, or of the sigmoid of a single output.
    max_iter, tol, n_iter_no_change, early_stopping, validation_fraction, warm_start
        As for `NetworkRegressor`; samples are set aside in the proportions of the classes.
    class_weight : dict or "balanced", optional
        How much the samples of each class count; balanced, all classes count the same.
    callbacks, verbose, random_state
        As for `NetworkRegressor`.

    Attributes
    ----------
    classes_ : ndarray
        The labels, in the order of the outputs.
    network_, optimizer_, n_iter_, loss_curve_, validation_scores_, n_features_in_, n_outputs_
        As for `NetworkRegressor`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> x, y = load_iris(return_X_y=True)
    >>> network = NetworkClassifier(hidden_layer_sizes=(16,), lr=0.01, random_state=0)
    >>> model = make_pipeline(StandardScaler(), network).fit(x, y)
    >>> model.score(x, y) > 0.95
    True
    """

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
        class_weight: Any = None,
        callbacks: Iterable[Callable[[Any], Any]] | None = None,
        verbose: bool = False,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            network,
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            loss=loss,
            optimizer=optimizer,
            lr=lr,
            optimizer_options=optimizer_options,
            batch_size=batch_size,
            shuffle=shuffle,
            max_iter=max_iter,
            tol=tol,
            n_iter_no_change=n_iter_no_change,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            warm_start=warm_start,
            callbacks=callbacks,
            verbose=verbose,
            random_state=random_state,
        )
        self.class_weight = class_weight

    _stratified = True

    def _announced(self, classes: Any) -> None:
        _check_partial_fit_first_call(self, classes)

    def _read(self, rows: Any, y: Any, *, fresh: bool, partial: bool) -> Read:
        rows, y = validate_data(self, rows, y, reset=fresh, dtype=DTYPES)
        check_classification_targets(y)
        if fresh and not partial:
            self.classes_ = np.unique(y)
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ArgumentError(
                f"y has the class {unknown.tolist()[0]!r}, and the network knows the classes "
                f"{self.classes_.tolist()}.\nFix: the same classes, or a new fit on all of them."
            )
        weights = None
        if self.class_weight is not None:
            if partial and isinstance(self.class_weight, str):
                raise ArgumentError(
                    f"partial_fit with class_weight={self.class_weight!r}: of one part of the "
                    "samples, nobody knows how many there are of each class.\n"
                    "Fix: a dict, as compute_class_weight makes of all of y."
                )
            weights = compute_sample_weight(self.class_weight, y)
        count = len(self.classes_)
        targets = np.searchsorted(self.classes_, y)
        return Read(rows, targets, (2, 1) if count == 2 else (count,), weights)

    def _check(self, model: nn.Module) -> None:
        last = list(model.modules())[-1]
        inside = (nn.Softmax, nn.LogSoftmax, nn.Sigmoid, nn.LogSigmoid)
        if isinstance(model, nn.Sequential) and isinstance(last, inside) and not self.loss:
            raise ArgumentError(
                f"the network ends in {last!r}, which the loss has inside.\n"
                "Fix: leave it out; or give a loss that takes what comes after it."
            )

    def _goals(self, targets: Array) -> Array:
        return targets[:, None].astype(self._dtype) if self._single else targets

    def _loss_name(self) -> str:
        return "binary_cross_entropy_with_logits" if self._single else "cross_entropy"

    @property
    def _single(self) -> bool:
        """Whether one output stands for two classes."""
        return bool(self.n_outputs_ == 1 and len(self.classes_) == 2)

    def _rated(self, outputs: Array, targets: Array, weights: Array | None) -> float:
        labels = targets.reshape(len(targets))
        return float(accuracy_score(labels, self._decided(outputs), sample_weight=weights))

    def _decided(self, outputs: Array) -> Array:
        """The number of the class for each row of outputs."""
        decided: Array = (outputs[:, 0] > 0).astype(int) if self._single else outputs.argmax(axis=1)
        return decided

    def partial_fit(
        self,
        X: Any,  # noqa: N803
        y: Any,
        classes: Any = None,
        sample_weight: Any = None,
    ) -> Self:
        """Train for one epoch on these samples.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        classes : array_like, optional
            All classes that there are: the first call needs them.

        Returns
        -------
        self
        """
        return self._partial_fit(X, y, sample_weight, classes)

    def predict(self, X: Any) -> Array:  # noqa: N803
        """The label of the most probable class for each sample."""
        outputs = self._predicted(X)
        labels: Array = self.classes_[self._decided(outputs)]
        return labels

    def predict_log_proba(self, X: Any) -> Array:  # noqa: N803
        """The logarithms of `predict_proba`, exact also where a probability rounds to 0."""
        outputs = self._predicted(X)
        if self._single:  # the sigmoid of o is the softmax of (0, o)
            outputs = np.column_stack([np.zeros_like(outputs), outputs])
        logs: Array = nn.functional.log_softmax(outputs, axis=1).data
        return logs

    def predict_proba(self, X: Any) -> Array:  # noqa: N803
        """The probability of each class, of shape (N, classes), for each sample."""
        probabilities: Array = np.exp(self.predict_log_proba(X))
        return probabilities
