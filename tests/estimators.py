"""Estimators and samples that the tests of `tinygrad_bp.sklearn` share."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.sklearn import NetworkClassifier, NetworkRegressor

BOTH = (NetworkClassifier, NetworkRegressor)

X = np.random.default_rng(0).normal(size=(60, 4))
LABELS = np.array(["a", "b", "c"])[(X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)]
NUMBERS = X @ [1.0, -2.0, 0.5, 0.0] + np.sin(X[:, 1])
PAIRS = np.stack([NUMBERS, -NUMBERS + X[:, 2]], axis=1)
LINEAR = {"input_shape": [4], "dtype": "float64", "layers": [{"type": "Linear", "out_features": 3}]}

TWO_INPUTS = {
    "input_shape": {"u": [2], "v": [2]},
    "layers": [{"type": "Bilinear", "out_features": 1, "inputs": ["u", "v"]}],
}


def classifier(network=None, **settings) -> NetworkClassifier:
    return NetworkClassifier(network, **{"tol": None, "max_iter": 5, "random_state": 0, **settings})


def regressor(network=None, **settings) -> NetworkRegressor:
    return NetworkRegressor(network, **{"tol": None, "max_iter": 5, "random_state": 0, **settings})


def values(estimator) -> list[np.ndarray]:
    return list(estimator.network_.state_dict().values())


def same(one, other) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(values(one), values(other), strict=True))
