"""The mutants themselves: each breaks what it says, leaves nothing behind, and is noticed."""

from collections import Counter
from functools import cache

import numpy as np
import pytest
import scipy.special  # noqa: F401  # brings the primitives of its functions along

import tinygrad_bp as tg
from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.core.backward import backward_pass
from tinygrad_bp.testing import battery
from tinygrad_bp.testing.mutants.engine import engine_mutants, fan_out
from tinygrad_bp.testing.mutants.equivalent import EQUIVALENT, SURVIVES, wrongly_listed
from tinygrad_bp.testing.mutants.judge import judge, questions
from tinygrad_bp.testing.mutants.mutant import rules_of
from tinygrad_bp.testing.mutants.page import page
from tinygrad_bp.testing.mutants.peers import PEERS, kills
from tinygrad_bp.testing.mutants.run import (
    Outcome,
    all_mutants,
    append_result,
    outcomes,
    read_results,
    sample_of,
)


@cache
def registry():
    """All mutants, which take some seconds to write."""
    return all_mutants()


def named(name):
    """The mutant of a name."""
    (found,) = [m for m in registry() if str(m) == name]
    return found


def gradient(f, *values):
    leaves = [tg.Tensor(v, requires_grad=True) for v in values]
    f(*leaves).sum().backward()
    return [np.asarray(x.grad) if x.grad is None else x.grad.data for x in leaves]


def test_a_mutant_is_wrong_only_while_it_is_installed():
    before = PRIMITIVES["sin"].vjps
    with named("sin[0]: sign turned").installed():
        assert gradient(np.sin, 0.0) == [-1.0]
    assert gradient(np.sin, 0.0) == [1.0]
    assert PRIMITIVES["sin"].vjps is before


def test_a_mutant_is_taken_out_where_the_block_fails():
    before = PRIMITIVES["exp"].vjps
    with pytest.raises(ZeroDivisionError), named("exp[0]: zero").installed():
        raise ZeroDivisionError
    assert PRIMITIVES["exp"].vjps is before


def test_no_mutant_leaves_a_trace():
    names = ["sin", "multiply", "max", "concatenate", "einsum", "choose", "getitem"]
    before = {name: PRIMITIVES[name].vjps for name in names}
    for mutant in all_mutants(names):
        with mutant.installed():
            pass
    assert {name: PRIMITIVES[name].vjps for name in names} == before
    assert tg.core.tensor.backward_pass is backward_pass


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("multiply[0]: factor dropped (g * y -> g)", 1.0),
        ("multiply[0]: times for divided (g * y -> g / y)", 0.25),
        ("multiply[0]: factor dropped (g * y -> y)", 4.0),
        ("multiply[0]: arguments swapped (rule of input 1)", 3.0),
        ("multiply[0]: factor 1/2", 2.0),
        ("multiply[0]: off by 1e-4", 4.0004),
        ("multiply[0]: one too many", 5.0),
    ],
)
def test_the_rule_is_wrong_in_the_way_that_the_name_says(name, expected):
    with named(name).installed():
        assert gradient(np.multiply, 3.0, 4.0)[0] == pytest.approx(expected, rel=1e-12)


def test_every_mutant_of_the_registry_can_be_told_apart_by_its_name():
    names = [str(mutant) for mutant in registry()]
    assert len(names) > 10_000
    assert len(names) == len(set(names))


def test_every_primitive_is_broken_in_its_text_too():
    in_text = {m.primitive for m in registry() if m.operator in ("factor dropped", "term dropped")}
    assert len(in_text) > 180


def test_fan_out_replaces_what_arrived_first():
    x = tg.Tensor(3.0, requires_grad=True)
    with fan_out("multiply").installed():
        (x * x).backward()
    assert x.grad.data == 3.0
    x.grad = None
    (x * x).backward()
    assert x.grad.data == 6.0


def test_every_mutant_of_the_engine_compiles_and_those_of_use_are_noticed():
    found = [judge(m).killed_by for m in engine_mutants(["add", "getitem"])]
    assert "survived" not in found
    assert sum(verdict != "no effect" for verdict in found) >= 6


_FIRST = "gradients are the derivatives and belong to their inputs"
_RANGES = "gradients are the derivatives at large and small inputs"
_FLOAT32 = "gradients in float32 are those in float64"
_TIES = "gradients at ties and kinks are those of the convention"
_USES = "gradients add up over uses and over passes"
_SECOND = "second derivatives are the derivatives of the gradients"


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("tanh[0]: sign turned", _FIRST),
        ("tanh[0]: off by 1e-4", _FIRST),
        ("tanh[0]: second order: values cut off", _SECOND),
        ("tanh[0]: second order: cotangent cut off", _SECOND),
        ("sigmoid[0]: rounded in float32", _FLOAT32),
        ("special.logit[0]: rounded in float32", _FLOAT32),
        ("tanh[0]: stale inputs", "no effect"),
        ("tanh[0]: stale output", _RANGES),
        ("pinv[0]: stale output", _TIES),
        ("square[0]: wrong for large inputs", _RANGES),
        ("special.gdtr[0]: wrong for large inputs", _RANGES),
        ("square[0]: wrong for small inputs", _RANGES),
        ("exp[0]: = for += at fan-out (in the engine)", _USES),
        ("add[1]: un-broadcasting left out", _FIRST),
        ("maximum[0]: ties and kinks to one side (from above)", _TIES),
        ("elu[0]: ties and kinks to one side (from below)", _TIES),
        ("sin[0]: un-broadcasting left out", "no effect"),
        ("absolute[0]: second order: values cut off", "no effect"),
    ],
)
def test_which_check_notices_which_mistake(name, check):
    assert judge(named(name)).killed_by == check


