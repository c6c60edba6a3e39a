from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest
from data.samples import NAMES, idx_bytes, tiny_arrays, write_idx_files

from tinygrad_bp.data import describe_mnist, load_mnist, mnist
from tinygrad_bp.errors import DataError, DataNotFoundError


def write_pickle(path: Path, scale: float = 256.0) -> None:
    images, labels, test_images, test_labels = tiny_arrays()
    flat = [(a.reshape(len(a), -1) / scale).astype(np.float32) for a in (images, test_images)]
    longs = [a.astype(np.int64) for a in (labels, test_labels)]
    splits = ((flat[0][:20], longs[0][:20]), (flat[0][20:], longs[0][20:]), (flat[1], longs[1]))
    path.write_bytes(gzip.compress(pickle.dumps(splits, 2)))


def write_npz(path: Path, **changes: np.ndarray) -> None:
    names = ("x_train", "y_train", "x_test", "y_test")
    np.savez(path, **{**dict(zip(names, tiny_arrays(), strict=True)), **changes})


def assert_tiny(data) -> None:
    images, labels, test_images, test_labels = tiny_arrays()
    assert data.name == "mnist"
    assert data.image_shape == (28, 28)
    assert data.train.inputs.dtype == data.test.inputs.dtype == np.uint8
    np.testing.assert_array_equal(data.images(data.train.inputs), images)
    np.testing.assert_array_equal(data.train.labels, labels)
    np.testing.assert_array_equal(data.images(data.test.inputs), test_images)
    np.testing.assert_array_equal(data.test.labels, test_labels)


def test_labels_belong_to_their_pictures(data_root: Path) -> None:
    data = load_mnist(data_root)
    assert data.train.inputs.shape == (len(data.train), 784)
    assert data.source == str(data_root / "mnist")
    if len(data.train) == 60_000:
        assert np.bincount(data.train.labels).tolist() == [
            5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
        ]  # fmt: skip
        assert data.test is not None
        means = np.stack([data.train.inputs[data.train.labels == d].mean(0) for d in range(10)])
        pixels = data.test.inputs[:2000].astype(float)
        nearest = ((pixels[:, None] - means) ** 2).sum(-1).argmin(1)
        assert np.mean(nearest == data.test.labels[:2000]) > 0.75
    else:
        assert_tiny(data)


@pytest.mark.parametrize("suffix", [".gz", ""])
@pytest.mark.parametrize("dotted", [True, False])
@pytest.mark.parametrize("inner", ["", "mnist"])
def test_idx_files_are_found_under_all_their_names(
    tmp_path: Path, suffix: str, dotted: bool, inner: str
) -> None:
    write_idx_files(tmp_path / inner, suffix, dotted)
    assert_tiny(load_mnist(tmp_path))


def test_the_environment_names_the_folder_and_an_argument_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_idx_files(tmp_path / "one")
    write_idx_files(tmp_path / "two")
    monkeypatch.setenv("TINYGRAD_BP_DATA", str(tmp_path / "one"))
    assert load_mnist().source == str(tmp_path / "one")
    assert load_mnist(tmp_path / "two").source == str(tmp_path / "two")


def test_the_cache_is_read_without_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist, "cache_folder", lambda: tmp_path)
    with pytest.raises(DataNotFoundError, match="MNIST was not found"):
        load_mnist(download=False)
    write_idx_files(tmp_path / "mnist", suffix="")
    assert_tiny(load_mnist())


def test_keras_and_pickled_files_hold_the_same_digits(tmp_path: Path) -> None:
    write_npz(tmp_path / "mnist.npz")
    assert_tiny(load_mnist(tmp_path))
    for scale in (256.0, 255.0):
        folder = tmp_path / str(scale)
        folder.mkdir()
        write_pickle(folder / "mnist.pkl.gz", scale)
        data = load_mnist(folder)
        images, labels, test_images, test_labels = tiny_arrays()
        assert data.validation is not None
        assert data.test is not None
        np.testing.assert_array_equal(data.images(data.train.inputs), images[:20])
        np.testing.assert_array_equal(data.images(data.validation.inputs), images[20:])
        np.testing.assert_array_equal(data.validation.labels, labels[20:])
        np.testing.assert_array_equal(data.images(data.test.inputs), test_images)
        np.testing.assert_array_equal(data.test.labels, test_labels)
        assert data.train.inputs.dtype == np.uint8


