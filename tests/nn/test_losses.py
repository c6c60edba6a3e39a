"""Losses as modules: the same values as the functions, repr, and arguments that are checked."""

from __future__ import annotations

import numpy as np
import pytest

from tinygrad_bp import nn
from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.nn import functional

X = np.array([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]])
Y = np.eye(3)[[2, 0]]
LOSSES = {
    nn.MSELoss: functional.mse_loss,
    nn.L1Loss: functional.l1_loss,
    nn.HuberLoss: functional.huber_loss,
    nn.CrossEntropyLoss: functional.cross_entropy,
    nn.BCEWithLogitsLoss: functional.binary_cross_entropy_with_logits,
    nn.SmoothL1Loss: functional.smooth_l1_loss,
}

each = pytest.mark.parametrize("kind", LOSSES, ids=lambda kind: kind.__name__)


@each
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_a_module_computes_what_its_function_does(kind, reduction):
    expected = LOSSES[kind](X, Y, reduction=reduction).data
    np.testing.assert_array_equal(kind(reduction=reduction)(X, Y).data, expected)


@each
def test_the_repr_shows_a_reduction_that_is_not_the_mean(kind):
    assert repr(kind()) == f"{kind.__name__}()"
    assert repr(kind(reduction="sum")) == f"{kind.__name__}(reduction='sum')"


@each
def test_a_misspelt_reduction_is_refused_when_the_loss_is_made(kind):
    with pytest.raises(ArgumentError, match=f"{kind.__name__}.*'summ': did you mean 'sum'"):
        kind(reduction="summ")


def test_huber_passes_delta_on_and_refuses_one_that_is_not_positive():
    expected = functional.huber_loss(X, Y, "sum", 0.25).item()
    assert nn.HuberLoss("sum", delta=0.25)(X, Y).item() == expected
    assert repr(nn.HuberLoss("sum", 0.25)) == "HuberLoss(reduction='sum', delta=0.25)"
    with pytest.raises(ArgumentError, match="HuberLoss: delta is 0.\nFix: delta > 0"):
        nn.HuberLoss(delta=0)


def test_half_squared_error_is_half_the_sum():
    assert nn.HalfSquaredErrorLoss()(X, Y).item() == 0.5 * ((X - Y) ** 2).sum()
    assert repr(nn.HalfSquaredErrorLoss()) == "HalfSquaredErrorLoss()"


@each
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64])
def test_whole_numbers_are_compared_as_real_ones(kind, dtype):
    x, y = 1 - Y, Y
    found = kind()(x.astype(dtype), y.astype(dtype))
    assert found.dtype == float
    assert found.item() == kind()(x, y).item()
    assert nn.L1Loss()(x.astype(dtype), y.astype(np.float32)).dtype == np.float32
