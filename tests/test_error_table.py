"""What goes wrong for users most often: each error says what, where, the facts, and the fix.

One test for each situation. Each error is caught as the builtin exception that one would expect,
is one of ours too, and names the line of this file on which it arose.
"""

from __future__ import annotations

import builtins
import re
from pathlib import Path

import numpy as np
import pytest
from told import here, told

import tinygrad_bp as tg
from tinygrad_bp import errors, nn, optim
from tinygrad_bp.core import FUNCTIONS, PRIMITIVES
from tinygrad_bp.testing import check_gradients


@pytest.fixture
def w():
    return tg.Tensor(np.ones((3, 2)), requires_grad=True, name="w")


@pytest.fixture(autouse=True)
def _forget():
    """Take what the tests registered out of the registry again."""
    yield
    for name, primitive in list(PRIMITIVES.items()):
        if primitive.__module__ == __name__:
            del PRIMITIVES[name]


class Network(nn.Module):
    """Two layers; what the first one made is cut off where `cut` does so."""

    def __init__(self, cut=lambda h: h):
        self.fc1 = nn.Linear(3, 4, generator=0)
        self.fc2 = nn.Linear(4, 1, generator=0)
        self.cut = cut

    def forward(self, x):
        return self.fc2(self.cut(np.tanh(self.fc1(x))))


X = np.ones((2, 3), np.float32)


# Writing in place.


def test_writing_to_an_element_changes_nothing_and_names_the_ways_that_record(w):
    h = np.tanh(w)
    h.name = "h1"
    with pytest.raises(RuntimeError) as caught:
        line = here(1)
        h[0] = 5.0
    told(caught, "'h1' (3, 2) cannot be written to", line, "Nothing was changed", fix=".at[index]")
    assert isinstance(caught.value, errors.InplaceError)
    np.testing.assert_array_equal(h.data, np.tanh(w.data))


def test_a_value_that_changed_before_backward_is_an_error_that_names_both_lines(w):
    used = here(1)
    loss = np.sum(w * w)
    changed = here(1)
    w.assign(0.0)
    with pytest.raises(RuntimeError) as caught:
        loss.backward()
    facts = (f"'w' (3, 2) that 'multiply' used at {used}", f"assigned a new value at {changed}")
    told(caught, *facts, "No gradient was changed", fix="backward() before assign()")
    assert w.grad is None


def test_an_optimizer_step_between_forward_and_backward_names_itself(w):
    optimizer = optim.SGD([w], lr=0.1)
    np.sum(w).backward()
    loss = np.sum(w * w)
    stepped = here(1)
    optimizer.step()
    with pytest.raises(errors.InplaceError) as caught:
        loss.backward()
    told(caught, f"SGD.step() in {stepped}", fix="before assign() or optimizer.step()")


def test_adding_a_tensor_to_an_array_in_place_changes_no_array(w):
    total = np.zeros((3, 2))
    with pytest.raises(RuntimeError) as caught:
        line = here(1)
        total += w
    told(caught, "np.add with out=", line, "Nothing was changed", fix="x = x + t")
    assert not total.any()


def test_writing_into_an_array_behind_the_graph_is_noticed_by_anomaly_detection(w):
    with tg.detect_anomaly():
        line = here(1)
        loss = np.sum(w * w)
        w.data[0] = 7.0
        with pytest.raises(RuntimeError) as caught:
            loss.backward()
    told(caught, "input 0 (3, 2) of 'multiply'", line, "was written into", fix="t.assign(values)")
    assert isinstance(caught.value, errors.InplaceError)


def test_a_constant_is_not_made_of_a_tensor_in_silence(w):
    with pytest.raises(TypeError) as caught:
        line = here(1)
        np.array([w, w])
    told(caught, "'w' (3, 2)", "would become a constant array", line, fix="np.stack")


# Starting a backward pass.


def test_backward_of_several_numbers_asks_for_one(w):
    h = w * 2.0
    h.name = "h1"
    with pytest.raises(ValueError) as caught:
        line = here(1)
        h.backward()
    told(caught, "'h1' of shape (3, 2)", line, fix=".sum() or .mean(), or pass gradient=")


def _in_no_grad(t):
    with tg.no_grad():
        return t * 2.0


