"""The programs of examples/ that train deeper networks, shortened, and the newcomer's one."""

from __future__ import annotations

import runpy

import numpy as np
import pytest
from programs import EXAMPLES, ROOT, mnist_folder, numbers, run_here, told_by_the_page
from sklearn.model_selection import train_test_split

import tinygrad_bp as tg
from tinygrad_bp import optim
from tinygrad_bp.nn import functional

__all__ = ["mnist_folder", "run_here"]  # fixtures


def test_lenet_learns_digits_and_shows_what_it_looks_for(mnist_folder, run_here, tmp_path):
    out = run_here("lenet.py", "--data-dir", mnist_folder, "--samples", "1500", "--epochs", "2")
    assert "61,706 parameters" in out
    accuracies = numbers(out, "test accuracy")
    assert len(accuracies) == 2
    assert accuracies[-1] > 0.7
    told_by_the_page("lenet", out, tmp_path)


def test_a_residual_network_learns_small_digits(run_here, tmp_path):
    out = run_here("residual_network.py", "--epochs", "2")
    assert numbers(out, "test accuracy")[-1] > 0.8
    told_by_the_page("residual_network", out, tmp_path)


def test_the_blocks_of_the_residual_network_add_to_what_they_are_given():
    model = runpy.run_path(str(EXAMPLES / "residual_network.py"))["SPEC"].build(0).eval()
    x = np.random.default_rng(0).normal(size=(2, 16, 8, 8)).astype(np.float32)
    with tg.no_grad():
        same, narrower = model[3], model[5]
        first, second = same[:](x).data, narrower[:](x).data
        np.testing.assert_array_equal(same(x).data, x + first)
        np.testing.assert_array_equal(narrower(x).data, narrower.shortcut(x).data + second)
    assert second.shape == (2, 32, 4, 4)


def test_an_lstm_learns_to_write(run_here):
    out = run_here("character_lstm.py", "--epochs", "3", "--characters", "20000")
    learned, held = (numbers(out, word) for word in ("nats per character", "held out"))
    assert learned == sorted(learned, reverse=True)
    assert held[-1] < 3.4
    lines = out.splitlines(keepends=True)
    assert len(written := "".join(lines[3:])) > 200
    assert written.startswith("The gradient")
    told_by_the_page("character_lstm", "".join(lines[:3]))


def test_the_lstm_reads_on_where_it_stopped():
    own = runpy.run_path(str(EXAMPLES / "character_lstm.py"))
    model = own["Writer"](7, np.random.default_rng(0)).astype(float).eval()
    text = np.random.default_rng(1).integers(0, 7, 2 * 3 * own["STEPS"] + 1)
    rows = text[:-1].reshape(2, -1)  # of three pieces
    logits, (state, _) = model(rows)
    assert not state.requires_grad
    expected = tg.nn.functional.cross_entropy(logits.reshape(-1, 7), text[1:]).item()
    assert own["read"](model, text, 2) == pytest.approx(expected, rel=1e-12)


def test_a_transformer_learns_to_write(run_here):
    short = ("--steps", "12", "--characters", "4000", "--letters", "20")
    out = run_here("character_transformer.py", *short)
    held = numbers(out, "held out:")
    assert len(held) == 6
    assert held[-1] < held[0] - 0.3
    lines = out.splitlines(keepends=True)
    assert lines[6].startswith("The gradient")
    told_by_the_page("character_transformer", "".join(lines[:6]))


def test_the_transformer_does_not_look_ahead():
    own = runpy.run_path(str(EXAMPLES / "character_transformer.py"))
    model = own["transformer"](5, np.random.default_rng(0)).eval()
    text = np.random.default_rng(1).integers(0, 5, (2, 12))
    text[1, :9] = text[0, :9]
    with tg.no_grad():
        one, other = model(text).data
    np.testing.assert_allclose(one[:9], other[:9], rtol=1e-4, atol=1e-6)
    assert np.abs(one[9:] - other[9:]).max() > 0.1


def test_what_is_held_out_is_the_mean_over_all_pieces():
    own = runpy.run_path(str(EXAMPLES / "character_transformer.py"))
    model = own["transformer"](5, np.random.default_rng(0)).astype(float).eval()
    text = np.random.default_rng(1).integers(0, 5, 19 * own["STEPS"] + 7)  # two unequal parts
    pieces = text[: 19 * own["STEPS"] + 1]
    logits = model(pieces[:-1].reshape(19, -1)).reshape(-1, 5)
    expected = tg.nn.functional.cross_entropy(logits, pieces[1:]).item()
    assert own["held_out"](model, text) == pytest.approx(expected, rel=1e-12)


def test_the_newcomers_program_runs_in_under_sixty_lines(run_here, tmp_path):
    out = run_here("newcomer.py", "1")
    assert "274 derivatives agree" in out
    assert numbers(out, "right of pairs of other digits:")[0] > 0.75
    assert {path.name for path in tmp_path.iterdir()} >= {"newcomer.svg", "newcomer.safetensors"}
    assert len((EXAMPLES / "newcomer.py").read_text().splitlines()) < 60


def test_the_newcomers_page_goes_through_the_whole_program():
    page = set((ROOT / "docs" / "networks.md").read_text().splitlines())
    source = (EXAMPLES / "newcomer.py").read_text().split('"""', 2)[2]
    left_out = [line for line in source.splitlines() if line not in page]
    # The number of epochs comes from the command line; what is measured, the page only bounds.
    assert all("print(" in line or "sys" in line for line in left_out), left_out
    assert len(left_out) == 4


def test_many_seeds_say_what_five_cannot(run_here):
    out = run_here("how_many_seeds.py", "5", "1000").splitlines()[1:]
    assert [line.split()[-8] for line in out] == ["1,000", "1,000", "1,000", "4,000"]
    means = [float(line.split()[-7]) for line in out]
    assert means[0] < means[1] < means[3]
    assert all(line.endswith("0 of 1") for line in out)


@pytest.mark.parametrize("leak", [False, True])
def test_many_seeds_train_as_one_by_one(leak, monkeypatch):
    monkeypatch.setattr("sys.argv", ["how_many_seeds.py", "5", "1"])
    program = runpy.run_path(str(EXAMPLES / "how_many_seeds.py"))
    images, labels = program["PIXELS"] / 16, program["LABELS"]
    expected = []
    for seed in (3, 4):
        train, test = train_test_split(np.arange(len(labels)), random_state=seed)
        rng = np.random.default_rng(seed)
        v, w = (
            tg.Tensor(rng.uniform(-1, 1, s), requires_grad=True) for s in [(64, 100), (100, 10)]
        )
        optimizer = optim.SGD([v, w], lr=0.1)
        for i in rng.choice(np.arange(len(labels)) if leak else train, 400):
            a = functional.sigmoid(functional.sigmoid(images[i] @ v) @ w)
            (0.5 * np.sum((a - np.eye(10)[labels[i]]) ** 2)).backward()
            optimizer.step()
            optimizer.zero_grad()
        answers = (functional.sigmoid(images[test] @ v) @ w).data.argmax(1)
        expected.append(np.mean(answers == labels[test]))
    assert program["accuracies"]([3, 4], 400, divide_by=16, leak=leak) == expected
    assert len(set(expected)) == 2