def test_what_is_missing_is_listed_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_idx_files(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    monkeypatch.setenv("TINYGRAD_BP_DATA", str(tmp_path))
    with pytest.raises(DataNotFoundError) as caught:
        load_mnist()
    message = str(caught.value)
    assert f"Looked in\n  {tmp_path}\n  {tmp_path / 'mnist'} (there is no such folder)" in message
    found = tmp_path / "train-images-idx3-ubyte.gz"
    assert f"train-images-idx3-ubyte.gz (9,912,422 bytes; also unpacked): found {found}" in message
    assert "t10k-labels-idx1-ubyte.gz (4,542 bytes; also unpacked): missing" in message
    assert "mnist.npz, mnist.pkl.gz" in message
    assert f"TINYGRAD_BP_DATA is '{tmp_path}'" in message
    assert "or use `digits`, which needs no download" in message


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    write_idx_files(tmp_path)
    labels = tmp_path / f"{NAMES[1]}.gz"
    labels.write_bytes(gzip.compress(idx_bytes(np.zeros(29, np.uint8))))
    with pytest.raises(DataError) as caught:
        load_mnist(tmp_path)
    assert f"{NAMES[0]}.gz and {labels} do not belong together" in str(caught.value)
    assert "(30, 28, 28), labels of shape (29,)" in str(caught.value)
    labels.write_bytes(gzip.compress(idx_bytes(np.full(30, 10, np.uint8))))
    with pytest.raises(DataError, match=r"train has labels 10\.\.10, expected 0\.\.9"):
        load_mnist(tmp_path)


def test_files_without_images_are_refused(tmp_path: Path) -> None:
    write_idx_files(tmp_path)
    images, labels = (tmp_path / f"{name}.gz" for name in NAMES[:2])
    images.write_bytes(gzip.compress(idx_bytes(np.zeros((0, 28, 28), np.uint8))))
    labels.write_bytes(gzip.compress(idx_bytes(np.zeros(0, np.uint8))))
    with pytest.raises(DataError, match=r"holds no images: its shape is \(0, 28, 28\)"):
        load_mnist(tmp_path)


def test_swapped_files_are_refused(tmp_path: Path) -> None:
    write_idx_files(tmp_path, suffix="")
    (tmp_path / NAMES[0]).rename(tmp_path / "other")
    (tmp_path / NAMES[1]).rename(tmp_path / NAMES[0])
    (tmp_path / "other").rename(tmp_path / NAMES[1])
    with pytest.raises(DataError, match=r"expected magic number 0x00000803 .* found 0x00000801"):
        load_mnist(tmp_path)


def test_test_images_of_another_size_are_refused(tmp_path: Path) -> None:
    write_idx_files(tmp_path, suffix="")
    (tmp_path / NAMES[2]).write_bytes(idx_bytes(np.zeros((10, 8, 8), np.uint8)))
    with pytest.raises(DataError, match="test has 64 features, but images of"):
        load_mnist(tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<html>moved</html>", "expected an .npz archive, found a web page (HTML)"),
        (b"PK\3\4 cut", "expected an .npz archive, found BadZipFile"),
        ({"y_test": np.array([None])}, "Object arrays cannot be loaded"),
        ({"x_train": np.zeros((30, 28, 28))}, "expected uint8 images, found float64 and uint8"),
        ({"y_train": np.zeros(30)}, "expected integer labels, found float64"),
        ({"y_train": np.zeros(3, np.uint8)}, "labels of shape (3,); expected one label"),
    ],
)
def test_a_foreign_npz_is_refused(tmp_path: Path, content, says: str) -> None:
    path = tmp_path / "mnist.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        write_npz(path, **content)
    with pytest.raises(DataError) as caught:
        load_mnist(tmp_path)
    assert str(caught.value).startswith(str(path))
    assert says in str(caught.value)
    assert "\nFix: " in str(caught.value)


def test_an_npz_without_the_arrays_or_of_endless_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "mnist.npz", x_train=np.zeros(3), other=np.zeros(3))
    with pytest.raises(DataError, match="found x_train, other; missing y_train, x_test, y_test"):
        load_mnist(tmp_path)
    write_npz(tmp_path / "mnist.npz")
    monkeypatch.setattr(mnist, "LIMIT", 1000)
    with pytest.raises(DataError, match=r"unpacks to .* bytes, over 1,000"):
        load_mnist(tmp_path)


PAIR = (np.zeros((2, 784), np.float32), np.zeros(2, np.int64))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([1, 2, 3], "expected three pairs (images, labels)"),
        ((PAIR, PAIR), "expected three pairs (images, labels)"),
        ((PAIR, PAIR, ("a", "b")), "expected three pairs (images, labels)"),
        ({"train": PAIR}, "found a dict of something else"),
        ((PAIR, PAIR, (PAIR[0] + np.float32(0.3), PAIR[1])), "found 0.3..0.3"),
        ((PAIR, PAIR, (PAIR[0] - 1, PAIR[1])), "found -1..-1"),
        ((PAIR, PAIR, (PAIR[0] + np.nan, PAIR[1])), "expected pixels of 0..255"),
        ((PAIR, PAIR, (PAIR[0], PAIR[1][:1])), "labels of shape (1,)"),
        ((PAIR, PAIR, (PAIR[0][:, :783], PAIR[1])), "783"),
        ((PAIR, PAIR, (PAIR[0], PAIR[1] + 0.5)), "integer labels"),
    ],
)
def test_a_pickle_of_something_else_is_refused(tmp_path: Path, content, says: str) -> None:
    path = tmp_path / "mnist.pkl.gz"
    path.write_bytes(gzip.compress(pickle.dumps(content)))
    with pytest.raises(DataError) as caught:
        load_mnist(tmp_path)
    assert str(path) in str(caught.value)
    assert says in str(caught.value)
    assert "\nFix: " in str(caught.value)


def test_the_report_names_files_sums_and_counts(data_root: Path) -> None:
    report = describe_mnist(data_root)
    real = "60,000" in report
    assert f"{NAMES[3]}.gz: {'official' if real else 'not the official content'}\n" in report
    if real:
        assert (
            "  content       10,008 bytes  sha256 ff7bcfd416de33731a308c3f266cc351222c34898"
            in report
        )
        assert "train: 60,000 = 5923 + 6742 + 5958 + 6131 + 5842" in report
    else:
        assert "\ntest: 10 = 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1" in report
