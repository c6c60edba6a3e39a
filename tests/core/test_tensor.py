from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import errors
from tinygrad_bp.core import FUNCTIONS


@pytest.fixture
def x():
    return tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="x")


def test_the_values_are_copied():
    values = np.zeros(3)
    t = tg.Tensor(values)
    values[0] = 1.0
    assert t.data[0] == 0.0


def test_as_tensor_shares_memory_and_leaves_tensors_alone(x):
    values = np.zeros(3)
    assert tg.as_tensor(values).data is values
    assert tg.as_tensor(x) is x


@pytest.mark.parametrize("data", [3, [1, 2], np.array([True]), np.array([1j])])
def test_only_real_floats_can_require_a_gradient(data):
    with pytest.raises(errors.DTypeError, match=r"'labels' of dtype .* cannot require a gradient"):
        tg.Tensor(data, requires_grad=True, name="labels")
    t = tg.Tensor(data)
    with pytest.raises(TypeError, match="Fix: use real floating-point numbers"):
        t.requires_grad_()
    with pytest.raises(errors.DTypeError, match="cannot require a gradient"):
        t.requires_grad = True
    assert not t.requires_grad
    t.requires_grad = False


@pytest.mark.parametrize("data", ["text", object(), None])
def test_what_is_not_a_number_is_refused(data):
    with pytest.raises(errors.DTypeError, match="a tensor holds numbers"):
        tg.Tensor(data)


def test_a_list_of_tensors_that_require_gradients_is_refused_with_the_function_to_use(x):
    with pytest.raises(errors.ConversionError, match="np.stack"):
        tg.Tensor([x, x])


@pytest.mark.parametrize("convert", [np.asarray, np.array, lambda t: t.numpy()])
def test_a_tensor_that_requires_a_gradient_does_not_turn_into_an_array(convert, x):
    with pytest.raises(errors.ConversionError, match=r"'x' \(3,\).*\n.*t\.data .* t\.detach\(\)"):
        convert(x)


def test_a_constant_tensor_turns_into_an_array(x):
    np.testing.assert_array_equal(np.asarray(x.detach()), [1.0, 2.0, 3.0])
    assert np.asarray(x.detach(), dtype=np.float32).dtype == np.float32


def test_elements_cannot_be_written_to(x):
    with pytest.raises(errors.InplaceError, match=r"Nothing was changed.\n.*np.where"):
        x[0] = 5.0


def test_plus_equals_makes_a_new_tensor(x):
    before = x
    x += 1.0
    assert x is not before
    np.testing.assert_array_equal(before.data, [1.0, 2.0, 3.0])


def test_an_array_cannot_receive_a_tensor_in_place(x):
    total = np.zeros(3)
    with pytest.raises(errors.InplaceError, match="Fix: x = x \\+ t"):
        total += x
    np.testing.assert_array_equal(total, 0.0)


def test_a_numpy_function_without_a_rule_says_how_to_write_one(x, monkeypatch):
    monkeypatch.delitem(FUNCTIONS, np.tanh)
    monkeypatch.delitem(FUNCTIONS, np.trace)
    with pytest.raises(errors.OperationError, match=r"(?s)np.tanh .* tinygrad_bp.Primitive"):
        np.tanh(x)
    with pytest.raises(TypeError, match=r"(?s)np.trace .*t\.data"):
        np.trace(x)


def test_foreign_types_may_answer_for_themselves(x):
    class Foreign:
        def __radd__(self, other):
            return "foreign"

    assert x + Foreign() == "foreign"
    with pytest.raises(TypeError, match="unsupported operand"):
        x + "text"


def test_arrays_on_the_left_hand_side_go_through_the_tensor(x):
    y = np.array([1.0, 1.0, 1.0]) - x
    assert isinstance(y, tg.Tensor)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.data, -1.0)


