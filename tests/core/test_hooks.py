"""Hooks that take themselves away, and what becomes of what they return."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("of_a_leaf", [False, True])
def test_a_hook_that_removes_itself_hides_no_other(of_a_leaf, create_graph):
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    watched = x if of_a_leaf else y
    handle = watched.register_hook(lambda g: handle.remove())
    watched.register_hook(lambda g: g * 10)
    y.sum().backward(create_graph=create_graph)
    np.testing.assert_array_equal(x.grad.data, [20, 20])


def test_a_hook_that_removes_itself_does_not_keep_the_gradient_from_being_retained():
    y = tg.Tensor(1.0, requires_grad=True) * 2
    handle = y.register_hook(lambda g: handle.remove())
    y.retain_grad()
    (y * 3).backward()
    assert y.grad.item() == 3


@pytest.mark.parametrize("before", [False, True])
def test_the_gradient_that_is_kept_is_that_after_all_hooks_as_of_a_leaf(before):
    x = tg.Tensor(1.0, requires_grad=True)
    y = x * 2
    if before:
        y.retain_grad()
    handles = [y.register_hook(lambda g: g * 10), y.register_hook(lambda g: g + 1)]
    y.retain_grad()
    (y * 3).backward(retain_graph=True)
    assert (y.grad.item(), x.grad.item()) == (31, 62)
    y.grad = None
    handles[1].remove()
    (y * 3).backward()
    assert y.grad.item() == 30


@pytest.mark.parametrize("create_graph", [False, True])
def test_what_a_hook_returns_gets_the_dtype_of_the_gradient(create_graph):
    x = tg.Tensor(np.float32([1, 2]), requires_grad=True)
    x.register_hook(lambda g: g * np.array([1.0, 2.0]))
    (x * x).sum().backward(create_graph=create_graph)
    assert x.grad.dtype == np.float32
    np.testing.assert_array_equal(x.grad.data, [2, 8])
