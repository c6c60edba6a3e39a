from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict, defaultdict, namedtuple

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import errors
from tinygrad_bp.testing import numerical_gradient
from tinygrad_bp.transforms import (
    IndependentWarning,
    grad,
    jvp,
    value_and_grad,
    vjp,
)

X = np.array([0.3, -1.2, 2.0])


def value(t):
    """The array of what is no tensor, or a constant one."""
    return np.asarray(t)


Pair = namedtuple("Pair", "w b")


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    slope: object
    offset: object
    label: str = "line"

    def __post_init__(self):
        if self.slope is None:
            raise AssertionError("a gradient does not go through the checks of the class")


@pytest.mark.parametrize(
    ("make", "read"),
    [
        (lambda w, b: {"w": w, "b": b}, lambda t: (t["w"], t["b"])),
        (lambda w, b: OrderedDict(w=w, b=b), lambda t: (t["w"], t["b"])),
        (lambda w, b: defaultdict(list, w=w, b=b), lambda t: (t["w"], t["b"])),
        (lambda w, b: [w, [b]], lambda t: (t[0], t[1][0])),
        (lambda w, b: (w, {"b": (b,)}), lambda t: (t[0], t[1]["b"][0])),
        (Pair, lambda t: (t.w, t.b)),
        (Line, lambda t: (t.slope, t.offset)),
    ],
)
def test_gradients_have_the_structure_of_their_argument(make, read):
    tree = make(X, 2.0)

    def f(tree):
        w, b = read(tree)
        return np.sum(w**2) * b

    g = grad(f)(tree)
    assert type(g) is type(tree)
    w, b = read(g)
    np.testing.assert_allclose(value(w), 4 * X)
    assert value(b) == pytest.approx(np.sum(X**2))
    assert read(tree)[0] is X
    _, t = jvp(f, (tree,), (make(X, 1.0),))
    assert value(t) == pytest.approx(5 * np.sum(X**2))


def test_members_that_are_no_real_numbers_are_handed_on_and_have_no_gradient():
    tree = {
        "x": 2.0,
        "n": 3,
        "name": "a",
        "none": None,
        "mask": np.array([True]),
        "i": np.arange(2),
    }

    def f(tree):
        assert isinstance(tree["n"], int)
        assert tree["name"] == "a"
        assert tree["none"] is None
        assert tree["i"] is given_["i"]
        return tree["x"] ** tree["n"]

    given_ = tree
    g = grad(f)(tree)
    assert value(g.pop("x")) == 12.0
    assert set(g.values()) == {None}


def test_an_empty_container_has_an_empty_gradient():
    assert grad(lambda x, p: x**2, (0, 1))(3.0, {}) == (6.0, {})


class Net(tg.nn.Module):
    """Parameters in a list, in a tuple and as a plain leaf."""

    def __init__(self):
        rng = np.random.default_rng(1)
        self.layers = [tg.nn.Linear(2, 3, generator=rng).astype(float)]
        self.pair = (tg.nn.Parameter(rng.normal(size=3)),)
        self.plain = tg.Tensor(0.5, requires_grad=True)

    def forward(self, x):
        return np.tanh(self.layers[0](x)) @ self.pair[0] * self.plain


def loss(model, x):
    return np.mean(model(x) ** 2)


INPUTS = np.random.default_rng(2).normal(size=(4, 2))


def test_the_gradient_of_a_module_is_a_dict_and_leaves_no_trace():
    model = Net()
    v, g = value_and_grad(loss)(model, INPUTS)
    assert list(g) == [name for name, _ in model.named_parameters()]
    assert all(p.grad is None and p.is_leaf for p in model.parameters())
    expected = loss(model, INPUTS)
    expected.backward()
    assert value(v) == expected.item()
    for name, p in model.named_parameters():
        np.testing.assert_allclose(value(g[name]), p.grad.data, rtol=1e-14, err_msg=name)


