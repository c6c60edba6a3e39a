"""Convolution: the three maps of one form, blocks of any size, and what lies where in memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp.ops import convolution as module
from tinygrad_bp.ops.convolution import convolution, convolution_weights, transposed_convolution

RNG = np.random.default_rng(3)
PLANE = {"stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1}


@st.composite
def forms(draw):
    """Arrays x, w, y that fit each other, along one to three axes, and the geometry."""
    axes, groups = draw(st.integers(1, 3)), draw(st.integers(1, 3))

    def several(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(axes))

    kernel, stride, dilation = several(1, 3), several(1, 3), several(1, 2)
    padding = tuple(zip(several(0, 2), several(0, 2), strict=True))
    out, rest = several(1, 3), several(0, 2)
    each = zip(out, kernel, stride, padding, dilation, rest, strict=True)
    size = tuple(
        max(1, (m - 1) * s + d * (k - 1) + 1 - sum(pad) + min(r, s - 1))
        for m, k, s, pad, d, r in each
    )
    geometry = {"stride": stride, "padding": padding, "dilation": dilation}
    out = module.out_size(size, kernel, **geometry)
    n, c, o = (draw(st.integers(1, 2)) for _ in range(3))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    shapes = (n, c * groups, *size), (o * groups, c, *kernel), (n, o * groups, *out)
    return *(rng.normal(size=shape) for shape in shapes), {**geometry, "groups": groups}


@given(forms())
def test_the_three_maps_are_the_derivatives_of_one_form(form):
    """Φ(x, w, y) is the same number, whichever of the three is left for last."""
    x, w, y, geometry = form
    value = np.sum(convolution(x, w, **geometry).data * y)
    to_input = transposed_convolution(y, w, size=x.shape[2:], **geometry).data
    to_weights = convolution_weights(x, y, kernel=w.shape[2:], **geometry).data
    np.testing.assert_allclose(np.sum(to_input * x), value, atol=1e-12)
    np.testing.assert_allclose(np.sum(to_weights * w), value, atol=1e-12)


@given(forms(), st.sampled_from([1, 7, 40, module.BLOCK]), st.sampled_from([1, 1 << 20]))
def test_blocks_of_any_size_and_rows_with_matrices_of_their_own_give_the_same(form, block, long):
    x, w, y, geometry = form

    def three():
        yield convolution(x, w, w[:, 0].reshape(len(w), -1)[:, 0], **geometry)
        yield transposed_convolution(y, w, size=x.shape[2:], **geometry)
        yield convolution_weights(x, y, kernel=w.shape[2:], **geometry)

    whole = [t.data for t in three()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        patch.setattr(module, "_LONG", long)
        for a, b in zip(whole, three(), strict=True):
            np.testing.assert_allclose(b.data, a, atol=1e-12)


def test_the_batch_lies_last_in_memory_and_stays_there():
    x = tg.Tensor(RNG.normal(size=(4, 2, 5, 5)), requires_grad=True)
    z = convolution(x, RNG.normal(size=(3, 2, 2, 2)), **PLANE)
    assert z.data.transpose(1, 2, 3, 0).flags.c_contiguous
    again = np.maximum(z, 0)
    assert again.data.strides == z.data.strides
    again.sum().backward()
    assert x.grad.data.transpose(1, 2, 3, 0).flags.c_contiguous


def test_columns_are_never_there_all_at_once():
    import tracemalloc

    x, w = np.ones((8, 4, 64, 64), np.float32), np.ones((4, 4, 5, 5), np.float32)
    tracemalloc.start()
    z = convolution(x, w, **PLANE).data
    convolution_weights(x, z, kernel=(5, 5), **PLANE)
    transposed_convolution(z, w, size=(64, 64), **PLANE)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 25 * x.nbytes > 10e6
    assert peak < 3 * (x.nbytes + z.nbytes) + 4 * module.BLOCK * 4


def test_a_batch_of_none_has_none():
    x = tg.Tensor(np.zeros((0, 1, 4, 4)), requires_grad=True)
    w = tg.Tensor(np.ones((2, 1, 3, 3)), requires_grad=True)
    z = convolution(x, w, **PLANE)
    assert z.shape == (0, 2, 2, 2)
    z.sum().backward()
    assert x.grad.shape == x.shape
    assert not w.grad.data.any()


@pytest.mark.parametrize("stride", [(1, 1), (2, 1)])
@pytest.mark.parametrize("padding", [((0, 0), (0, 0)), ((1, 2), (0, 1)), ((3, 0), (2, 2))])
@pytest.mark.parametrize("across", [1, 2])
def test_kernels_of_one_channel_each_are_those_of_several_with_zeros(stride, padding, across):
    rng = np.random.default_rng(0)
    geometry = {"stride": stride, "padding": padding, "dilation": (1, 2)}
    size = (5, 6)
    out = module.out_size(size, (2, 3), **geometry)
    y, w, b = (rng.normal(size=s) for s in ((2, 3, *out), (3, across, 2, 3), 3 * across))
    full = np.zeros((3, 3 * across, 2, 3))
    for i in range(3):
        full[i, i * across : (i + 1) * across] = w[i]
    there = transposed_convolution
    ours = there(y, w, b, size=size, groups=3, **geometry).data
    np.testing.assert_allclose(ours, there(y, full, b, size=size, groups=1, **geometry).data)
