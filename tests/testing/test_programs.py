"""Random programs: they are valid, they print as code that runs, and they find wrong rules."""

from __future__ import annotations

import contextlib
import io
import math
import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis.errors import NoSuchExample

import tinygrad_bp as tg
from tinygrad_bp import errors
from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.testing import check_gradients, numerical_gradient
from tinygrad_bp.testing.programs import catalogued, programs
from tinygrad_bp.testing.programs.catalogued import operations
from tinygrad_bp.testing.programs.operations import BASIC

ADAPTERS = {"sin", "multiply", "add"}  # what brings values into a domain


def recorded(out):
    """The names of the primitives behind a tensor."""
    names, todo, seen = set(), [out.node], set()
    while todo:
        node = todo.pop()
        if node is not None and node.number not in seen:
            seen.add(node.number)
            names.add(node.primitive.name)
            todo += [x.node for x in node.inputs if isinstance(x, tg.Tensor)]
    return names


@given(programs())
def test_programs_are_bounded_functions_of_all_their_inputs(program):
    leaves = [tg.Tensor(x, requires_grad=True) for x in program.inputs]
    out = program.run(*leaves)
    assert out.shape == ()
    assert np.isfinite(out.data)
    assert out.data == program.run(*program.inputs).data
    # Inputs are small, but for operations that are drawn far out or on long axes.
    rows = [op for step in program.steps for op in operations().get(step.primitive, ())]
    widest = max([1e3, *(abs(end) for op in rows for ends in op.domains for end in ends)])
    largest = max([100, *(math.prod(s) for op in rows for shapes in op.shapes for s in shapes)])
    assert all(x.size <= largest and np.all(np.abs(x) <= widest) for x in program.inputs)
    assert out.requires_grad
    assert {step.primitive for step in program.steps} <= recorded(out)
    used = {name for step in program.steps for name in step.operands}
    assert used >= set(program.names)


