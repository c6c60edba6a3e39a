"""`NetworkRegressor`: a network that predicts numbers, as an estimator of scikit-learn."""

from __future__ import annotations

from typing import Any, Self

from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import column_or_1d, validate_data

from tinygrad_bp.errors import ShapeError
from tinygrad_bp.sklearn.base import DTYPES, Array, NetworkEstimator, Read


class NetworkRegressor(RegressorMixin, NetworkEstimator):  # type: ignore[misc]
    """A network that predicts one number for each sample, or several.

    Parameters
    ----------
    network : NetworkSpec, dict, path, Module or callable, optional
        A declaration, also as a dict or the path of a TOML file, whose `input_shape` rows of X are
        brought to; a module, which is copied, and whose values are the first ones; or
        ``network(features, outputs, generator)``, which makes a module. By default a perceptron.
    hidden_layer_sizes : tuple of int
        Of that perceptron; ``()`` is a linear model.
    activation : str
        Of that perceptron: the name of a layer, as ``"Tanh"``.
    loss : str, Module or callable, optional
        A loss of `nn.functional` by name, or of `nn` with its options, as ``HuberLoss(delta=2)``,
        or a function ``loss(outputs, targets, reduction="mean")``, which is asked for ``"none"``
        where samples have weights. By default the squared error.
    optimizer : str or callable
        A class of `optim`, by name or itself.
    lr : float
        Its learning rate.
    optimizer_options : dict, optional
        Its other settings, as ``{"momentum": 0.9}``.
    batch_size : int or "auto"
        Samples of a step; ``"auto"`` is 200, or all where there are fewer.
    shuffle : bool
        Whether each epoch has an order of its own.
    max_iter : int
        Epochs at most.
    tol : float or None
        Training ends when the loss has not fallen by `tol` below its best for `n_iter_no_change`
        epochs. With None it does not end before `max_iter`, and nothing warns of that.
    n_iter_no_change : int
        How many epochs that is.
    early_stopping : bool
        Whether the score of samples that are set aside takes the place of the loss in this; in the
        end the network has the weights of the best epoch.
    validation_fraction : float
        The share of samples that is set aside for it.
    warm_start : bool
        Whether `fit` goes on with the network that is there.
    callbacks : iterable of callable, optional
        Each is called with the estimator after each epoch; one that returns True ends the training.
    verbose : bool
        Whether a line is printed for each epoch.
    random_state : int, RandomState or None
        Where all that is random comes from; with an int, fits repeat bit for bit.

    Attributes
    ----------
    network_ : Module
        What was trained, in eval mode.
    optimizer_ : Optimizer
        What trained it.
    n_iter_ : int
        Epochs so far.
    loss_curve_ : list of float
        The mean loss in each of them.
    validation_scores_ : list of float
        The score in each of them, with `early_stopping`.
    n_features_in_, n_outputs_ : int
        Of samples and of what is predicted.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 100)[:, None]
    >>> y = np.sin(3 * x[:, 0])
    >>> NetworkRegressor(lr=0.01, batch_size=20, random_state=0).fit(x, y).score(x, y) > 0.99
    True
    """

    def _read(self, rows: Any, y: Any, *, fresh: bool, partial: bool) -> Read:
        rows, y = validate_data(
            self, rows, y, reset=fresh, dtype=DTYPES, multi_output=True, y_numeric=True
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        outputs = 1 if y.ndim == 1 else y.shape[1]
        if fresh:
            self._flat = y.ndim == 1
        elif outputs != self.n_outputs_:
            raise ShapeError(
                f"y has the shape {y.shape}, and the network has {self.n_outputs_} outputs.\n"
                "Fix: as many columns as before, or warm_start=False."
            )
        return Read(rows, y.astype(rows.dtype, copy=False), (outputs,), None)

    def _goals(self, targets: Array) -> Array:
        columns = targets[:, None] if targets.ndim == 1 else targets
        return columns.astype(self._dtype, copy=False)

    def _loss_name(self) -> str:
        return "mse_loss"

    def _rated(self, outputs: Array, targets: Array, weights: Array | None) -> float:
        return float(r2_score(targets, outputs, sample_weight=weights))

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803
        """Train for one epoch on these samples; the arguments are those of `fit`."""
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: Any) -> Array:  # noqa: N803
        """The numbers for samples: of shape (N,), or (N, outputs) if `fit` was given such a y."""
        outputs = self._predicted(X)
        return outputs[:, 0] if self._flat else outputs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
