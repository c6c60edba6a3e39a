"""Layers of convolution beside loops over windows, in specs, and what they say of wrong use."""

from __future__ import annotations

import itertools
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, ShapeError, SpecError
from tinygrad_bp.nn import NetworkSpec, Sequential
from tinygrad_bp.nn import functional as F  # noqa: N812
from tinygrad_bp.testing import check_gradients

RNG = np.random.default_rng(11)
LAYERS = {n: getattr(tg.nn, f"Conv{n}d") for n in (1, 2, 3)}
TRANSPOSED = {n: getattr(tg.nn, f"ConvTranspose{n}d") for n in (1, 2, 3)}


def by_loops(x, w, b, stride, padding, dilation, groups):
    """The sum of the definition, element by element; what lies outside of x is 0."""
    n, _, *size = x.shape
    o, across, *kernel = w.shape
    each = zip(size, kernel, stride, padding, dilation, strict=True)
    out = [(m + 2 * q - d * (k - 1) - 1) // s + 1 for m, k, s, q, d in each]
    z = np.zeros((n, o, *out))
    for i, j in itertools.product(range(n), range(o)):
        for p in np.ndindex(*out):
            total = b[j]
            for c in range(across):
                for k in np.ndindex(*kernel):
                    steps = zip(p, k, stride, padding, dilation, strict=True)
                    at = tuple(a * s + e * d - q for a, e, s, q, d in steps)
                    if all(0 <= a < m for a, m in zip(at, size, strict=True)):
                        channel = j // (o // groups) * across + c
                        total += w[(j, c, *k)] * x[(i, channel, *at)]
            z[(i, j, *p)] = total
    return z


@st.composite
def layers(draw):
    """Arguments of a convolution, along one or two axes, and an input for it."""
    axes, groups = draw(st.integers(1, 2)), draw(st.integers(1, 2))

    def several(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(axes))

    kernel, dilation = several(1, 3), several(1, 2)
    options = {"stride": several(1, 3), "padding": several(0, 2), "dilation": dilation}
    options["groups"] = groups
    size = [
        d * (k - 1) + 1 + more for k, d, more in zip(kernel, dilation, several(0, 2), strict=True)
    ]
    c, o = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    x = np.random.default_rng(draw(st.integers(0, 99))).normal(size=(2, c, *size))
    return axes, (c, o, kernel), options, x


@given(layers())
def test_a_convolution_is_the_sum_of_its_definition(layer):
    axes, sizes, options, x = layer
    conv = LAYERS[axes](*sizes, **options, dtype=float, generator=0)
    expected = by_loops(x, conv.weight.data, conv.bias.data, **options)
    np.testing.assert_allclose(conv(x).data, expected, atol=1e-12)


@given(layers())
def test_a_transposed_convolution_is_the_transpose_of_the_convolution(layer):
    """<conv(x), y> = <x, transposed(y)>, with the same weights, at any size of x."""
    axes, (c, o, kernel), options, x = layer
    weight = RNG.normal(size=(o, c // options["groups"], *kernel))
    convolve, back = (
        (F.conv1d, F.conv_transpose1d),
        (F.conv2d, F.conv_transpose2d),
    )[axes - 1]
    z = convolve(x, weight, **options)
    y = RNG.normal(size=z.shape)
    arguments = (options["stride"], options["padding"], kernel, options["dilation"])
    more = tuple(
        n - ((m - 1) * s - 2 * q + d * (k - 1) + 1)
        for n, m, s, q, k, d in zip(x.shape[2:], z.shape[2:], *arguments, strict=True)
    )
    carried = back(y, weight, **options, output_padding=more).data
    np.testing.assert_allclose(np.sum(z.data * y), np.sum(x * carried), atol=1e-12)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_gradients_of_input_weight_and_bias_are_the_derivatives(axes):
    conv, back = f"conv{axes}d", f"conv_transpose{axes}d"
    x, b = RNG.normal(size=(2, 2, *(3,) * axes)), RNG.normal(size=2)
    w = RNG.normal(size=(2, 2, *(2,) * axes))
    for name, options in ((conv, {"padding": "same"}), (back, {"stride": 2, "padding": 1})):
        check_gradients(
            lambda x, w, b, name=name, options=options: getattr(F, name)(x, w, b, **options),
            x, w, b, order=2,
        )  # fmt: skip


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_what_is_put_around_the_input(mode):
    numpy_mode = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode]
    conv = tg.nn.Conv2d(2, 3, (3, 2), padding="same", padding_mode=mode, dtype=float, generator=0)
    x = RNG.normal(size=(2, 2, 4, 5))
    wide = np.pad(x, ((0, 0), (0, 0), (1, 1), (0, 1)), numpy_mode)
    np.testing.assert_allclose(conv(x).data, F.conv2d(wide, conv.weight, conv.bias).data)
    np.testing.assert_allclose(conv(x[0]).data, conv(x).data[0])


def test_a_sample_without_the_batch_axis():
    for axes in (1, 2, 3):
        for layer in (LAYERS[axes](2, 4, 2, generator=0), TRANSPOSED[axes](2, 4, 2, generator=0)):
            x = RNG.normal(size=(1, 2, *(3,) * axes)).astype(np.float32)
            np.testing.assert_array_equal(layer(x[0]).data, layer(x).data[0])


def test_names_shapes_dtypes_and_first_values_are_those_of_the_field():
    conv = tg.nn.Conv2d(32, 64, (3, 5), groups=2, generator=0)
    assert {n: (p.shape, p.dtype) for n, p in conv.named_parameters()} == {
        "weight": ((64, 16, 3, 5), np.float32),
        "bias": ((64,), np.float32),
    }
    back = tg.nn.ConvTranspose2d(32, 64, (3, 5), groups=2, bias=False, generator=0)
    assert {n: p.shape for n, p in back.named_parameters()} == {"weight": (32, 32, 3, 5)}
    for p in (conv.weight, back.weight):
        bound = 1 / math.sqrt(math.prod(p.shape[1:]))
        assert 0.99 * bound < np.abs(p.data).max() <= np.float32(bound)
        assert p.data.std() == pytest.approx(bound / math.sqrt(3), rel=0.05)
    assert conv(np.zeros((1, 32, 5, 5), np.float32)).dtype == np.float32


def test_initializers():
    conv = tg.nn.Conv1d(1, 2, 3, weight_init={"name": "constant", "value": 2}, bias_init="ones")
    np.testing.assert_array_equal(conv(np.ones((1, 1, 3))).data, np.full((1, 2, 1), 7.0))


def test_the_size_of_the_output_in_place_of_its_padding():
    up = tg.nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1)
    x = np.zeros((1, 3, 4, 4), np.float32)
    assert up(x, output_size=(8, 7)).shape == (1, 2, 8, 7)
    assert up(x, output_size=(1, 2, 8, 7)).shape == (1, 2, 8, 7)
    with pytest.raises(
        ShapeError, match=r"lies between \(7, 7\) and \(8, 8\), and is not \(9, 7\)"
    ):
        up(x, output_size=(9, 7))


def test_specs_infer_the_channels_and_are_told_by_the_module_again():
    layers = [
        {"type": "Conv2d", "out_channels": 4, "kernel_size": [3, 5], "padding": "same"},
        {"type": "MaxPool2d", "kernel_size": 2},
        {"type": "Conv2d", "out_channels": 8, "kernel_size": 3, "groups": 4, "bias": False,
         "padding": 2, "padding_mode": "circular", "dilation": [1, 2], "stride": 2},
        {"type": "ConvTranspose2d", "out_channels": 3, "kernel_size": 4, "stride": 2,
         "output_padding": [0, 1], "weight_init": {"name": "normal", "std": 0.02}},
        {"type": "Unfold", "kernel_size": 2},
    ]  # fmt: skip
    spec = NetworkSpec((1, 12, 12), layers, dtype="float64")
    model = spec.build(0)
    assert [tuple(p.shape) for p in model.parameters()] == [
        (4, 1, 3, 5), (4,), (8, 1, 3, 3), (8, 3, 4, 4), (3,),
    ]  # fmt: skip
    assert NetworkSpec.from_module(model, input_shape=(1, 12, 12)) == spec
    assert {p.dtype for p in model.parameters()} == {np.dtype(float)}
    copy = pickle.loads(pickle.dumps(model))
    x = RNG.normal(size=(2, 1, 12, 12))
    np.testing.assert_array_equal(copy(x).data, model(x).data)
    assert repr(model[0]) == "Conv2d(1, 4, [3, 5], padding='same')"


def test_a_spec_says_where_channels_are_missing():
    layers = [{"type": "Conv2d", "out_channels": 4, "kernel_size": 3}]
    with pytest.raises(SpecError, match=r"after an input of shape \(28, 28\)") as caught:
        NetworkSpec((28, 28), layers).build()
    assert "the input (1, 28, 28), a sample, has 1 channels" in str(caught.value)
    assert "a spec has it in its input_shape, as [1, 28, 28]" in str(caught.value)


X = np.zeros((2, 3, 8, 8), np.float32)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: Sequential(tg.nn.Conv2d(1, 6, 5))(X),
            r"in Sequential\.0 \(conv2d\): the input \(2, 3, 8, 8\) has 3 channels, and the "
            r"weights \(6, 1, 5, 5\) with groups=1 are for 1\.\nFix: make the layer for 3 ch",
        ),
        (
            lambda: F.conv2d(X, np.zeros((6, 1, 5, 5))),
            r"conv2d at test_convolution\.py:\d+: the input",
        ),
        (
            lambda: tg.nn.Conv2d(3, 6, 9)(X),
            r"a kernel of \(9, 9\) does not fit into the input \(2, 3, 8, 8\): the output would be "
            r"\(0, 0\) long\.\nFix: a smaller kernel or dilation, or more padding\.",
        ),
        (lambda: tg.nn.Conv2d(3, 6, 3)(X[0, 0]), r"input \(8, 8\), expected \(N, C, H, W\) or one"),
        (lambda: tg.nn.Conv1d(8, 6, 3)(X), r"input \(2, 3, 8, 8\), expected \(N, C, L\) or one"),
        (lambda: F.conv2d(X, np.zeros((5, 1, 3, 3)), groups=3), "the first of them a multiple"),
        (lambda: F.conv2d(X, np.zeros((5, 3, 3))), "weights of shape .5, 3, 3. .* have 4 axes"),
        (lambda: F.conv2d(X, np.zeros((5, 3, 3, 3)), 1.0), r"a bias of shape \(\) for 5"),
        (
            lambda: F.conv_transpose2d(X, np.zeros((3, 2, 3, 3)), np.zeros(3)),
            r"a bias of shape \(3,\) for 2 channels of the output\.\nFix: one of shape \(2,\)\.",
        ),
        (lambda: F.conv2d(X, np.zeros((5, 3, 0, 3))), r"weights of shape \(5, 3, 0, 3\)"),
        (
            lambda: tg.nn.ConvTranspose2d(3, 1, 2, padding=5)(X[:, :, :2, :2]),
            r"a padding of \(5, 5\) does not fit into the input \(2, 3, 2, 2\)",
        ),
        (lambda: F.fold(np.zeros((1, 4, 3)), 3, 2), r"images of \(3, 3\) have \(2, 2\) windows"),
        (lambda: F.fold(np.zeros((1, 5, 4)), 3, 2), r"expected \(N, C · 4, 4\)"),
    ],
)
def test_shapes_that_do_not_fit(call, words):
    with pytest.raises(ShapeError, match=words) as caught:
        call()
    assert "Fix: " in str(caught.value)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: tg.nn.Conv2d(0, 6, 5), "in_channels is a positive integer, not 0"),
        (lambda: tg.nn.Conv2d(3, 6, 0), "kernel_size is a whole number of 1 or more, or 2 of them"),
        (lambda: tg.nn.Conv2d(3, 6, (3, 3, 3)), r"or 2 of them, not \(3, 3, 3\)"),
        (lambda: tg.nn.Conv2d(3, 6, 3, stride=1.5), r"stride is a whole number .* not 1\.5"),
        (lambda: tg.nn.Conv2d(3, 6, 3, padding=-1), "padding is a whole number of 0 or more"),
        (lambda: tg.nn.Conv2d(3, 6, 3, dilation=True), "dilation is a whole number"),
        (lambda: tg.nn.Conv2d(3, 6, 3, groups=2), "in_channels = 3 is no multiple of groups = 2"),
        (lambda: tg.nn.Conv2d(4, 6, 3, groups=4), "out_channels = 6 is no multiple of groups = 4"),
        (lambda: tg.nn.Conv2d(3, 6, 3, 2, "same"), "with stride .2, 2., but 'same' needs a stride"),
        (lambda: tg.nn.Conv2d(3, 6, 3, padding="full"), "padding='full'.\nFix: a number, or one"),
        (lambda: tg.nn.Conv2d(3, 6, 3, padding_mode="zero"), "did you mean 'zeros'"),
        (lambda: tg.nn.ConvTranspose2d(3, 6, 3, padding_mode="reflect"), "has no padding_mode"),
        (
            lambda: tg.nn.ConvTranspose2d(3, 6, 3, stride=2, output_padding=2)(X),
            r"output_padding \(2, 2\) is not smaller than the stride \(2, 2\) or the dilation",
        ),
    ],
)
def test_arguments_that_make_no_sense(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()


def test_columns_are_the_windows_and_add_up_again():
    x = RNG.normal(size=(2, 3, 5, 6))
    columns = F.unfold(x, (2, 3), stride=(1, 2)).data
    for p, (i, j) in enumerate(itertools.product(range(4), range(2))):
        window = x[:, :, i : i + 2, 2 * j : 2 * j + 3]
        np.testing.assert_array_equal(columns[:, :, p], window.reshape(2, -1))
    counts = F.fold(F.unfold(np.ones((1, 1, 5, 6)), 2), (5, 6), 2).data
    edge = np.array([1.0, 2.0, 2.0, 2.0, 2.0, 1.0])
    np.testing.assert_array_equal(counts[0, 0], np.outer(np.delete(edge, 2), edge))


def test_a_picture_shows_a_layer_as_one_box_that_opens():
    model = Sequential(tg.nn.Conv2d(1, 2, 3), tg.nn.ReLU())
    out = model(tg.Tensor(np.ones((1, 1, 4, 4), np.float32), requires_grad=True))
    assert out.node.x.primitive.name == "convolution"
    assert [type(m).__name__ for m in out.node.x.mode.modules()] == ["Sequential", "Conv2d"]


def test_what_is_not_finite_stays_in_the_windows_that_hold_it():
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    x[0, 0, 2, 2], x[0, 0, 0, 0] = np.nan, -np.inf
    columns = F.unfold(x, 2).data[0]
    np.testing.assert_array_equal(columns[:, 0], [-np.inf, 1, 3, 4])
    np.testing.assert_array_equal(columns[:, 1], [1, 2, 4, 5])
    np.testing.assert_array_equal(columns[:, 3], [4, 5, 7, np.nan])