@given(programs(max_operations=5))
def test_what_is_printed_runs_and_gives_the_same(program):
    assert repr(program) == program.code()
    source, _, check = program.code().rpartition("\n")
    room: dict = {}
    exec(source, room)
    inputs = [room[name] for name in program.names]
    for mine, theirs in zip(program.inputs, inputs, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert np.array_equal(
        tg.as_tensor(room["program"](*map(tg.Tensor, inputs))).data,
        program.run(*program.inputs).data,
    )
    assert check == f"print(check_gradients({', '.join(['program', *program.names])}))"


@given(programs(max_operations=5, unusual=True))
def test_unusual_programs_are_finite_functions_of_their_inputs(program):
    out = program.run(*program.inputs)
    assert out.shape == ()
    assert np.isfinite(out.data)
    source, _, _ = program.code().rpartition("\n")
    room: dict = {}
    exec(source, room)
    for name, values in zip(program.names, program.inputs, strict=True):
        assert (room[name].dtype, room[name].shape) == (values.dtype, values.shape)
        np.testing.assert_array_equal(room[name], values)


KINDS = {
    "empty": lambda x: x.size == 0,
    "float32": lambda x: x.dtype == np.float32,
    "large": lambda x: np.max(np.abs(x), initial=0) > 1e7,
    "tiny": lambda x: np.any((x != 0) & (np.abs(x) < 1e-7)),
    "zero": lambda x: np.any(x == 0),
    "equal": lambda x: x.size > 1 and np.all(x == x.flat[0]) and np.all(x != 0),
}


@pytest.mark.parametrize("kind", KINDS)
def test_unusual_programs_have_inputs_of_all_kinds(kind):
    quick = settings(max_examples=500, database=None, suppress_health_check=list(HealthCheck))
    program = find(
        programs(max_operations=4, unusual=True),
        lambda program: any(KINDS[kind](x) for x in program.inputs),
        settings=quick,
        random=random.Random(2),  # with which it shrinks soonest
    )
    assert len(program.steps) <= 5


def test_unusual_programs_cast_to_float32_and_usual_ones_do_not():
    def casts(program):
        return any(".astype(np.float32)" in step.code for step in program.steps)

    quick = settings(max_examples=2000, database=None)
    smallest = find(
        programs(max_operations=4, unusual=True), casts, settings=quick, random=random.Random(0)
    )
    assert smallest.steps[-1].code.endswith(".astype(np.float32)")
    with pytest.raises(NoSuchExample):
        find(programs(max_operations=4), casts, settings=settings(max_examples=50, database=None))


@settings(max_examples=5)
@given(programs(max_operations=3))
def test_what_is_printed_checks_itself(program):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(program.code(), {})
    assert "agree" in out.getvalue()


def test_without_hypothesis_the_extra_is_named():
    program = """
import sys
sys.modules["hypothesis"] = None
try:
    import tinygrad_bp.testing.programs
except ImportError as error:
    print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "tinygrad-bp[test]" in run.stdout


@given(programs(max_operations=4))
def test_pictures_show_the_inputs(program):
    source = program.draw().source
    assert all(name in source for name in program.names)


@given(programs(names=["tanh", "matmul", "max"]))
def test_names_choose_the_primitives(program):
    drawn = {step.primitive for step in program.steps}
    assert drawn <= {"tanh", "matmul", "max"} | ADAPTERS
    assert drawn & {"tanh", "matmul", "max"}


@pytest.mark.parametrize("arguments", [{"max_operations": 0}, {"names": []}, {"names": ["tahn"]}])
def test_no_operations_are_an_error(arguments):
    with pytest.raises(errors.ArgumentError, match="Fix:"):
        programs(**arguments)


def test_the_whole_registry_takes_part():
    shipped = {str(row.primitive) for rows in catalogued.families().values() for row in rows}
    assert set(catalogued.operations()) == shipped
    assert {op.primitive for op in BASIC} <= shipped


@pytest.mark.parametrize("name", sorted(catalogued.operations()))
def test_each_primitive_is_drawn_and_recorded(name):
    @settings(max_examples=3, database=None, derandomize=True)
    @given(programs(max_operations=1, names=[name]))
    def one(program):
        leaves = [tg.Tensor(x, requires_grad=True) for x in program.inputs]
        assert name in recorded(program.run(*leaves))

    one()


def test_lambdas_of_the_catalogue_become_code():
    templates = [op.template for ops in catalogued.operations().values() for op in ops]
    assert "np.transpose({0}, (2, 0, 1))" in templates
    assert "np.sum({0}, axis=-1, keepdims=True)" in templates
    assert sum("calls[" not in t for t in templates) > 500


def scaled(factor):
    return lambda rule: lambda g, *a, **k: factor * rule(g, *a, **k)


def second_dropped(rule):
    return lambda g, out, *a, **k: np.zeros_like(a[0])


def curved(rule):
    return lambda g, out, x, *a, **k: rule(g, out, x, *a, **k) * (1 + 0.01 * np.tanh(x))


FAULTS = [
    ("sin", 0, scaled(-1)),
    ("tanh", 0, curved),
    ("multiply", 1, scaled(2)),
    ("divide", 1, scaled(-1)),
    ("matmul", 1, scaled(1.001)),
    ("cumsum", 0, lambda rule: lambda g, out, x, **k: g),
    ("softmax", 0, scaled(3)),
    ("where", 2, scaled(0)),
    ("max", 0, scaled(1 / 3)),
    ("det", 0, scaled(-1)),
]
COMMON = ["add", "sin", "exp", "sum", "reshape", "transpose", "mean", "concatenate", "getitem"]


def is_wrong(program):
    """Whether the slope along one line is not the numerical one: quick, since it is asked often."""
    leaves = [tg.Tensor(x, requires_grad=True) for x in program.inputs]
    program.run(*leaves).backward()
    rng = np.random.default_rng(0)
    lines = [np.asarray(rng.uniform(0.5, 1.5, x.shape)) for x in program.inputs]
    exact = sum(
        np.sum(x.grad.data * d) for x, d in zip(leaves, lines, strict=True) if x.grad is not None
    )

    def along(t):
        moved = [x + t * d for x, d in zip(program.inputs, lines, strict=True)]
        return program.run(*moved).data

    numerical, error = numerical_gradient(along, 0.0)
    return abs(exact - numerical) > 1e-6 * abs(exact) + 10 * error + 1e-9


@pytest.mark.parametrize(("name", "argument", "fault"), FAULTS, ids=[f[0] for f in FAULTS])
def test_a_wrong_rule_is_found_and_shrinks_to_few_operations(name, argument, fault, monkeypatch):
    rules = list(PRIMITIVES[name].vjps)
    rules[argument] = fault(rules[argument])
    monkeypatch.setattr(PRIMITIVES[name], "vjps", tuple(rules))

    smallest = find(
        programs(max_operations=8, names=[*COMMON, *(f[0] for f in FAULTS)]),
        is_wrong,
        settings=settings(
            max_examples=2000, database=None, suppress_health_check=list(HealthCheck)
        ),
        random=random.Random(2),  # with which they shrink soonest
    )
    assert len(smallest.steps) <= 3
    with pytest.raises(errors.GradientError, match=name):
        check_gradients(smallest.run, *smallest.inputs, order=1)
    leaves = [tg.Tensor(x, requires_grad=True) for x in smallest.inputs]
    assert name in recorded(smallest.run(*leaves))