def test_python_numbers_keep_float32():
    t = tg.Tensor(np.ones(2, np.float32), requires_grad=True)
    y = 2.0 * t**2 + 1 - t / 3
    assert y.dtype == np.float32
    y.sum().backward()
    assert t.grad.dtype == np.float32


def test_comparisons_give_constant_tensors(x):
    mask = x > 1.5
    assert isinstance(mask, tg.Tensor)
    assert not mask.requires_grad
    assert mask.tolist() == [False, True, True]
    assert (mask & ~(x == 3.0)).tolist() == [False, True, False]


def test_tensors_hash_by_identity_and_can_be_keys(x):
    other = tg.Tensor([1.0, 2.0, 3.0])
    assert len({x, other, x}) == 2


def test_conversions_of_single_elements():
    t = tg.Tensor(2.5, requires_grad=True)
    assert (float(t), int(t), t.item(), f"{t:.3f}") == (2.5, 2, 2.5, "2.500")
    assert bool(t)
    with pytest.raises(errors.ShapeError, match=r"'v' of shape \(2,\) has no single element"):
        float(tg.Tensor([1.0, 2.0], name="v"))


def test_len_iteration_and_containment(x):
    assert len(x) == 3
    assert [t.item() for t in x] == [1.0, 2.0, 3.0]
    assert 2.0 in x
    assert 5.0 not in x


def test_reading_the_gradient_of_an_intermediate_says_what_to_do(x):
    y = x * 2.0
    with pytest.raises(
        errors.GradientNotKeptError,
        match=r"made by 'multiply' at test_tensor.py:\d+\).*\n.*retain_grad",
    ):
        _ = y.grad
    assert getattr(y, "grad", "absent") == "absent"


def test_retain_grad_keeps_the_gradient_of_an_intermediate(x):
    y = x * 2.0
    y.retain_grad()
    assert y.grad is None
    (y * y).sum().backward()
    np.testing.assert_array_equal(y.grad.data, 2 * y.data)


def test_retain_grad_does_not_keep_the_tensor_alive_and_shares_no_memory(x):
    y = x + 1.0
    y.retain_grad()
    z = y + 0.0
    z.sum().backward()
    assert not np.shares_memory(y.grad.data, x.grad.data)


def test_a_gradient_of_another_shape_or_dtype_cannot_be_set(x):
    with pytest.raises(errors.ShapeError, match=r"shape \(2,\) .* 'x' of shape \(3,\)"):
        x.grad = tg.Tensor([1.0, 2.0])
    with pytest.raises(errors.ShapeError, match="float32"):
        x.grad = tg.Tensor(np.ones(3, np.float32))


def test_hooks_see_and_replace_the_gradient_of_leaves_and_intermediates(x):
    seen = []
    y = x * 2.0
    y.register_hook(lambda g: seen.append(g.data.copy()))
    handle = y.register_hook(lambda g: g * 10.0)
    x.register_hook(lambda g: g + 1.0)
    y.sum().backward()
    np.testing.assert_array_equal(seen, [[1.0, 1.0, 1.0]])
    np.testing.assert_array_equal(x.grad.data, 21.0)
    handle.remove()
    handle.remove()


def test_a_removed_hook_is_not_called(x):
    handle = x.register_hook(lambda g: g * 100.0)
    handle.remove()
    x.sum().backward()
    np.testing.assert_array_equal(x.grad.data, 1.0)


def test_a_hook_of_the_wrong_shape_is_refused_and_no_gradient_changed(x):
    x.register_hook(lambda g: g.sum())
    w = tg.Tensor(1.0, requires_grad=True)
    with pytest.raises(errors.ShapeError, match=r"shape \(\) in place of \(3,\)"):
        (x * w).sum().backward()
    assert w.grad is None


def test_a_hook_with_a_complex_gradient_of_a_real_tensor_is_refused(x):
    x.register_hook(lambda g: g * 1j)
    with pytest.raises(errors.DTypeError, match=r"a gradient of complex128 in place of float64"):
        x.sum().backward()
    assert x.grad is None


