from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn import (
    Dropout,
    Flatten,
    Identity,
    Lambda,
    Linear,
    Module,
    ReLU,
    Sequential,
    Unflatten,
)
from tinygrad_bp.testing import check_gradients

RNG = np.random.default_rng(5)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 4, 3), (0, 3)])
def test_linear_is_x_w_transposed_plus_b(bias, shape):
    layer = Linear(3, 2, bias, dtype=np.float64, generator=0)
    x = RNG.normal(size=shape)
    expected = x @ layer.weight.data.T + (layer.bias.data if bias else 0)
    y = layer(x)
    assert y.shape == (*shape[:-1], 2)
    np.testing.assert_allclose(y.data, expected, rtol=1e-14)


def test_the_gradients_of_linear_are_those_derived_by_hand():
    layer = Linear(3, 2, dtype=np.float64, generator=0)
    x = tg.Tensor(RNG.normal(size=(5, 3)), requires_grad=True)
    g = RNG.normal(size=(5, 2))
    layer(x).backward(g)
    np.testing.assert_allclose(layer.weight.grad.data, g.T @ x.data)
    np.testing.assert_allclose(layer.bias.grad.data, g.sum(axis=0))
    np.testing.assert_allclose(x.grad.data, g @ layer.weight.data)


def test_linear_has_the_layout_dtype_and_names_of_the_field():
    layer = Linear(3, 2)
    assert [(n, p.shape, p.dtype) for n, p in layer.named_parameters()] == [
        ("weight", (2, 3), np.float32),
        ("bias", (2,), np.float32),
    ]
    assert Linear(3, 2, bias=False).bias is None
    assert Linear(3, 2, dtype=np.float64)(np.ones((1, 3))).dtype == np.float64
    assert layer(np.ones((1, 3), np.float32)).dtype == np.float32


def test_linear_starts_uniform_on_one_over_the_root_of_its_inputs():
    layer = Linear(400, 300, generator=0)
    for p in layer.parameters():
        assert 0.98 / 20 < np.abs(p.data).max() <= np.float32(1 / 20)
        assert p.data.std() == pytest.approx(1 / 20 / math.sqrt(3), rel=0.1)


def test_linear_takes_initializers():
    layer = Linear(
        2, 3, weight_init={"name": "constant", "value": 0.5}, bias_init="ones", generator=0
    )
    assert (layer.weight.data == 0.5).all()
    assert (layer.bias.data == 1).all()


def test_one_seed_gives_one_network_and_one_generator_gives_layers_that_differ():
    np.testing.assert_array_equal(
        Linear(3, 2, generator=1).weight.data, Linear(3, 2, generator=1).weight.data
    )
    rng = np.random.default_rng(0)
    first, second = Linear(3, 2, generator=rng), Linear(3, 2, generator=rng)
    assert not np.array_equal(first.weight.data, second.weight.data)
    wider = np.random.default_rng(0)
    Linear(30, 20, generator=wider)
    np.testing.assert_array_equal(Linear(3, 2, generator=wider).weight.data, second.weight.data)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "3", True, None])
def test_sizes_are_positive_integers(wrong):
    with pytest.raises(ArgumentError, match=r"in_features is a positive integer, not"):
        Linear(wrong, 2)
    with pytest.raises(ArgumentError, match=r"out_features is a positive integer, not"):
        Linear(2, wrong)


def message(model, shape):
    with pytest.raises(ShapeError) as caught:
        model(np.zeros(shape, np.float32))
    return str(caught.value)


def test_a_wrong_input_names_the_layer_and_the_one_that_is_missing_before_it():
    model = Sequential(Linear(784, 784), ReLU(), Linear(128, 10))
    assert message(model, (64, 784)) == (
        "in Sequential.2 (Linear 128→10): input (64, 784), expected (…, 128). The previous layer "
        "Sequential.1 (ReLU) gave 784: is a Linear(784, 128) missing?\n"
        "Fix: make it Linear(784, 10), or pass an input whose last axis has length 128."
    )


def test_the_layer_before_is_found_across_nested_sequentials_and_functions():
    model = Sequential({"body": Sequential(Identity(), np.tanh), "head": Sequential(Linear(4, 2))})
    assert (
        "in Sequential.head.0 (Linear 4→2): input (1, 3), expected (…, 4). The previous layer "
        "Sequential.body (Sequential) gave 3: is a Linear(3, 4) missing?"
    ) in message(model, (1, 3))
    assert "The previous layer Sequential.0 (tanh) gave 3" in message(
        Sequential(np.tanh, Linear(4, 2)), (1, 3)
    )


def test_the_first_layer_and_a_layer_alone_have_none_before_them():
    assert message(Sequential(Linear(4, 2)), (1, 3)) == (
        "in Sequential.0 (Linear 4→2): input (1, 3), expected (…, 4).\n"
        "Fix: make it Linear(3, 2), or pass an input whose last axis has length 4."
    )
    assert message(Linear(4, 2), (1, 3)).startswith("in Linear (Linear 4→2): input (1, 3)")
    assert message(Linear(4, 2), ()).endswith(
        "expected (…, 4).\nFix: pass an input whose last axis has length 4."
    )


