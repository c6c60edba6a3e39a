from __future__ import annotations

import dataclasses
from collections import OrderedDict, defaultdict, namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp import errors
from tinygrad_bp.transforms.trees import Tree, is_real, kind_of

LEAVES = st.none() | st.floats(allow_nan=False) | st.text(max_size=3)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
)


@given(tree=TREES)
def test_taking_apart_and_putting_together_changes_nothing(tree):
    apart = Tree(tree, "t")
    assert apart.build([leaf.value for leaf in apart.leaves]) == tree
    assert apart.matched(tree, "it") == [leaf.value for leaf in apart.leaves]


@given(tree=TREES)
def test_paths_lead_to_the_leaves(tree):
    for leaf in Tree(tree, "t").leaves:
        assert eval(str(leaf), {"t": tree}) is leaf.value or leaf.value != leaf.value


def test_kinds_of_containers_are_kept():
    point = namedtuple("point", "x y")

    @dataclasses.dataclass
    class Box:
        inside: object
        later: object = dataclasses.field(init=False, default=2.0)

    tree = [
        OrderedDict(b=1.0, a=2.0),
        defaultdict(list, c=3.0),
        point(4.0, (5.0,)),
        Box({"k": 6.0}),
    ]
    built = Tree(tree, "t").build(list(range(7)))
    assert [type(x) for x in built] == [OrderedDict, defaultdict, point, Box]
    assert list(built[0].items()) == [("b", 0), ("a", 1)]
    assert built[1]["new"] == []
    assert built[2] == point(3, (4,))
    assert (built[3].inside, built[3].later) == ({"k": 5}, 6)
    assert tree[3].inside == {"k": 6.0}


def test_a_class_is_no_container_and_no_module():
    @dataclasses.dataclass
    class Box:
        inside: object = None

    assert Tree(Box, "t").is_leaf
    assert Tree(tg.nn.Linear, "t").is_leaf


def test_a_module_has_its_trained_parameters_as_leaves():
    model = tg.nn.Linear(2, 1)
    model.bias.requires_grad_(False)
    tree = Tree([model], "argument 0")
    assert [str(leaf) for leaf in tree.leaves] == ["argument 0[0]['weight']"]
    assert tree.build([1]) == [{"weight": 1}]
    assert tree.build([1], modules=True) == [model]


def test_none_may_stand_for_a_whole_container():
    tree = Tree({"a": [1.0, 2.0], "b": 3.0}, "t")
    assert tree.matched({"a": None, "b": 5.0}, "it") == [None, None, 5.0]
    assert tree.matched(None, "it") == [None, None, None]


def test_what_is_not_differentiated_by_may_be_left_away():
    assert Tree({"x": 1.0, "n": 3}, "t").matched({"x": 5.0}, "it") == [5.0, None]


def test_other_structures_are_told_apart():
    tree = Tree({"a": [1.0, 2.0]}, "t")
    for other, words in [
        ({"a": [1.0]}, r"Missing: t\['a'\]\[1\]"),
        ({"a": 1.0}, r"Missing: t\['a'\]\[0\], t\['a'\]\[1\]\nUnexpected: t\['a'\]"),
        ({"a": [1.0, 2.0, 3.0]}, r"Unexpected: t\['a'\]\[2\]"),
        (5.0, r"Missing: .*\nUnexpected: t\n"),
    ]:
        with pytest.raises(errors.ArgumentError, match=f"it has another structure.*\n.*{words}"):
            tree.matched(other, "it")
    with pytest.raises(errors.ArgumentError):
        Tree({}, "t").matched({"a": 1.0}, "it")
    assert Tree({}, "t").matched({}, "it") == []


@pytest.mark.parametrize(
    ("value", "real", "words"),
    [
        (1.0, True, "1.0"),
        (np.float32(1), True, "a value of type float32"),
        (np.ones(2), True, r"an array of shape (2,) and dtype float64"),
        (tg.Tensor([1.0]), True, "a tensor of shape (1,) and dtype float64"),
        (1, False, "1"),
        (True, False, "True"),
        (np.arange(2), False, "an array of shape (2,) and dtype int64"),
        (1j, False, "1j"),
        ("text", False, "'text'"),
        (None, False, "None"),
        ({1, 2}, False, "a value of type set"),
    ],
)
def test_what_counts_as_real_and_how_it_is_called(value, real, words):
    assert is_real(value) is real
    assert kind_of(value) == words