@pytest.mark.parametrize(
    ("cut", "words"),
    [
        (lambda t: t.detach(), "'w' was cut off by detach()"),
        (_in_no_grad, "'w' was cut off by no_grad() around multiply"),
        (np.round, "'w' was cut off by round"),
        (lambda t: t.astype(int) * 1.0, "'w' was cut off by astype()"),
    ],
)
def test_a_loss_without_a_path_to_a_leaf_says_where_it_was_cut(w, cut, words):
    loss = np.mean(np.exp(cut(w)))
    with pytest.raises(RuntimeError) as caught:
        line = here(1)
        loss.backward()
    told(caught, "does not depend on any tensor that requires a gradient", line, fix="detach()")
    assert isinstance(caught.value, errors.NoGradPathError)
    closest = re.search(
        rf"Closest: {re.escape(words)} at {Path(__file__).name}:\d+\.", str(caught.value)
    )
    assert closest is not None


def test_a_second_backward_names_the_line_of_the_first(w):
    line = here(1)
    loss = np.sum(w)
    first = here(1)
    loss.backward()
    with pytest.raises(RuntimeError) as caught:
        loss.backward()
    told(caught, f"'sum' at {line}", f"by the backward pass at {first}", fix="retain_graph=True")
    assert isinstance(caught.value, errors.GraphError)
    np.testing.assert_array_equal(w.grad.data, np.ones((3, 2)))


def test_the_gradient_of_an_intermediate_value_names_the_operation_and_how_to_keep_it(w):
    line = here(1)
    h = w * 2.0
    np.sum(h).backward()
    with pytest.raises(AttributeError) as caught:
        _ = h.grad
    told(caught, "(3, 2)", f"made by 'multiply' at {line}", fix="retain_grad()")


@pytest.mark.parametrize(
    "ask",
    [lambda a, n: tg.Tensor(a, True, name=n), lambda a, n: tg.Tensor(a, name=n).requires_grad_()],
)
def test_integers_cannot_require_a_gradient(ask):
    with pytest.raises(TypeError) as caught:
        ask([1, 2], "labels")
    told(caught, "'labels' of dtype int64", f"{Path(__file__).name}:", fix="floating-point numbers")
    assert isinstance(caught.value, errors.DTypeError)


# Modules.


def test_parameters_that_were_not_reached_are_named():
    model = Network(cut=lambda h: h.detach())
    model(X).sum().backward()
    never = "not used on the way to the loss"
    assert model.unused_parameters() == {"fc1.weight": never, "fc1.bias": never}
    model.zero_grad()
    model.fc1.weight.detach()
    assert "cut off by detach() at test_error_table.py:" in model.unused_parameters()["fc1.weight"]
    model.zero_grad()
    model.cut = lambda h: h
    model(X).sum().backward()
    assert model.unused_parameters() == {}


def test_a_step_without_gradients_is_no_step():
    optimizer = optim.SGD(Network().parameters(), lr=0.1)
    with pytest.raises(RuntimeError) as caught:
        line = here(1)
        optimizer.step()
    told(caught, "no gradient on any of its 4 parameters", line, fix="backward() on the loss first")


def test_an_argument_that_does_not_matter_is_warned_of():
    def loss(x, y):
        return np.sum(x)

    with pytest.warns(UserWarning, match="loss' does not depend on argument 1") as seen:
        gradient = tg.grad(loss, argnums=1)(np.ones(2), np.ones(3))
    assert "Fix: " in str(seen[0].message)
    np.testing.assert_array_equal(gradient, np.zeros(3))


def test_a_layer_that_does_not_fit_names_itself_and_the_layer_before_it():
    layers = (nn.Linear(784, 784, generator=0), nn.ReLU(), nn.Linear(128, 10, generator=0))
    with pytest.raises(ValueError) as caught:
        nn.Sequential(*layers)(np.ones((64, 784), np.float32))
    facts = ("in Sequential.2 (Linear 128→10)", "input (64, 784), expected (…, 128)")
    before = "The previous layer Sequential.1 (ReLU) gave 784: is a Linear(784, 128) missing?"
    told(caught, *facts, before, fix="Linear(784, 10)")
    assert isinstance(caught.value, errors.ShapeError)


def test_a_product_within_a_module_names_its_path_and_the_axes():
    class Inner(nn.Module):
        def __init__(self):
            self.w = nn.Parameter(np.ones((5, 2)))

        def forward(self, x):
            return x @ self.w

    model = nn.Sequential(nn.Identity(), Inner())
    with pytest.raises(ValueError) as caught:
        model(np.ones((4, 3)))
    where = ("matmul in Sequential.1 of (4, 3) and (5, 2)", f"{Path(__file__).name}:")
    told(caught, *where, "axis -1 of the first has length 3", fix="transpose one")


