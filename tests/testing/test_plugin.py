from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.testing.profiles import PROFILES, load_profile
from tinygrad_bp.testing.record import Record

PROPERTY = """
import numpy as np
import tinygrad_bp as tg
from tinygrad_bp.testing import gradient_property
from tinygrad_bp.testing.strategies import tensors

@gradient_property(x=tensors(shape=(2,)))
def test_sine(x):
    return np.sin(x)
"""
WRONG = """

@tg.primitive(lambda g, out, x: 3 * g * x)
def own_square(x):
    return x * x

@gradient_property(x=tensors())
def test_square(x):
    return own_square(x)
"""


def run(folder, source, *options, **environment):
    """The output of pytest, in a process of its own and where no other plugin is loaded."""
    (folder / "test_it.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-p", "tinygrad_bp.testing.plugin", "-q", *options]
    return subprocess.run(
        [*command, "-p", "no:cacheprovider", "test_it.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**plain_environment(), **environment},
    )


def plain_environment():
    """Without what changes the report: under CI, pytest prints whole messages a second time."""
    others = ("HYPOTHESIS_PROFILE", "CI", "BUILD_NUMBER", "PYTEST_ADDOPTS")
    return {
        **{k: v for k, v in os.environ.items() if k not in others},
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }


def section(done):
    """The lines of the plugin's own section, up to the next headline of pytest."""
    _, _, rest = done.stdout.partition(" gradients checked ")
    lines = rest.splitlines()[1:]
    end = next(i for i, line in enumerate(lines) if line.startswith("==") or "passed in" in line)
    return lines[:end]


def test_what_was_checked_is_in_the_summary(tmp_path):
    done = run(tmp_path, PROPERTY, "--gradient-profile=ci")
    assert done.returncode == 0, done.stdout + done.stderr
    assert section(done) == ["1 property, on 25 examples", "verdicts: 100 OK"]


@pytest.mark.parametrize("ci", [{}, {"CI": "true"}])
def test_a_failure_ends_in_the_line_that_replays_it(tmp_path, ci):
    done = run(tmp_path, PROPERTY + WRONG, "--gradient-profile=ci", **ci)
    assert done.returncode == 1, done.stdout + done.stderr
    (line,) = [x.strip() for x in section(done) if x.startswith("    test_square.check(")]
    assert "@reproduce_failure(" in done.stdout
    again = f"{PROPERTY}{WRONG}\n{line}\n"
    replay = subprocess.run(
        [sys.executable, "-c", again], capture_output=True, text=True, check=False
    )
    assert "GradientError" in replay.stderr
    assert "own_square" in replay.stderr


@pytest.mark.parametrize(("name", "number"), [("dev", 10), ("ci", 25)])
def test_the_option_chooses_the_profile_whatever_conftest_loaded(tmp_path, name, number):
    (tmp_path / "conftest.py").write_text(
        "from tinygrad_bp.testing.profiles import load_profile\nload_profile('thorough')"
    )
    done = run(tmp_path, PROPERTY, f"--gradient-profile={name}")
    assert f"on {number} examples" in done.stdout


def test_the_environment_chooses_where_tests_load_a_profile(tmp_path):
    (tmp_path / "conftest.py").write_text(
        "from tinygrad_bp.testing.profiles import load_profile\nload_profile()"
    )
    assert "on 10 examples" in run(tmp_path, PROPERTY, HYPOTHESIS_PROFILE="dev").stdout
    assert "on 25 examples" in run(tmp_path, PROPERTY).stdout


def test_without_a_profile_the_settings_of_hypothesis_are_in_force(tmp_path):
    done = run(tmp_path, PROPERTY, HYPOTHESIS_PROFILE="dev")
    assert section(done)[0] == "1 property, on 100 examples"


def test_those_who_check_no_gradients_notice_nothing(tmp_path):
    source = (
        "import sys\n"
        "def test_nothing_heavy_is_there():\n"
        "    heavy = {'hypothesis', 'scipy', 'matplotlib', 'tinygrad_bp.nn', 'graphviz',"
        " 'tinygrad_bp.testing.check', 'tinygrad_bp.testing.profiles'}\n"
        "    assert not heavy & set(sys.modules)\n"
    )
    done = run(tmp_path, source)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "gradients checked" not in done.stdout


def test_an_unknown_profile_is_refused(tmp_path):
    done = run(tmp_path, PROPERTY, "--gradient-profile=quick")
    assert done.returncode != 0
    assert "invalid choice: 'quick'" in done.stderr
    with pytest.raises(ArgumentError, match="there is no profile 'thorugh'; did you mean"):
        load_profile("thorugh")


def test_the_option_names_the_profiles_that_there_are():
    from tinygrad_bp.testing.plugin import _NAMES

    assert set(_NAMES) == set(PROFILES)


def test_nothing_checked_is_nothing_told():
    assert Record().lines() == []
    record = Record(primitives={"exp", "log"}, examples=1)
    record.inconclusive["test_x"] += 3
    assert record.lines() == [
        "2 primitives, on 1 example",
        "inconclusive: 3 elements in test_x",
    ]


def test_counts_of_several_processes_are_added():
    one = Record({"test_x"}, {"exp"}, 3)
    one.verdicts["OK"] += 5
    one.inconclusive["test_x"] += 1
    one.replays["test_x"] = "    test_x.check()"
    both = Record({"test_y"}, {"exp"}, 4)
    both.merge(json.loads(json.dumps(one.plain())))
    assert both.lines() == [
        "2 properties, 1 primitive, on 7 examples",
        "verdicts: 5 OK",
        "inconclusive: 1 element in test_x",
        "replay test_x:\n    test_x.check()",
    ]


def test_hypothesis_is_named_where_it_is_missing():
    program = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "import tinygrad_bp.testing as t\n"
        "import numpy as np\n"
        "t.check_gradients(lambda x: x * x, np.array([1.0]))\n"
        "t.check_primitive(np.exp, inputs=1, examples=1)\n"
        "for use in (\n"
        "    lambda: __import__('tinygrad_bp.testing.strategies'),\n"
        "    lambda: t.gradient_property(lambda x: x),\n"
        "    lambda: __import__('tinygrad_bp.testing.profiles').testing.profiles.load_profile(),\n"
        "):\n"
        "    try:\n"
        "        use()\n"
        "    except ImportError as error:\n"
        "        print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.count("MissingExtraError") == 3
    assert done.stdout.count("pip install 'tinygrad-bp[test]'") == 3
