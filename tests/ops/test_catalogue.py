"""Every primitive, held against evidence that shares no code with it: the kit's own battery.

A failure names the case, and so the primitive. What is checked, and how, is in
`tinygrad_bp.testing.battery`; users have it as `check_primitive`.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.testing.battery import CHECKS, checks_for, names_in_graph, put
from tinygrad_bp.testing.catalogue import cases, families
from tinygrad_bp.testing.catalogue.case import Case
from tinygrad_bp.testing.catalogue.special_ties import TIES as SPECIAL_TIES
from tinygrad_bp.testing.catalogue.ties import TIES, ties_of
from tinygrad_bp.testing.setting import DTYPES, LAYOUTS, Draw

CASES = cases()
EXAMPLES = max(4, settings().max_examples // 5)

draws = st.builds(
    Draw,
    seed=st.integers(0, 2**32 - 1),
    dtypes=st.sampled_from(DTYPES),
    layout=st.sampled_from(LAYOUTS),
    needs=st.integers(0, 255),
    rounded=st.booleans(),
    create_graph=st.booleans(),
)


def _method(function, max_examples: int, cases: list[Case]):
    """The method of a class of tests; Hypothesis and pytest mark it, so each class has its own."""

    def method(self, case, draw):
        put(function, case, draw)

    method.__name__ = f"test_{function.__name__}"
    method.__doc__ = function.__doc__
    marked = settings(max_examples=max_examples)(given(draw=draws)(method))
    return pytest.mark.parametrize("case", cases, ids=str)(marked)


# A class of tests for each family. One function for all cases would not do: Hypothesis wraps its
# settings once more for each of them, and looks through all wrappings for each.
for _family, _cases in families().items():
    _name = "Test" + "".join(part.capitalize() for part in _family.split("_"))
    _methods = {
        f"test_{f.__name__}": _method(f, EXAMPLES if many else 4, _rows)
        for f, many in CHECKS.items()
        if (_rows := [case for case in _cases if f in checks_for(case)])
    }
    globals()[_name] = type(_name, (), _methods)


def test_every_primitive_has_a_case_and_every_case_a_primitive():
    """Asked of a fresh interpreter, since other tests register primitives of their own."""
    program = (
        "import scipy.special, tinygrad_bp as tg; tg.core.registry.load_late(); tg.transforms;"
        "print(*tg.core.PRIMITIVES)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    shipped, tested = set(run.stdout.split()), {case.primitive for case in CASES}
    assert not shipped - tested, f"no case in the catalogue for: {sorted(shipped - tested)}"
    assert not tested - shipped, f"cases of unknown primitives: {sorted(tested - shipped)}"


def test_a_primitive_has_kinks_if_and_only_if_the_table_has_its_ties():
    kinky = {case.primitive for case in CASES if PRIMITIVES[case.primitive].kinks}
    told = {case.primitive for case in CASES if ties_of(case.primitive)}
    assert not kinky - told, f"kinks without a row in catalogue/ties.py: {sorted(kinky - told)}"
    assert not told - kinky, f"ties of primitives that say nothing of kinks: {sorted(told - kinky)}"


@pytest.mark.parametrize("tie", [*TIES, *SPECIAL_TIES], ids=lambda tie: tie.primitive)
def test_a_tie_is_one_of_the_primitive_that_it_is_listed_for(tie):
    with np.errstate(all="ignore"):
        out = tie.call(*(tg.Tensor(x, requires_grad=True) for x in tie.inputs))
    assert tie.primitive in names_in_graph(out)


def test_labels_tell_the_cases_of_a_primitive_apart():
    names = [str(case) for case in CASES]
    assert len(names) == len(set(names)), sorted({n for n in names if names.count(n) > 1})


def test_the_complex_step_is_taken_of_analytic_primitives_alone():
    wrong = [str(c) for c in CASES if c.complex_step and not PRIMITIVES[c.primitive].analytic]
    assert not wrong


def test_every_shipped_primitive_has_formulas_for_all_its_rules():
    for name in sorted({case.primitive for case in CASES}):
        primitive = PRIMITIVES[name]
        assert primitive.formula, f"{name} has no formula"
        rules = primitive.vjps if isinstance(primitive.vjps, tuple) else [primitive.vjps]
        written = [bool(formula) for formula in primitive.vjp_formulas]
        missing = [i for i, r in enumerate(rules) if r is not None and not any(written[i : i + 1])]
        assert not missing, f"{name} has no formula for the rules of inputs {missing}"
