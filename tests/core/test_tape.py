"""`record_grads`: the gradients of everything, as they stood when the pass went by."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import errors, nn


def test_every_value_has_its_complete_gradient():
    x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    h = x * 2.0
    out = np.sum(h * h + h)
    with tg.record_grads() as tape:
        out.backward()
    np.testing.assert_array_equal(tape[h].data, 2 * h.data + 1)
    np.testing.assert_array_equal(tape[x].data, x.grad.data)
    assert tape[out].item() == 1.0
    assert not np.shares_memory(tape[x].data, x.grad.data)
    lines = list(tape)
    assert len(tape) == len(lines) == 5
    assert lines[-1].name == "x"
    assert all("test_tape.py:" in line.where for line in lines[:-1])
    x.grad.assign(0.0)
    assert tape[x].data.all()


def test_layers_are_told_apart_by_their_module():
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    with tg.record_grads() as tape:
        model(np.ones((4, 2), np.float32)).sum().backward()
    places = {line.operation: line.where for line in tape}
    assert places["tanh"].startswith("in Sequential.1 at ")
    named = {line.name for line in tape if line.operation == "leaf"}
    assert named == {"weight", "bias"}


def test_passes_add_up_and_the_tape_ends_with_its_block():
    x = tg.Tensor(3.0, requires_grad=True)
    h = x * x
    with tg.record_grads() as tape:
        h.backward(retain_graph=True)
        h.backward(retain_graph=True)
    h.backward()
    assert tape[x].item() == 12.0
    assert tape[h].item() == 2.0


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_are_those_after_hooks_of_leaves_as_of_all_others(create_graph):
    x, alone = (tg.Tensor(3.0, requires_grad=True) for _ in range(2))
    h = x * 2.0
    for tensor, factor in ((h, 10.0), (x, 7.0), (alone, 5.0)):
        tensor.register_hook(lambda g, factor=factor: g * factor)
    with tg.record_grads() as tape:
        (h + 1.0).backward(create_graph=create_graph)
        alone.backward(create_graph=create_graph)
    assert tape[h].item() == 10.0
    assert tape[x].item() == x.grad.item() == 140.0
    assert tape[alone].item() == alone.grad.item() == 5.0


def test_gradients_of_a_recorded_pass_can_be_differentiated():
    x = tg.Tensor(3.0, requires_grad=True)
    h = x * x
    with tg.record_grads() as tape:
        (h * h).backward(create_graph=True)
    x.grad = None
    tape[h].backward()  # 2 h = 2 x**2
    assert x.grad.item() == 12.0


def test_what_was_not_reached_is_an_error_that_says_so():
    x = tg.Tensor(1.0, requires_grad=True, name="x")
    with tg.record_grads() as tape:
        tg.Tensor(2.0, requires_grad=True).backward()
    with pytest.raises(errors.GraphError, match="no backward pass reached the tensor 'x'"):
        tape[x]
