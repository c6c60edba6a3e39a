"""Files that PyTorch wrote are read, and the reverse: one architecture, the same outputs."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import DataError

torch = pytest.importorskip("torch")
from safetensors.torch import load_file, save_file  # noqa: E402


def pairs():
    """By name: the same network in both, and the shape of its input."""
    nn, theirs = tg.nn, torch.nn
    yield (
        "perceptron",
        lambda: nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)),
        lambda: theirs.Sequential(theirs.Linear(5, 7), theirs.Tanh(), theirs.Linear(7, 3)),
        (4, 5),
    )


PAIRS = list(pairs())


@pytest.mark.parametrize(("name", "ours", "theirs", "shape"), PAIRS, ids=[p[0] for p in PAIRS])
def test_a_file_goes_either_way_and_gives_the_same_outputs(tmp_path, name, ours, theirs, shape):
    torch.manual_seed(0)
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    theirs_first, ours_then = theirs(), ours()
    _train_a_little(theirs_first, x)
    save_file(theirs_first.state_dict(), tmp_path / "theirs.safetensors")
    assert not tg.io.load(tmp_path / "theirs.safetensors", ours_then)
    expected = theirs_first.eval()(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(ours_then.eval()(x).data, expected, rtol=1e-5, atol=1e-6)
    tg.io.save(ours_then, tmp_path / "ours.safetensors", {"format": "pt"})
    theirs_then = theirs()
    state = load_file(tmp_path / "ours.safetensors")
    theirs_then.load_state_dict(state, strict=True)
    for key, value in theirs_first.state_dict().items():
        assert torch.equal(state[key], value)
        assert state[key].dtype == value.dtype


def _train_a_little(model, x):
    """So that no parameter or buffer has the value that it began with."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.tensor(x)).square().sum().backward()
        optimizer.step()


def test_half_precision_of_torch_loads_where_casting_is_asked_for(tmp_path):
    ours, theirs = tg.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    for dtype in (torch.bfloat16, torch.float16):
        save_file(theirs.to(dtype).state_dict(), tmp_path / "a.safetensors")
        assert not tg.io.load(tmp_path / "a.safetensors", ours, strict=False)
        assert np.array_equal(ours.weight.data, theirs.weight.detach().float().numpy())


@pytest.mark.parametrize("as_zip", [True, False])
def test_what_torch_pickled_is_refused_with_the_line_that_helps(tmp_path, as_zip):
    state = torch.nn.Linear(3, 2).state_dict()
    torch.save(state, tmp_path / "model.pt", _use_new_zipfile_serialization=as_zip)
    with pytest.raises(DataError, match=r"may run code.\nFix: .*safetensors.torch.save_file"):
        tg.io.load(tmp_path / "model.pt", tg.nn.Linear(3, 2))
