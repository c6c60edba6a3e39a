from __future__ import annotations

import copy
import inspect

import numpy as np
import pytest
from optim.stepping import KINDS, parameters, step

import tinygrad_bp as tg
from tinygrad_bp import nn
from tinygrad_bp.core import as_tensor
from tinygrad_bp.errors import ArgumentError, DTypeError, GraphError, InplaceError, ShapeError
from tinygrad_bp.optim import (
    ASGD,
    LAMB,
    LBFGS,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lion,
    NAdam,
    RAdam,
    RMSprop,
    Rprop,
)

# ------------------------------------------------------------ groups and memory


def test_parameters_of_a_dtype_lie_side_by_side_in_one_buffer():
    params = parameters()
    before = [p.data.copy() for p in params]
    SGD(params, lr=0.1)
    assert params[0].data.base is params[2].data.base
    assert params[0].data.base is not params[1].data.base
    assert all(isinstance(p.data, np.ndarray) for p in params)
    for p, values in zip(params, before, strict=True):
        assert p.dtype == values.dtype
        np.testing.assert_array_equal(p.data, values)


@pytest.mark.parametrize(("kind", "settings"), KINDS)
def test_grouping_and_order_do_not_change_the_path(kind, settings):
    first, second = parameters(), parameters()
    one = kind(first, lr=0.1, **settings)
    groups = [{"params": [second[2]]}, {"params": iter([second[1], second[0]])}]
    several = kind(groups, lr=0.1, **settings)
    for t in range(5):
        step(one, first, t)
        step(several, second, t)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.data, b.data)


def test_each_group_has_its_settings_and_may_change_them():
    a, b = tg.Tensor([1.0], requires_grad=True), tg.Tensor([1.0], requires_grad=True)
    optimizer = SGD([{"params": [a], "lr": 0.5}, {"params": [b]}], lr=0.1)
    for expected in ([0.5], [0.9]), ([0.4], [0.8]):
        a.grad, b.grad = tg.Tensor([1.0]), tg.Tensor([1.0])
        optimizer.step()
        np.testing.assert_allclose(a.data, expected[0])
        np.testing.assert_allclose(b.data, expected[1])
        optimizer.param_groups[0]["lr"] = 0.1


def test_a_shared_parameter_is_updated_once():
    p = tg.Tensor([1.0], requires_grad=True)
    optimizer = SGD([p, p], lr=0.1)
    p.grad = tg.Tensor([1.0])
    optimizer.step()
    np.testing.assert_allclose(p.data, [0.9])


def test_values_assigned_in_between_are_kept():
    params = parameters()
    optimizer = Adam(params, lr=0.1)
    step(optimizer, params, 0)
    params[0].assign(np.full((3, 2), 7.0))
    step(optimizer, params, 1)
    assert np.all(np.abs(params[0].data - 7.0) < 0.2)


@pytest.mark.parametrize(("kind", "settings"), KINDS)
def test_a_parameter_that_was_given_other_memory_is_moved_again(kind, settings):
    still, moved = parameters(), parameters()
    optimizers = kind(still, lr=0.1, **settings), kind(moved, lr=0.1, **settings)
    for t in range(6):
        if t == 3:
            moved[0].data = moved[0].data.copy()
            SGD(moved[1:], lr=1.0)  # another optimizer takes the memory over
        step(optimizers[0], still, t)
        step(optimizers[1], moved, t)
    for a, b in zip(still, moved, strict=True):
        np.testing.assert_array_equal(a.data, b.data)


@pytest.mark.parametrize(("kind", "settings"), KINDS)
def test_the_order_of_elements_in_memory_changes_nothing_and_is_kept(kind, settings):
    rows, columns = parameters(), parameters()
    columns[0].data = np.asfortranarray(columns[0].data)
    optimizers = kind(rows, lr=0.1, **settings), kind(columns, lr=0.1, **settings)
    for t in range(4):
        if t == 2:  # through a state dictionary of the other order, too
            states = [copy.deepcopy(o.state_dict()) for o in optimizers]
            optimizers[0].load_state_dict(states[1])
            optimizers[1].load_state_dict(states[0])
        step(optimizers[0], rows, t)
        step(optimizers[1], columns, t)
    for a, b in zip(rows, columns, strict=True):
        np.testing.assert_array_equal(a.data, b.data)
    assert columns[0].data.flags.f_contiguous
    assert rows[0].data.flags.c_contiguous


