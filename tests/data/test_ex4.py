from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from tinygrad_bp.data import load_ex4, load_ex4_weights
from tinygrad_bp.errors import DataError, DataNotFoundError

# Accuracy, and cost with its last digit: of the digits drawn from MNIST, and of the course's own.
PUBLISHED = {0.9254: (0.50154687677, 1e-11), 0.9752: (0.287629, 1e-6)}


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def outputs(root: Path) -> tuple[np.ndarray, np.ndarray]:
    data = load_ex4(root)
    hidden, last = load_ex4_weights(root)
    activations = sigmoid(data.train.inputs @ hidden[0].T + hidden[1])
    return sigmoid(activations @ last[0].T + last[1]), data.train.labels


def test_the_published_weights_recognise_the_digits(data_root: Path) -> None:
    """Wrong labels, rows or columns would bring the accuracy down to chance."""
    out, labels = outputs(data_root)
    accuracy = np.mean(out.argmax(axis=1) == labels)
    if len(labels) == 5000:
        targets = np.eye(10)[labels]
        cost = -np.sum(targets * np.log(out) + (1 - targets) * np.log(1 - out)) / len(labels)
        digits, reached = min(PUBLISHED.items(), key=lambda item: abs(item[0] - accuracy))
        assert accuracy == digits
        assert cost == pytest.approx(reached[0], abs=reached[1])
    else:
        assert accuracy == 1.0


def test_shapes_dtypes_and_labels(data_root: Path) -> None:
    data = load_ex4(data_root)
    assert data.test is None
    assert data.train.inputs.dtype == np.float64
    assert data.train.inputs.shape[1] == 400
    assert data.train.inputs.flags.c_contiguous
    counts = np.bincount(data.train.labels)
    assert len(counts) == 10
    assert (counts == counts[0]).all()
    assert data.source == str(data_root / "ex4" / "ex4data1.mat")
    raw = loadmat(data_root / "ex4" / "ex4data1.mat")
    assert (data.train.labels[raw["y"].reshape(-1) == 10] == 0).all()
    assert [w.shape + b.shape for w, b in load_ex4_weights(data_root)] == [
        (25, 400, 25),
        (10, 25, 10),
    ]


def test_pictures_come_upright(data_root: Path) -> None:
    data = load_ex4(data_root)
    pictures = data.images(data.train.inputs)
    if len(pictures) == 5000:
        ones = pictures[data.train.labels == 1].mean(axis=0)
        assert ones.sum(axis=0).max() > 2 * ones.sum(axis=1).max()  # a one stands
        sevens = pictures[data.train.labels == 7].mean(axis=0)
        assert sevens[:8].sum() > sevens[12:].sum()  # its bar is at the top
    else:
        bright = pictures[data.train.labels == 3][0]
        assert (bright[6] == 1).all()
        assert bright[1, 0] == 0.5


@pytest.mark.parametrize("inner", [True, False])
def test_the_folder_itself_or_one_above_may_be_named(
    data_root: Path, inner: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = data_root / "ex4" if inner else data_root
    monkeypatch.setenv("TINYGRAD_BP_DATA", str(root))
    assert load_ex4().source == load_ex4(root).source
    assert len(load_ex4_weights()) == 2


def test_a_missing_file_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError) as caught:
        load_ex4(tmp_path)
    message = str(caught.value)
    assert message.startswith("ex4data1.mat was not found. Looked in")
    assert f"  {tmp_path}\n  {tmp_path / 'ex4'} (there is no such folder)\n" in message
    assert "TINYGRAD_BP_DATA is not set" in message
    assert "or use `digits`, which needs no download" in message


GOOD = {"X": np.zeros((3, 400)), "y": np.array([[1], [2], [10]], np.uint8)}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<html>", "expected a MATLAB 5 file, found a web page (HTML)"),
        (b"", "expected a MATLAB 5 file, found"),
        (bytes(range(256)) * 4, "expected a MATLAB 5 file, found"),
        ({"X": GOOD["X"]}, "expected the arrays X and y, found X"),
        ({"Z": GOOD["X"]}, "expected the arrays X and y, found none of them"),
        ({**GOOD, "y": "text"}, "expected the arrays X and y"),
        ({**GOOD, "X": np.zeros((3, 399))}, "found X (3, 399) and y (3, 1)"),
        ({**GOOD, "X": np.zeros((2, 400))}, "found X (2, 400) and y (3, 1)"),
        ({**GOOD, "X": np.full((3, 400), np.nan)}, "expected finite pixels in X"),
        ({**GOOD, "y": np.array([[0], [1], [2]])}, "expected labels 1..10 (10 for the digit 0)"),
        ({**GOOD, "y": np.array([[1.5], [1], [2]])}, "found 1.0..2.0"),
    ],
)
def test_a_foreign_or_damaged_file_is_refused(tmp_path: Path, content, says: str) -> None:
    path = tmp_path / "ex4data1.mat"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        savemat(path, content)
    with pytest.raises(DataError) as caught:
        load_ex4(tmp_path)
    assert str(caught.value).startswith(str(path))
    assert says in str(caught.value)
    assert "\nFix: " in str(caught.value)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    savemat(tmp_path / "ex4data1.mat", GOOD)
    content = (tmp_path / "ex4data1.mat").read_bytes()
    (tmp_path / "ex4data1.mat").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="expected a MATLAB 5 file, found"):
        load_ex4(tmp_path)


def test_weights_of_other_shapes_are_refused(tmp_path: Path) -> None:
    savemat(tmp_path / "ex4weights.mat", {"Theta1": np.ones((25, 401)), "Theta2": np.ones((9, 26))})
    with pytest.raises(DataError, match=r"found \(25, 401\) and \(9, 26\)"):
        load_ex4_weights(tmp_path)