def test_the_path_goes_through_modules_of_ones_own():
    class Net(Module):
        def __init__(self):
            self.blocks = [Identity(), Linear(4, 2)]

        def forward(self, x):
            return self.blocks[1](self.blocks[0](x))

    text = message(Net(), (1, 3))
    assert text.startswith("in Net.blocks.1 (Linear 4→2): input (1, 3), expected (…, 4).\nFix:")


def test_images_in_place_of_vectors_ask_for_flatten():
    assert message(Sequential(Linear(784, 10)), (64, 28, 28)) == (
        "in Sequential.0 (Linear 784→10): input (64, 28, 28), expected (…, 784). Its last 2 axes "
        "have 784 elements: is a Flatten missing?\nFix: put Flatten() before it."
    )
    assert "Flatten(start_axis=2)" in message(Linear(4, 1), (3, 5, 2, 2))


def test_flatten_keeps_the_batch_axis_and_the_gradient():
    x = tg.Tensor(np.arange(12.0).reshape(2, 3, 2), requires_grad=True)
    y = Flatten()(x)
    assert y.shape == (2, 6)
    (y * y).sum().backward()
    np.testing.assert_array_equal(x.grad.data, 2 * x.data)


@pytest.mark.parametrize(
    ("start", "shape", "expected"),
    [
        (1, (2, 3, 4), (2, 12)),
        (1, (2,), (2, 1)),
        (0, (2, 3), (6,)),
        (2, (2, 3, 4, 5), (2, 3, 20)),
        (-2, (2, 3, 4), (2, 12)),
        (1, (0, 3, 4), (0, 12)),
    ],
)
def test_flatten_from_an_axis(start, shape, expected):
    assert Flatten(start)(np.zeros(shape)).shape == expected


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(1, 2, (2, 12, 5)), (0, -2, (24, 5)), (-2, -1, (2, 3, 20)), (2, 2, (2, 3, 4, 5))],
)
def test_flatten_up_to_an_axis(start, end, expected):
    x = np.arange(120.0).reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(Flatten(start, end)(x), x.reshape(expected))
    assert repr(Flatten(start, end)).startswith(f"Flatten(start_axis={start}") or end == -1


@pytest.mark.parametrize(("start", "end"), [(2, 0), (1, 4), (0, -6)])
def test_flatten_to_an_axis_that_is_not_there_or_before_says_so(start, end):
    with pytest.raises(ShapeError, match=f"no axes {start} to {end} can be joined"):
        Flatten(start, end)(np.zeros((2, 3, 4, 5)))


@pytest.mark.parametrize(
    ("axis", "sizes", "expected"),
    [
        (1, (3, 4), (2, 3, 4, 5)),
        (1, (2, -1, 2), (2, 2, 3, 2, 5)),
        (-2, [12], (2, 12, 5)),
        (0, (-1, 1), (2, 1, 12, 5)),
    ],
)
def test_unflatten_splits_an_axis_as_flatten_joined_it(axis, sizes, expected):
    x = np.arange(120.0).reshape(2, 12, 5)
    y = Unflatten(axis, sizes)(x)
    np.testing.assert_array_equal(y, x.reshape(expected))
    at = axis % 3
    np.testing.assert_array_equal(Flatten(at, at + len(sizes) - 1)(y), x)
    check_gradients(Unflatten(axis, sizes), x)


@pytest.mark.parametrize(
    ("axis", "sizes"), [(1, (3, 5)), (1, (5, -1)), (1, (-1, -1)), (3, (1, 1)), (1, (0, -1))]
)
def test_an_axis_that_cannot_be_split_so_is_told(axis, sizes):
    with pytest.raises(ShapeError, match=f"axis {axis} of an input of shape .* cannot be split"):
        Unflatten(axis, sizes)(np.zeros((2, 12, 5)))


def test_lambda_calls_a_function_or_one_of_a_name():
    x = np.arange(-3.0, 3.0).reshape(2, 3)
    np.testing.assert_array_equal(Lambda(lambda a: a**2)(x), x**2)
    np.testing.assert_array_equal(Lambda("F.relu")(x).data, np.maximum(x, 0))
    both = Lambda("np.mean", {"axis": [0, 1], "keepdims": True})
    assert both(tg.Tensor(x)).shape == (1, 1)
    assert Lambda("np.add")(x, x).shape == (2, 3)
    check_gradients(Lambda("np.exp"), x, order=2)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        ("np.maen", "no function 'np.maen' of tensors.\nFix: did you mean 'mean'"),
        ("np.load", "no function 'np.load' of tensors"),
        ("F.rleu", "did you mean 'relu'"),
        ("os.system", "is no name of a function for a Lambda"),
        ("relu", "is no name of a function"),
        ("np.__class__", "no function"),
        (3, "the function of a Lambda is 3"),
        (ReLU(), "a module is a layer without Lambda"),
        (ReLU, "the function of a Lambda is"),
    ],
)
def test_what_is_no_function_for_a_lambda(function, text):
    with pytest.raises(ArgumentError, match=text):
        Lambda(function)


