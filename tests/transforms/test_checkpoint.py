from __future__ import annotations

import gc
import threading
import tracemalloc
import weakref

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import errors
from tinygrad_bp.transforms import checkpoint, grad, hessian, jvp, value_and_grad

X = np.array([0.3, -1.2, 2.0])


def block(x):
    return np.tanh(np.sin(x) * np.exp(-x)) + x


def nodes_behind(t):
    """All nodes of the graph behind a tensor."""
    found, todo = {}, [t.node]
    while todo:
        node = todo.pop()
        if node is not None and node.number not in found:
            found[node.number] = node
            todo += [x.node for x in node.inputs if isinstance(x, tg.Tensor)]
    return list(found.values())


def test_one_node_is_kept_in_place_of_all_within():
    x = tg.Tensor(X, requires_grad=True)
    y = checkpoint(block)(checkpoint(block)(x))
    assert [n.primitive.name for n in nodes_behind(y)] == ["checkpoint", "checkpoint"]
    assert repr(y.node.params["call"]) == "block"
    np.testing.assert_array_equal(y.data, block(block(X)))
    y.sum().backward()
    plain = tg.Tensor(X, requires_grad=True)
    block(block(plain)).sum().backward()
    np.testing.assert_allclose(x.grad.data, plain.grad.data, rtol=1e-15)


def test_a_long_chain_takes_the_memory_of_its_parts():
    def part(x):
        for _ in range(30):
            x = np.sin(x)
        return x

    def peak(f):
        x = tg.Tensor(np.ones(20_000), requires_grad=True)
        tracemalloc.start()
        y = x
        for _ in range(10):
            y = f(y)
        y.sum().backward()
        result = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return result

    assert peak(checkpoint(part)) < peak(part) / 3


def test_nothing_is_kept_alive_by_cycles():
    gc.disable()
    try:
        refs = []
        for create_graph in (False, True):
            x = tg.Tensor(X, requires_grad=True)
            y = checkpoint(block)(x)
            refs.append(weakref.ref(y))
            y.sum().backward(create_graph=create_graph)
            x.grad = None
            del x, y
        assert [ref() for ref in refs] == [None, None]
    finally:
        gc.enable()


def test_a_function_runs_once_forward_and_once_in_each_backward_pass():
    calls = []

    def f(x, y):
        calls.append(1)
        return x * y

    x, y = (tg.Tensor(v, requires_grad=True) for v in (2.0, 3.0))
    z = checkpoint(f)(x, y)
    assert len(calls) == 1
    z.backward(retain_graph=True)
    assert len(calls) == 2
    z.backward()
    assert len(calls) == 3
    assert (x.grad.item(), y.grad.item()) == (6.0, 4.0)


def test_parameters_that_a_closure_uses_get_their_gradients():
    model = tg.nn.Sequential(tg.nn.Linear(3, 4), tg.nn.Tanh(), tg.nn.Linear(4, 1)).astype(float)
    x = tg.Tensor(np.ones((2, 3)), requires_grad=True)
    gradients = []
    for wrap in (lambda f: f, checkpoint):
        model.zero_grad()
        x.grad = None
        np.mean(wrap(lambda x: model(x) ** 2)(x)).backward()
        gradients.append([p.grad.data for p in (*model.parameters(), x)])
    for plain, again in zip(*gradients, strict=True):
        np.testing.assert_allclose(again, plain, rtol=1e-14)
    assert not model.unused_parameters()


def test_intermediate_tensors_of_a_closure_are_not_counted_twice():
    w = tg.Tensor(2.0, requires_grad=True)
    a = w * 3.0
    b = a * w
    y = checkpoint(lambda x: x * a * b * w)(5.0)  # 5 · 3w · 3w² · w = 45 w⁴
    y.backward()
    assert w.grad.item() == pytest.approx(180 * 2.0**3)


def test_containers_keyword_arguments_and_what_is_no_number():
    x = tg.Tensor(X, requires_grad=True)
    out = checkpoint(lambda p, *, k: {"a": p["x"] * k, "b": (np.sum(p["x"]), "t", 3)})(
        {"x": x}, k=2.0
    )
    assert out["b"][1:] == ("t", 3)
    (np.sum(out["a"]) + out["b"][0]).backward()
    np.testing.assert_array_equal(x.grad.data, 3.0)


def test_an_output_that_is_an_input_or_a_closed_over_tensor():
    x = tg.Tensor(X, requires_grad=True)
    w = tg.Tensor(2.0, requires_grad=True)
    a, b = checkpoint(lambda x: (x, w))(x)
    (np.sum(a) * b).backward()
    np.testing.assert_array_equal(x.grad.data, 2.0)
    assert w.grad.item() == pytest.approx(np.sum(X))


def test_without_a_gradient_there_is_nothing_to_keep():
    np.testing.assert_array_equal(checkpoint(block)(X), block(X))
    y = checkpoint(lambda x: (np.sin(x), "text"))(tg.Tensor(X))
    assert y[1] == "text"
    assert y[0].node is None
    with tg.no_grad():
        assert checkpoint(block)(tg.Tensor(X, requires_grad=True)).node is None


def test_under_transforms_and_create_graph():
    assert grad(checkpoint(np.sin))(0.3).item() == pytest.approx(np.cos(0.3))
    third = grad(grad(grad(checkpoint(np.tanh))))(0.3).item()
    assert third == pytest.approx(grad(grad(grad(np.tanh)))(0.3).item(), rel=1e-12)
    np.testing.assert_allclose(
        hessian(lambda x: np.sum(checkpoint(block)(x)))(X),
        hessian(lambda x: np.sum(block(x)))(X),
        rtol=1e-12,
    )
    _, t = jvp(checkpoint(block), (X,), (X,))
    np.testing.assert_allclose(t, jvp(block, (X,), (X,))[1], rtol=1e-13)
    x = tg.Tensor(2.0, requires_grad=True)
    checkpoint(lambda x: x**3)(x).backward(create_graph=True)
    g, x.grad = x.grad, None
    g.backward()
    assert x.grad.item() == 12.0


