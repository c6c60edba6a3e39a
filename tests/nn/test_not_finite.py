"""What is not finite reaches what depends on it, and nothing else: outputs and gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.nn import functional as F  # noqa: N812
from tinygrad_bp.testing import check_gradients

#: Linear maps of an image, of a line and of columns, and the shapes that they are for.
IMAGE, LINE, COLUMNS = (1, 2, 3, 4), (1, 2, 5), (1, 8, 6)
MAPS = {
    "means": (lambda x: F.adaptive_avg_pool2d(x, (2, 3)), IMAGE),
    "more means than elements": (lambda x: F.adaptive_avg_pool1d(x, 7), LINE),
    "between two elements": (lambda x: F.interpolate(x, (2, 3), mode="bilinear"), IMAGE),
    "fewer elements": (lambda x: F.interpolate(x, 2, mode="linear"), LINE),
    "nearest": (lambda x: F.interpolate(x, (4, 3)), IMAGE),
    "nearest-exact": (lambda x: F.interpolate(x, 8, mode="nearest-exact"), LINE),
    "blocks": (lambda x: F.interpolate(x, scale_factor=2), IMAGE),
    "as long as before": (lambda x: F.interpolate(x, 5, mode="linear"), LINE),
    "unfold": (lambda x: F.unfold(x, 2, padding=1, stride=2), IMAGE),
    "fold": (lambda x: F.fold(x, (3, 4), 2), COLUMNS),
    "fold of single elements": (lambda x: F.fold(x, (5, 3), 1, padding=0, stride=2), COLUMNS),
}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", MAPS)
def test_each_element_reaches_what_depends_on_it(name, value):
    function, shape = MAPS[name]
    n = math.prod(shape)
    units = np.eye(n).reshape(n, *shape)
    depends = np.array([function(unit).data.ravel() != 0 for unit in units])
    x = np.random.default_rng(3).normal(size=shape)
    for i in range(n):
        with_it, without = np.where(units[i], value, x), np.where(units[i], 0, x)
        expected = np.where(depends[i], value, function(without).data.ravel())
        np.testing.assert_allclose(function(with_it).data.ravel(), expected, atol=1e-14)
    out = function(x).shape
    for k in range(0, math.prod(out), 3):
        g = np.random.default_rng(4).normal(size=out)
        g.flat[k] = value
        leaf = tg.Tensor(x, requires_grad=True)
        function(leaf).backward(g)
        reached = ~np.isfinite(leaf.grad.data.ravel())
        np.testing.assert_array_equal(reached, depends[:, k])


def test_means_of_windows_that_hold_many_such():
    rng = np.random.default_rng(5)
    for m in range(1, 9):
        x = rng.choice([np.nan, np.inf, -np.inf, *np.arange(9.0)], size=9)
        windows = [x[i * 9 // m : -(-(i + 1) * 9 // m)] for i in range(m)]
        with np.errstate(invalid="ignore"):
            expected = [window.sum() / len(window) for window in windows]
        z = F.adaptive_avg_pool1d(x[None, None], m).data[0, 0]
        np.testing.assert_allclose(z, expected, atol=1e-14)


@pytest.mark.parametrize(
    ("size", "at", "expected"),
    [
        (5, 2, [0, 2, np.nan, np.nan, np.nan]),  # the third is 1 · x_1 + 0 · x_2
        (5, 0, [np.nan, np.nan, 4, 3, 2]),
        (3, 1, [0, np.nan, 2]),  # a copy
    ],
)
def test_a_neighbour_at_a_distance_of_zero_counts(size, at, expected):
    x = np.array([[[0.0, 4.0, 2.0]]])
    x[..., at] = np.nan
    z = F.interpolate(x, size, mode="linear", align_corners=True)
    np.testing.assert_array_equal(z.data[0, 0], expected)


def test_single_precision_is_kept():
    x = np.array([[[np.nan, 1.0, 2.0]]], np.float32)
    z = F.interpolate(x, 6, mode="linear")
    assert z.dtype == np.float32
    assert np.isfinite(z.data[0, 0, 3:]).all()


@pytest.mark.parametrize("name", MAPS)
def test_gradients_are_the_derivatives(name):
    function, shape = MAPS[name]
    x = np.random.default_rng(6).normal(size=shape)
    check_gradients(lambda t: function(t) ** 2, x, order=2)
