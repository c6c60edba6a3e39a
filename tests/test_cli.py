from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from tinygrad_bp import cli
from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.train import recipe_names
from tinygrad_bp.train.commands import app


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("TINYGRAD_BP_DATA", raising=False)
    return lambda *arguments: CliRunner().invoke(app, arguments)


def test_recipes_are_listed(run):
    result = run("recipes")
    assert result.exit_code == 0
    for name in recipe_names():
        assert name in result.output
    assert "784-256-128-10" in result.output


def test_the_version_is_that_of_the_package(run):
    result = run("--version")
    assert (result.exit_code, result.output) == (0, f"tinygrad-bp {version('tinygrad-bp')}\n")


def test_train_predict_and_draw_a_run(run):
    result = run("train", "--epochs", "4", "--set", "optimizer.lr=0.003", "--seed", "3")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0].split()[:3] == ["epoch", "step", "loss"]
    assert lines[1].split()[:2] == ["1", "43"]
    assert re.fullmatch(r"test accuracy 0\.9\d+ in [\d.]+ s of training", lines[5])
    assert lines[6] == "Everything is in runs/digits-3/"
    assert "lr = 0.003" in Path("runs/digits-3/recipe.toml").read_text()

    result = run("predict", "runs/digits-3", "--index", "7", "--png", "out/seven.png")
    assert result.exit_code == 0
    assert "digits, test sample 7" in result.output
    assert "█" in result.output
    assert len(re.findall(r"^.*\d\.\d%", result.output, re.MULTILINE)) == 10
    assert re.search(r"The network says \d; it is \d\.", result.output)
    with Image.open("out/seven.png") as picture:
        assert picture.size[0] > 300

    result = run("predict", "runs/digits-3", "--image", "out/seven.png")
    assert result.exit_code == 0

    result = run("draw", "runs/digits-3", "-o", "graph.dot")
    assert result.exit_code == 0
    assert "graph.dot is written." in result.output

    (norm,) = re.findall(r"W³  10 × 64\n +norm (\S+)", run("explain", "--numbers").output)
    trained = re.findall(
        r"W³  10 × 64\n +norm (\S+)", run("explain", "runs/digits-3", "--numbers").output
    )
    assert trained != [norm]
    assert "cross_entropy" in Path("graph.dot").read_text()


@pytest.mark.parametrize(
    ("arguments", "file", "words"),
    [
        (["--level", "module"], "digits.svg", "8,320 parameters"),
        (["--level", "full", "-o", "full.dot"], "full.dot", "keeps 16.4 kB"),
        (["--format", "mmd", "--theme", "dark"], "digits.mmd", '"theme": "dark"'),
        (["--depth", "0", "-o", "out.txt"], "out.txt", "m1 = Sequential(x)"),
        (["--legend", "-o", "out.dot"], "out.dot", "cluster_legend"),
        (["--format", "txt"], None, "n1 = linear(x, 0.weight, 0.bias)"),
        (["--budget", "4", "-o", "-"], None, "m1 = Sequential(x)"),
        (["--backward", "alone", "-o", "-"], None, "v2 = ∂L/∂(0.weight)(n1)"),
        (["--backward", "over", "-o", "out.dot"], "out.dot", "n6 -> n5"),
        (["-o", "-", "--format", "dot"], None, "digraph {"),
    ],
)
def test_draw_at_every_level_in_every_format(run, arguments, file, words):
    result = run("draw", "digits", *arguments)
    assert result.exit_code == 0
    assert words in (Path(file).read_text() if file else result.output)
    assert (f"{file} is written." in result.output) == (file is not None)
    assert [p.name for p in Path().iterdir()] == ([file] if file else [])


