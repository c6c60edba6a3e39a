from __future__ import annotations

import gzip
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_bp.data import pickled, read_pickled_arrays
from tinygrad_bp.errors import DataError

NUMBERS = st.sampled_from(["u1", "i1", ">i2", "<i4", "i8", "u8", ">f4", "f8", "f2"])


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@given(
    array=NUMBERS.flatmap(lambda code: hnp.arrays(code, hnp.array_shapes(max_side=4, min_side=0))),
    protocol=st.integers(0, pickle.HIGHEST_PROTOCOL),
    fortran=st.booleans(),
)
def test_arrays_of_every_protocol_come_back(
    tmp_path_factory, array: np.ndarray, protocol: int, fortran: bool
) -> None:
    array = np.asfortranarray(array) if fortran else array
    path = tmp_path_factory.mktemp("pickle") / "a.pkl"
    read = read_pickled_arrays(written(path, pickle.dumps([array, (array, 3)], protocol)))
    assert isinstance(read, list)
    assert read[1][1] == 3
    assert read[0].dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(read[0], array)
    np.testing.assert_array_equal(read[1][0], array)


def test_a_pickle_of_python_2_is_read(tmp_path: Path) -> None:
    """Python 2 writes bytes as its own strings, with opcodes that Python 3 no longer emits."""
    values = np.array([[0.0, 0.99609375, -2.5]], "<f4").tobytes()
    content = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b"
        b"\x87Rq\x03(K\x01K\x01K\x03\x86cnumpy\ndtype\nq\x04U\x02f4K\x00K\x01\x87Rq\x05(K\x03U\x01<"
        b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U"
        + bytes([len(values)])
        + values
        + b"tb."
    )
    read = read_pickled_arrays(written(tmp_path / "py2.pkl.gz", gzip.compress(content)))
    assert read.dtype == np.float32
    assert read.tolist() == [[0.0, 0.99609375, -2.5]]


class Reduce:
    """Pickles as a call of any function with any arguments."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_malicious_pickle_is_refused_and_nothing_runs(
    tmp_path: Path, protocol: int, packed: bool
) -> None:
    traces = tmp_path / "executed"
    attack = Reduce(os.system, f"touch {traces}")
    content = pickle.dumps((np.zeros(2), attack), protocol)
    path = written(tmp_path / "mnist.pkl.gz", gzip.compress(content) if packed else content)
    with pytest.raises(DataError) as caught:
        read_pickled_arrays(path)
    assert f"{path} is a pickle that asks for {os.system.__module__}.system" in str(caught.value)
    assert "nothing of it was executed" in str(caught.value)
    assert not traces.exists()
    pickle.loads(content)  # the attack is a real one
    assert traces.exists()


@pytest.mark.parametrize(
    "name",
    [
        "builtins eval",
        "builtins getattr",
        "numpy load",
        "numpy fromfile",
        "numpy.core.multiarray fromfile",
        "numpy ndarray.tofile",
        "_codecs decode",
        "numpy.core.multiarray scalar",
    ],
)
def test_every_other_name_is_refused(tmp_path: Path, name: str) -> None:
    module, attribute = name.split()
    content = b"\x80\x04\x8c" + bytes([len(module)]) + module.encode()
    content += b"\x8c" + bytes([len(attribute)]) + attribute.encode() + b"\x93."
    path = written(tmp_path / "a.pkl", content)
    with pytest.raises(DataError, match=f"asks for {module}.{attribute}; only NumPy arrays"):
        read_pickled_arrays(path)


def array_pickle(shape: str, code: bytes, content: bytes, state: bytes = b"<") -> bytes:
    """An array whose parts are free, as an attacker would choose them."""
    return (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85U\1btR(K\1"
        + f"({''.join(f'I{n}' + chr(10) for n in map(int, shape.split()))}t".encode()
        + b"cnumpy\ndtype\n(U"
        + bytes([len(code)])
        + code
        + b"K\0K\1tR(K\3U\1"
        + state
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3ftb\x89T"
        + struct.pack("<i", len(content))
        + content
        + b"tb."
    )


def test_the_free_form_of_the_attacks_reads_a_good_array(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pkl", array_pickle("2", b"i2", b"\1\0\2\0"))
    assert read_pickled_arrays(path).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (array_pickle("1", b"O8", bytes(8)), "dtype 'O8'"),
        (array_pickle("1", b"V8", bytes(8)), "dtype 'V8'"),
        (
            array_pickle("999999999999", b"f8", bytes(8)),
            "array of shape (999999999999,) in 8 bytes",
        ),
        (array_pickle("-1 -1", b"u1", bytes(1)), "array of shape (-1, -1) in 1 bytes"),
        (array_pickle("2", b"u1", bytes(3)), "array of shape (2,) in 3 bytes"),
        (array_pickle("1", b"f8", bytes(8), b"?"), "byteorder not recognized"),
        (b"\x80\x02cnumpy\nndarray\n.", "a type"),
        (b"\x80\x02cnumpy\nndarray\n}U\x0c__setstate__K\1sb.", "TypeError"),
        (b"\x80\x02c_codecs\nencode\n(U\1aU\6latin1tR}b.", "bytes with a state"),
        (b"\x80\x02]q\0h\0a.", "nested more than 8 deep"),
        (b"P1\n.", "persistent"),
        (b"", "EOFError"),
        (b"<html>404</html>", "found a web page (HTML)"),
        (
            gzip.compress(pickle.dumps(np.arange(1000)), mtime=0)[:-20],
            "EOFError: Compressed file ended",
        ),
        (b"\x80\x02U\xffabc", "pickle data was truncated"),
        (pickle.dumps({1, 2}), "a set"),
    ],
)
def test_hostile_and_damaged_content_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = written(tmp_path / "a.pkl", content)
    with pytest.raises(DataError) as caught:
        read_pickled_arrays(path)
    assert str(path) in str(caught.value)
    assert says in str(caught.value)
    assert "Fix:" in str(caught.value)


def test_a_bomb_stops_at_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickled, "LIMIT", 10_000)
    content = gzip.compress(pickle.dumps(np.zeros(10_000, np.uint8)))
    path = written(tmp_path / "bomb.pkl.gz", content)
    with pytest.raises(DataError, match="unpacks to more than 10,000 bytes, which no MNIST does"):
        read_pickled_arrays(path)


def test_a_small_file_cannot_ask_for_much_memory(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pkl", b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"abc.")
    with pytest.raises(DataError, match="expected a pickle of arrays, found"):
        read_pickled_arrays(path)