def test_a_transform_inside_of_a_checkpoint():
    f = checkpoint(lambda x: np.sum(grad(lambda x: np.sum(x**3))(x)))
    np.testing.assert_allclose(grad(f)(X), 6 * X)
    np.testing.assert_allclose(grad(lambda x: np.sum(grad(f)(x)))(X), 6.0)


def test_a_checkpoint_in_a_module_that_is_differentiated_by():
    model = tg.nn.Linear(3, 2).astype(float)
    g = grad(lambda m: np.sum(checkpoint(m)(X) ** 2))(model)
    expected = grad(lambda m: np.sum(m(X) ** 2))(model)
    for name, part in expected.items():
        np.testing.assert_allclose(g[name].data, part.data, rtol=1e-14)


def test_the_backward_pass_may_run_in_another_thread():
    model = tg.nn.Linear(3, 2).astype(float)
    y = np.sum(checkpoint(lambda x: model(x) ** 2)(X))
    thread = threading.Thread(target=y.backward)
    thread.start()
    thread.join()
    assert model.weight.grad is not None


def test_a_loop_variable_in_a_closure_is_noticed():
    ws = [tg.Tensor(float(k), requires_grad=True) for k in (2, 3)]
    y = 1.0
    for w in ws:
        y = checkpoint(lambda x: x * w)(y)  # noqa: B023 - the mistake that is meant
    with pytest.raises(errors.GraphError, match=r"other values .*\n.*variable of a loop"):
        y.backward()
    assert ws[0].grad is None


def test_another_tensor_of_the_same_value_is_noticed():
    ws = [tg.Tensor(2.0, requires_grad=True) for _ in range(2)]
    y = checkpoint(lambda: ws[0] * 1.0)()
    ws.reverse()
    with pytest.raises(errors.GraphError, match="used a tensor that it did not use before"):
        y.backward()


def test_another_shape_is_noticed():
    sizes = [3]
    x = tg.Tensor(X, requires_grad=True)
    y = checkpoint(lambda x: x[: sizes[0]])(x)
    sizes[0] = 2
    with pytest.raises(errors.GraphError, match=r"shape \(2,\), not \(3,\)"):
        y.sum().backward()


def test_random_numbers_from_elsewhere_are_noticed():
    rng = np.random.default_rng(0)
    x = tg.Tensor(X, requires_grad=True)
    y = checkpoint(lambda x: x * rng.normal(size=3))(x)
    with pytest.raises(errors.GraphError, match=r"did not compute the same again.*\n.*Generator"):
        y.sum().backward()


def test_generators_of_arguments_and_modules_are_set_back_and_go_on_where_they_were():
    rng, twin = np.random.default_rng(0), np.random.default_rng(0)
    x = tg.Tensor(X, requires_grad=True)
    y = checkpoint(lambda x, rng: x * rng.normal(size=3))(x, rng)
    factors = twin.normal(size=3)
    between = rng.normal()
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.data, factors)
    assert between == twin.normal()
    assert rng.normal() == twin.normal()
    dropout = tg.nn.Sequential(tg.nn.Dropout(0.5, generator=0))
    for function in (dropout, dropout.forward, lambda x, m=dropout: m(x)):
        x = tg.Tensor(np.ones(100), requires_grad=True)
        y = checkpoint(function)(x) if function is not None else None
        if function.__class__.__name__ == "function":
            with pytest.raises(errors.GraphError, match="other values"):
                y.sum().backward()
        else:
            y.sum().backward()
            np.testing.assert_array_equal(x.grad.data, y.data)


def test_a_parameter_that_changed_since_is_an_error():
    w = tg.Tensor(2.0, requires_grad=True, name="w")
    y = checkpoint(lambda x: x * w)(3.0)
    w.assign(5.0)
    with pytest.raises(errors.InplaceError, match="'w' .* was assigned a new value"):
        y.backward()


def test_a_freed_graph_is_an_error_at_once():
    x = tg.Tensor(2.0, requires_grad=True)
    h = x * x
    h.backward()
    with pytest.raises(errors.GraphError, match=r"freed by the backward pass at test_checkpoint"):
        checkpoint(np.sin)(h)


def test_a_cotangent_that_was_written_to_is_not_taken_for_the_old_one():
    """Two passes over a graph that is kept, from the same array with other numbers."""
    x, w = (tg.Tensor(v, requires_grad=True) for v in (X, X + 1))
    y = checkpoint(lambda x: x * w)(x)
    u = np.ones(3)
    y.backward(u, retain_graph=True)
    u[:] = 10.0
    y.backward(u)
    np.testing.assert_allclose(x.grad.data, 11 * w.data)
    np.testing.assert_allclose(w.grad.data, 11 * x.data)


def test_values_that_are_not_finite_count_as_the_same():
    x = tg.Tensor([np.inf, np.nan, 1.0], requires_grad=True)
    checkpoint(lambda x: x * 2.0)(x).sum().backward()
    np.testing.assert_array_equal(x.grad.data, 2.0)


def test_value_and_gradient_of_a_deep_chain_of_checkpoints():
    def f(x):
        for _ in range(500):
            x = checkpoint(lambda x: x * 1.001)(x)
        return x

    v, g = value_and_grad(f)(2.0)
    assert v.item() == pytest.approx(2 * g.item())
