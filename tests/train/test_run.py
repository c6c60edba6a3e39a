from __future__ import annotations

import contextlib
import errno
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from told import told

from tinygrad_bp import files
from tinygrad_bp.errors import CheckpointError, MissingExtraError, NonFiniteError, OutputError
from tinygrad_bp.train import Interrupted, RunFolder, load_recipe, resume, run, train
from tinygrad_bp.train.build import example_loss
from tinygrad_bp.train.checkpoint import load_checkpoint, read_arrays, save_checkpoint
from tinygrad_bp.train.progress import Reporter

ALWAYS = {
    "recipe.toml", "metrics.csv", "timings.csv", "model.safetensors", "curves.png",
    "confusion.png", "hidden-units.png", "report.txt", "graph.dot",
}  # fmt: skip


class Signal(Reporter):
    def __init__(self, at, number):
        self.at, self.number = at, number

    def step(self, step, loss, samples):
        if step == self.at:
            os.kill(os.getpid(), self.number)


@pytest.fixture
def silent():
    return {"say": lambda line: None}


def test_a_run_leaves_everything(digits, tmp_path, silent):
    folder, trainer = train(digits, out=tmp_path / "run", **silent)
    names = {p.name for p in folder.path.iterdir()}
    assert names >= ALWAYS | {"checkpoints"}
    assert {p.name for p in (folder.path / "checkpoints").iterdir()} == {
        "last.safetensors",
        "best.safetensors",
    }
    assert not [p for p in folder.path.rglob("*") if p.name.startswith(".")]
    lines = (folder.path / "metrics.csv").read_text().splitlines()
    assert lines[0] == "epoch,step,train_loss,train_accuracy,test_loss,test_accuracy"
    assert len(lines) == 4
    assert lines[1].startswith("1.0,43,")
    assert (folder.path / "timings.csv").read_text().startswith("epoch,step,seconds,samples_per")
    assert RunFolder.open(folder.path).recipe == digits
    report = (folder.path / "report.txt").read_text()
    assert "450 test samples" in report
    assert "precision" in report
    assert "digraph" in (folder.path / "graph.dot").read_text()
    model, shift, scale = run.load_model(folder)
    assert (shift, scale) == (0.0, 16.0)
    assert not model.training
    for key, value in trainer.model.state_dict().items():
        assert np.array_equal(model.state_dict()[key], value)


def test_the_best_checkpoint_is_that_of_the_best_test_accuracy(digits, tmp_path, silent):
    folder, trainer = train(digits, out=tmp_path / "run", **silent)
    worse = [row._replace(test_accuracy=0.1, step=row.step + 129) for row in trainer.rows]
    trainer.rows.extend(worse)
    folder.save(trainer, finished=True)
    best = load_checkpoint(folder.path / "checkpoints/best.safetensors")
    scores = [row.test_accuracy for row in trainer.rows]
    assert best["rows"][-1][5] == max(scores)
    assert len(best["rows"]) <= 3
    assert len(load_checkpoint(folder.path / "checkpoints/last.safetensors")["rows"]) == 6


