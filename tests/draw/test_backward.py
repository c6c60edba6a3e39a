"""The backward pass of pictures: the same numbers as the engine's, and nothing is changed by it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

import tinygrad_bp as tg
from tinygrad_bp import errors, nn
from tinygrad_bp.core import Node
from tinygrad_bp.draw.backward import pull_back
from tinygrad_bp.draw.scene import nodes_behind
from tinygrad_bp.testing.programs import programs


def recorded(program):
    leaves = [
        tg.Tensor(x, requires_grad=True, name=name)
        for name, x in zip(program.names, program.inputs, strict=True)
    ]
    return leaves, program.run(*leaves)


@given(programs())
def test_it_is_the_engines_pass_bit_for_bit(program):
    leaves, loss = recorded(program)
    found = pull_back([loss])
    assert all(leaf.grad is None for leaf in leaves)
    with tg.record_grads() as tape, np.errstate(all="ignore"):
        loss.backward(retain_graph=True)
    for leaf in leaves:
        g = found.of(leaf)
        assert (g is None) == (leaf.grad is None)
        if g is not None:
            np.testing.assert_array_equal(g, leaf.grad.data)
            assert np.asarray(g).dtype == leaf.dtype
    arrived = [node for node in nodes_behind([loss]) if found.of(node) is not None]
    assert found.visited == arrived[::-1]
    # A checkpoint's rule runs a pass of its own, which the engine's tape sees too.
    assert len(tape) >= len(arrived) + sum(leaf.grad is not None for leaf in leaves)
    for node in arrived:
        t = node.primitive.as_tensor(node.out, node)
        np.testing.assert_array_equal(found.of(node), tape[t].data)
    again = pull_back([loss], tape)
    assert again.visited == found.visited
    for mine, theirs in zip(again.parts, found.parts, strict=True):
        assert mine[:3] == theirs[:3]
        np.testing.assert_array_equal(mine.value, theirs.value)


@given(programs(max_operations=8))
def test_what_is_sent_to_an_input_adds_up_to_its_cotangent(program):
    _, loss = recorded(program)
    found = pull_back([loss])
    total: dict[int, np.ndarray] = {id(loss.node): np.asarray(1.0)}
    for part in found.parts:
        assert part.node.sources[part.position] is part.source
        assert np.shape(part.value) == np.shape(getattr(part.source, "out", part.source))
        before = total.get(id(part.source), 0.0)
        total[id(part.source)] = before + part.value
    owners = {id(p.source): p.source for p in found.parts}
    for key, owner in owners.items():
        np.testing.assert_allclose(found.of(owner), total[key], rtol=1e-10, atol=1e-10)
        assert isinstance(owner, Node) or owner.requires_grad


def test_hooks_do_not_run_and_a_tape_of_the_user_sees_nothing():
    seen = []
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    h = x * 3.0
    h.register_hook(lambda g: seen.append(g) or g * 0.0)
    x.register_hook(lambda g: seen.append(g))
    h.retain_grad()
    loss = h.sum()
    with tg.record_grads() as tape:
        found = pull_back([loss])
    np.testing.assert_array_equal(found.of(x), [3.0, 3.0])
    assert not seen
    assert not len(tape)
    assert h.grad is None
    loss.backward()  # the graph is there still
    assert len(seen) == 2


def test_of_a_tape_the_gradients_are_those_after_the_hooks():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    h = x * 3.0
    h.register_hook(lambda g: g * 10.0)
    loss = (h * h).sum()
    with tg.record_grads() as tape:
        loss.backward(retain_graph=True)
    found = pull_back([loss], tape)
    np.testing.assert_array_equal(found.of(h), [60.0, 120.0])
    np.testing.assert_array_equal(found.of(x), x.grad.data)


def test_of_a_tape_an_output_may_have_several_elements():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    with tg.record_grads() as tape:
        y.backward(np.array([1.0, 10.0]), retain_graph=True)
    np.testing.assert_array_equal(pull_back([y], tape).of(x), [2.0, 40.0])
    said = (
        r"a tensor 'y' of shape \(2,\) needs a gradient.*test_backward.py:\d+.*\n.*gradients=tape"
    )
    y.name = "y"
    with pytest.raises(errors.ShapeError, match=said):
        pull_back([y])


def test_a_tape_of_another_graph_is_an_error():
    x = tg.Tensor(1.0, requires_grad=True)
    with tg.record_grads() as tape:
        (x * 2.0).backward()
    with pytest.raises(errors.GraphError, match="no gradient of this graph.*\n.*retain_graph=True"):
        pull_back([x * 3.0], tape)


def test_of_several_outputs_it_is_the_pass_from_their_sum():
    x = tg.Tensor(2.0, requires_grad=True)
    h = x * x
    found = pull_back([h * 3.0, h])
    assert found.of(h) == 4.0
    assert found.of(x) == 16.0


def test_values_that_were_assigned_to_are_an_error_as_in_the_engine():
    w = nn.Parameter(np.ones(2))
    loss = (w * w).sum()
    w.assign([2.0, 2.0])
    with pytest.raises(errors.InplaceError, match="assigned a new value"):
        pull_back([loss])


def test_rules_that_run_a_pass_of_their_own_leave_the_users_tape_alone():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    loss = tg.checkpoint(lambda x: np.exp(x) * x)(x).sum()
    with tg.record_grads() as tape:
        found = pull_back([loss])
    np.testing.assert_allclose(found.of(x), np.exp(x.data) * (1 + x.data))
    assert not len(tape)


def test_what_was_broadcast_is_summed():
    x = tg.Tensor(np.ones(3), requires_grad=True)
    y = tg.Tensor(np.ones((2, 3)), requires_grad=True)
    found = pull_back([(x * y).sum()])
    assert {id(p.source): p.summed for p in found.parts if isinstance(p.source, tg.Tensor)} == {
        id(x): True,
        id(y): False,
    }


def test_a_tape_of_a_pass_that_recorded_itself_holds_tensors_and_gives_arrays():
    x = tg.Tensor(2.0, requires_grad=True)
    loss = x**3
    with tg.record_grads() as tape:
        loss.backward(create_graph=True)
    found = pull_back([loss], tape)
    assert isinstance(tape[x], tg.Tensor)
    assert found.of(x) == 12.0
    assert not isinstance(found.of(x), tg.Tensor)
    assert all(not isinstance(part.value, tg.Tensor) for part in found.parts)
