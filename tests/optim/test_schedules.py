from __future__ import annotations

import json

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, StateDictError
from tinygrad_bp.optim import SGD, CosineAnnealingLR, LinearWarmup, ReduceLROnPlateau, StepLR


def make(*rates):
    leaves = [tg.Tensor([0.0], requires_grad=True) for _ in rates]
    return SGD([{"params": [p], "lr": lr} for p, lr in zip(leaves, rates, strict=True)])


def rates(optimizer, schedule, steps, metrics=None):
    """The rates of the first group, as steps 0, 1, 2 ... use them."""
    found = []
    for t in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        schedule.step(*([] if metrics is None else [metrics[t]]))
    return found


def test_step_multiplies_by_gamma_every_so_many_steps():
    optimizer = make(1.0)
    found = rates(optimizer, StepLR(optimizer, 3, gamma=0.1), 8)
    np.testing.assert_allclose(found, [1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01])


def test_cosine_falls_from_the_first_rate_to_the_least():
    optimizer = make(1.0)
    found = rates(optimizer, CosineAnnealingLR(optimizer, 10, eta_min=0.2), 11)
    np.testing.assert_allclose(found, 0.6 + 0.4 * np.cos(np.linspace(0, np.pi, 11)), rtol=1e-14)
    assert (found[0], found[10]) == (1.0, 0.2)


def test_warm_up_rises_evenly_and_stays():
    optimizer = make(0.8)
    found = rates(optimizer, LinearWarmup(optimizer, 4), 6)
    np.testing.assert_allclose(found, [0.2, 0.4, 0.6, 0.8, 0.8, 0.8])


def test_warm_up_hands_over_to_another_schedule_from_its_start():
    optimizer, plain = make(1.0), make(1.0)
    warm = LinearWarmup(optimizer, 3, after=CosineAnnealingLR(optimizer, 5))
    found = rates(optimizer, warm, 8)
    np.testing.assert_allclose(found[:2], [1 / 3, 2 / 3])
    assert found[2:] == rates(plain, CosineAnnealingLR(plain, 5), 6)


def test_warm_up_of_one_step_changes_nothing():
    optimizer, plain = make(1.0), make(1.0)
    warm = LinearWarmup(optimizer, 1, after=StepLR(optimizer, 2))
    assert rates(optimizer, warm, 6) == rates(plain, StepLR(plain, 2), 6)


def test_warm_up_hands_metrics_on():
    optimizer = make(1.0)
    plateau = ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
    warm = LinearWarmup(optimizer, 2, after=plateau)
    assert rates(optimizer, warm, 5, metrics=[9, 1, 1, 0.5, 1]) == [0.5, 1.0, 1.0, 0.5, 0.5]
    assert optimizer.param_groups[0]["lr"] == 0.25


@pytest.mark.parametrize(
    "build",
    [
        lambda o: StepLR(o, 2),
        lambda o: CosineAnnealingLR(o, 7),
        lambda o: LinearWarmup(o, 3, after=StepLR(o, 2)),
    ],
)
def test_every_group_follows_from_its_own_rate(build):
    together, first, second = make(1.0, 0.25), make(1.0), make(0.25)
    schedules = [build(o) for o in (together, first, second)]
    for _ in range(9):
        expected = [o.param_groups[0]["lr"] for o in (first, second)]
        assert [group["lr"] for group in together.param_groups] == expected
        for schedule in schedules:
            schedule.step()


def test_a_plateau_reduces_after_patience_and_not_below_the_least():
    optimizer = make(1.0, 0.02)
    schedule = ReduceLROnPlateau(optimizer, factor=0.1, patience=2, min_lr=0.01)
    seen = []
    for loss in [5, 4, 4, 4, 4, 4, 4, 4, 3, 3, 3, 3]:
        schedule.step(loss)
        seen.append([group["lr"] for group in optimizer.param_groups])
    first, second = np.transpose(seen)
    np.testing.assert_allclose(first, [1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01, 0.01])
    np.testing.assert_allclose(second, [0.02] * 4 + [0.01] * 8)


def test_after_a_reduction_comes_a_time_that_does_not_count():
    optimizer = make(1.0)
    schedule = ReduceLROnPlateau(optimizer, factor=0.5, patience=1, cooldown=2)
    seen = []
    for _ in range(10):
        schedule.step(1.0)
        seen.append(optimizer.param_groups[0]["lr"])
    assert seen == [1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25]


def test_a_state_from_before_there_was_a_cooldown_is_taken():
    schedule = ReduceLROnPlateau(make(1.0))
    schedule.step(2.0)
    state = schedule.state_dict()
    assert state.pop("waiting") == 0
    other = ReduceLROnPlateau(make(1.0))
    other.load_state_dict(state)
    assert other.state_dict() == schedule.state_dict()


def test_a_reduction_that_is_next_to_nothing_is_not_made():
    optimizer = make(1e-3, 1.0)
    schedule = ReduceLROnPlateau(optimizer, patience=0, eps=0.01)
    schedule.step(1.0)
    schedule.step(1.0)
    assert schedule.get_last_lr() == [1e-3, 0.1]


def test_a_rate_below_the_least_is_not_raised():
    optimizer = make(1e-3)
    schedule = ReduceLROnPlateau(optimizer, patience=0, min_lr=0.01)
    schedule.step(1.0)
    schedule.step(1.0)
    assert optimizer.param_groups[0]["lr"] == 1e-3