def test_run_folders_get_numbers_and_are_never_overwritten(digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = [str(RunFolder.create(digits).path) for _ in range(3)]
    assert folders == ["runs/digits-0", "runs/digits-0-2", "runs/digits-0-3"]
    with pytest.raises(CheckpointError, match="runs/digits-0 is there already") as caught:
        RunFolder.create(digits, "runs/digits-0")
    assert "--resume runs/digits-0" in str(caught.value)
    Path("empty").mkdir()
    assert RunFolder.create(digits, "empty").path == Path("empty")


@pytest.mark.parametrize("out", [None, "run"])
def test_of_two_runs_that_begin_at_once_one_gets_the_folder(digits, tmp_path, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    both, claim = threading.Barrier(2, timeout=60), run._claim

    def when_both_have_looked(path):
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait()
        both.abort()  # the one that comes too late looks on by itself
        return claim(path)

    def begin(_):
        try:
            return str(RunFolder.create(digits, out).path)
        except CheckpointError as error:
            return str(error).partition(",")[0]

    monkeypatch.setattr(run, "_claim", when_both_have_looked)
    with ThreadPoolExecutor(2) as pool:
        found = sorted(pool.map(begin, range(2)))
    expected = ["run", "run is there already"] if out else ["runs/digits-0", "runs/digits-0-2"]
    assert found == expected


@pytest.mark.parametrize("gradients", ["autograd", "by-hand"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_continues_to_the_same_bytes(
    digits, tmp_path, silent, gradients, number, code
):
    whole, _ = train(digits, out=tmp_path / "whole", gradients=gradients, **silent)
    cut = tmp_path / "cut"
    with pytest.raises(Interrupted) as caught:
        train(digits, out=cut, gradients=gradients, reporter=Signal(60, number), **silent)
    assert caught.value.exit_code == code
    assert f"--resume {cut}" in str(caught.value)
    assert "stopped after step 60 of 129" in str(caught.value)
    assert len((cut / "metrics.csv").read_text().splitlines()) == 2
    assert not (cut / "model.safetensors").exists()
    _, trainer = resume(cut, **silent)
    assert (trainer.by_hand is None) == (gradients == "autograd")
    for name in ("model.safetensors", "metrics.csv", "curves.png", "hidden-units.png"):
        assert (cut / name).read_bytes() == (whole.path / name).read_bytes()


def test_a_run_that_was_killed_hard_continues_from_the_last_epoch(digits, tmp_path, silent):
    class Stop(Reporter):
        def step(self, step, loss, samples):
            if step == 60:
                raise SystemExit

    whole, _ = train(digits, out=tmp_path / "whole", **silent)
    cut = tmp_path / "cut"
    with pytest.raises(SystemExit):
        train(digits, out=cut, reporter=Stop(), **silent)
    resume(cut, **silent)
    for name in ("model.safetensors", "metrics.csv"):
        assert (cut / name).read_bytes() == (whole.path / name).read_bytes()


def test_a_run_that_was_stopped_before_its_first_checkpoint_starts_anew(digits, tmp_path, silent):
    folder = RunFolder.create(digits, tmp_path / "run")
    _, trainer = resume(folder.path, **silent)
    assert trainer.step == 129


def test_a_run_that_was_killed_in_its_first_step_goes_on_by_the_gradients_it_had(
    digits, tmp_path, silent
):
    class Stop(Reporter):
        def step(self, step, loss, samples):
            raise SystemExit

    whole, _ = train(digits, out=tmp_path / "whole", gradients="by-hand", **silent)
    cut = tmp_path / "cut"
    with pytest.raises(SystemExit):
        train(digits, out=cut, gradients="by-hand", reporter=Stop(), **silent)
    _, trainer = resume(cut, **silent)
    assert trainer.by_hand is not None
    assert (cut / "model.safetensors").read_bytes() == (
        whole.path / "model.safetensors"
    ).read_bytes()


def test_scipy_starts_anew_and_says_so(tmp_path, monkeypatch, make_samples, silent):
    recipe = load_recipe("ex4-tnc").with_epochs(30)
    monkeypatch.setattr(run, "load_samples", lambda recipe, data_dir: make_samples(recipe))
    whole, _ = train(recipe, out=tmp_path / "whole", **silent)
    with pytest.raises(Interrupted):
        train(recipe, out=tmp_path / "cut", reporter=Signal(25, signal.SIGTERM), **silent)
    said = []
    resume(tmp_path / "cut", say=said.append)
    assert "SciPy cannot continue in the middle" in said[0]
    for name in ("model.safetensors", "metrics.csv"):
        assert (tmp_path / "cut" / name).read_bytes() == (whole.path / name).read_bytes()


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="is not the folder of a run: it has no readable"):
        RunFolder.open(tmp_path)


def test_nan_keeps_the_last_good_checkpoint(digits, tmp_path, silent):
    class Break(Reporter):
        def row(self, row):
            if row.step == 86:
                trainers[0].optimizer.param_groups[0]["lr"] = 1e30

    trainers = []
    monkey = pytest.MonkeyPatch()
    original = run.Trainer
    monkey.setattr(run, "Trainer", lambda *a: trainers.append(original(*a)) or trainers[0])
    with monkey.context(), pytest.raises(NonFiniteError, match="step 86, is kept"):
        train(digits, out=tmp_path / "run", reporter=Break(), **silent)
    monkey.undo()
    state = load_checkpoint(tmp_path / "run/checkpoints/last.safetensors")
    assert state["step"] == 86
    assert all(np.isfinite(v).all() for v in state["model"].values())


def test_a_full_disk_is_told_and_leaves_nothing_half_written(digits, tmp_path, monkeypatch, silent):
    real = files.write_atomically
    left = [7]

    def write(path, content):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(path, content)

    monkeypatch.setattr("tinygrad_bp.train.files.write_atomically", write)
    with pytest.raises(OutputError, match="cannot be written: No space left on device") as caught:
        train(digits, out=tmp_path / "run", **silent)
    assert "Fix: make room" in str(caught.value)
    monkeypatch.undo()
    assert load_checkpoint(tmp_path / "run/checkpoints/last.safetensors")["step"] == 86
    _, trainer = resume(tmp_path / "run", **silent)
    assert trainer.step == 129


def test_a_write_that_fails_in_the_middle_leaves_the_old_file(tmp_path, monkeypatch):
    def full(self, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    from tinygrad_bp.train.files import write_file

    write_file(tmp_path / "a", "old")
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match="a cannot be written: No space left"):
        write_file(tmp_path / "a", "new")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_a_folder_that_cannot_be_made_is_told(digits, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written: (Not a directory|File exists)"):
        RunFolder.create(digits, tmp_path / "file" / "run")


def test_without_graphviz_the_dot_text_is_written_and_it_says_so(digits, tmp_path, monkeypatch):
    def nothing(picture, path):
        raise MissingExtraError("a picture needs Graphviz.\nFix: apt install graphviz")

    monkeypatch.setattr(run, "save_picture", nothing)
    said = []
    folder, _ = train(digits, out=tmp_path / "run", say=said.append)
    assert (folder.path / "graph.dot").exists()
    assert not (folder.path / "graph.svg").exists()
    assert "graph.dot is written, but not" in said[0]
    assert "apt install graphviz" in said[0]


def test_a_model_of_another_network_is_refused(digits, tmp_path, silent):
    folder, _ = train(digits.with_epochs(1), out=tmp_path / "run", **silent)
    (folder.path / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model.safetensors cannot be read: there is no"):
        run.load_model(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"step": None}, "it is of step None, and the recipe has steps 0 to 43"),
        ({"step": 44}, "it is of step 44, and the recipe has steps 0 to 43"),
        ({"step": -1}, "it is of step -1"),
        ({"step": 42}, "it is 43 batches into an epoch of 43 at step 42"),
        ({"step": 0}, "its metrics go on to step 43, and it is of 0"),
        ({"rows": [["x"] * 8]}, "a row of its metrics is ['x',"),
        ({"gradients": "magic"}, "its gradients are 'magic'"),
        ({"batches": {"generator": {}, "position": 0}}, "state must be for a PCG64"),
        ({"optimizer": None}, "it is a NoneType, not a dict"),
        ({"rows": [[1, 2]]}, "missing"),
        ("gradients", "it has no 'gradients'"),
        ("batches", "it has no 'batches'"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused(digits, tmp_path, silent, change, words):
    folder, _ = train(digits.with_epochs(1), out=tmp_path / "run", **silent)
    path = folder.path / "checkpoints/last.safetensors"
    state = load_checkpoint(path)
    if isinstance(change, str):
        del state[change]
    else:
        state |= change
    save_checkpoint(path, state)
    with pytest.raises(CheckpointError) as caught:
        resume(folder.path, **silent)
    told(caught, "is not the checkpoint of this run", words, fix="train anew")


def test_a_batch_larger_than_memory_is_drawn_smaller(digits):
    loss = example_loss(digits.override([f"training.batch_size={10**30}"]))
    assert loss.node.inputs[0].shape == (10_000, 10)


def test_weights_are_readable_without_the_package(digits, tmp_path, silent):
    folder, _ = train(digits.with_epochs(1), out=tmp_path / "run", **silent)
    arrays, header = read_arrays(folder.path / "model.safetensors")
    assert arrays["0.weight"].shape == (16, 64)
    assert header == {"scaling": '{"shift": 0.0, "scale": 16.0}'}
