"""Data to read: small files that the tests write, and the real ones where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from data.samples import NAMES, write_ex4_files, write_idx_files


def _real_folder() -> Path | None:
    named = os.environ.get("TINYGRAD_BP_DATA")
    root = Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "data"
    files = ("ex4/ex4data1.mat", "ex4/ex4weights.mat", *(f"mnist/{name}.gz" for name in NAMES))
    return root if all((root / file).is_file() for file in files) else None


REAL = _real_folder()


@pytest.fixture(autouse=True)
def _no_data_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TINYGRAD_BP_DATA", raising=False)


@pytest.fixture(params=["written", "real"] if REAL else ["written"])
def data_root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with mnist/ and ex4/."""
    if request.param == "real":
        assert REAL is not None
        return REAL
    write_idx_files(tmp_path / "mnist")
    write_ex4_files(tmp_path / "ex4")
    return tmp_path