def test_no_check_is_one_of_the_mutants_alone():
    asked = {check for check, _ in questions()}
    own = asked - set(battery.CHECKS)
    assert [check.__name__ for check in own] == ["gradients_pass_check_gradients"]
    as_often = Counter(check for check, _ in battery.examples(asked - own, 16))
    assert as_often == Counter(check for check, _ in questions() if check not in own)


def test_a_sample_of_all_mutants_is_killed_but_for_those_that_are_listed():
    sample = sample_of(registry(), 60)
    found = list(outcomes(sample))
    survivors = [o.mutant for o in found if o.killed_by == "survived"]
    effective = [o for o in found if o.killed_by != "no effect"]
    assert len(effective) > 35
    assert not [name for name in survivors if name not in {**EQUIVALENT, **SURVIVES}], survivors
    assert not wrongly_listed(found)


def test_names_of_equivalent_mutants_are_names_of_mutants():
    names = {str(mutant) for mutant in registry()}
    assert not [name for name in {**EQUIVALENT, **SURVIVES} if name not in names]


def test_a_listed_mutant_that_is_killed_is_an_error(monkeypatch):
    monkeypatch.setitem(EQUIVALENT, "sin[0]: zero", "a claim")
    killed = Outcome("sin[0]: zero", "sin", "zero", "first order")
    assert wrongly_listed([killed]) == ["sin[0]: zero"]
    assert wrongly_listed([Outcome("sin[0]: zero", "sin", "zero", "survived")]) == []


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_peers_accept_the_right_rule_and_notice_a_turned_sign(peer):
    pytest.importorskip(peer.package)
    assert kills(peer, named("sin[0]: sign turned"))
    assert not kills(peer, named("sin[0]: un-broadcasting left out"))


def test_the_default_modes_of_peers_need_a_rule_of_forward_mode():
    """Why the page calls them with ``modes=["rev"]``: else they reject what is right."""
    extend = pytest.importorskip("autograd.extend")
    from autograd.test_util import check_grads

    square = extend.primitive(lambda x: x * x)
    extend.defvjp(square, lambda out, x: lambda g: 2 * g * x)
    check_grads(square, modes=["rev"])(3.0)
    with pytest.raises(NotImplementedError, match="JVP"):
        check_grads(square)(3.0)

    jax = pytest.importorskip("jax")
    from jax.test_util import check_grads

    square = jax.custom_vjp(lambda x: x * x)
    square.defvjp(lambda x: (x * x, x), lambda x, g: (2 * g * x,))
    check_grads(square, (np.array(3.0),), 1, modes=["rev"])
    with pytest.raises(TypeError, match="forward-mode"):
        check_grads(square, (np.array(3.0),), 1)


def test_rules_of_any_number_of_inputs_are_broken_one_by_one():
    assert list(rules_of("concatenate")) == [0, 1]
    pieces = (np.ones(2), np.ones(2))
    with named("concatenate[1]: factor 2").installed():
        one, two = gradient(lambda a, b: np.concatenate([a, b]), *pieces)
    assert one.tolist() == [1.0, 1.0]
    assert two.tolist() == [2.0, 2.0]


def test_outcomes_are_kept_and_not_found_twice(tmp_path):
    file = tmp_path / "results"
    mutants = [named("sin[0]: zero"), named("sin[0]: transposed")]
    first = list(outcomes(mutants, note=lambda o: append_result(file, o)))
    assert [o.killed_by for o in first] == [_FIRST, "no effect"]
    known = read_results(file)
    again = list(outcomes(mutants, known=known, note=lambda o: pytest.fail(o.mutant)))
    assert again == first


def test_the_page_counts_and_names():
    found = [
        Outcome("sin[0]: zero", "sin", "zero", "first order", "", {PEERS[0].name: False}),
        Outcome("cos[0]: zero", "cos", "zero", "survived"),
        Outcome("cos[0]: transposed", "cos", "transposed", "no effect"),
    ]
    text = page(found, 12_000, 60.0)
    assert "1 of 2 (50.00 %)" in text
    assert "0 of 1 (0.00 %)" in text
    assert "- `cos[0]: zero`" in text
    assert "1 mutants have no effect" in text
