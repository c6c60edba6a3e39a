from __future__ import annotations

import numpy as np
import pytest
from testing.checks import Network, failure, verdicts

import tinygrad_bp as tg
from tinygrad_bp.core.registry import PRIMITIVES
from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.testing import Verdict, check_gradients


def names(check):
    return {a.label for a in check.arguments}


def test_a_right_gradient_passes_at_both_orders():
    x, y = np.array([[0.5, -1.0], [2.0, 3.0]]), np.array([1.5, -0.5])
    check = check_gradients(lambda x, y: x * x * y + x / (y * y), x, y, order=2)
    assert check.difference < 1e-9
    assert names(check) == {
        "argument 0",
        "argument 1",
        "argument 0 (order 2)",
        "argument 1 (order 2)",
    }
    assert (check.elements, check.inconclusive) == (12, 0)


def test_float32_arguments_are_checked_in_float64_and_left_alone():
    x = tg.Tensor([1.0, 2.0], requires_grad=True, dtype=np.float32)
    x.grad = tg.Tensor([5.0, 5.0], dtype=np.float32)
    seen = []

    def f(x):
        seen.append(x.dtype)
        return x * x * x

    assert check_gradients(f, x).difference < 1e-9
    assert seen.count(np.float32) == 1  # once, to see whether float32 gives the same
    assert set(seen) == {np.dtype(np.float32), np.dtype(np.float64)}
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x.data, [1.0, 2.0])
    np.testing.assert_array_equal(x.grad.data, [5.0, 5.0])


def test_the_parameters_of_a_module_are_checked_by_name_on_a_copy():
    network, x = Network(), np.array([[0.5, 1.0, -1.0], [2.0, 0.0, 1.0]])
    network.bias.grad = tg.Tensor([7.0], dtype=np.float32)

    def loss(network, x):
        return np.sum((x * network.weight + network.bias) * network.bias)

    check = check_gradients(loss, network, x, order=2)
    assert {"layer.weight", "layer.bias", "argument 1"} < names(check)
    assert check.difference < 1e-9
    assert network.weight.dtype == np.float32
    np.testing.assert_array_equal(network.bias.grad.data, [7.0])


def test_integers_are_passed_on_and_not_differentiated_by():
    check = check_gradients(lambda x, n, k: x * n * k, 2.0, 3, np.array([1, 2]))
    assert names(check) == {"argument 0", "argument 0 (order 2)"}


def test_an_unused_argument_and_a_linear_function_pass():
    check = check_gradients(lambda x, y: 3 * x, np.ones(2), np.ones(3), order=2)
    assert check.arguments[1].difference == 0.0
    assert check.inconclusive == 0


def test_rules_that_are_right_only_once_are_checked_once_unless_asked_otherwise():
    @tg.primitive(lambda g, out, x: g * np.cos(x), once=True)
    def once_sine(x):
        return np.sin(x)

    try:
        check = check_gradients(lambda x: once_sine(x) * x, np.array([0.5, 2.0]))
        assert names(check) == {"argument 0"}
        assert check.notes == [
            "Order 2 was not checked: the rules of 'once_sine' are right only once."
        ]
        with pytest.raises(tg.errors.VJPError, match="right only once"):
            check_gradients(lambda x: once_sine(x) * x, np.array([0.5, 2.0]), order=2)
    finally:
        del PRIMITIVES["once_sine"]


def test_third_derivatives_may_be_asked_for():
    check = check_gradients(lambda x: np.exp(x) * x[0], np.array([0.3, -1.0]), order=3)
    assert {a.order for a in check.arguments} == {1, 2, 3}


def test_two_evaluations_that_differ_are_nondeterministic():
    rng = np.random.default_rng(0)
    check = failure(lambda x: np.sum(x * (rng.uniform(size=20) > 0.5)), np.ones(20))
    assert verdicts(check) == "NONDETERMINISTIC"
    assert "two evaluations of f at the same point differ" in str(check)
    assert "Fix: fix the seed" in str(check)
    for noise in (1e-3, 1e-9):
        noisy = failure(lambda x, a=noise: np.sum(x + a * rng.normal(size=3)), np.ones(3))
        assert verdicts(noisy) == "NONDETERMINISTIC"


def test_a_function_that_begins_to_differ_later_is_nondeterministic_too():
    calls = []

    def f(x):
        calls.append(1)
        return np.sum(x) * (1.0 if len(calls) < 8 else 1.0 + 1e-3 * len(calls))

    assert verdicts(failure(f, np.ones(2), order=1)) == "NONDETERMINISTIC"


