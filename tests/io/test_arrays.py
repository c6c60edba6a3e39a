from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_bp import io
from tinygrad_bp.errors import (
    ArgumentError,
    DataError,
    DataNotFoundError,
    MissingExtraError,
    OutputError,
)

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
arrays_by_name = st.dictionaries(
    names.filter(lambda name: name != "__metadata__"),
    hnp.arrays(
        st.sampled_from(["f2", "f4", "f8", "i1", "i4", "i8", "u1", "u8", "?", ">f4"]),
        hnp.array_shapes(min_dims=0, min_side=0, max_side=3),
    ),
    max_size=4,
)


def same(a, b):
    """Whether arrays are equal, NaN and all, of one dtype but for the order of bytes."""
    return (
        a.dtype == b.dtype.newbyteorder("=")
        and a.shape == b.shape
        and a.tobytes() == b.astype(a.dtype).tobytes()
    )


@given(arrays=arrays_by_name, metadata=st.dictionaries(names, names, max_size=4))
def test_any_arrays_come_back_with_any_names(tmp_path_factory, arrays, metadata):
    path = tmp_path_factory.mktemp("a") / "a.safetensors"
    io.write_arrays(path, arrays, metadata)
    found, header = io.read_arrays(path)
    assert header == metadata
    assert found.keys() == arrays.keys()
    assert all(same(found[name], arrays[name]) for name in arrays)
    assert all(array.flags.writeable for array in found.values())


@given(arrays=arrays_by_name)
def test_an_archive_of_numpy_holds_them_too(tmp_path_factory, arrays):
    arrays = {name: a for name, a in arrays.items() if "\0" not in name and name != ""}
    path = tmp_path_factory.mktemp("a") / "a.npz"
    io.write_arrays(path, arrays)
    found, header = io.read_arrays(path)
    assert header == {}
    assert found.keys() == arrays.keys()
    assert all(
        same(found[name].astype(found[name].dtype.newbyteorder("=")), arrays[name])
        for name in arrays
    )


def test_what_numpy_wrote_is_read_whatever_it_is_called(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {"W1": np.asfortranarray(rng.normal(size=(3, 4))), "b1": rng.normal(size=4), "n": 3}
    for write in (np.savez, np.savez_compressed):
        with (tmp_path / "weights.dat").open("wb") as file:
            write(file, **arrays)
        found, _ = io.read_arrays(tmp_path / "weights.dat")
        assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
    io.write_arrays(tmp_path / "a.npz", arrays)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as read:
        assert all(np.array_equal(read[name], arrays[name]) for name in arrays)


def test_the_same_arrays_give_the_same_bytes_in_every_process(tmp_path):
    code = (
        "import sys, numpy as np; from tinygrad_bp import io;"
        "a = {f'x{i}': np.arange(i) for i in (3, 1, 2)};"
        "io.write_arrays(sys.argv[1] + '.safetensors', a, {k: k for k in 'hgfedcba'});"
        "io.write_arrays(sys.argv[1] + '.npz', a)"
    )
    for name in "12":
        environment = {**os.environ, "PYTHONHASHSEED": name}
        subprocess.run([sys.executable, "-c", code, tmp_path / name], check=True, env=environment)
    for suffix in ("safetensors", "npz"):
        first, second = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in "12")
        assert first == second


@pytest.mark.parametrize(
    ("arrays", "metadata", "words"),
    [
        ({"x": np.ones(2, complex)}, None, r"'x' has the dtype complex128"),
        ({"x": np.ones(2, np.longdouble)}, None, "'x' has the dtype float128"),
        ({"x": ["text"]}, None, "'x' has the dtype <U4"),
        ({"\ud800": np.ones(2)}, None, r"a name is '\\ud800', and such a file holds Unicode text"),
        ({3: np.ones(2)}, None, "a name is 3, and"),
        ({"__metadata__": np.ones(2)}, None, "'__metadata__' of an array is one that the format"),
        ({"x": np.ones(2)}, {"epochs": 3}, "the metadata 'epochs' is 3, and"),
        ({"x": np.ones(2)}, {3: "epochs"}, "the metadata is 3, and"),
    ],
)
def test_what_a_file_does_not_hold_is_refused_before_anything_is_written(
    tmp_path, arrays, metadata, words
):
    path = tmp_path / "a.safetensors"
    path.write_text("what was there")
    with pytest.raises(ArgumentError, match=words) as caught:
        io.write_arrays(path, arrays, metadata)
    assert "at test_arrays.py:" in str(caught.value)
    assert "Nothing was written" in str(caught.value)
    assert "Fix: " in str(caught.value)
    assert path.read_text() == "what was there"


def test_an_archive_has_no_metadata_and_no_name_with_a_zero(tmp_path):
    with pytest.raises(ArgumentError, match="an .npz archive has no metadata"):
        io.write_arrays(tmp_path / "a.npz", {"x": np.ones(2)}, {"epochs": "3"})
    with pytest.raises(ArgumentError, match="cannot be a name in an archive"):
        io.write_arrays(tmp_path / "a.npz", {"a\0b": np.ones(2)})
    assert not list(tmp_path.iterdir())


def test_where_nothing_is_and_where_nothing_can_be(tmp_path):
    with pytest.raises(DataNotFoundError, match="is not there") as caught:
        io.read_arrays(tmp_path / "a.safetensors")
    assert isinstance(caught.value, FileNotFoundError)
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        io.read_arrays(tmp_path)
    with pytest.raises(OutputError, match="does not exist"):
        io.write_arrays(tmp_path / "none" / "a.safetensors", {"x": np.ones(2)})