def test_frozen_parameters_are_constants():
    model = Net()
    model.plain.requires_grad_(False)
    model.layers[0].bias.requires_grad_(False)
    assert list(grad(loss)(model, INPUTS)) == ["layers.0.weight", "pair.0"]


def test_modules_inside_of_containers_and_with_other_arguments():
    model = Net()
    g = grad(lambda t, x: loss(t["net"], x) * t["scale"], (0, 1))(
        {"net": model, "scale": 2.0}, INPUTS
    )
    assert set(g[0]["net"]) == {"layers.0.weight", "layers.0.bias", "pair.0", "plain"}
    assert value(g[0]["scale"]) == pytest.approx(loss(model, INPUTS).item())
    assert g[1].shape == INPUTS.shape


def test_a_closure_over_a_parameter_that_is_exchanged_counts_as_well():
    model = Net()
    g = grad(lambda m: m.plain * 2 + model.plain * 3)
    with pytest.warns(IndependentWarning, match=r"argument 0\['pair.0'\]"):
        assert value(g(model)["plain"]) == 5.0


@pytest.mark.filterwarnings("ignore::tinygrad_bp.transforms.IndependentWarning")
def test_a_function_may_return_a_parameter_itself():
    model = Net()
    assert grad(lambda m: m.plain)(model)["plain"].item() == 1.0
    (v, aux), g = value_and_grad(lambda m: (m.plain * 2, {"p": m.plain}), has_aux=True)(model)
    assert (value(v), value(aux["p"]), value(g["plain"])) == (1.0, 0.5, 2.0)
    _, pullback = vjp(lambda m: [m.plain, m.pair[0]], model)
    assert pullback([3.0, np.ones(3)])[0]["plain"].item() == 3.0
    second = grad(lambda m: grad(lambda m: m.plain**3)(m)["plain"])(model)["plain"]
    assert second.item() == pytest.approx(3.0)


def test_second_derivatives_of_modules():
    model = Net()

    def squares(m):
        return sum(np.sum(g**2) for g in grad(loss)(m, INPUTS).values())

    g = grad(squares)(model)
    for name, p in model.named_parameters():
        start = p.data

        def at(values, p=p):
            p.data = values
            return np.asarray(squares(model))

        numerical, _ = numerical_gradient(at, start)
        p.data = start
        np.testing.assert_allclose(value(g[name]), numerical, rtol=1e-6, atol=1e-9, err_msg=name)


def test_an_exception_leaves_the_module_as_it_was():
    model = Net()

    def broken(m):
        m(INPUTS)
        raise KeyError("on purpose")

    with pytest.raises(KeyError):
        grad(broken)(model)
    with pytest.raises(KeyError):
        grad(lambda m: np.sum(sum(grad(broken)(m).values())))(model)
    assert all(p.is_leaf for p in model.parameters())
    assert len(list(model.parameters())) == 4


def test_the_gradient_of_a_module_does_not_reach_its_leaves_and_says_so():
    g = grad(loss)(Net(), INPUTS)
    words = "takes modules as plain values"
    with pytest.raises(errors.NoGradPathError, match=words):
        np.sum(g["pair.0"]).backward()


def test_a_module_given_twice_is_refused():
    model = Net()
    with pytest.raises(errors.ArgumentError, match="two arguments share a parameter"):
        grad(lambda a, b: loss(a, INPUTS) + loss(b, INPUTS), (0, 1))(model, model)


def test_threads_do_not_disturb_each_other():
    model, shared = Net(), tg.Tensor(2.0, requires_grad=True)
    wanted = {name: g.data for name, g in grad(loss)(model, INPUTS).items()}
    failures = []

    def work():
        try:
            for k in range(20):
                g = grad(loss)(model, INPUTS)
                for name, expected in wanted.items():
                    np.testing.assert_array_equal(g[name].data, expected)
                second = grad(grad(lambda x: x**3 * shared.detach()))(float(k))
                assert second.item() == 12.0 * k
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert all(p.is_leaf for p in model.parameters())