def test_conventions_of_several_kinks_that_meet_are_no_fault():
    def identity(x):  # relu(x) - relu(-x) is x, and each relu has the gradient 0 at 0
        return np.sum(tg.nn.functional.relu(x) - tg.nn.functional.relu(-x))

    check = check_gradients(identity, np.array([0.0, 1.0]))
    assert verdicts(check) == ["KINK", "OK"]
    assert "'relu' is at a kink" in check.notes[0]


def test_an_argument_that_was_cut_from_the_graph_is_not_connected():
    check = failure(lambda x, y: x * y.detach(), 2.0, 3.0)
    assert [a.verdicts.item() for a in check.arguments] == [Verdict.OK, Verdict.NOT_CONNECTED]
    assert "the gradient of argument 1 () is NOT CONNECTED" in str(check)
    check = failure(lambda x: x.detach() * 2, 2.0)
    assert "detach()" in str(check)
    check = failure(lambda x, y: x * y + x.detach() * y, np.ones(2), np.ones(2))
    assert "part of the way to the output is not recorded" in str(check)
    assert check.blamed == []


@pytest.mark.parametrize(
    ("f", "kind"),
    [
        (lambda x: 1.0, "float"),
        (lambda x: np.sum(x).item(), "float"),
        (lambda x: 2 * x.data, "ndarray"),
        (lambda x: (x, x), "tuple"),
        (lambda x: None, "NoneType"),
    ],
)
def test_a_function_that_returns_no_tensor_is_not_connected(f, kind):
    check = failure(f, np.ones(2))
    assert verdicts(check) == "NOT CONNECTED"
    message = str(check)
    assert f"f returned a value of type {kind}: it does not depend on the arguments" in message
    assert "through tensors" in message
    assert "Fix: compute with tensors all the way" in message


def test_a_constant_function_is_not_connected():
    check = failure(lambda x: tg.Tensor(3.0), np.ones(2))
    assert verdicts(check) == "NOT CONNECTED"
    assert "does not depend on any tensor that requires a gradient" in str(check)


def test_a_sample_of_the_elements_may_be_asked_for():
    check = check_gradients(lambda x: x * x, np.linspace(1, 2, 50), elements=5)
    assert check.elements == 10
    assert check.arguments[0].compared.sum() == 5


def test_positions_of_arguments_may_be_chosen():
    check = check_gradients(lambda x, y: x * y, 2.0, 3.0, argnums=1)
    assert names(check) == {"argument 1", "argument 1 (order 2)"}
    check = check_gradients(lambda x, y, z: x * y * z, 2.0, 3.0, 4.0, argnums=(0, -1), order=1)
    assert names(check) == {"argument 0", "argument 2"}


def test_arguments_that_make_no_sense_are_refused():
    with pytest.raises(ArgumentError, match="orders 1 and 2, and 3, not 4"):
        check_gradients(lambda x: x, 1.0, order=4)
    with pytest.raises(ArgumentError, match=r"nothing to differentiate by .*: int, list"):
        check_gradients(lambda n, words: n, 3, ["a"])
    with pytest.raises(ArgumentError, match="argnums has 2, but there are 1"):
        check_gradients(lambda x: x, 1.0, argnums=2)


def test_what_a_loss_says_of_labels_that_were_moved_tells_how_to_leave_them_out():
    def loss(x, labels):
        return tg.nn.functional.binary_cross_entropy_with_logits(x, labels)

    x, labels = np.array([0.5, -1.0], np.float32), np.array([1.0, 0.0], np.float32)
    with pytest.raises(ArgumentError, match="targets are probabilities") as caught:
        check_gradients(loss, x, labels)
    (note,) = caught.value.__notes__
    assert "a gradient check had moved" in note
    assert "argnums" in note
    assert check_gradients(loss, x, labels, argnums=0).passed
    with pytest.raises(ArgumentError) as caught:
        check_gradients(loss, x, labels - 1)
    assert not hasattr(caught.value, "__notes__")


# Where the checkers of others fail.


def test_large_arguments_pass():
    assert check_gradients(lambda x: np.sum(x**3), np.array([1e4, -3e4, 2e4])).passed


@pytest.mark.parametrize("scale", [1e-8, 1e-4, 1.0, 1e4, 1e8])
@pytest.mark.parametrize(
    "f",
    [np.log, np.sin, np.sqrt, np.reciprocal, np.tanh, np.cbrt, np.log1p, np.arctan, np.square],
    ids=lambda f: f.__name__,
)
def test_no_right_gradient_is_wrong_at_any_size(f, scale):
    x = scale * np.array([0.7, 1.3, 2.9])
    assert check_gradients(f, x).passed
    assert check_gradients(lambda x: np.sum(f(x)), np.append(x, 1.0)).passed


