from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from told import told

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.nn import (
    Identity,
    Linear,
    Module,
    ModuleDict,
    ModuleList,
    Parameter,
    ParameterDict,
    ParameterList,
)

X = np.random.default_rng(1).normal(size=(3, 2)).astype(np.float32)


class Net(Module):
    def __init__(self):
        self.layers = ModuleList([Linear(2, 2, generator=0), Linear(2, 2, generator=1)])
        self.heads = ModuleDict({"a": Linear(2, 1, generator=2), "b": Linear(2, 3, generator=3)})
        self.scales = ParameterList([np.ones(2, np.float32), Parameter([2.0], np.float32)])
        self.shifts = ParameterDict({"x": np.zeros(2, np.float32)})

    def forward(self, x):
        for layer, scale in zip(self.layers, self.scales, strict=True):
            x = np.tanh(layer(x)) * scale + self.shifts["x"]
        return {name: head(x) for name, head in self.heads.items()}


def test_all_parts_are_found_under_the_names_of_pytorch_and_get_gradients():
    net = Net()
    assert list(net.state_dict()) == [
        "layers.0.weight",
        "layers.0.bias",
        "layers.1.weight",
        "layers.1.bias",
        "heads.a.weight",
        "heads.a.bias",
        "heads.b.weight",
        "heads.b.bias",
        "scales.0",
        "scales.1",
        "shifts.x",
    ]
    y = net(X)
    (y["a"].sum() + y["b"].sum()).backward()
    assert net.unused_parameters() == {}
    net.eval()
    assert not net.layers[1].training


def test_lists_do_what_lists_do():
    a, b, c, d = (Identity() for _ in range(4))
    modules = ModuleList([a])
    assert modules.append(b) is modules
    modules.insert(0, c)
    modules += [d]
    assert list(modules) == [c, a, b, d]
    assert modules[-1] is d
    assert type(modules[1:3]) is ModuleList
    assert list(modules[1:3]) == [a, b]
    modules[0] = d
    modules[1:3] = [b, a]
    assert list(modules) == [d, b, a, d]
    assert modules.pop() is d
    del modules[0]
    modules.reverse()
    assert list(modules) == [a, b]
    assert list(modules + ModuleList([c])) == [a, b, c]
    assert len(modules) == 2
    assert b in modules
    assert modules.index(b) == 1
    assert repr(ModuleList([Linear(1, 2)])) == "ModuleList(\n  (0): Linear(1, 2)\n)"


def test_dicts_do_what_dicts_do():
    a, b, c = (Identity() for _ in range(3))
    modules = ModuleDict({"a": a})
    modules["b"] = b
    modules.update({"c": c})
    assert list(modules) == ["a", "b", "c"]
    assert list(modules.values()) == [a, b, c]
    assert modules.pop("b") is b
    del modules["c"]
    assert "a" in modules
    assert "b" not in modules
    assert modules.get("b") is None
    for look in (
        lambda: modules["aa"],
        lambda: modules.pop("aa"),
        lambda: modules.__delitem__("aa"),
    ):
        with pytest.raises(KeyError) as caught:
            look()
        told(caught, "no 'aa' in this ModuleDict (at test_lists.py:", fix="did you mean 'a'?")
    assert "aa" not in modules
    assert modules.pop("aa", None) is None
    modules.clear()
    assert len(modules) == 0
    with pytest.raises(KeyError, match=r"no 'a' in this ModuleDict .*\nFix: it is empty\."):
        modules["a"]
    assert repr(ModuleDict({"up": Linear(1, 2)})) == "ModuleDict(\n  (up): Linear(1, 2)\n)"


def test_parameters_are_kept_and_arrays_become_parameters():
    tied = Parameter([1.0])
    parameters = ParameterList([tied, [1.0, 2.0]])
    assert parameters[0] is tied
    assert type(parameters[1]) is Parameter
    parameters.append(tg.Tensor(np.zeros((2, 2))))
    assert type(parameters[2]) is Parameter
    by_name = ParameterDict({"w": tied})
    by_name["v"] = 3.0
    assert [p.shape for p in by_name.parameters()] == [(1,), ()]
    assert repr(ParameterDict({"w": tied})).startswith("ParameterDict(\n  (w): Tensor([1.]")
    assert repr(ParameterList([tied])).startswith("ParameterList(\n  (0): Tensor([1.]")


