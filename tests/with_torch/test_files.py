"""Files that PyTorch wrote are read, and the reverse: one architecture, the same outputs."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import DataError

torch = pytest.importorskip("torch")
from safetensors.torch import load_file, load_model, save_file, save_model  # noqa: E402


class Pair:
    """A class of networks, written once for both libraries: the names of parts are the same."""

    def __init__(self, name, shape, parts, forward):
        self.name, self.shape, self.parts, self.forward = name, shape, parts, forward

    def make(self, nn):
        """The network, of the modules of one of the libraries."""
        parts, forward = self.parts(nn), self.forward

        class Network(nn.Module):
            def __init__(self):
                super().__init__()
                for name, part in parts.items():
                    setattr(self, name, part)

            def forward(self, x):
                return forward(self, x)

        return Network()


def lenet(nn):
    features = nn.Sequential(
        *(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(4, 6, 3, groups=2, bias=False), nn.GroupNorm(2, 6), nn.PReLU(6)),
    )
    up = nn.ConvTranspose2d(6, 3, 2, stride=2)
    return {"features": features, "up": up, "head": nn.Linear(48, 5)}


def transformer(nn):
    layer = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, batch_first=True)
    return {
        "words": nn.Embedding(11, 8, padding_idx=0),
        "layers": nn.Sequential(layer, nn.LayerNorm(8)),
        "bilinear": nn.Bilinear(8, 8, 3),
    }


NETWORKS = [
    Pair(
        "perceptron",
        (4, 5),
        lambda nn: {"net": nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))},
        lambda self, x: self.net(x),
    ),
    Pair(
        "convolution",
        (3, 1, 8, 8),
        lenet,
        lambda self, x: self.head(self.up(self.features(x)).reshape(3, -1)),
    ),
    *(
        Pair(
            kind,
            (2, 6, 3),
            lambda nn, kind=kind: {
                "rnn": getattr(nn, kind)(3, 4, 2, batch_first=True, bidirectional=True),
                "cell": getattr(nn, f"{kind}Cell")(8, 3),
            },
            lambda self, x: self.cell(self.rnn(x)[0][:, -1]),
        )
        for kind in ("RNN", "GRU", "LSTM")
    ),
    Pair(
        "transformer",
        (2, 5),
        transformer,
        lambda self, x: self.bilinear(*[self.layers(self.words(x))] * 2),
    ),
    Pair(
        "attention",
        (2, 5, 8),
        lambda nn: {"attention": nn.MultiheadAttention(8, 2, kdim=8, vdim=8, batch_first=True)},
        lambda self, x: self.attention(x, x, x),
    ),
    Pair(
        "normalisation",
        (4, 6, 5),
        lambda nn: {
            "net": nn.Sequential(
                *(nn.BatchNorm1d(6), nn.InstanceNorm1d(6, affine=True, track_running_stats=True)),
                *(nn.LayerNorm((6, 5)), nn.Conv1d(6, 4, 3, padding="same")),
            )
        },
        lambda self, x: self.net(x),
    ),
]


def drawn(pair):
    rng = np.random.default_rng(0)
    if pair.name == "transformer":
        return rng.integers(11, size=pair.shape)
    return rng.normal(size=pair.shape).astype(np.float32)


def flat(out):
    """The arrays of an output, however nested."""
    if isinstance(out, (tuple, list)):
        return [array for each in out for array in flat(each)]
    out = out.detach()
    return [out.data if isinstance(out, tg.Tensor) else out.numpy()]


@pytest.mark.parametrize("pair", NETWORKS, ids=lambda pair: pair.name)
def test_a_file_goes_either_way_and_gives_the_same_outputs(tmp_path, pair):
    torch.manual_seed(0)
    x = drawn(pair)
    trained, ours = pair.make(torch.nn), pair.make(tg.nn)
    _train_a_little(trained, torch.tensor(x))
    state = trained.state_dict()
    save_file(state, tmp_path / "theirs.safetensors")
    assert not tg.io.load(tmp_path / "theirs.safetensors", ours)
    expected, found = flat(trained.eval()(torch.tensor(x))), flat(ours.eval()(x))
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    tg.io.save(ours, tmp_path / "ours.safetensors", {"format": "pt"})
    read = load_file(tmp_path / "ours.safetensors")
    pair.make(torch.nn).load_state_dict(read, strict=True)
    for key, value in state.items():
        assert torch.equal(read[key], value)
        assert read[key].dtype == value.dtype


def _train_a_little(model, x):
    """So that no parameter or buffer has the value that it began with."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(2):
        optimizer.zero_grad()
        sum(part.square().mean() for part in _tensors(model(x))).backward()
        optimizer.step()


def _tensors(out):
    if isinstance(out, (tuple, list)):
        return [tensor for each in out for tensor in _tensors(each)]
    return [out]


def test_weights_that_two_layers_share_come_under_either_name(tmp_path):
    """PyTorch keeps one of the names, or both: as of words whose table is the output too."""

    def tied(nn):
        parts = {"words": nn.Embedding(7, 4), "out": nn.Linear(4, 7)}
        parts["out"].weight = parts["words"].weight
        return parts

    pair = Pair("tied", (2, 3), tied, lambda self, x: self.out(self.words(x)))
    theirs, ours = pair.make(torch.nn), pair.make(tg.nn)
    x = np.array([[0, 3, 6]])
    expected = theirs(torch.tensor(x)).detach().numpy()
    save_model(theirs, tmp_path / "one.safetensors")
    both = {name: value.clone() for name, value in theirs.state_dict().items()}
    save_file(both, tmp_path / "both.safetensors")
    for name in ("one", "both"):
        ours = pair.make(tg.nn)
        assert not tg.io.load(tmp_path / f"{name}.safetensors", ours)
        assert ours.out.weight is ours.words.weight
        np.testing.assert_allclose(ours(x).data, expected, rtol=1e-5, atol=1e-6)
    tg.io.save(ours, tmp_path / "ours.safetensors")
    again = pair.make(torch.nn)
    load_model(again, tmp_path / "ours.safetensors")
    assert np.array_equal(again(torch.tensor(x)).detach().numpy(), expected)


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