def test_a_parameter_may_change_its_dtype():
    p = tg.Tensor([1.0, 2.0], requires_grad=True, dtype=np.float32)
    optimizer = Adam([p], lr=0.1)
    step(optimizer, [p], 0)
    before = optimizer.state_dict()["state"][0]
    p.grad = None
    p.data = p.data.astype(np.float64)
    step(optimizer, [p], 1)
    after = optimizer.state_dict()["state"][0]
    assert p.dtype == after["m"].dtype == np.float64
    assert (before["step"], after["step"]) == (1, 2)
    np.testing.assert_allclose(after["m"], 0.9 * before["m"] + 0.1 * p.grad.data)


def test_a_parameter_of_another_shape_is_an_error_before_anything_changes():
    params = parameters()
    optimizer = SGD(params, lr=0.1)
    params[0].data = np.zeros((2, 2))
    params[1].grad = tg.Tensor(np.ones(4), dtype=np.float32)
    before = params[1].data.copy()
    with pytest.raises(ShapeError, match=r"\(2, 2\) float64 had the shape \(3, 2\)"):
        optimizer.step()
    np.testing.assert_array_equal(params[1].data, before)


def test_parameters_without_an_array_of_their_own_are_taken_over():
    base = tg.Tensor([1.0, 2.0], requires_grad=True)
    cut = (base * 2).detach().requires_grad_()
    scalar = as_tensor(np.float64(3.0)).requires_grad_()
    optimizer = SGD([cut, scalar], lr=1.0)
    cut.grad, scalar.grad = tg.Tensor([1.0, 1.0]), tg.Tensor(1.0)
    optimizer.step()
    np.testing.assert_array_equal(cut.data, [1.0, 3.0])
    assert scalar.item() == 2.0
    cut.assign([0.0, 0.0])


def test_a_gradient_in_any_layout_is_read_in_the_order_of_its_elements():
    p = tg.Tensor(np.zeros((2, 3)), requires_grad=True)
    optimizer = SGD([p], lr=1.0)
    p.grad = as_tensor(np.arange(6.0).reshape(3, 2).T)
    optimizer.step()
    np.testing.assert_array_equal(p.data, -np.array([[0.0, 2.0, 4.0], [1.0, 3.0, 5.0]]))


def test_a_graph_from_before_the_step_is_an_error_that_names_the_step():
    p = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")
    optimizer = SGD([p], lr=0.1)
    loss = np.sum(p * p)
    stale = np.sum(p * p)
    loss.backward()
    optimizer.step()
    with pytest.raises(InplaceError, match=r"'w'.*SGD.step\(\) in .*test_optimizer.py:\d+"):
        stale.backward()


def test_a_parameter_that_was_passed_over_leaves_its_graph_alone():
    p, q = tg.Tensor([1.0], requires_grad=True), tg.Tensor([1.0], requires_grad=True)
    optimizer = SGD([p, q], lr=0.1)
    kept = np.sum(q * q)
    p.grad = tg.Tensor([1.0])
    optimizer.step()
    kept.backward()
    np.testing.assert_array_equal(q.grad.data, [2.0])


def test_zero_grad_sets_gradients_to_none():
    params = parameters()
    optimizer = SGD(params, lr=0.1)
    step(optimizer, params, 0)
    optimizer.zero_grad()
    assert [p.grad for p in params] == [None] * 3


def test_the_repr_tells_settings_and_sizes():
    text = repr(SGD([{"params": parameters()}], lr=0.1, momentum=0.9))
    assert text.startswith("SGD(lr=0.1, momentum=0.9, ")
    assert "3 parameters of 11 numbers" in text


# ------------------------------------------------------------ errors


def leaf():
    return tg.Tensor([1.0], requires_grad=True)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ([], ArgumentError, r"SGD got no parameters: the list it was given is empty"),
        (iter([]), ArgumentError, r"got no parameters: the list .*Fix: pass model.parameters"),
        ([{"params": ()}], ArgumentError, r"got no parameters: the tuple"),
        (leaf(), ArgumentError, r"not a Tensor.*Fix: pass a list: \[parameter\]"),
        (3, ArgumentError, r"not an int"),
        ([leaf(), "w"], ArgumentError, r"got a str as parameter number 1"),
        ([leaf() * 2], GraphError, r"number 0 \(1,\) float64, which is not a leaf.*'multiply'"),
        ([tg.Tensor([1, 2], name="n")], DTypeError, r"cannot change parameter 'n' \(2,\) int64"),
        ([{"params": [leaf()], "lrr": 1}], ArgumentError, r"setting 'lrr'.*did you mean 'lr'\?"),
        ([{"lr": 1.0}], ArgumentError, r"a group without 'params'"),
    ],
)
def test_what_is_no_parameter_is_refused(params, error, message):
    with pytest.raises(error, match="(?s)" + message) as caught:
        SGD(params, lr=0.1)
    assert "test_optimizer.py:" in str(caught.value)