def test_hooks_are_part_of_a_recorded_backward_pass():
    x = tg.Tensor(3.0, requires_grad=True)
    x.register_hook(lambda g: g * g)
    (x * x).backward(create_graph=True)
    slope = x.grad  # (2x)^2
    assert slope.item() == 36.0
    x.grad = None
    x.node is None  # noqa: B015
    slope.backward()
    assert x.grad.item() == (8 * 3.0) ** 2


def test_requires_grad_cannot_be_switched_on_an_intermediate(x):
    y = x * 2.0
    with pytest.raises(errors.GraphError, match="output of 'multiply'"):
        y.requires_grad_(False)
    with pytest.raises(errors.GraphError, match="output of 'multiply'"):
        y.requires_grad = False
    y.sum().backward()
    assert x.grad is not None


def test_requires_grad_is_set_on_a_leaf(x):
    x.requires_grad = False
    assert not (x * 2.0).requires_grad
    x.requires_grad = True
    (x * 2.0).sum().backward()
    assert (x.grad.data == 2).all()


def test_a_hook_is_a_function(x):
    with pytest.raises(errors.ArgumentError, match="register_hook takes a function .* not an int"):
        x.register_hook(3)
    with pytest.raises(ValueError, match=r"Fix: register_hook\(lambda"):
        x.register_hook(None)
    (x * 2.0).sum().backward()


def test_detach_cuts_the_graph_and_shares_the_memory(x):
    y = x.detach()
    assert not y.requires_grad
    assert np.shares_memory(y.data, x.data)


def test_assign_writes_in_place_casts_and_broadcasts(x):
    memory = x.data
    assert x.assign(np.float32(2.0)) is x
    assert x.data is memory
    np.testing.assert_array_equal(memory, 2.0)


def test_assign_of_another_shape_changes_nothing(x):
    with pytest.raises(
        errors.ShapeError, match=r"\(2,\) cannot be assigned .* 'x' of shape \(3,\)"
    ):
        x.assign([1.0, 2.0])
    np.testing.assert_array_equal(x.data, [1.0, 2.0, 3.0])


@pytest.mark.parametrize("inside", [lambda x: x * 2.0, lambda x: (x * 2.0).detach()])
def test_assign_to_a_value_inside_a_graph_is_refused(inside, x):
    with pytest.raises(errors.InplaceError, match="belongs to a recorded graph"):
        inside(x).assign(0.0)


def test_the_values_of_an_intermediate_tensor_cannot_be_set():
    y = tg.Tensor([1.0], requires_grad=True, name="x") * 2
    with pytest.raises(errors.InplaceError, match=r"\(1,\) cannot be set: .* by 'multiply'"):
        y.data = [3.0]
    assert y.item() == 2.0


def test_values_that_a_gradient_does_not_fit_cannot_be_set():
    x = tg.Tensor([1.0], requires_grad=True)
    with pytest.raises(errors.DTypeError, match="int64 cannot require a gradient"):
        x.data = [1]
    with pytest.raises(errors.DTypeError, match="holds numbers, not <U1"):
        x.data = ["a"]
    x.sum().backward()
    with pytest.raises(errors.ShapeError, match=r"shape \(2,\) .* do not go with the gradient"):
        x.data = [1.0, 2.0]
    assert x.shape == (1,)


def test_astype_carries_the_gradient_between_float_dtypes(x):
    y = x.astype(np.float32)
    assert y.dtype == np.float32
    y.sum().backward()
    assert x.grad.dtype == np.float64
    assert not x.astype(int).requires_grad