def test_a_run_by_hand_ends_where_autograd_does(run):
    for gradients in ("autograd", "by-hand"):
        result = run("train", "digits-delta", "--set", "training.steps=300",
                     "--gradients", gradients, "--out", gradients)  # fmt: skip
        assert result.exit_code == 0
    rows = [Path(g, "metrics.csv").read_text().splitlines()[-1] for g in ("autograd", "by-hand")]
    assert rows[0].split(",")[3] == rows[1].split(",")[3]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "digit"], "error: there is no recipe 'digit': did you mean 'digits'?"),
        (["train", "--set", "optimizer.lrr=1"], "unknown key 'lrr': did you mean 'lr'?"),
        (["train", "mnist-mlp", "--data-dir", "."], "Looked in"),
        (["train", "--resume", "nowhere"], "nowhere is not the folder of a run"),
        (["train", "--set", "network.layers.1.type=GELU", "--gradients", "by-hand"],
         "the equations by hand do not describe this network: layer '1' is GELU"),
        (["check", "--set", "network.layers.0.out_features=99999999999999"], "memory does not"),
        (["check", "--set", "optimizer.lr.x=3"], "Fix: leave '.x' away"),
        (["check", "mnits-mlp"], "did you mean 'mnist-mlp'?"),
        (["predict", "nowhere"], "nowhere is not the folder of a run"),
        (["draw", "digits", "-o", "x.gif"], "a picture cannot be written as 'x.gif'"),
        (["draw", "-o", "x.svg", "--format", "png"], "Fix: a name that ends in .png."),
    ],
)  # fmt: skip
def test_errors_are_told_without_a_traceback(run, arguments, words):
    result = run(*arguments)
    assert result.exit_code == 1
    assert words in result.output
    assert "Fix:" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--epochs", "0"],
        ["draw", "--level", "modules"],
        ["draw", "--budget", "0"],
        ["train", "--gradients", "magic"],
        ["train", "--resume", "x", "--seed", "1"],
        ["predict", "x", "--index", "1", "--image", "y.png"],
        ["trian"],
        ["predict"],
    ],
)
def test_a_command_that_is_written_wrongly_exits_with_2(run, arguments):
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("ending", "code"), [(KeyboardInterrupt, 130), (signal.SIGTERM, 143), (signal.SIGINT, 130)]
)
def test_a_signal_outside_of_training_ends_without_a_traceback(ending, code, monkeypatch):
    def work():
        if isinstance(ending, int):
            os.kill(os.getpid(), ending)
            time.sleep(5)
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_main", work)
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as caught:
            cli.main()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert caught.value.code == code


def test_check_passes(run):
    result = run("check", "digits-delta")
    assert result.exit_code == 0
    assert result.output.count(" ok") == 2
    assert "Limits: 1e-12 by hand, 1e-07 numerical." in " ".join(result.output.split())


def test_check_exits_with_1_and_names_the_wrong_rule(run, monkeypatch):
    right = PRIMITIVES["sigmoid"].vjps[0]
    wrong = (lambda *a, **k: right(*a, **k) * 1.0001,)
    monkeypatch.setattr(PRIMITIVES["sigmoid"], "vjps", wrong)
    result = run("check", "digits-delta")
    assert result.exit_code == 1
    assert "wrong" in result.output
    assert "the rule of the primitive 'sigmoid' for its input 0 is wrong in Sequential.1" in (
        result.output.replace("\n", " ")
    )


def test_a_recipe_file_of_ones_own_is_trained(run):
    from tinygrad_bp.train import load_recipe

    Path("mine.toml").write_text(load_recipe("digits").override(["name=mine"]).to_toml())
    result = run("train", "mine.toml", "--epochs", "1")
    assert result.exit_code == 0
    assert "Everything is in runs/mine-0/" in result.output


@pytest.mark.parametrize("library", ["typer", "pydantic", "safetensors", "matplotlib"])
def test_without_a_library_the_extra_is_named(library):
    code = f"import sys; sys.modules[{library!r}] = None; from tinygrad_bp.cli import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, text=True, capture_output=True, check=False
    )
    assert done.returncode == 1
    assert f"needs {library}" in done.stderr
    assert "Fix: pip install 'tinygrad-bp[train]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("recipes > /dev/full", 1, "error: the output cannot be written: No space left"),
        ("explain digits > /dev/full", 1, "error: the output cannot be written: No space left"),
        ("explain digits >&-", 0, ""),
        ("check digits", 0, ""),
        ("recipes | head -1", 0, ""),
    ],
)
def test_where_output_cannot_go_there_is_no_traceback(tmp_path, command, code, words):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        f"{sys.executable} -m tinygrad_bp {command}", shell=True, cwd=tmp_path, check=False,
        env=environment | {"PYTHONIOENCODING": "ascii"}, text=True, capture_output=True,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith(words)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_a_digit_fits_a_narrow_terminal(run, monkeypatch):
    run("train", "--epochs", "1", "--out", "run")
    monkeypatch.setenv("COLUMNS", "40")
    answer = run("predict", "run").output
    assert len(re.findall(r"\d\.\d%", answer)) == 10
    assert "◀" in answer


def test_kill_saves_the_run_and_resume_finishes_it(tmp_path):
    command = [sys.executable, "-m", "tinygrad_bp", "train"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    settings = ["--epochs", "100000", "--out", "run"]
    process = subprocess.Popen(
        command + settings, cwd=tmp_path, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    while not (tmp_path / "run/metrics.csv").exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate()
    assert process.returncode == 143, errors
    assert "nothing is lost" in errors
    assert "tinygrad-bp train --resume run" in errors.replace("\n", " ")
    epochs = len((tmp_path / "run/metrics.csv").read_text().splitlines()) - 1
    recipe = tmp_path / "run/recipe.toml"
    recipe.write_text(recipe.read_text().replace("epochs = 100000", f"epochs = {epochs + 2}"))
    done = subprocess.run(
        [*command, "--resume", "run"], cwd=tmp_path, env=environment, text=True, check=False,
        capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Everything is in run/" in done.stdout
    assert len((tmp_path / "run/metrics.csv").read_text().splitlines()) == epochs + 3
