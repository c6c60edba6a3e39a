"""The table of operations is complete and up to date, and its examples are what it says."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.errors import ArgumentError, DataNotFoundError
from tinygrad_bp.tables.operations import (
    NAMESPACES,
    dispatches,
    example_of,
    inputs,
    operations,
    public_functions,
    recorded_by,
)
from tinygrad_bp.tables.pages import COMMAND, DOMAINS, main, neighbours

DOCS = Path(__file__).resolve().parents[2] / "docs"
KNOWN = neighbours(DOCS)
ENTRIES = [
    (family, name, *entry)
    for family, entries in KNOWN.items()
    for name, entry in entries.items()
    if family != "examples"
]
WRITTEN = [pytest.param(entry[3], id=entry[1]) for entry in ENTRIES if entry[3]]

# Namespaces of functions that ask tensors, and that no tensor has a use for.
OUTSIDE = {
    "numpy.char": "text",
    "numpy.strings": "text",
    "numpy.core": "old names of what is elsewhere",
    "numpy.f2py": "a compiler",
    "numpy.lib": "its parts are in numpy",
    "numpy.ma": "masked arrays have functions of their own",
    "numpy.matlib": "matrices of the old kind",
    "numpy.rec": "records of several kinds",
}


def test_both_pages_are_up_to_date(tmp_path):
    """Made in a fresh interpreter, since other tests register primitives of their own."""
    for name in ("neighbours.toml", "conventions.md"):
        shutil.copy(DOCS / name, tmp_path / name)
    module = COMMAND.split()[2]
    run = subprocess.run([sys.executable, "-m", module, tmp_path], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    for name in ("operations.md", "conventions.md"):
        fresh, shown = (tmp_path / name).read_text(), (DOCS / name).read_text()
        lacking = sorted(set(fresh.splitlines()) ^ set(shown.splitlines()))
        assert fresh == shown, f"{name} differs in {lacking[:5]} ...\nFix: {COMMAND}"


def test_every_function_of_numpy_that_asks_tensors_is_answered():
    """In one of three ways; asked of a fresh interpreter, which has nothing but what ships."""
    program = (
        "import json; from tinygrad_bp.tables.operations import NAMESPACES, operations;"
        "names = [n for n in NAMESPACES if n.startswith('np')];"
        "print(json.dumps([(row.name, row.kind) for row in operations(names)]))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    rows = json.loads(run.stdout)
    assert len(rows) > 300
    unknown = [name for name, kind in rows if kind == "unknown"]
    assert not unknown, (
        f"NumPy's {unknown} are neither differentiable, nor in ops/constants.py, nor in "
        "ops/refused.py."
    )


def test_no_namespace_of_numpy_has_functions_that_ask_tensors_and_was_not_looked_at():
    known = set(NAMESPACES.values()) | set(OUTSIDE)
    for info in pkgutil.iter_modules(np.__path__, "numpy."):
        if info.name in known or info.name.rsplit(".", 1)[1].startswith("_"):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                module = importlib.import_module(info.name)
            except ImportError:  # what is installed for tests only
                continue
        public = [getattr(module, n, None) for n in getattr(module, "__all__", [])]
        found = [f.__name__ for f in public if dispatches(f) and f not in public_functions()]
        assert not found, f"{info.name}: {found}"


def test_what_is_refused_or_constant_has_a_reason():
    for row in operations():
        assert bool(row.why) == (row.kind in ("constant", "refused")), row


def test_none_of_the_neighbours_operations_is_absent_without_a_reason():
    for family, name, who, here, *remark in ENTRIES:
        assert here or any(remark), f"{family}: {name}"
        assert set(who) <= set("AMSC")


def test_no_entry_of_the_neighbours_was_lost():
    """As counted in their registrations; ``where=``, twice, and ``out=`` are counted by us."""
    counts = {who: sum(who in entry[2] for entry in ENTRIES) for who in "AM"}
    assert counts == {"A": 139, "M": 105 + 3}
    assert len(KNOWN["missing in all three"]) >= 40


def slope_along(expression, directions, v, h=1e-5):
    """The derivative of <v, expression> along directions of the inputs, by differences."""

    def moved(step):
        names = inputs()
        moves = {n: tg.Tensor(names[n].data + step * d) for n, d in directions.items()}
        return np.sum(v * eval(expression, names | moves).data)

    return (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h)


@pytest.mark.parametrize("expression", WRITTEN)
def test_what_stands_for_a_neighbours_operation_has_its_derivative_and_a_second(expression):
    names, rng = inputs(), np.random.default_rng(1)
    out = eval(expression, names)
    directions = {n: rng.uniform(-1, 1, names[n].shape) for n in "xyabi"}
    directions["a"] += directions["a"].T  # since some take it as symmetric
    v = rng.uniform(0.5, 1.5, out.shape)
    if out.dtype == np.float32:
        names = inputs(np.float32)
        out = eval(expression, names)
    out.backward(v, create_graph=True)
    reached = {n: names[n].grad for n in directions if names[n].grad is not None}
    assert reached
    found = sum(np.sum(g.data * directions[n]) for n, g in reached.items())
    single = out.dtype == np.float32
    expected = np.sum(v * directions["x"]) if single else slope_along(expression, directions, v)
    assert found == pytest.approx(expected, rel=1e-5 if single else 1e-7, abs=1e-7)
    total = sum((g * directions[n]).sum() for n, g in reached.items())
    if total.requires_grad:
        total.backward()


INTERVALS = {
    name: (float(m[2].replace("∞", "inf")), float(m[3].replace("∞", "inf")), m[1] + m[4])
    for name, words in DOMAINS.items()
    if (m := re.fullmatch(r"([\[(])(\S+), (\S+)([\])])", words))
}


@pytest.mark.parametrize("name", INTERVALS)
def test_a_domain_is_where_numbers_are_finite(name):
    tg.ops.special.load()
    low, high, ends = INTERVALS[name]
    inside = [max(low, -50.0) + 1e-9, min(high, 50.0) - 1e-9, (max(low, -5) + min(high, 5)) / 2]
    inside += [end for end, bracket in ((low, ends[0]), (high, ends[1])) if bracket in "[]"]
    outside = [e for e in (low - 1e-3, high + 1e-3) if np.isfinite(e)]
    outside += [end for end, b in ((low, ends[0]), (high, ends[1])) if b in "()" and abs(end) < 9]
    with np.errstate(all="ignore"):
        assert np.isfinite(PRIMITIVES[name](np.array(inside)).data).all()
        assert not np.isfinite(PRIMITIVES[name](np.array(outside)).data).any()


def test_domains_are_those_of_primitives():
    tg.ops.special.load()
    assert set(DOMAINS) <= set(PRIMITIVES)


def test_an_example_that_records_nothing_is_an_error_that_names_the_file():
    with pytest.raises(ArgumentError, match=r"np\.argmax records(.|\n)*docs/neighbours\.toml"):
        example_of("np.argmax", {})
    assert recorded_by("np.floor(x)") == ()


def test_another_folder_than_docs_is_an_error_and_nothing_is_written(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"neighbours\.toml does not exist(.|\n)*Fix: "):
        main([str(tmp_path)])
    assert not list(tmp_path.iterdir())


def test_functions_are_found_under_all_their_names_with_methods_and_operators():
    rows = {row.name: row for row in operations()}
    assert rows["np.concatenate"].aliases == ("np.concat",)
    assert "+" in rows["np.add"].methods
    assert "t.sum()" in rows["np.sum"].methods
    assert rows["np.argmax"].kind == "constant"
    assert rows["np.fft.fft"].kind == "refused"
    assert rows["scipy.special.erf"].kind == "differentiable"
    assert rows["scipy.special.mathieu_a"].kind == "unknown"


def test_the_inputs_of_the_examples_are_leaves():
    names = inputs()
    for n in "xyabi":
        assert isinstance(names[n], tg.Tensor)
        assert names[n].requires_grad
