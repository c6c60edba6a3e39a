"""Layers of pooling beside windows taken one by one, in specs, and what they say of wrong use."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn import NetworkSpec
from tinygrad_bp.nn import functional as F  # noqa: N812
from tinygrad_bp.testing import check_gradients

RNG = np.random.default_rng(17)


def windows(n, kernel, stride, padding, dilation, ceil_mode):
    """The places of each window along an axis, those in the padding too, and where they count."""
    found, start, span = [], -padding, dilation * (kernel - 1) + 1
    while True:
        end = start + span
        over = end > n + padding
        if over and not (ceil_mode and start < n and end - (n + padding) < stride):
            return found
        if start < n + padding:
            found.append([start + dilation * i for i in range(kernel)])
        start += stride


@st.composite
def arguments(draw):
    axes = draw(st.integers(1, 2))

    def several(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(axes))

    kernel, stride, dilation = several(1, 3), several(1, 4), several(1, 2)
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    each = zip(kernel, dilation, several(0, 3), strict=True)
    size = [d * (k - 1) + 1 + more for k, d, more in each]
    x = np.random.default_rng(draw(st.integers(0, 99))).integers(-9, 9, (1, 2, *size))
    return axes, kernel, stride, padding, dilation, draw(st.booleans()), x.astype(float)


def by_windows(x, geometry, reduce):
    """`reduce` of the places of each window, a pair of lists of places along the axes."""
    each = [windows(n, *g) for n, g in zip(x.shape[2:], geometry, strict=True)]
    z = np.zeros((*x.shape[:2], *map(len, each)))
    for p in np.ndindex(*z.shape[2:]):
        z[(..., *p)] = reduce([w[i] for w, i in zip(each, p, strict=True)])
    return z


@given(arguments())
def test_max_pooling_takes_the_largest_of_each_window_and_says_where(drawn):
    axes, kernel, stride, padding, dilation, ceil_mode, x = drawn
    geometry = list(zip(kernel, stride, padding, dilation, (ceil_mode,) * axes, strict=True))

    def largest(places):
        kept = [[i for i in ps if 0 <= i < n] for ps, n in zip(places, x.shape[2:], strict=True)]
        return x[(..., *np.ix_(*kept))].max(axis=tuple(range(2, x.ndim)))

    pool = getattr(F, f"max_pool{axes}d")
    z, at = pool(x, kernel, stride, padding, dilation, ceil_mode, True)
    np.testing.assert_array_equal(z.data, by_windows(x, geometry, largest))
    flat = x.reshape(2, -1)
    taken = np.take_along_axis(flat, at.data.reshape(2, -1), 1)
    np.testing.assert_array_equal(taken, z.data.reshape(2, -1))


@given(arguments(), st.booleans())
def test_average_pooling_divides_by_the_elements_that_count(drawn, count_include_pad):
    axes, kernel, stride, padding, _, ceil_mode, x = drawn
    geometry = list(zip(kernel, stride, padding, (1,) * axes, (ceil_mode,) * axes, strict=True))

    def mean(places):
        kept = [[i for i in ps if 0 <= i < n] for ps, n in zip(places, x.shape[2:], strict=True)]
        around = padding if count_include_pad else (0,) * axes
        counts = [
            sum(-q <= i < n + q for i in ps)
            for ps, n, q in zip(places, x.shape[2:], around, strict=True)
        ]
        total = x[(..., *np.ix_(*kept))].sum(axis=tuple(range(2, x.ndim)))
        return total / math.prod(counts)

    pool = getattr(F, f"avg_pool{axes}d")
    z = pool(x, kernel, stride, padding, ceil_mode, count_include_pad)
    np.testing.assert_allclose(z.data, by_windows(x, geometry, mean), atol=1e-12)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_adaptive_windows_go_from_the_floor_to_the_ceiling(n, m, seed):
    x = np.random.default_rng(seed).normal(size=(1, 1, n))
    bounds = [(math.floor(i * n / m), math.ceil((i + 1) * n / m)) for i in range(m)]
    means = [x[0, 0, a:b].mean() for a, b in bounds]
    largest = [x[0, 0, a:b].max() for a, b in bounds]
    np.testing.assert_allclose(F.adaptive_avg_pool1d(x, m).data[0, 0], means, atol=1e-14)
    z, at = F.adaptive_max_pool1d(x, m, return_indices=True)
    np.testing.assert_array_equal(z.data[0, 0], largest)
    np.testing.assert_array_equal(x[0, 0][at.data[0, 0]], largest)


def test_of_those_that_tie_in_an_adaptive_window_the_first_has_the_gradient():
    x = tg.Tensor(np.zeros((1, 1, 3, 5)), requires_grad=True)
    F.adaptive_max_pool2d(x, 2).sum().backward()
    expected = np.zeros((3, 5))
    expected[[0, 0, 1, 1], [0, 2, 0, 2]] = 1  # the corners of rows 0-1, 1-2 and columns 0-2, 2-4
    np.testing.assert_array_equal(x.grad.data[0, 0], expected)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.max_pool2d(x, 2, 1, 1, (1, 2)),
        lambda x: F.avg_pool2d(x, 2, 1, 1, count_include_pad=False),
        lambda x: F.adaptive_avg_pool2d(x, (2, 3)),
        lambda x: F.adaptive_max_pool2d(x, (2, None)),
        lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2),
        lambda x: F.max_pool3d(x[None], (1, 2, 2)),
        lambda x: F.avg_pool3d(x[None], (1, 2, 2), divisor_override=3),
    ],
)
def test_gradients_are_the_derivatives(function):
    x = RNG.permutation(32).reshape(2, 4, 4) / 4.0
    check_gradients(lambda t: function(t) ** 2, x[None], order=2)


def test_what_several_windows_took_is_put_back_once():
    x = tg.Tensor([[[0.0, 5.0, 1.0]]], requires_grad=True)
    z, at = F.max_pool1d(x, 2, 1, return_indices=True)
    back = F.max_unpool1d(z, at, 2, 1)
    np.testing.assert_array_equal(back.data, x.data * [0, 1, 0])
    back.sum().backward()
    np.testing.assert_array_equal(x.grad.data, [[[0, 1, 0]]])


def test_a_sample_without_the_batch_axis():
    x = RNG.normal(size=(1, 2, 4, 6))
    layers = [tg.nn.MaxPool2d(2), tg.nn.AvgPool2d(2), tg.nn.AdaptiveAvgPool2d(3)]
    for layer in [*layers, tg.nn.AdaptiveMaxPool2d((2, 4))]:
        np.testing.assert_array_equal(layer(x[0]).data, layer(x).data[0])
    pool, back = tg.nn.MaxPool2d(2, return_indices=True), tg.nn.MaxUnpool2d(2)
    np.testing.assert_array_equal(back(*pool(x[0])).data, back(*pool(x)).data[0])


def test_specs_tell_of_pooling():
    layers = [
        {"type": "MaxPool2d", "kernel_size": [2, 3], "stride": 2, "padding": 1},
        {"type": "AvgPool2d", "kernel_size": 2, "ceil_mode": True, "divisor_override": 3},
        {"type": "AdaptiveAvgPool2d", "output_size": 2},
        {"type": "AdaptiveMaxPool2d", "output_size": [1, 2]},
    ]
    spec = NetworkSpec((3, 16, 17), layers)
    model = spec.build()
    assert [s.shape for s in spec.shapes()] == [(3, 9, 9), (3, 5, 5), (3, 2, 2), (3, 1, 2)]
    assert NetworkSpec.from_module(model, input_shape=(3, 16, 17)) == spec
    assert repr(model[1]) == "AvgPool2d(2, ceil_mode=True, divisor_override=3)"
    assert repr(tg.nn.AdaptiveMaxPool1d(2)) == "AdaptiveMaxPool1d(2)"


X = np.zeros((2, 3, 8, 8))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: tg.nn.MaxPool2d(2, padding=2)(X), ArgumentError, "more than half of the kernel"),
        (lambda: tg.nn.MaxPool2d(0), ArgumentError, "kernel_size is a whole number of 1 or more"),
        (lambda: tg.nn.AvgPool2d(2, stride=0), ArgumentError, "stride is a whole number of 1"),
        (lambda: tg.nn.MaxPool2d(2, dilation=0), ArgumentError, "dilation is a whole number"),
        (lambda: F.avg_pool2d(X, 2, divisor_override=0), ArgumentError, "divisor_override is a"),
        (lambda: tg.nn.MaxPool2d(9)(X), ShapeError, r"a window of \(9, 9\) does not fit into the"),
        (
            lambda: tg.nn.MaxPool1d(2)(X),
            ShapeError,
            r"in MaxPool1d \(max_pool1d\): input \(2, 3, 8, 8\), expected \(N, C, L\)",
        ),
        (lambda: tg.nn.AdaptiveAvgPool2d((1, 2, 3))(X), ArgumentError, "output_size is a whole"),
        (lambda: tg.nn.AdaptiveAvgPool2d(0)(X), ArgumentError, "output_size is a whole number"),
        (
            lambda: F.max_unpool2d(X, np.full(X.shape, 256), 2),
            ShapeError,
            r"do not lie in an output of \(16, 16\)",
        ),
        (lambda: F.max_unpool2d(X, np.zeros(3, int), 2), ShapeError, r"indices of shape \(3,\)"),
        (lambda: F.max_unpool2d(X, np.zeros(X.shape), 2), ShapeError, "return_indices=True"),
    ],
)
def test_wrong_use(call, error, words):
    with pytest.raises(error, match=words):
        call()
