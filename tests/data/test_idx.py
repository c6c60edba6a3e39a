from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_bp.data import idx, read_idx
from tinygrad_bp.errors import DataError

LABELS = bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1])
PACKED = gzip.compress(LABELS, mtime=0)
CODES = {"u1": 8, "i1": 9, "i2": 0xB, "i4": 0xC, "f4": 0xD, "f8": 0xE}


@given(
    array=st.sampled_from(sorted(CODES)).flatmap(
        lambda code: hnp.arrays(code, hnp.array_shapes(max_dims=4, max_side=4, min_side=0))
    ),
    packed=st.booleans(),
)
def test_every_type_and_shape_comes_back(tmp_path_factory, array: np.ndarray, packed: bool) -> None:
    code = CODES[array.dtype.str[1:]]
    header = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    content = header + array.astype(array.dtype.newbyteorder(">")).tobytes()
    path = tmp_path_factory.mktemp("idx") / "file"
    path.write_bytes(gzip.compress(content) if packed else content)
    read = read_idx(path)
    assert read.dtype == array.dtype
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, array)


def test_the_content_and_not_the_name_says_whether_it_is_packed(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(LABELS)
    (tmp_path / "b").write_bytes(PACKED)
    assert read_idx(tmp_path / "a.gz").tolist() == read_idx(tmp_path / "b").tolist() == [7, 2, 1]


@pytest.mark.parametrize(
    ("content", "axes", "says"),
    [
        (b"", 1, "expected magic number 0x00000801 (IDX, unsigned bytes, labels), found an empty"),
        (b"\n <!DOCTYPE html>", 3, "unsigned bytes, images), found a web page (HTML)"),
        (LABELS, 3, "expected magic number 0x00000803 (IDX, unsigned bytes, images), found 0x0000"),
        (b"\0\0\x0d\1" + LABELS[4:], 1, "expected magic number 0x00000801"),
        (
            b"PK\3\4abcdefgh",
            None,
            "expected an IDX file, which starts with 00 00, found 0x504b0304",
        ),
        (LABELS[:6], 1, "the header is cut: expected 8 bytes, found 6"),
        (LABELS[:-1], 1, "the header says (3,), expected 3 bytes of values, found only 2"),
        (LABELS + b"x", 1, "the header says (3,), expected 3 bytes of values, found more"),
        (
            gzip.compress(LABELS + bytes(10**6), mtime=0),
            1,
            "expected 3 bytes of values, found more",
        ),
        (PACKED[:-3], 1, "could not be read: Compressed file ended before"),
        (PACKED[:-8] + bytes(8), 1, "could not be read: CRC check failed"),
        (PACKED[:10] + b"\xff" * 20, 1, "could not be read: Error -3"),
        (b"\x1f\x8b\xff", 1, "could not be read"),
        (b"\0\0\x08\3" + b"\xff" * 12, 3, "claims (4294967295, 4294967295, 4294967295) values"),
    ],
)
def test_a_foreign_or_damaged_file_is_refused_by_name(
    tmp_path: Path, content: bytes, axes: int | None, says: str
) -> None:
    path = tmp_path / "some-labels"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_idx(path, axes)
    assert str(caught.value).startswith(str(path))
    assert says in str(caught.value)
    assert "Fix:" in str(caught.value)


def test_a_large_truncated_file_says_how_much_came(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, 500_000, dtype=np.uint8)
    packed = gzip.compress(struct.pack(">HBBI", 0, 8, 1, len(values)) + values.tobytes())
    (tmp_path / "file.gz").write_bytes(packed[:250_000])
    with pytest.raises(
        DataError, match=r"expected 500,000 bytes of values, found only 24\d,\d{3}\."
    ):
        read_idx(tmp_path / "file.gz")


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idx, "LIMIT", 1000)
    header = struct.pack(">HBBI", 0, 8, 1, 1001)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(header + bytes(1001)))
    with pytest.raises(DataError, match=r"claims \(1001,\) values, 1,001 bytes; expected at most"):
        read_idx(tmp_path / "bomb.gz")


def test_a_folder_or_nothing_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="could not be read"):
        read_idx(tmp_path)
    with pytest.raises(DataError, match="could not be read"):
        read_idx(tmp_path / "absent")