def written(header, body=b"", length=None):
    """A safetensors file as the header says it, whether that is true or not."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def entry(start, end, shape=(1,), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}


PAIR = json.dumps(entry(0, 4))
HOSTILE = {
    "empty": b"",
    "a length alone": struct.pack("<Q", 8),
    "a length beyond the end": written({"a": entry(0, 4)}, bytes(4), 1 << 20),
    "a length of nearly 2^64": written({"a": entry(0, 4)}, bytes(4), (1 << 64) - 1),
    "a huge header": struct.pack("<Q", 200_000_000) + b"{}",
    "no JSON": written(b"not this"),
    "another JSON": written([1, 2]),
    "no UTF-8": written(b'{"\xff": 1}'),
    "JSON nested deep": written(b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "overlapping arrays": written({"a": entry(0, 4), "b": entry(2, 6)}, bytes(6)),
    "the same place twice": written({"a": entry(0, 4), "b": entry(0, 4)}, bytes(4)),
    "a hole": written({"a": entry(0, 4), "b": entry(8, 12)}, bytes(12)),
    "bytes that nothing owns": written({"a": entry(0, 4)}, bytes(5)),
    "an end before the start": written({"a": entry(4, 0)}, bytes(4)),
    "a negative offset": written({"a": entry(-4, 0)}, bytes(4)),
    "a shape that does not fit": written({"a": entry(0, 4, (2,))}, bytes(4)),
    "a negative length": written({"a": entry(0, 4, (-1,))}, bytes(4)),
    "a shape that overflows": written({"a": entry(0, 4, (1 << 62, 1 << 62))}, bytes(4)),
    "an unknown dtype": written({"a": entry(0, 4, dtype="F33")}, bytes(4)),
    "a dtype that NumPy lacks": written({"a": entry(0, 1, dtype="F8_E4M3")}, bytes(1)),
    "NaN for an offset": written(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[NaN,4]}}'),
    "NaN for a name": written(b'{NaN:{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)),
    "a name twice": written(f'{{"a": {PAIR}, "a": {PAIR}}}'.encode(), bytes(4)),
    "metadata twice": written(b'{"__metadata__": {"k": "1"}, "__metadata__": {"k": "2"}}'),
    "a key of metadata twice": written(b'{"__metadata__": {"k": "1", "k": "2"}}'),
    "metadata that is no text": written({"__metadata__": {"k": 1}}),
    "a pickle": b"\x80\x04K\x01.",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_file_that_lies_is_a_clear_error(tmp_path, kind):
    path = tmp_path / "a.safetensors"
    path.write_bytes(HOSTILE[kind])
    with pytest.raises(DataError, match="a.safetensors cannot be used: ") as caught:
        io.read_arrays(path)
    assert isinstance(caught.value, ValueError)
    assert "Fix: " in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_name_that_reads_nan_is_a_name(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(written({"NaN": entry(0, 4)}, bytes(4)))
    assert io.read_arrays(path)[0].keys() == {"NaN"}


def test_bfloat16_comes_as_the_same_numbers_in_float32(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(written({"a": entry(0, 4, (2,), "BF16")}, b"\xc0\x3f\x00\xc0"))
    assert io.read_arrays(path)[0]["a"].tolist() == [1.5, -2.0]
    assert io.read_arrays(path)[0]["a"].dtype == np.float32


def archive(path, **members):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name.replace("__", "."), content)


def test_an_archive_with_pickles_or_a_shape_that_lies_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.array([{"a": 1}], object))
    with pytest.raises(DataError, match="holds pickled objects, which may run code"):
        io.read_arrays(path)
    archive(path, model__pkl=b"", data__pkl=b"")
    with pytest.raises(DataError, match=r"a pickle of PyTorch.*\nFix: .*safetensors.torch"):
        io.read_arrays(path)
    archive(path, x__txt="text")
    with pytest.raises(DataError, match="no whole .npz archive: .*magic"):
        io.read_arrays(path)
    with (tmp_path / "x.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40, 1 << 40)}
        )
    archive(path, x__npy=(tmp_path / "x.npy").read_bytes())
    with pytest.raises(DataError, match="says that its shape is .1099511627776, "):
        io.read_arrays(path)
    np.savez(path, x=np.ones(2), y=np.ones(2))
    path.write_bytes(path.read_bytes().replace(b"y.npy", b"x.npy"))
    with pytest.raises(DataError, match="it has 'x' twice"):
        io.read_arrays(path)


def test_without_safetensors_the_error_names_the_extra_and_npz_needs_nothing(tmp_path, monkeypatch):
    io.write_arrays(tmp_path / "a.safetensors", {"x": np.ones(2)})
    for name in ("safetensors", "safetensors.numpy"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tinygrad-bp\[train\]'"):
        io.read_arrays(tmp_path / "a.safetensors")
    with pytest.raises(MissingExtraError, match="a safetensors file needs safetensors"):
        io.write_arrays(tmp_path / "b.safetensors", {"x": np.ones(2)})
    io.write_arrays(tmp_path / "a.npz", {"x": np.ones(2)})
    assert io.read_arrays(tmp_path / "a.npz")[0].keys() == {"x"}
    assert not (tmp_path / "b.safetensors").exists()