def test_a_state_that_does_not_fit_is_told_whole_and_nothing_is_loaded():
    model = Network()
    before = model.state_dict()
    state = model.state_dict()
    state["fc1.wieght"] = state.pop("fc1.weight") + 1
    state["fc2.weight"] = state["fc2.weight"].T
    state["extra"] = np.ones(2)
    with pytest.raises(ValueError) as caught:
        model.load_state_dict(state)
    missing = "missing: 'fc1.weight' (4, 3); nearest on the other side: 'fc1.wieght'"
    shape = "shape: 'fc2.weight' is (1, 4) in the module and (4, 1) in the state (transposed)"
    facts = ("does not fit Network. Nothing was changed", missing, shape)
    told(caught, *facts, "unexpected: 'extra' (2,)", fix="strict=False")
    assert isinstance(caught.value, errors.StateDictError)
    for name, values in model.state_dict().items():
        np.testing.assert_array_equal(values, before[name])


# Rules, and numbers that are not finite.


def test_a_wrong_rule_is_named_with_both_shapes():
    @tg.primitive(lambda g, out, x: g[:, 0] * 2)
    def mysquare(x):
        return x * x

    x = tg.Tensor(np.ones((3, 1)), requires_grad=True)
    line = here(1)
    loss = np.sum(mysquare(x))
    with pytest.raises(ValueError) as caught:
        loss.backward()
    facts = (
        "rule of 'mysquare' returned a cotangent of shape (3,) for input 0 of shape (3, 1)",
        line,
    )
    told(caught, *facts, fix="let the rule return the shape (3, 1)")
    assert isinstance(caught.value, errors.VJPError)
    assert x.grad is None


def test_the_first_operation_that_makes_nan_is_named_in_the_forward_pass():
    model = nn.Sequential(nn.Identity(), Network(cut=lambda h: np.log(h - 2)))
    with tg.detect_anomaly(), np.errstate(all="ignore"), pytest.raises(ArithmeticError) as caught:
        model(X)
    facts = ("log made 8 of 8 values not finite", "in Sequential.1", f"{Path(__file__).name}:")
    told(caught, *facts, "the first is nan at index (0, 0)", "(2, 4) float32 in [-", fix="np.clip")
    assert isinstance(caught.value, FloatingPointError)
    assert isinstance(caught.value, errors.NonFiniteError)


def test_a_rule_that_makes_infinity_is_named_in_the_backward_pass():
    x = tg.Tensor([4.0, 0.0], requires_grad=True)
    with tg.detect_anomaly(), np.errstate(all="ignore"):
        line = here(1)
        loss = np.sum(np.sqrt(x))
        with pytest.raises(FloatingPointError) as caught:
            loss.backward()
    facts = ("the backward rule of sqrt for input 0 made 1 of 2 values not finite", line)
    told(caught, *facts, "inf at index (1,)", "float64 in [0, 4]", fix="inside the domain")
    assert x.grad is None


def test_a_gradient_that_is_not_the_derivative_names_the_worst_element_and_both_numbers():
    half = tg.primitive(lambda g, out, x: g * x, name="half")(lambda x: x * x)
    with pytest.raises(AssertionError) as caught:
        check_gradients(lambda x: np.sum(half(x)), np.array([[1.0, -3.0]]))
    facts = ("argument 0 (1, 2) is wrong at 2 of 2 elements, most at index (0, 1)", "gives -3,")
    facts += ("numerical derivative is -6", "with an error of at most")
    facts += ("a factor 2 is missing", "the rule of the primitive 'half' for its input 0 is wrong")
    told(caught, *facts, here(-4), fix="correct that rule")
    assert isinstance(caught.value, errors.GradientError)


def test_a_function_without_a_rule_says_how_to_give_it_one(w, monkeypatch):
    monkeypatch.delitem(FUNCTIONS, np.unwrap)
    with pytest.raises(TypeError) as caught:
        line = here(1)
        np.unwrap(w)
    told(
        caught, "np.unwrap cannot be differentiated", line, fix="tinygrad_bp.implements(np.unwrap)"
    )
    assert isinstance(caught.value, errors.OperationError)


# Pictures.


def test_without_graphviz_the_error_names_a_command_for_each_system(w, tmp_path, monkeypatch):
    picture = tg.draw(np.sum(w))
    monkeypatch.setattr("shutil.which", lambda name: None)
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "pygraphviz":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError) as caught:
        tg.draw.save(picture, tmp_path / "graph.svg")
    told(caught, "neither its `dot` program nor", fix="apt install graphviz")
    assert isinstance(caught.value, errors.MissingExtraError)
    for words in ("brew install", "winget install", "'tinygrad-bp[draw]'", "picture.source"):
        assert words in str(caught.value)
    assert tg.draw.save(picture, tmp_path / "graph.dot").exists()