@pytest.mark.parametrize(
    ("mode", "threshold", "metrics", "improves"),
    [
        ("min", 0.1, [1.0, 0.95], False),
        ("min", 0.1, [1.0, 0.85], True),
        ("max", 0.1, [1.0, 1.05], False),
        ("max", 0.1, [1.0, 1.15], True),
        ("min", 0.1, [-1.0, -1.0], False),
        ("min", 0.1, [-1.0, -1.2], True),
        ("max", 0.0, [-1.0, -1.0], False),
        ("min", 0.0, [1.0, float("nan")], False),
        ("min", 0.0, [float("nan"), 1e9], True),
    ],
)
def test_what_counts_as_an_improvement(mode, threshold, metrics, improves):
    optimizer = make(1.0)
    schedule = ReduceLROnPlateau(optimizer, mode, 0.5, patience=1, threshold=threshold)
    schedule.step(metrics[0])
    before = schedule.bad_steps
    schedule.step(tg.Tensor(metrics[1]))
    assert (schedule.bad_steps <= before and schedule.best == metrics[1]) == improves


@pytest.mark.parametrize(
    "build",
    [
        lambda o: StepLR(o, 2, 0.5),
        lambda o: CosineAnnealingLR(o, 9),
        lambda o: ReduceLROnPlateau(o, patience=1),
        lambda o: ReduceLROnPlateau(o, patience=0, cooldown=2, threshold_mode="abs"),
        lambda o: LinearWarmup(o, 3, after=ReduceLROnPlateau(o, patience=1)),
        lambda o: LinearWarmup(o, 5),
    ],
)
@pytest.mark.parametrize("done", [2, 6])
def test_a_run_is_resumed_with_the_same_rates(build, done):
    metrics = [5.0, 4.0, 4.0, 4.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0]
    optimizer = make(1.0, 0.3)
    schedule = build(optimizer)
    takes = [] if isinstance(schedule, StepLR | CosineAnnealingLR) else metrics
    for t in range(done):
        schedule.step(*takes[t : t + 1])
    saved = json.dumps(schedule.state_dict())
    resumed = make(1.0, 0.3)
    other = build(resumed)
    other.load_state_dict(json.loads(saved))
    resumed.load_state_dict(optimizer.state_dict())
    for t in range(done, 10):
        expected = [group["lr"] for group in optimizer.param_groups]
        assert [group["lr"] for group in resumed.param_groups] == expected
        schedule.step(*takes[t : t + 1])
        other.step(*takes[t : t + 1])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda o: StepLR(o, 0), r"StepLR got step_size=0.*choose step_size >= 1"),
        (lambda o: StepLR(o, 1, gamma=0), "gamma=0"),
        (lambda o: CosineAnnealingLR(o, 0), "T_max=0"),
        (lambda o: CosineAnnealingLR(o, 1, eta_min=-1), "eta_min=-1"),
        (lambda o: LinearWarmup(o, 0), "warmup_steps=0"),
        (lambda o: LinearWarmup(o, 1, after=StepLR(make(1.0), 1)), "for the same optimizer"),
        (lambda o: ReduceLROnPlateau(o, mode="least"), r"mode='least'.*choose 'min' or 'max'"),
        (lambda o: ReduceLROnPlateau(o, factor=1.0), r"factor=1.0.*0 < factor < 1"),
        (lambda o: ReduceLROnPlateau(o, patience=-1), "patience=-1"),
        (lambda o: ReduceLROnPlateau(o, threshold=-1), "threshold=-1"),
        (lambda o: ReduceLROnPlateau(o, min_lr=-1), "min_lr=-1"),
        (lambda o: ReduceLROnPlateau(o, cooldown=-1), "cooldown=-1"),
        (lambda o: ReduceLROnPlateau(o, eps=-1), "eps=-1"),
        (lambda o: ReduceLROnPlateau(o, threshold_mode="both"), "choose 'rel' or 'abs'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(build, message):
    optimizer = make(0.5)
    with pytest.raises(ArgumentError, match="(?s)" + message):
        build(optimizer)
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_a_state_of_something_else_is_refused_and_changes_nothing():
    optimizer, other = make(1.0), make(1.0, 2.0)
    schedule = LinearWarmup(optimizer, 2, after=StepLR(optimizer, 1))
    before = schedule.state_dict()
    for state, message in [
        (StepLR(optimizer, 1).state_dict(), "without a schedule after it"),
        (LinearWarmup(other, 2, after=StepLR(other, 1)).state_dict(), "for 2 groups"),
        ({**before, "after": ReduceLROnPlateau(optimizer).state_dict()}, "'ReduceLROnPlateau'"),
        ({**before, "cuont": 3}, "missing or unexpected: cuont"),
        ({**before, "count": -1}, "count is -1"),
        ({**before, "count": "x"}, "count is 'x'"),
        ({**before, "base_lrs": 3}, "for 0 groups"),
        ({**before, "base_lrs": ["x"]}, "for 1 groups"),
        ({**before, "schedule": np.ones(2)}, "does not fit"),
        (3, "without a schedule after it"),
    ]:
        with pytest.raises(StateDictError, match=message):
            schedule.load_state_dict(state)
        assert schedule.state_dict() == before
    for kind in (StepLR(optimizer, 1), ReduceLROnPlateau(optimizer)):
        with pytest.raises(StateDictError, match="the state of None for 0 groups"):
            kind.load_state_dict(None)
