"""The hand-derived equations against complex steps, differences, and numbers worked on paper.

The reference below is written for this test alone: textbook formulas in complex arithmetic,
neither stable nor fast, of which a complex step gives the derivative to the last digit.
"""

from __future__ import annotations

import ast
import inspect
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_bp import backprop
from tinygrad_bp.backprop import ACTIVATIONS, LOSSES, REDUCTIONS
from tinygrad_bp.errors import ArgumentError, DTypeError, ShapeError

REFERENCE_ACTIVATIONS = {
    "identity": lambda z: z,
    "relu": lambda z: np.where(z.real > 0, z, 0),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
    "softsign": lambda z: z / (1 + z * np.sign(z.real)),
    "tanh": lambda z: np.sinh(z) / np.cosh(z),
}
REFERENCE_TERMS = {
    "half_squared_error": lambda a, y: (a - y) ** 2 / 2,
    "squared_error": lambda a, y: (a - y) ** 2,
    "sigmoid_cross_entropy": lambda a, y: (
        -y * np.log(1 / (1 + np.exp(-a))) - (1 - y) * np.log(1 / (1 + np.exp(a)))
    ),
    "softmax_cross_entropy": lambda a, y: (
        -(y * np.log(np.exp(a) / np.exp(a).sum(axis=1, keepdims=True))).sum(axis=1)
    ),
}


def reference_loss(weights, biases, x, y, activations, loss, reduction, l2, shifts=()):
    """The loss by the textbook; ``shifts[l]`` is added to the weighted input of layer l."""
    a = x
    for i, (w, b, name) in enumerate(zip(weights, biases, activations, strict=True)):
        z = a @ w.T + (0 if b is None else b) + (shifts[i] if shifts else 0)
        a = REFERENCE_ACTIVATIONS[name](z)
    terms = REFERENCE_TERMS[loss](a, y)
    divisor = {"sum": 1, "mean": len(x), "mean_elements": terms.size}[reduction]
    return terms.sum() / divisor + l2 / 2 * sum((w**2).sum() for w in weights)


def complex_step(function, array):
    """The derivative of a real-analytic function with respect to every element of an array."""
    derivative = np.empty(array.shape)
    for index in np.ndindex(array.shape):
        moved = array.astype(complex)
        moved[index] += 1e-30j
        derivative[index] = function(moved).imag / 1e-30
    return derivative


def five_point(function, array, h=1e-3):
    derivative = np.empty(array.shape)
    for index in np.ndindex(array.shape):
        values = []
        for steps in (-2, -1, 1, 2):
            moved = array.copy()
            moved[index] += steps * h
            values.append(function(moved))
        derivative[index] = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * h)
    return derivative


def replaced(items, i, item):
    return [*items[:i], item, *items[i + 1 :]]


def network(widths, with_bias, seed=0, samples=3):
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(after, before)) for before, after in itertools.pairwise(widths)]
    biases = [
        rng.normal(size=len(w)) if bias else None
        for w, bias in zip(weights, with_bias, strict=True)
    ]
    x = rng.normal(size=(samples, widths[0]))
    y = np.eye(widths[-1])[rng.integers(widths[-1], size=samples)]
    return weights, biases, x, y