def test_copies_pickles_and_identity():
    net = Net()
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(other(X)["b"].data, net(X)["b"].data)
        assert other.layers != net.layers
        assert other.heads != net.heads
    assert net.layers == net.layers
    assert len({net.layers, net.heads}) == 2
    summary = ModuleList([Linear(2, 2)])
    assert dict(summary.named_modules()).keys() == {"", "0"}


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (lambda: ModuleList([np.tanh]), "a ModuleList holds modules, and <ufunc 'tanh'> is none"),
        (lambda: ModuleList([Identity]), r"(?s)a ModuleList holds.*make one: Identity\(\.\.\.\)"),
        (lambda: ModuleList().extend([Identity(), 3]), "and 3 is none"),
        (lambda: ModuleDict({"a.b": Identity()}), "a key of a ModuleDict is a text without dots"),
        (lambda: ModuleDict({0: Identity()}), "a text without dots, not 0"),
        (lambda: ModuleDict({"a": tg.Tensor(1.0)}), "a ModuleDict holds modules"),
        (lambda: ParameterDict({"": 1.0}), "a key of a ParameterDict"),
        (lambda: ModuleList(3), "a ModuleList takes a list of several, not an int"),
        (lambda: ModuleList(None), "a ModuleList takes a list of several, not a NoneType"),
        (lambda: ModuleList(Identity()), "a ModuleList takes a list of several, not an Identity"),
        (lambda: ModuleList("ab"), "a ModuleList takes a list of several, not a str"),
        (lambda: ModuleList().extend(Identity()), "not an Identity"),
        (lambda: ModuleList() + 3, "a ModuleList takes a list of several, not an int"),
        (lambda: ModuleList([Identity()]).__setitem__(slice(0, 1), 3), "not an int"),
        (lambda: ParameterList(1.0), "a ParameterList takes a list of several, not a float"),
        (lambda: ModuleDict(3), "a ModuleDict is made of a dict, not of an int"),
        (lambda: ModuleDict([Identity()]), "a ModuleDict is made of a dict, not of a list"),
        (lambda: ModuleDict("ab"), "a ModuleDict is made of a dict, not of a str"),
        (lambda: ParameterDict().update(1.0), "a ParameterDict is made of a dict, not of a float"),
    ],
)
def test_what_they_do_not_hold(wrong, text):
    with pytest.raises(ArgumentError, match=text) as caught:
        wrong()
    assert str(caught.value).count("\nFix: ") == 1


@pytest.mark.parametrize("index", [2, -3, "a", None, 1.0])
def test_a_position_that_there_is_not(index):
    modules = ModuleList([Identity(), Identity()])
    changes = (
        lambda: modules[index],
        lambda: modules.__setitem__(index, Identity()),
        lambda: modules.__delitem__(index),
        lambda: modules.pop(index),
    )
    for change in changes:
        with pytest.raises(IndexError) as caught:
            change()
        fix = "a number from 0 to 1."
        told(caught, f"no position {index!r} in this ModuleList of 2 (at test_lists.py:", fix=fix)
    assert len(modules) == 2
    with pytest.raises(IndexError, match="Fix: put one in before; it is empty"):
        ModuleList().pop()
    with pytest.raises(IndexError, match="no position 'a'"):
        modules.insert("a", Identity())


def test_a_dict_that_is_updated_by_something_wrong_is_left_as_it_was():
    modules = ModuleDict()
    for wrong in ({"a": Identity(), "b": 3}, {"a": Identity(), "b.c": Identity()}):
        with pytest.raises(ArgumentError):
            modules.update(wrong)
        assert len(modules) == 0
    modules.update([("a", Identity())], b=Identity())
    assert list(modules) == ["a", "b"]
    assert list(ModuleDict(modules)) == ["a", "b"]


def test_a_list_that_is_extended_by_something_wrong_is_left_as_it_was():
    modules = ModuleList([Identity()])
    with pytest.raises(ArgumentError):
        modules.extend([Identity(), 3])
    with pytest.raises(ArgumentError):
        modules[0:1] = [3]
    assert len(modules) == 1


@pytest.mark.parametrize("kind", [ModuleList, ModuleDict, ParameterList, ParameterDict])
def test_what_holds_layers_is_no_layer(kind):
    name = kind.__name__
    with pytest.raises(TypeError, match=f"in {name}: a {name} is no layer.*\n.*") as caught:
        kind()(np.zeros(2))
    assert "Fix: call its items in the forward" in str(caught.value)
    assert ("Sequential(*layers)" in str(caught.value)) == (kind is ModuleList)
