from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_bp.errors import CheckpointError
from tinygrad_bp.train.checkpoint import load_checkpoint, save_checkpoint
from tinygrad_bp.train.files import write_file

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**200), 2**200),
    st.floats(allow_nan=False),
    st.text(max_size=5).filter(lambda s: not s.startswith("array:")),
    hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.int64]),
        hnp.array_shapes(min_dims=0),
        elements=st.integers(-9, 9),
    ),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


def same(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b)
    return type(a) is type(b) and a == b


@given(state=st.dictionaries(st.text(max_size=4), trees, max_size=4))
def test_any_state_comes_back(tmp_path_factory, state):
    path = tmp_path_factory.mktemp("c") / "a.safetensors"
    save_checkpoint(path, state)
    assert same(state, load_checkpoint(path))


def test_arrays_that_are_not_contiguous_come_back(tmp_path):
    array = np.arange(12.0).reshape(3, 4).T[::2]
    save_checkpoint(tmp_path / "a", {"x": array, "y": np.float64(2.5)})
    state = load_checkpoint(tmp_path / "a")
    assert np.array_equal(state["x"], array)
    assert state["y"] == 2.5


def test_random_generators_come_back(tmp_path):
    generator = np.random.default_rng(3)
    save_checkpoint(tmp_path / "a", {"g": generator.bit_generator.state})
    other = np.random.default_rng(4)
    other.bit_generator.state = load_checkpoint(tmp_path / "a")["g"]
    assert other.random() == generator.random()


def test_files_that_are_no_checkpoints_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match="a cannot be read: there is no such file"):
        load_checkpoint(tmp_path / "a")
    (tmp_path / "b").write_bytes(b"not this")
    with pytest.raises(CheckpointError, match="b cannot be read: "):
        load_checkpoint(tmp_path / "b")
    save_checkpoint(tmp_path / "c", {"x": np.ones(100)})
    (tmp_path / "c").write_bytes((tmp_path / "c").read_bytes()[:-50])
    with pytest.raises(CheckpointError, match="c cannot be read: ") as caught:
        load_checkpoint(tmp_path / "c")
    assert "Fix:" in str(caught.value)


def test_weights_alone_are_no_checkpoint(tmp_path):
    from safetensors.numpy import save

    write_file(tmp_path / "a", save({"x": np.ones(2)}))
    with pytest.raises(CheckpointError, match="is not a checkpoint of a run"):
        load_checkpoint(tmp_path / "a")