def test_flatten_without_the_axis_says_so():
    with pytest.raises(ShapeError, match=r"in Flatten \(Flatten\): an input of shape \(\) has no"):
        Flatten()(np.zeros(()))


def test_identity_gives_the_very_input():
    x = tg.Tensor([1.0])
    assert Identity()(x) is x


def test_dropout_is_the_identity_in_eval_mode_and_for_p_zero():
    x = tg.Tensor([1.0, 2.0])
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0)(x) is x


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dropout_drops_a_share_and_keeps_the_mean_and_dtype(dtype):
    y = Dropout(0.2, generator=0)(np.ones(20_000, dtype))
    assert y.dtype == dtype
    assert set(np.unique(y.data)) == {dtype(0), dtype(1 / 0.8)}
    assert (y.data == 0).mean() == pytest.approx(0.2, abs=0.01)
    assert y.data.mean() == pytest.approx(1, abs=0.01)


def test_the_gradient_of_dropout_is_its_mask():
    x = tg.Tensor(np.ones(100), requires_grad=True)
    y = Dropout(0.5, generator=0)(x)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.data, y.data)


def test_dropout_draws_anew_from_its_own_stream():
    drop = Dropout(0.5, generator=0)
    x = np.ones(100)
    first, second = drop(x).data, drop(x).data
    assert not np.array_equal(first, second)
    again = Dropout(0.5, generator=0)
    np.testing.assert_array_equal(again(x).data, first)
    np.testing.assert_array_equal(again(x).data, second)


@pytest.mark.parametrize("p", [2, -0.1, 1.5, "0.5", True, None, float("nan")])
def test_the_p_of_dropout_lies_in_its_range(p):
    with pytest.raises(ArgumentError, match=r"the p of Dropout lies in \[0, 1\], not"):
        Dropout(p)


def test_sequential_is_indexed_iterated_and_has_a_length():
    layers = [Linear(2, 3), np.tanh, Linear(3, 1)]
    model = Sequential(*layers)
    assert len(model) == 3
    assert list(model) == layers
    assert model[0] is layers[0]
    assert model[-1] is layers[2]
    assert model["2"] is layers[2]
    head = model[:2]
    assert type(head) is Sequential
    assert list(head) == layers[:2]


def test_a_slice_shares_its_layers_and_keeps_their_names():
    model = Sequential(Identity(), Linear(2, 1))
    tail = model[1:]
    assert list(tail.state_dict()) == ["1.weight", "1.bias"]
    assert tail[0] is model[1]


def test_sequential_of_named_layers():
    model = Sequential({"hidden": Linear(2, 3, generator=0), "out": Linear(3, 1, generator=1)})
    assert list(model.state_dict()) == ["hidden.weight", "hidden.bias", "out.weight", "out.bias"]
    assert model["out"] is model[1]
    with pytest.raises(
        ArgumentError, match="no layer 'hiden' in this Sequential .*\nFix: did you mean 'h"
    ):
        model["hiden"]
    with pytest.raises(IndexError):
        model[2]


def test_sequential_computes_one_after_another():
    a, b = Linear(2, 3, generator=0), Linear(3, 1, generator=1)
    x = RNG.normal(size=(4, 2))
    np.testing.assert_array_equal(Sequential(a, np.tanh, b)(x).data, b(np.tanh(a(x))).data)
    assert Sequential()(3) == 3


def test_attributes_beside_the_layers_are_parts_too():
    model = Sequential(Identity())
    model.temperature = tg.nn.Parameter([1.0])
    assert list(model.state_dict()) == ["temperature"]


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        (([Linear(1, 1)],), "layer 0 of a Sequential is \\[Linear.*separated by commas"),
        ((Identity(), Dropout), r"(?s)layer 1 .*Fix: make one: Dropout\(...\)"),
        ((tg.Tensor([1.0]),), "layer 0 of a Sequential is Tensor"),
        (({"a.b": Identity()},), "a text without dots, not 'a.b'"),
        (({0: Identity()},), "a text without dots, not 0"),
    ],
)
def test_what_is_no_layer_is_refused(layers, text):
    with pytest.raises(ArgumentError, match=text if text.startswith("(?s)") else f"(?s){text}"):
        Sequential(*layers)


@pytest.mark.parametrize("samples", [1, 4])
def test_the_gradient_of_a_weight_lies_in_memory_as_the_weight_does(samples):
    layer = Linear(3, 2)
    assert layer.weight.data.flags.f_contiguous
    x = np.arange(3.0 * samples, dtype=np.float32).reshape(samples, 3)
    layer(x).sum().backward()
    turned = layer.weight.grad.data
    assert turned.flags.f_contiguous
    assert turned.flags.owndata
    np.testing.assert_array_equal(turned, np.tile(x.sum(axis=0), (2, 1)))