@pytest.mark.parametrize("seed", range(5))
def test_float32_inside_is_noisy_at_worst(seed):
    x = np.random.default_rng(seed).normal(size=6)

    def inside(x):
        return np.sum(np.sin(x.astype(np.float32)) * np.float32(1.3))

    assert check_gradients(inside, x).passed
    assert check_gradients(lambda x: inside(x) * 0.3, x).passed
    for last in (float, lambda s: float(s) * 0.7):
        slope = 1.3 * np.cos(x) * last(1.0)
        assert check_gradients(lambda x, f=last: f(inside(x)), x, gradient=lambda x, s=slope: s)


def test_analytic_functions_are_known_to_fourteen_digits():
    check = check_gradients(lambda x: np.sum(np.exp(np.sin(x)) / x), np.array([1.0, 2.0]), order=1)
    assert check.difference < 1e-14


@pytest.mark.parametrize("seed", range(5))
def test_a_gradient_whose_terms_cancel_is_the_adjoint_but_for_rounding(seed):
    def entropy(t):
        p = t / np.sum(t)
        return -np.sum(p * np.log(p))

    assert check_gradients(entropy, np.ones((2, 2)), seed=seed).passed


def test_a_function_that_overflows_has_no_wrong_gradient():
    with np.errstate(all="ignore"):
        check = check_gradients(lambda x: np.exp(x) * x, np.array([1e5, 1.0]), order=1)
    assert verdicts(check) == "NOISY"  # for the sake of the first output


def test_nothing_of_a_check_stays_in_a_graph_that_was_recorded_before():
    w = tg.Tensor(np.full(3, 1.0), requires_grad=True)
    before = np.exp(w) / 3.0

    def f(x):  # of terms that cancel, so that rounding is looked at
        p = x * before
        return np.sum(p * 1e9) - np.sum(p) * 1e9 + np.sum(p / np.sum(p) * np.log(p / np.sum(p)))

    check_gradients(f, np.ones(3))
    assert before.node.hooks is None
    assert w.grad is None
    before.backward(np.ones(3))  # nothing has freed it


def test_what_rounding_leaves_of_a_gradient_is_no_fault():
    column, row = np.array([[0.3], [-2.7], [1.25]]), np.array([[-3.1, 0.04, 1.4]])
    for x in (column @ row, 1e8 * column @ row, np.ones((3, 3))):
        assert check_gradients(np.linalg.det, x).passed
    assert check_gradients(lambda x: np.var(x, axis=(-1, 0)), np.full((2, 3), 0.3337)).passed
    assert check_gradients(np.std, np.full(3, 0.1), order=1).passed


def test_what_cancels_behind_a_saturated_function_is_no_fault():
    x = 100.0 * np.random.default_rng(453).normal(size=(3, 4))
    assert check_gradients(lambda x: np.abs(np.sin(np.tanh(x))) @ np.ones(4), x).passed


@pytest.mark.parametrize("scale", [1e-200, 1e-8, 1.0, 1e8])
@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.abs(x) ** 2,
        lambda x: np.sum(np.abs(x) ** 2),
        lambda x: tg.nn.functional.relu(x**2),
        lambda x: np.sum(tg.nn.functional.relu(x**2)),
    ],
    ids=["abs", "sum of abs", "relu", "sum of relu"],
)
def test_a_kink_that_shows_at_second_order_alone_is_no_fault(f, scale):
    check = check_gradients(f, scale * np.array([0.0, 1.0, 2.0]))
    assert Verdict.KINK in check.arguments[-1].verdicts or scale < 1e-8
    assert (check.arguments[0].verdicts[1:] == Verdict.OK).all() or scale < 1e-8


@pytest.mark.filterwarnings("ignore:a gradient through the vectors:RuntimeWarning")
@pytest.mark.parametrize("scale", [0.0, 1e-8, 1.0, 1e8])
@pytest.mark.parametrize(
    "f",
    [
        np.linalg.svdvals,
        np.linalg.eigvalsh,
        lambda x: np.linalg.norm(x, "nuc"),
        lambda x: np.linalg.norm(x, 2),
        lambda x: np.linalg.norm(x) ** 2,
        lambda x: np.sum(np.linalg.svdvals(x) ** 2),
    ],
    ids=["svdvals", "eigvalsh", "nuclear norm", "spectral norm", "square", "sum of squares"],
)
def test_equal_singular_values_are_no_fault(f, scale):
    assert check_gradients(f, scale * np.eye(2)).passed
