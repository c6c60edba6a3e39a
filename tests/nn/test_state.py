from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import nn
from tinygrad_bp.errors import InplaceError, StateDictError
from tinygrad_bp.nn import Buffer, Linear, Module, Parameter, Sequential


def model():
    return Sequential(Linear(3, 2, generator=0), Linear(2, 4, generator=1))


def test_a_state_dict_has_copies_by_dotted_name():
    net = model()
    state = net.state_dict()
    assert list(state) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert all(type(a) is np.ndarray for a in state.values())
    state["0.weight"][:] = 0
    assert net[0].weight.data.all()


def test_what_was_saved_can_be_loaded():
    net, other = model(), model()
    net[0].weight.assign(1.5)
    report = other.load_state_dict(net.state_dict())
    assert not report
    assert str(report) == "nothing was left out"
    for name, values in net.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[name], values)


def test_buffers_and_scalars_belong_to_the_state():
    net = Module()
    net.mean = Buffer([1.0, 2.0])
    net.scale = Parameter(3.0)
    state = net.state_dict()
    assert state["scale"].shape == ()
    net.mean.assign(0)
    net.scale.assign(0)
    net.load_state_dict(state)
    np.testing.assert_array_equal(net.mean.data, [1.0, 2.0])
    assert net.scale.item() == 3.0


def test_values_are_written_in_place_so_that_flat_buffers_stay_valid():
    net = Linear(2, 1)
    flat = np.zeros(3, np.float32)
    net.weight.data, net.bias.data = flat[:2].reshape(1, 2), flat[2:]
    net.load_state_dict({"weight": [[1.0, 2.0]], "bias": [3.0]})
    np.testing.assert_array_equal(flat, [1, 2, 3])


def test_values_take_the_dtype_of_the_module_and_may_be_tensors():
    net = Linear(2, 1)
    net.load_state_dict({"weight": Parameter([[1.0, 2.0]]), "bias": np.array([3])})
    assert net.weight.dtype == net.bias.dtype == np.float32
    np.testing.assert_array_equal(net.weight.data, [[1, 2]])


def test_a_graph_recorded_before_loading_is_an_error():
    net = Linear(2, 1)
    loss = net(np.ones((1, 2), np.float32)).sum()
    net.load_state_dict(net.state_dict())
    with pytest.raises(InplaceError, match="weight"):
        loss.backward()


def test_one_error_lists_all_that_is_wrong_with_the_nearest_names_and_nothing_is_changed():
    net = model()
    before = net.state_dict()
    state = dict(before)
    state["0.wieght"] = state.pop("0.weight")
    state["extra"] = np.zeros(5)
    state["0.bias"] = np.ones(2)
    state["1.weight"] = np.ones((2, 4))
    state["1.bias"] = np.array(["a", "b", "c", "d"])
    with pytest.raises(StateDictError) as caught:
        net.load_state_dict(state)
    assert str(caught.value) == (
        "the state does not fit Sequential. Nothing was changed.\n"
        "  missing: '0.weight' (2, 3); nearest on the other side: '0.wieght'\n"
        "  unexpected: '0.wieght' (2, 3); nearest on the other side: '0.weight'\n"
        "  unexpected: 'extra' (5,)\n"
        "  shape: '1.weight' is (4, 2) in the module and (2, 4) in the state (transposed)\n"
        "  dtype: '1.bias' has <U1 in the state, not real numbers\n"
        "Fix: build the module with the layers that it was saved with, rename the entries, or "
        "pass strict=False to load those that fit."
    )
    for name, values in net.state_dict().items():
        np.testing.assert_array_equal(values, before[name])


def test_a_state_dict_error_is_a_value_error():
    with pytest.raises(ValueError, match="missing: 'weight'"):
        Linear(1, 1).load_state_dict({})


def test_without_strict_what_fits_is_written_and_the_rest_reported():
    net = model()
    report = net.load_state_dict(
        {"0.bias": np.full(2, 7), "1.weight": np.ones((1, 1)), "other": 1.0}, strict=False
    )
    assert report
    assert report.missing == ("0.weight", "1.bias")
    assert report.unexpected == ("other",)
    assert report.misfits == ("1.weight",)
    assert "shape: '1.weight' is (4, 2) in the module and (1, 1) in the state" in str(report)
    np.testing.assert_array_equal(net[0].bias.data, [7, 7])
    np.testing.assert_array_equal(net[1].weight.data, model()[1].weight.data)


def test_a_shape_that_would_broadcast_is_still_another_shape():
    with pytest.raises(StateDictError, match=r"'bias' is \(4,\) in the module and \(1,\)"):
        Linear(2, 4).load_state_dict({"weight": np.ones((4, 2)), "bias": np.ones(1)})


