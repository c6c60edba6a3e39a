"""Normalisation: both ways of the rules agree, and long sums keep their digits."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.ops import channels, normalisation
from tinygrad_bp.ops.geometry import batch_first, batch_last


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("shape", [(5, 3), (4, 3, 1), (2, 3, 4, 5), (3, 1, 7)])
@pytest.mark.parametrize("kind", ["batch", "layer", "two axes", "groups"])
def test_on_arrays_the_rules_are_what_they_are_on_tensors(kind, shape, count):
    rng = np.random.default_rng(len(shape))
    if kind == "two axes" and len(shape) < 3:
        shape = (2, *shape)
    axes = {"layer": 1, "two axes": 2}.get(kind)
    vector = shape[1:2] if axes is None else shape[-axes:]
    values = [rng.normal(size=s) for s in (shape, vector, vector)[:count]]
    v, gradients = rng.normal(size=shape), []
    for create_graph in (False, True):
        leaves = [tg.Tensor(x, requires_grad=True) for x in values]
        if kind == "groups":
            out = normalisation.group_norm(*leaves, groups=3 if shape[1] == 3 else 1, eps=1e-3)
        elif axes is None:
            out = normalisation.batch_norm(*leaves, eps=1e-3)
        else:
            out = normalisation.layer_norm(*leaves, axes=axes, eps=1e-3)
        out.backward(v, create_graph=create_graph)
        gradients.append([leaf.grad.data for leaf in leaves])
    for on_arrays, on_tensors in zip(*gradients, strict=True):
        np.testing.assert_allclose(on_arrays, on_tensors, rtol=1e-9, atol=1e-11)


def test_the_mean_of_many_samples_keeps_its_digits_in_float32():
    x = np.random.default_rng(0).normal(1000, 1, size=(100_000, 3)).astype(np.float32)
    mean, variance = normalisation.channel_moments(x)
    assert mean.dtype == np.float32
    np.testing.assert_allclose(mean, x.mean(axis=0, dtype=float), rtol=3e-7)
    np.testing.assert_allclose(variance, x.var(axis=0, dtype=float), rtol=1e-5)


def test_channels_lie_side_by_side_whatever_their_length():
    for shape in ((4, 3), (4, 3, 1), (4, 3, 2, 5), (0, 3, 2)):
        columns = channels.Columns(shape)
        x = np.random.default_rng(0).normal(size=shape)
        rows = columns.rows(x)
        assert rows.shape == (shape[0], x[:1].size if shape[0] else 6)
        axes = (0, *range(2, len(shape)))
        np.testing.assert_allclose(columns.sums(rows), x.sum(axis=axes), atol=1e-14)
        np.testing.assert_allclose(columns.products(rows, rows), (x * x).sum(axis=axes))
        spread = columns.spread(np.arange(3.0)).reshape(shape[1:])
        assert (np.moveaxis(spread, 0, -1) == np.arange(3.0)).all()


def test_what_comes_out_is_no_view_of_what_is_saved():
    x = tg.Tensor(np.random.default_rng(0).normal(size=(3, 4)), requires_grad=True)
    out = normalisation.layer_norm(x, axes=1, eps=1e-5)
    assert not np.shares_memory(out.data, out.node.saved)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (1, 2, 3, 0), (0, 2, 3, 1)])
def test_groups_are_computed_in_blocks_wherever_the_batch_axis_lies(monkeypatch, order):
    """First, or last, as behind a convolution, where it stays, or neither."""

    def computed(order):
        x = values[0].transpose(order).copy().transpose(np.argsort(order))
        leaves = [tg.Tensor(v, requires_grad=True) for v in (x, *values[1:])]
        out = normalisation.group_norm(*leaves, groups=2, eps=1e-3)
        out.backward(np.cos(out.data))
        if order[-1] == 0:
            assert out.data.strides[0] == leaves[0].grad.data.strides[0] == out.data.itemsize
        return [out.data, *(leaf.grad.data for leaf in leaves)]

    rng = np.random.default_rng(0)
    values = [rng.normal(size=s) for s in ((5, 4, 3, 2), (4,), (4,))]
    at_once = computed((0, 1, 2, 3))
    for elements in (channels._ELEMENTS, 60, 48):  # all, one group of two, two samples of five
        monkeypatch.setattr(channels, "_ELEMENTS", elements)
        for a, b in zip(at_once, computed(order), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)


def test_rows_of_a_large_batch_are_computed_in_blocks(monkeypatch):
    def computed():
        leaves = [tg.Tensor(v, requires_grad=True) for v in values]
        out = normalisation.layer_norm(*leaves, axes=1, eps=1e-3)
        out.backward(np.cos(out.data))
        return [out.data, *(leaf.grad.data for leaf in leaves)]

    rng = np.random.default_rng(0)
    values = [rng.normal(size=s) for s in ((5, 3, 4), (4,), (4,))]
    at_once = computed()
    monkeypatch.setattr(channels, "_ELEMENTS", 16)  # four rows of fifteen
    for a, b in zip(at_once, computed(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize("last", [False, True])
def test_groups_keep_their_digits_in_float32(last):
    x = np.random.default_rng(0).normal(100, 1, size=(8, 4, 96, 96)).astype(np.float32)
    expected = normalisation.group_norm(x.astype(float), groups=1, eps=0.0).data
    found = normalisation.group_norm(batch_first(batch_last(x)) if last else x, groups=1, eps=0.0)
    np.testing.assert_allclose(found.data, expected, atol=1e-4)


def test_the_buffers_of_numpy_are_as_long_as_before():
    long = np.getbufsize()
    normalisation.group_norm(np.ones((2, 4, 1 << 13)), groups=2, eps=1.0)
    assert np.getbufsize() == long


@pytest.mark.parametrize(
    ("primitive", "params"),
    [
        (normalisation.batch_norm, {"eps": 1e-3}),
        (normalisation.layer_norm, {"axes": 1, "eps": 1e-3}),
        (normalisation.group_norm, {"groups": 2, "eps": 1e-3}),
    ],
    ids=lambda part: getattr(part, "name", ""),
)
def test_the_complex_step_gives_the_slope_that_the_rules_give(primitive, params):
    rng = np.random.default_rng(0)
    x, way, weight = rng.normal(size=(3, 4, 5)), rng.normal(size=(3, 4, 5)), np.arange(1.0, 5 + 1)
    weight = weight if primitive is normalisation.layer_norm else weight[:4]
    bias, g = np.zeros_like(weight), rng.normal(size=x.shape)
    stepped = primitive.value(x + 1e-30j * way, weight, bias, **params).imag / 1e-30
    t = tg.Tensor(x, requires_grad=True)
    primitive(t, weight, bias, **params).backward(g)
    assert np.vdot(g, stepped) == pytest.approx(np.vdot(t.grad.data, way), rel=1e-12)
