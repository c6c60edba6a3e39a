from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp import io, nn
from tinygrad_bp.errors import ArgumentError, DataError, StateDictError, TgError


class Network(nn.Module):
    """Parameters, a buffer of whole numbers, and a parameter without axes."""

    def __init__(self, seed=0):
        self.body = nn.Sequential(
            nn.Linear(3, 4, generator=seed), nn.Tanh(), nn.Linear(4, 2, generator=seed)
        )
        self.scale = nn.Parameter(np.float64(seed))
        self.steps = nn.Buffer(np.arange(seed, seed + 2))

    def forward(self, x):
        return self.body(x) * self.scale


def states_equal(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("name", ["model.safetensors", "model.npz", "model"])
def test_what_was_saved_loads_and_computes_the_same(tmp_path, name):
    model, other = Network(3), Network(4)
    io.save(model, tmp_path / name)
    weight = other.body[0].weight
    assert not io.load(tmp_path / name, other)
    assert states_equal(other.state_dict(), model.state_dict())
    assert other.body[0].weight is weight
    x = np.ones((2, 3), np.float32)
    assert np.array_equal(other(x).data, model(x).data)


def test_metadata_is_kept_and_builds_the_network_again(tmp_path):
    spec = nn.NetworkSpec((3,), [{"type": "Linear", "out_features": 2}, {"type": "ReLU"}])
    model = spec.build(0)
    io.save(model, tmp_path / "a.safetensors", {"network": spec.to_toml(), "<b>": "\0"})
    _, metadata = io.read_arrays(tmp_path / "a.safetensors")
    assert metadata["<b>"] == "\0"
    again = nn.NetworkSpec.from_toml(metadata["network"]).build()
    io.load(tmp_path / "a.safetensors", again)
    assert states_equal(again.state_dict(), model.state_dict())


def test_all_that_does_not_fit_is_told_at_once_and_nothing_is_changed(tmp_path):
    state = Network(3).state_dict()
    state["scales"] = state.pop("scale")
    state["body.0.weight"] = state["body.0.weight"].T
    state["body.0.bias"] = state["body.0.bias"].astype(float)
    io.write_arrays(tmp_path / "a", state)
    model = Network(4)
    before = model.state_dict()
    with pytest.raises(StateDictError) as caught:
        io.load(tmp_path / "a", model)
    assert str(caught.value).split("\n")[1:] == [
        "  missing: 'scale' (); nearest on the other side: 'scales'",
        "  unexpected: 'scales' (); nearest on the other side: 'scale'",
        "  shape: 'body.0.weight' is (4, 3) in the module and (3, 4) in the state (transposed)",
        "  dtype: 'body.0.bias' is float32 in the module and float64 in the state",
        "Fix: build the module with the layers that it was saved with, rename the entries, or "
        "pass strict=False to load those that fit.",
    ]
    assert f"what {tmp_path / 'a'} holds does not fit Network. Nothing was" in str(caught.value)
    assert states_equal(model.state_dict(), before)
    report = io.load(tmp_path / "a", model, strict=False)
    assert (report.missing, report.unexpected, report.misfits) == (
        ("scale",),
        ("scales",),
        ("body.0.weight",),
    )
    assert np.array_equal(model.body[0].bias.data, state["body.0.bias"].astype(np.float32))
    assert model.scale.item() == before["scale"]


def test_another_dtype_alone_says_how_to_take_it_on_or_cast(tmp_path):
    io.save(nn.Linear(2, 1, dtype=float, generator=0), tmp_path / "a")
    model = nn.Linear(2, 1, generator=1)
    with pytest.raises(StateDictError, match=r"Fix: module.astype\(...\) .*strict=False"):
        io.load(tmp_path / "a", model)
    assert not io.load(tmp_path / "a", model.astype(float))
    assert not io.load(tmp_path / "a", nn.Linear(2, 1), strict=False)


@pytest.mark.parametrize("suffix", ["safetensors", "npz"])
def test_a_file_cut_at_any_byte_is_an_error_and_nothing_is_changed(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    io.save(nn.Linear(2, 1, generator=0), path)
    whole = path.read_bytes()
    model = nn.Linear(2, 1, generator=1)
    before = model.state_dict()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match="cannot be used: it is no whole") as caught:
            io.load(path, model)
        assert "Fix: " in str(caught.value)
    assert states_equal(model.state_dict(), before)


@pytest.fixture(scope="module", params=["safetensors", "npz"])
def saved(request, tmp_path_factory):
    """A path, and what a file there holds of a network."""
    path = tmp_path_factory.mktemp("changed") / f"a.{request.param}"
    io.save(Network(3), path)
    return path, path.read_bytes()


@settings(max_examples=200)
@given(data=st.data())
def test_bytes_that_changed_are_an_error_of_ours_or_load_as_a_whole(saved, data):
    """Whatever the header becomes: all parameters are written, or none and it is told."""
    path, content = saved[0], bytearray(saved[1])
    for _ in range(data.draw(st.integers(1, 4), "changes")):
        place = data.draw(st.integers(0, len(content) - 1), "place")
        content[place] = data.draw(st.integers(0, 255), "byte")
    cut = data.draw(st.sampled_from([len(content), len(content), place]), "length")
    path.write_bytes(content[:cut])
    model = Network(4)
    before = model.state_dict()
    try:
        report = io.load(path, model)
    except TgError as error:
        assert isinstance(error, ValueError)  # noqa: PT017
        assert "Fix: " in str(error)  # noqa: PT017
        assert states_equal(model.state_dict(), before)
    else:
        assert not report
        assert not states_equal(model.state_dict(), before)


def test_weights_of_a_plain_program_are_three_lines(tmp_path):
    """Products of x on the left have their matrices the other way round than ours."""
    rng = np.random.default_rng(0)
    w1, b1, x = rng.normal(size=(3, 2)), rng.normal(size=2), rng.normal(size=(5, 3))
    np.savez(tmp_path / "weights.npz", W1=w1, b1=b1)
    arrays, _ = tg.io.read_arrays(tmp_path / "weights.npz")
    model = nn.Sequential(nn.Linear(3, 2, dtype=float))
    model.load_state_dict({"0.weight": arrays["W1"].T, "0.bias": arrays["b1"]})
    np.testing.assert_allclose(model(x).data, x @ w1 + b1, rtol=1e-12)


def test_arguments_in_another_order_are_put_right(tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(ArgumentError, match=r"a str stands where .*\nFix: save\(model, path\)"):
        io.save(str(path), Network(3))
    with pytest.raises(ArgumentError, match=r"test_weights.py:\d+\).\nFix: load\(path, model\)"):
        io.load(Network(3), path)