def test_state_survives_npz(tmp_path):
    net = model()
    np.savez(tmp_path / "model.npz", **net.state_dict())
    other = Sequential(Linear(3, 2), Linear(2, 4))
    with np.load(tmp_path / "model.npz", allow_pickle=False) as values:
        other.load_state_dict(values)
    x = tg.Tensor(np.ones((1, 3), np.float32))
    np.testing.assert_array_equal(net(x).data, other(x).data)


def tied():
    both = Linear(2, 2, generator=0)
    return Sequential(both, Sequential(np.tanh, both))


def test_other_names_of_what_is_shared_are_taken_as_pytorch_writes_them():
    model = tied()
    state = {"0.weight": np.ones((2, 2)), "0.bias": np.full(2, np.nan)}
    twice = {**state, "1.1.weight": np.ones((2, 2)), "1.1.bias": np.full(2, np.nan)}
    assert not model.load_state_dict(twice)
    np.testing.assert_array_equal(model[1][1].weight.data, 1)
    once = {"0.weight": np.full((2, 2), 2.0), "1.1.bias": np.zeros(2)}
    assert not model.load_state_dict(once)
    np.testing.assert_array_equal(model[0].bias.data, 0)


def test_other_names_with_other_values_fit_nothing():
    model = tied()
    before = model.state_dict()
    state = {**before, "1.1.weight": np.ones((2, 2), np.float32)}
    with pytest.raises(StateDictError, match=r"unexpected: '1.1.weight'"):
        model.load_state_dict(state)
    assert all(np.array_equal(model.state_dict()[name], a) for name, a in before.items())


class Tied(nn.Module):
    """A parameter under two names, and a module under two."""

    def __init__(self, seed):
        self.first = nn.Linear(2, 2, generator=seed)
        self.body = nn.Sequential(self.first, nn.Tanh())
        self.table = nn.Linear(2, 3, bias=False, generator=seed)
        self.out = nn.Linear(2, 3, generator=seed)
        self.out.weight = self.table.weight


@pytest.mark.parametrize("names", ["first", "second", "both"])
def test_a_shared_part_loads_under_any_of_its_names(names):
    state, other = Tied(0).state_dict(), Tied(1)
    assert set(state) == {"first.weight", "first.bias", "table.weight", "out.bias"}
    second = {f"body.0.{key}": state[f"first.{key}"] for key in ("weight", "bias")}
    second["out.weight"] = state["table.weight"]
    if names == "first":
        given = state
    elif names == "both":
        given = state | second
    else:
        given = second | {"out.bias": state["out.bias"]}
    assert not other.load_state_dict(given)
    assert all(np.array_equal(value, state[key]) for key, value in other.state_dict().items())


def test_a_shared_part_with_two_values_is_told_of():
    state, other = Tied(0).state_dict(), Tied(1)
    state["out.weight"] = state["table.weight"] + 1
    with pytest.raises(StateDictError, match=r"unexpected: 'out.weight' \(3, 2\)"):
        other.load_state_dict(state)


@pytest.mark.parametrize(
    ("state", "fix"),
    [
        (None, "other.state_dict"),
        ([1], "other.state_dict"),
        ({3: np.ones(2)}, "other.state_dict"),
        (model(), "other.state_dict"),
        ("weights.npz", r"io\.load\(path, module\)"),
        (Path("weights.npz"), r"io\.load\(path, module\)"),
    ],
)
def test_what_is_no_state_is_refused(state, fix):
    with pytest.raises(StateDictError, match=rf"test_state.py:\d+\). Nothing.*\nFix: .*{fix}"):
        model().load_state_dict(state)


def test_rows_of_different_lengths_fit_nothing():
    layer = Linear(2, 2)
    state = {"weight": [[1.0, 2.0], [3.0]], "bias": [0.0, 0.0]}
    before = layer.state_dict()
    with pytest.raises(
        StateDictError, match=r"shape: 'weight' is \(2, 2\) in the module and \(2,\)"
    ):
        layer.load_state_dict(state)
    for name, values in layer.state_dict().items():
        np.testing.assert_array_equal(values, before[name])


def test_a_name_below_what_is_no_module_is_unexpected():
    layer = Linear(2, 2)
    layer.again = layer
    state = layer.state_dict()
    for name in ("weight.weight", "again.x", "again.weight.x", "x.y.z"):
        with pytest.raises(StateDictError, match=f"unexpected: '{name}'"):
            layer.load_state_dict({**state, name: state["weight"]})
    layer.load_state_dict({**state, "again.again.weight": state["weight"]})