@pytest.mark.parametrize(
    "twin", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))]
)
def test_copies_and_pickles_drop_the_graph_and_keep_value_name_and_gradient(twin, x):
    (x * x).sum().backward()
    y = twin(x)
    assert isinstance(y, tg.Tensor)
    assert y.name == "x"
    assert y.requires_grad
    assert not np.shares_memory(y.data, x.data)
    np.testing.assert_array_equal(y.grad.data, x.grad.data)
    z = twin(x * 2.0)
    assert z.is_leaf
    assert not z.requires_grad
    np.testing.assert_array_equal(z.data, 2 * x.data)


def test_deepcopy_of_a_very_deep_graph_does_not_recurse():
    y = tg.Tensor(1.0, requires_grad=True)
    for _ in range(5_000):
        y = y + 1.0
    assert copy.deepcopy(y).item() == 5001.0


def test_copy_the_method_is_differentiable(x):
    x.copy().sum().backward()
    np.testing.assert_array_equal(x.grad.data, 1.0)


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (lambda: tg.Tensor([1.0, 2.0]), "Tensor([1., 2.])"),
        (lambda: tg.Tensor(3.0, requires_grad=True), "Tensor(3., requires_grad=True)"),
        (lambda: tg.Tensor(np.ones(1, np.float32)), "Tensor([1.], dtype=float32)"),
        (lambda: tg.Tensor([1.0], name="w"), "Tensor([1.], name='w')"),
        (lambda: tg.Tensor(2.0, requires_grad=True) * 2.0, "Tensor(4., made by multiply)"),
    ],
)
def test_repr(tensor, text):
    assert repr(tensor()) == text


def test_methods_are_numpys_functions():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((2, 3, 4))
    t = tg.Tensor(a)
    for ours, theirs in [
        (t.sum(axis=1), a.sum(axis=1)),
        (t.mean(axis=(0, 2), keepdims=True), a.mean(axis=(0, 2), keepdims=True)),
        (t.var(axis=0, ddof=1), a.var(axis=0, ddof=1)),
        (t.std(), a.std()),
        (t.prod(axis=-1), a.prod(axis=-1)),
        (t.max(axis=0), a.max(axis=0)),
        (t.min(), a.min()),
        (t.argmax(axis=1), a.argmax(axis=1)),
        (t.argmin(), a.argmin()),
        (t.clip(-0.5, 0.5), a.clip(-0.5, 0.5)),
        (t.reshape(4, -1), a.reshape(4, -1)),
        (t.reshape((6, 4)), a.reshape(6, 4)),
        (t.flatten(), a.flatten()),
        (t.ravel(), a.ravel()),
        (t.transpose(2, 0, 1), a.transpose(2, 0, 1)),
        (t.transpose((1, 0, 2)), a.transpose((1, 0, 2))),
        (t.transpose(), a.transpose()),
        (t.T, a.T),
        (t.swapaxes(0, 1), a.swapaxes(0, 1)),
        (t[:1].squeeze(axis=0), a[0]),
        (t.dot(np.ones(4)), a.dot(np.ones(4))),
        ((t > 0).any(axis=0), (a > 0).any(axis=0)),
        ((t > 0).all(), (a > 0).all()),
    ]:
        np.testing.assert_allclose(ours.data, theirs, rtol=1e-14)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda x: x + np.ones(2), errors.ShapeError, r"add .* \(3,\) float64, \(2,\) float64"),
        (lambda x: x.sum(axis=3), errors.AxisError, "sum .* axis 3 is out of bounds"),
        (lambda x: x[5], errors.IndexingError, "getitem .* index 5 is out of bounds"),
        (lambda x: np.max(x[:0]), errors.ArgumentError, "(?s)max .*at least one element"),
        (lambda x: tg.Tensor([2]) ** -1, errors.ArgumentError, "power .* negative integer powers"),
        (lambda x: x.reshape(2), errors.ShapeError, "reshape .* size 3 into shape"),
    ],
)
def test_what_numpy_refuses_names_operation_inputs_and_line(call, kind, words, x):
    with pytest.raises(kind, match=words) as caught:
        call(x)
    assert "test_tensor.py:" in str(caught.value)