def check_against_complex_step(weights, biases, x, y, activations, **settings):
    value, found = backprop.gradients(weights, biases, x, y, activations=activations, **settings)
    rest = activations, settings["loss"], settings["reduction"], settings["l2"]
    zeros = [np.zeros((len(x), len(w))) for w in weights]

    np.testing.assert_allclose(value, reference_loss(weights, biases, x, y, *rest), rtol=1e-12)
    assert value == found.value
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        of_weights = complex_step(
            lambda t, i=i: reference_loss(replaced(weights, i, t), biases, x, y, *rest), w
        )
        np.testing.assert_allclose(found.weights[i], of_weights, rtol=1e-11, atol=1e-13)
        delta = complex_step(
            lambda t, i=i: reference_loss(weights, biases, x, y, *rest, replaced(zeros, i, t)),
            zeros[i],
        )
        np.testing.assert_allclose(found.deltas[i], delta, rtol=1e-11, atol=1e-13)
        if b is None:
            assert found.biases[i] is None
        else:
            of_biases = complex_step(
                lambda t, i=i: reference_loss(weights, replaced(biases, i, t), x, y, *rest), b
            )
            np.testing.assert_allclose(found.biases[i], of_biases, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_gradient_and_delta_is_the_complex_step_derivative(activation, loss, depth):
    for bias, reduction, l2 in itertools.product([True, False], REDUCTIONS, [0.0, 0.3]):
        check_against_complex_step(
            *network([2, 3, 2, 2, 2][-depth - 1 :], [bias] * depth, samples=2),
            [activation] * depth,
            loss=loss,
            reduction=reduction,
            l2=l2,
        )


@given(data=st.data())
def test_mixed_networks_have_the_complex_step_derivative(data):
    depth = data.draw(st.integers(1, 4))
    check_against_complex_step(
        *network(
            data.draw(st.lists(st.integers(1, 4), min_size=depth + 1, max_size=depth + 1)),
            data.draw(st.lists(st.booleans(), min_size=depth, max_size=depth)),
            seed=data.draw(st.integers(0, 2**32)),
            samples=data.draw(st.integers(1, 4)),
        ),
        data.draw(st.lists(st.sampled_from(list(ACTIVATIONS)), min_size=depth, max_size=depth)),
        loss=data.draw(st.sampled_from(list(LOSSES))),
        reduction=data.draw(st.sampled_from(REDUCTIONS)),
        l2=data.draw(st.sampled_from([0.0, 0.1, 2.0])),
    )


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_gradient_is_the_slope_of_the_value_that_is_returned(activation, loss):
    weights, biases, x, y = network([3, 4, 2], [True, True], seed=1)

    def value(w):
        return backprop.gradients([w, weights[1]], biases, x, y, **settings)[0]

    settings = {"activations": [activation] * 2, "loss": loss, "reduction": "mean", "l2": 0.1}
    found = backprop.gradients(weights, biases, x, y, **settings)[1]
    np.testing.assert_allclose(found.weights[0], five_point(value, weights[0]), atol=1e-9)


def test_two_sigmoid_layers_give_the_numbers_worked_on_paper():
    log3 = np.log(3)
    weights = [np.array([[2.0, -1.0], [log3, 0.0]]), np.array([[3.0, -2.0]])]
    trace = backprop.forward(weights, [np.zeros(2), np.zeros(1)], [[1, 2]], ["sigmoid"] * 2)
    found = backprop.backward(trace, [[1]], loss="half_squared_error")

    close = {"rtol": 1e-15, "atol": 1e-16}
    np.testing.assert_allclose(trace.z[0], [[0, log3]], **close)
    np.testing.assert_allclose(trace.a[1], [[1 / 2, 3 / 4]], **close)
    np.testing.assert_allclose(trace.a[2], [[1 / 2]], **close)
    np.testing.assert_allclose(found.value, 1 / 8, **close)
    np.testing.assert_allclose(found.deltas[1], [[-1 / 8]], **close)
    np.testing.assert_allclose(found.deltas[0], [[-3 / 32, 3 / 64]], **close)
    np.testing.assert_allclose(found.weights[1], [[-1 / 16, -3 / 32]], **close)
    np.testing.assert_allclose(found.weights[0], [[-3 / 32, -6 / 32], [3 / 64, 6 / 64]], **close)
    np.testing.assert_allclose(found.biases[1], [-1 / 8], **close)
    np.testing.assert_allclose(found.biases[0], [-3 / 32, 3 / 64], **close)


def test_cross_entropies_give_the_numbers_worked_on_paper():
    logits = np.log([[1.0, 2.0, 5.0]])
    value, slope = backprop.loss_and_slope(logits, [1], loss="softmax_cross_entropy")
    np.testing.assert_allclose(value, np.log(4), rtol=1e-15)
    np.testing.assert_allclose(slope, [[1 / 8, -3 / 4, 5 / 8]], rtol=1e-15)
    value, slope = backprop.loss_and_slope(np.log([[3.0]]), [[1]], loss="sigmoid_cross_entropy")
    np.testing.assert_allclose(value, np.log(4 / 3), rtol=1e-15)
    np.testing.assert_allclose(slope, [[-1 / 4]], rtol=1e-15)


def test_labels_and_one_hot_rows_are_the_same_target():
    logits = np.random.default_rng(0).normal(size=(5, 4))
    labels = np.array([3, 0, 0, 2, 1], np.uint8)
    value, slope = backprop.loss_and_slope(logits, labels, loss="softmax_cross_entropy")
    rows = np.eye(4, dtype=int)[labels]
    value_of_rows, slope_of_rows = backprop.loss_and_slope(
        logits, rows, loss="softmax_cross_entropy"
    )
    np.testing.assert_allclose(value, value_of_rows, rtol=1e-14)
    np.testing.assert_allclose(slope, slope_of_rows, rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_trace_keeps_every_weighted_input_and_output(activation):
    weights, biases, x, _ = network([3, 4, 2], [True, False])
    trace = backprop.forward(weights, biases, x, [activation] * 2)
    np.testing.assert_array_equal(trace.a[0], x)
    for layer, (w, b) in enumerate(zip(weights, biases, strict=True)):
        z = trace.a[layer] @ w.T + (0 if b is None else b)
        np.testing.assert_allclose(trace.z[layer], z, rtol=1e-14)
        a = REFERENCE_ACTIVATIONS[activation](z)
        np.testing.assert_allclose(trace.a[layer + 1], a, rtol=1e-14)


def test_a_batch_is_the_sum_of_its_samples():
    weights, biases, x, y = network([3, 4, 2], [True, True], samples=5)
    settings = {"activations": ["tanh", "sigmoid"], "loss": "half_squared_error"}
    value, whole = backprop.gradients(weights, biases, x, y, **settings)
    singles = [
        backprop.gradients(weights, biases, x[i : i + 1], y[i : i + 1], **settings)
        for i in range(5)
    ]
    np.testing.assert_allclose(value, sum(v for v, _ in singles), rtol=1e-14)
    for layer in range(2):
        summed = sum(single.weights[layer] for _, single in singles)
        np.testing.assert_allclose(whole.weights[layer], summed, rtol=1e-13, atol=1e-15)
        summed = sum(single.biases[layer] for _, single in singles)
        np.testing.assert_allclose(whole.biases[layer], summed, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("samples", [1, 3])
def test_the_dtype_of_the_weights_is_kept(dtype, samples):
    for activation, loss in itertools.product(ACTIVATIONS, LOSSES):
        weights, biases, x, y = network([2, 3, 2], [True, True], samples=samples)
        settings = {
            "activations": [activation] * 2,
            "loss": loss,
            "reduction": "mean",
            "l2": np.float64(0.1),
        }
        exact_value, exact = backprop.gradients(weights, biases, x, y, **settings)
        weights = [w.astype(dtype) for w in weights]
        biases = [b.astype(dtype) for b in biases]
        value, found = backprop.gradients(weights, biases, x, y, **settings)
        tolerance = 40 * float(max(np.finfo(dtype).eps, np.finfo(np.float64).eps))
        assert type(value) is float
        assert value == pytest.approx(exact_value, rel=tolerance)
        for part, exact_part in zip(found[:3], exact[:3], strict=True):
            for array, exact_array in zip(part, exact_part, strict=True):
                assert array.dtype == dtype
                np.testing.assert_allclose(array, exact_array, rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_large_numbers_neither_overflow_nor_make_nan(activation, loss, dtype):
    weights = [np.eye(2, dtype=dtype), np.eye(2, dtype=dtype)]
    x = [[1e4, -1e4], [-1e4, 1e4], [0.0, 0.0], [1e4, 1e4], [-1e4, -1e4]]
    y = np.eye(2)[[0, 0, 1, 1, 0]]
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        value, found = backprop.gradients(
            weights, None, x, y, activations=[activation, "identity"], loss=loss
        )
    assert np.isfinite(value)
    assert all(np.isfinite(array).all() for part in found[:2] for array in part)


def test_cross_entropies_are_exact_far_from_zero():
    logits, targets = np.array([[1e4, -1e4]]), [[0.0, 1.0]]
    for loss in ("softmax_cross_entropy", "sigmoid_cross_entropy"):
        value, slope = backprop.loss_and_slope(logits, targets, loss=loss)
        assert value == 2e4
        np.testing.assert_array_equal(slope, [[1, -1]])
    value, _ = backprop.loss_and_slope(
        np.array([[40.0, -40.0]]), [[1, 0]], loss="sigmoid_cross_entropy"
    )
    assert value == pytest.approx(2 * np.exp(-40), rel=1e-15, abs=0)


@pytest.mark.parametrize("z", [-700.0, -50.0, -1.0, 0.0, 1.0, 30.0, 700.0])
def test_sigmoid_keeps_its_digits_in_both_tails(z):
    a = backprop.ACTIVATIONS["sigmoid"].function(np.array([[z]]))
    exact = 1 / (1 + np.exp(-np.longdouble(z)))
    np.testing.assert_allclose(a, [[float(exact)]], rtol=4e-16)


def test_relu_has_slope_zero_at_zero():
    found = backprop.gradients(
        [np.ones((1, 1))], None, [[0.0]], [[1.0]], activations=["relu"], loss="squared_error"
    )[1]
    assert found.deltas[0] == 0


def test_arguments_and_trace_are_left_as_they_were():
    weights, biases, x, y = network([3, 4, 2], [True, True])
    for activation, loss in itertools.product(ACTIVATIONS, LOSSES):
        before = [array.copy() for array in (*weights, *biases, x, y)]
        trace = backprop.forward(weights, biases, x, [activation] * 2)
        first = backprop.backward(trace, y, loss=loss, l2=0.1)
        second = backprop.backward(trace, y, loss=loss, l2=0.1)
        for array, copy in zip((*weights, *biases, x, y), before, strict=True):
            np.testing.assert_array_equal(array, copy)
        results = [array for found in (first, second) for part in found[:3] for array in part]
        half = len(results) // 2
        for a, b in zip(results[:half], results[half:], strict=True):
            np.testing.assert_array_equal(a, b)
        sources = [*weights, *biases, x, y, *trace.z, *trace.a]
        for i, array in enumerate(results):
            others = [*results[:i], *results[i + 1 :], *sources]
            assert not any(np.shares_memory(array, other) for other in others)


def test_the_witness_imports_nothing_of_the_package_but_its_errors():
    imported = set()
    for node in ast.walk(ast.parse(inspect.getsource(backprop))):
        if isinstance(node, ast.ImportFrom):
            imported.add(node.module)
        elif isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
    assert {name for name in imported if name.startswith("tinygrad_bp")} == {"tinygrad_bp.errors"}
    assert {name.split(".")[0] for name in imported} == {
        "__future__",
        "collections",
        "numpy",
        "tinygrad_bp",
        "typing",
    }


W = [np.ones((3, 2)), np.ones((2, 3))]
B = [np.ones(3), np.ones(2)]
X = np.ones((4, 2))


@pytest.mark.parametrize(
    ("weights", "biases", "x", "activations", "error", "words"),
    [
        (W, B, X, ["relu", "sigmiod"], ArgumentError,
         ["layer 2", "'sigmiod'", "Fix: did you mean 'sigmoid'?"]),
        (W, B, X, ["relu"], ShapeError, ["2 weights, 2 biases and 1 activations", "Fix: "]),
        (W, B[:1], X, ["relu"] * 2, ShapeError, ["2 weights, 1 biases"]),
        ([], None, X, [], ShapeError, ["0 weights", "Fix: "]),
        ([W[0], W[1].T], B, X, ["relu"] * 2, ShapeError,
         ["layer 2", "(3, 2)", "expected (outputs, 3), for the outputs of layer 1", "transpose"]),
        ([np.ones(2), W[1]], B, X, ["relu"] * 2, ShapeError,
         ["layer 1", "(2,)", "expected (outputs, inputs)"]),
        (W, [B[0], B[0]], X, ["relu"] * 2, ShapeError,
         ["layer 2", "biases have shape (3,)", "Fix: biases of shape (2,)"]),
        (W, B, X[0], ["relu"] * 2, ShapeError, ["layer 1", "x has shape (2,)", "x[None, :]"]),
        (W, B, X[:, :1], ["relu"] * 2, ShapeError,
         ["layer 1", "x has shape (4, 1)", "weights (3, 2)", "(samples, 2)"]),
        (W, B, X[:0], ["relu"] * 2, ShapeError, ["(0, 2)", "one sample or more"]),
        ([W[0], W[1].astype(np.float32)], B, X, ["relu"] * 2, DTypeError,
         ["layer 2", "weights float32", "weights float64 in layer 1", "Fix: "]),
        ([W[0].astype(int)], None, X, ["relu"], DTypeError,
         ["layer 1", "int64", "floating-point"]),
    ],
)  # fmt: skip
def test_forward_says_what_does_not_fit(weights, biases, x, activations, error, words):
    with pytest.raises(error) as caught:
        backprop.forward(weights, biases, x, activations)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("targets", "loss", "reduction", "error", "words"),
    [
        (np.ones((4, 2)), "half_squared_eror", "sum", ArgumentError,
         ["no loss 'half_squared_eror'", "did you mean 'half_squared_error'?"]),
        (np.ones((4, 2)), "squared_error", "average", ArgumentError,
         ["no reduction 'average'", "known: mean, mean_elements, sum"]),
        ([0, 1, 1, 0], "half_squared_error", "sum", ShapeError,
         ["half_squared_error", "(4,)", "(4, 2)", "np.eye(2)[labels]"]),
        ([0, 1, 2, 0], "softmax_cross_entropy", "sum", ArgumentError,
         ["labels go from 0 to 2", "0 to 1", "Fix: "]),
        ([0, 1, -1, 0], "softmax_cross_entropy", "sum", ArgumentError, ["from -1 to 1"]),
        ([0.0, 1.0, 1.0, 0.0], "softmax_cross_entropy", "sum", DTypeError,
         ["labels are integers, not float64", "astype(np.int64)"]),
        (np.ones((4, 1), int), "softmax_cross_entropy", "sum", ShapeError, ["(4, 1)", "(4, 2)"]),
    ],
)  # fmt: skip
def test_backward_says_what_does_not_fit(targets, loss, reduction, error, words):
    trace = backprop.forward(W, B, X, ["relu", "identity"])
    with pytest.raises(error) as caught:
        backprop.backward(trace, targets, loss=loss, reduction=reduction)
    for word in words:
        assert word in str(caught.value)