@pytest.mark.parametrize(
    "model", [nn.Linear(2, 1), nn.Sequential(nn.Linear(2, 1)), nn.ModuleList()]
)
@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: [{"params": model}]])
def test_a_module_in_the_place_of_its_parameters_is_refused_with_the_fix(model, wrap):
    kind = type(model).__name__
    words = (
        rf"(?s)^pass model.parameters\(\): AdamW needs .* a {kind} .*Fix: AdamW\(model.parameters"
    )
    with pytest.raises(ArgumentError, match=words):
        AdamW(wrap(model), lr=0.1)


def test_a_parameter_in_two_groups_is_refused():
    p = leaf()
    with pytest.raises(ArgumentError, match="in two groups"):
        SGD([{"params": [p]}, {"params": [p]}], lr=0.1)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (SGD, {"lr": -0.1}, r"SGD got lr=-0.1.*Fix: choose 0 <= lr, and finite"),
        (SGD, {"lr": float("nan")}, r"lr=nan"),
        (SGD, {"lr": float("inf")}, r"lr=inf"),
        (SGD, {"lr": "0.1"}, r"SGD got lr='0.1'.*Fix: choose 0 <= lr, and finite"),
        (Adam, {"lr": None}, r"lr=None"),
        (Adam, {"betas": 0.9}, r"Adam got betas=0.9.*Fix: a pair of numbers"),
        (Adam, {"betas": (0.9,)}, r"betas=\(0.9,\).*Fix: a pair"),
        (Adam, {"betas": (0.9, None)}, r"beta2=None"),
        (SGD, {"momentum": -1}, r"momentum=-1"),
        (SGD, {"nesterov": True}, r"nesterov=True with momentum=0.0"),
        (SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, r"dampening=0.1"),
        (Adam, {"betas": (0.9, 1.0)}, r"beta2=1.0.*choose 0 <= beta2 < 1"),
        (AdamW, {"weight_decay": -1.0}, r"AdamW got weight_decay=-1.0"),
        (RMSprop, {"alpha": 1.5}, r"alpha=1.5"),
        (Adagrad, {"eps": -1e-8}, r"eps=-1e-08"),
    ],
)
def test_settings_that_make_no_sense_are_refused(kind, settings, message):
    p = leaf()
    data = p.data
    with pytest.raises(ArgumentError, match="(?s)" + message):
        kind([p], **settings)
    assert p.data is data


OPTIMIZERS = (SGD, Adam, AdamW, RMSprop, Adagrad, Adadelta, Adamax, NAdam, RAdam, LAMB, Lion, Rprop)
SETTINGS = [
    (kind, name)
    for kind in (*OPTIMIZERS, ASGD, LBFGS)
    for name in list(inspect.signature(kind).parameters)[1:]
]


@pytest.mark.parametrize(("kind", "name"), SETTINGS)
def test_a_setting_of_another_kind_is_refused_when_it_is_given(kind, name):
    p = leaf()
    data = p.data
    odd = ["x", 1j, [1], (0.9, "x"), {}, object(), np.ones(2), tg.Tensor(0.5), 10**400, b"x"]
    for value in odd:
        for arguments in ([p], {name: value}), ([{"params": [p], name: value}], {}):
            with pytest.raises(ArgumentError, match=r"(?s)got (beta|etas|step_sizes|\w*=).*Fix: "):
                kind(arguments[0], **arguments[1])
    assert p.data is data


def test_numbers_of_numpy_are_settings_and_stay_apart_from_the_array_they_came_in():
    lr, p = np.array(0.5), tg.Tensor(np.float32([1.0]), requires_grad=True)
    optimizer = Adam([p], lr=lr, betas=(np.float32(0.5), np.float64(0.5)), amsgrad=np.True_)
    group = optimizer.param_groups[0]
    assert [type(x) for x in (group["lr"], *group["betas"], group["amsgrad"])] == [
        *[float] * 3,
        bool,
    ]


def test_a_step_without_any_gradient_says_to_call_backward():
    optimizer = Adam(parameters(), lr=0.1)
    with pytest.raises(GraphError, match=r"(?s)no gradient on any of its 3.*Fix: call backward"):
        optimizer.step()
    assert [s["step"] for s in optimizer.state_dict()["state"]] == [0, 0, 0]
