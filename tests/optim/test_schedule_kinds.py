"""Schedules by their formulas: factors, cycles, and schedules made of schedules."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import optim
from tinygrad_bp.errors import ArgumentError, StateDictError
from tinygrad_bp.optim import (
    SGD,
    SWALR,
    Adagrad,
    Adam,
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LinearWarmup,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
    schedules,
)


def make(*rates, kind=SGD, **settings):
    leaves = [tg.Tensor([0.0], requires_grad=True) for _ in rates]
    groups = [{"params": [p], "lr": lr} for p, lr in zip(leaves, rates, strict=True)]
    return kind(groups, **settings)


def rates(optimizer, schedule, steps):
    """The rates of all groups, as steps 0, 1, 2 ... use them."""
    found = []
    for _ in range(steps):
        found.append(schedule.get_last_lr())
        schedule.step()
    return np.array(found)


def sequence(optimizer):
    parts = [LinearLR(optimizer, 0.1, total_iters=4), ExponentialLR(optimizer, 0.9)]
    return SequentialLR(optimizer, parts, [4])


def chain(optimizer):
    return ChainedScheduler([ConstantLR(optimizer, 0.5, 3), CosineAnnealingLR(optimizer, 9)])


# How each is made, and the factor of the first rate after t steps.
FACTORS = {
    "ExponentialLR": (lambda o: ExponentialLR(o, 0.8), lambda t: 0.8**t),
    "MultiStepLR": (
        lambda o: MultiStepLR(o, [5, 2, 5], 0.5),
        lambda t: 0.5 ** sum(t >= m for m in (2, 5, 5)),
    ),
    "ConstantLR": (lambda o: ConstantLR(o, 0.25, 3), lambda t: 0.25 if t < 3 else 1),
    "LinearLR": (lambda o: LinearLR(o, 0.2, 0.6, 4), lambda t: 0.2 + 0.1 * min(t, 4)),
    "PolynomialLR": (lambda o: PolynomialLR(o, 6, 2.0), lambda t: max(0, (6 - t) / 6) ** 2),
    "LambdaLR": (lambda o: LambdaLR(o, lambda t: 1 / (t + 2)), lambda t: 1 / (t + 2)),
    "SequentialLR": (sequence, lambda t: 0.1 + 0.9 * t / 4 if t < 4 else 0.9 ** (t - 4)),
    "ChainedScheduler": (
        chain,
        lambda t: (0.5 if t < 3 else 1) * (1 + np.cos(np.pi * t / 9)) / 2,
    ),
    "CosineAnnealingWarmRestarts": (
        lambda o: CosineAnnealingWarmRestarts(o, 2, 2),
        lambda t: [
            1,
            0.5,
            *(0.5 + 0.5 * np.cos(np.pi * np.arange(4) / 4)),
            *(0.5 + 0.5 * np.cos(np.pi * np.arange(8) / 8)),
        ][t],
    ),
}


@pytest.mark.parametrize("name", FACTORS)
def test_every_group_follows_the_formula_from_its_own_rate(name):
    build, factor = FACTORS[name]
    optimizer = make(1.0, 0.3)
    found = rates(optimizer, build(optimizer), 12)
    expected = np.array([[factor(t), 0.3 * factor(t)] for t in range(12)])
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


def test_the_least_rate_of_cosines_and_equal_lengths():
    optimizer = make(1.0)
    schedule = CosineAnnealingWarmRestarts(optimizer, 4, eta_min=0.2)
    one = 0.6 + 0.4 * np.cos(np.pi * np.arange(4) / 4)
    np.testing.assert_allclose(rates(optimizer, schedule, 8)[:, 0], [*one, *one], rtol=1e-12)


@pytest.mark.parametrize("how", ["cos", "linear"])
def test_the_rate_for_averaging_is_reached_and_stays(how):
    optimizer = make(1.0, 0.3)
    found = rates(optimizer, SWALR(optimizer, [0.1, 0.5], 4, how), 7)
    gone = np.minimum(np.arange(7) / 4, 1)
    gone = gone if how == "linear" else (1 - np.cos(np.pi * gone)) / 2
    expected = np.stack([1 + (0.1 - 1) * gone, 0.3 + 0.2 * gone], axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(SWALR(make(1.0), 0.1, anneal_epochs=0).rates(1), [0.1])


@pytest.mark.parametrize("three_phase", [False, True])
def test_one_cycle_turns_where_it_should_and_the_momentum_goes_the_other_way(three_phase):
    optimizer = make(0.0, 0.0, momentum=0.5)
    schedule = OneCycleLR(
        optimizer,
        [1.0, 0.5],
        epochs=4,
        steps_per_epoch=5,
        div_factor=10,
        final_div_factor=100,
        three_phase=three_phase,
        anneal_strategy="linear",
    )
    found, momenta = [], []
    for _ in range(20):
        found.append([group["lr"] for group in optimizer.param_groups])
        momenta.append(optimizer.param_groups[1]["momentum"])
        schedule.step()
    places = [0, 5, 10, 19] if three_phase else [0, 5, 19]
    values = [0.1, 1.0, 0.1, 0.001] if three_phase else [0.1, 1.0, 0.001]
    back = [0.95, 0.85, 0.95, 0.95] if three_phase else [0.95, 0.85, 0.95]
    expected = np.interp(np.arange(20), places, values)
    np.testing.assert_allclose(np.array(found), expected[:, None] * [1.0, 0.5], rtol=1e-12)
    np.testing.assert_allclose(momenta, np.interp(np.arange(20), places, back), rtol=1e-12)
    with pytest.raises(ArgumentError, match=r"over after its 20 steps.*\n*.*as many total_steps"):
        schedule.step()
    assert schedule.count == 20


def test_one_cycle_moves_the_first_beta_and_leaves_the_momentum_where_it_is_told_to():
    optimizer = make(0.0, kind=Adam)
    schedule = OneCycleLR(optimizer, 1.0, 10)
    assert optimizer.param_groups[0]["betas"] == (0.95, 0.999)
    schedule.step()
    assert 0.85 <= optimizer.param_groups[0]["betas"][0] < 0.95
    optimizer = make(0.0, kind=Adagrad)
    with pytest.raises(ArgumentError, match="Adagrad has no momentum: cycle_momentum=False"):
        OneCycleLR(optimizer, 1.0, 10)
    OneCycleLR(optimizer, 1.0, 10, cycle_momentum=False)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1 / 25)


def test_parts_of_a_sequence_count_from_the_rate_before_all_of_them():
    """In any order of making, and whatever rate the first of them sets when it is made."""
    for order in (False, True):
        optimizer = make(0.8)
        makers = [lambda o: ConstantLR(o, 0.1, 2), lambda o: LinearLR(o, 0.5, total_iters=2)]
        parts = [build(optimizer) for build in (makers[::-1] if order else makers)]
        schedule = SequentialLR(optimizer, parts[::-1] if order else parts, [2])
        found = rates(optimizer, schedule, 5)[:, 0]
        np.testing.assert_allclose(found, [0.08, 0.08, 0.4, 0.6, 0.8])


def test_a_rate_that_was_set_by_hand_is_the_one_to_count_from():
    optimizer = make(1.0)
    ConstantLR(optimizer, 0.5)
    optimizer.param_groups[0]["lr"] = 0.2
    assert ExponentialLR(optimizer, 0.5).rates(1) == [0.1]


def test_a_sequence_moves_the_momentum_of_its_part():
    optimizer = make(1.0)
    cycle = OneCycleLR(optimizer, 1.0, 10)
    SequentialLR(optimizer, [ConstantLR(optimizer), cycle], [3]).go_to(4)
    assert 0.85 < optimizer.param_groups[0]["momentum"] < 0.95


@pytest.mark.parametrize(
    "build",
    [
        *(build for build, _ in FACTORS.values()),
        lambda o: OneCycleLR(o, 1.0, 20),
        lambda o: SWALR(o, 0.1, 5),
        lambda o: LinearWarmup(o, 3, after=sequence(o)),
    ],
)
@pytest.mark.parametrize("done", [2, 6])
def test_a_run_is_resumed_with_the_same_rates(build, done):
    optimizer = make(1.0, 0.3)
    schedule = build(optimizer)
    for _ in range(done):
        schedule.step()
    saved = json.dumps(schedule.state_dict())
    resumed = make(1.0, 0.3)
    resumed.load_state_dict(optimizer.state_dict())
    other = build(resumed)
    other.load_state_dict(json.loads(saved))
    for _ in range(done, 12):
        schedule.step()
        other.step()
        assert other.get_last_lr() == schedule.get_last_lr()


def test_a_state_of_other_parts_is_refused_and_changes_nothing():
    schedule = sequence(make(1.0))
    before = schedule.state_dict()
    parts = before["schedulers"]
    for state, message in [
        ({**before, "schedulers": parts[:1]}, "that of 1 schedules, and this SequentialLR has 2"),
        ({**before, "count": 7, "schedulers": parts[::-1]}, "'ExponentialLR'"),
        ({**before, "schedulers": [parts[0], {**parts[1], "more": 1}]}, "unexpected: more"),
        (ExponentialLR(make(1.0), 0.5).state_dict(), "that of 0 schedules"),
    ]:
        with pytest.raises(StateDictError, match=message):
            schedule.load_state_dict(state)
        assert schedule.state_dict() == before


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda o: ExponentialLR(o, 0.0), "gamma=0.0"),
        (lambda o: MultiStepLR(o, []), r"milestones=\[\].*one step or more"),
        (lambda o: MultiStepLR(o, [1], 0.0), "gamma=0.0"),
        (lambda o: ConstantLR(o, 1.5), "0 <= factor <= 1"),
        (lambda o: ConstantLR(o, 0.5, -1), "choose total_iters >= 0"),
        (lambda o: LinearLR(o, 0.0), "0 < start_factor <= 1"),
        (lambda o: LinearLR(o, 0.5, 2.0), "0 <= end_factor <= 1"),
        (lambda o: PolynomialLR(o, 0), "choose total_iters >= 1"),
        (lambda o: PolynomialLR(o, 3, 0.0), "choose power > 0"),
        (lambda o: LambdaLR(o, [abs, abs]), "one for each of the 1 groups"),
        (lambda o: CosineAnnealingWarmRestarts(o, 0), "choose T_0 >= 1"),
        (lambda o: CosineAnnealingWarmRestarts(o, 1, 0), "choose T_mult >= 1"),
        (lambda o: CosineAnnealingWarmRestarts(o, 1, eta_min=-1), "choose eta_min >= 0"),
        (lambda o: OneCycleLR(o, 1.0), "total_steps=0.*or epochs and steps_per_epoch"),
        (lambda o: OneCycleLR(o, [1.0, 1.0], 5), r"one for each of the 1 groups"),
        (lambda o: OneCycleLR(o, 1.0, 5, pct_start=2.0), "pct_start=2.0"),
        (lambda o: OneCycleLR(o, 1.0, 5, div_factor=0), "div_factor=0.*div_factor > 0"),
        (lambda o: OneCycleLR(o, 1.0, 5, final_div_factor=np.nan), "final_div_factor=nan"),
        (lambda o: OneCycleLR(o, 1.0, 5, anneal_strategy="line"), "'cos' or 'linear'"),
        (lambda o: SWALR(o, -1.0), "swa_lr=-1.0"),
        (lambda o: SWALR(o, 1.0, -1), "choose anneal_epochs >= 0"),
        (lambda o: SWALR(o, 1.0, 1, "line"), "'cos' or 'linear'"),
        (lambda o: SequentialLR(o, [StepLR(o, 1)], [3]), r"milestones=\[3\].*choose 0 steps"),
        (lambda o: SequentialLR(o, [StepLR(o, 1)] * 3, [3, 3]), "each after the one before"),
        (lambda o: SequentialLR(o, [StepLR(make(1.0), 1)], []), "make all for one optimizer"),
        (lambda o: ChainedScheduler([]), "pass some"),
        (
            lambda o: ChainedScheduler([StepLR(o, 1), ReduceLROnPlateau(o)]),
            "cannot have a ReduceLROnPlateau.*Fix: LinearWarmup",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(build, message):
    optimizer = make(0.5)
    with pytest.raises(ArgumentError, match="(?s)" + message):
        build(optimizer)
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_no_schedule_of_the_package_is_left_out():
    kinds = [kind for kind in vars(optim).values() if isinstance(kind, type)]
    names = {kind.__name__ for kind in kinds if issubclass(kind, schedules.Schedule)}
    older = {"StepLR", "CosineAnnealingLR", "LinearWarmup", "ReduceLROnPlateau"}
    assert names == {*FACTORS, *older, "OneCycleLR", "SWALR"}


# What each is made with where a setting has no default.
NEEDED = {
    "StepLR": {"step_size": 1},
    "CosineAnnealingLR": {"T_max": 1},
    "CosineAnnealingWarmRestarts": {"T_0": 1},
    "ExponentialLR": {"gamma": 0.5},
    "LambdaLR": {"lr_lambda": abs},
    "LinearWarmup": {"warmup_steps": 1},
    "MultiStepLR": {"milestones": [1]},
    "OneCycleLR": {"max_lr": 1.0, "total_steps": 9},
    "SWALR": {"swa_lr": 1.0},
}
SETTINGS = [
    (kind, name)
    for kind in vars(optim).values()
    if isinstance(kind, type) and issubclass(kind, schedules.Schedule)
    for name in inspect.signature(kind).parameters
]


def arguments(kind, optimizer):
    given = {"optimizer": optimizer, **NEEDED.get(kind.__name__, {})}
    if "schedulers" in inspect.signature(kind).parameters:
        given["schedulers"] = [StepLR(optimizer, 1), StepLR(optimizer, 1)]
    if kind is SequentialLR:
        given["milestones"] = [1]
    return given


@pytest.mark.parametrize("value", ["abc", 3j, [None, None], {}, np.array("a"), np.ones((2, 2))])
@pytest.mark.parametrize(("kind", "name"), SETTINGS)
def test_a_setting_of_another_kind_is_named(kind, name, value):
    optimizer = make(0.5, momentum=0.9)
    with pytest.raises(ArgumentError, match=kind.__name__) as caught:
        kind(**{**arguments(kind, optimizer), name: value})
    assert name in str(caught.value)
    assert "test_schedule_kinds.py:" in str(caught.value)
    assert "\nFix: " in str(caught.value)
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_arrays_and_numbers_of_numpy_are_settings():
    optimizer = make(1.0, 1.0)
    assert MultiStepLR(optimizer, np.array([3, 1]), np.float32(0.5)).rates(2) == [0.5, 0.5]
    assert MultiStepLR(optimizer, iter([3, 1]), 0.5).rates(3) == [0.25, 0.25]
    assert StepLR(optimizer, np.int64(2), np.float64(0.5)).rates(2) == [0.5, 0.5]
    assert SWALR(optimizer, np.array([0.5, 0.25]), 0).rates(1) == [0.5, 0.25]
    with pytest.raises(ArgumentError, match=r"MultiStepLR got milestones=\['a'\]"):
        MultiStepLR(optimizer, iter("a"))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda o: StepLR(None, 1), "StepLR got optimizer=None.*Fix: pass an optimizer"),
        (lambda o: LambdaLR(None, abs), "LambdaLR got optimizer=None"),
        (lambda o: StepLR(o, None), "StepLR got step_size=None.*Fix: pass a whole number"),
        (lambda o: CosineAnnealingLR(o, None), "T_max=None"),
        (lambda o: MultiStepLR(o, None), "milestones=None.*Fix: pass a list of whole numbers"),
        (lambda o: ChainedScheduler(None), "schedulers=None.*Fix: pass a list of schedules"),
        (lambda o: ChainedScheduler([None]), "cannot have a NoneType among its schedulers"),
    ],
)
def test_none_is_no_setting(build, message):
    with pytest.raises(ArgumentError, match="(?s)" + message):
        build(make(1.0))


def test_positions_and_names_of_arguments_are_as_declared():
    assert list(inspect.signature(StepLR).parameters) == ["optimizer", "step_size", "gamma"]
    with pytest.raises(ArgumentError, match=r"StepLR got gamma='x'.*\n.*pass a number"):
        StepLR(make(1.0), 1, "x")
    with pytest.raises(TypeError, match="unexpected keyword argument 'gama'"):
        StepLR(make(1.0), 1, gama=0.1)


@pytest.mark.parametrize("metric", [None, "low", [1.0, 2.0]])
def test_a_metric_that_is_no_number_is_refused(metric):
    with pytest.raises(ArgumentError, match=r"ReduceLROnPlateau.step\(\) got metric=.*\nFix: pass"):
        ReduceLROnPlateau(make(1.0)).step(metric)


@pytest.mark.parametrize("value", [2.5, 2.0, float("nan"), float("inf")])
def test_what_is_counted_is_a_whole_number(value):
    for kind, name in SETTINGS:
        if inspect.signature(kind).parameters[name].annotation not in ("int", "int | None"):
            continue
        with pytest.raises(ArgumentError, match=rf"got {name}=.*\n.*whole number"):
            kind(**{**arguments(kind, make(0.5, momentum=0.9)), name: value})


@pytest.mark.parametrize("factor", [None, float("nan"), -0.5, "x", [1.0], 1j])
def test_a_function_that_returns_no_rate_is_told_before_anything_changes(factor):
    optimizer = make(1.0)
    schedule = LambdaLR(optimizer, lambda count: 0.5 if count < 2 else factor)
    schedule.step()
    before = schedule.state_dict(), schedule.get_last_lr()
    with pytest.raises(ArgumentError, match=r"(?s)LambdaLR got lr_lambda\(2\)=.*Fix: let it"):
        schedule.step()
    assert (schedule.state_dict(), schedule.get_last_lr()) == before


def test_rates_are_numbers_of_python_whatever_numbers_the_settings_were():
    for kind, factor in ((ConstantLR, "factor"), (ExponentialLR, "gamma"), (SWALR, "swa_lr")):
        optimizer = make(1.0)
        kind(optimizer, **{factor: np.float32(0.5)}).step()
        assert type(optimizer.param_groups[0]["lr"]) is float
