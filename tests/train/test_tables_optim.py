"""Optimizers and schedules that a recipe declares are those of `tinygrad_bp.optim`."""

from __future__ import annotations

import inspect
import typing

import pytest

import tinygrad_bp as tg
from tinygrad_bp import optim
from tinygrad_bp.errors import RecipeError
from tinygrad_bp.train import Recipe
from tinygrad_bp.train.build import build_optimizer, build_schedule
from tinygrad_bp.train.tables_optim import AnyOptimizer, AnySchedule

TABLES = {
    "name": "mine",
    "data": {"name": "digits"},
    "network": {"input_shape": [4], "layers": [{"type": "Linear", "out_features": 2}]},
    "loss": {"name": "cross_entropy"},
    "optimizer": {"name": "SGD", "lr": 0.1},
    "training": {"epochs": 1},
}
REQUIRED = {
    "SGD": {"lr": 0.1},
    "StepLR": {"step_size": 2},
    "CosineAnnealingLR": {"T_max": 3},
    "LinearWarmup": {"warmup_steps": 2},
    "ExponentialLR": {"gamma": 0.5},
    "MultiStepLR": {"milestones": [1, 3]},
    "CosineAnnealingWarmRestarts": {"T_0": 2},
}


def names(union):
    """What the tables of a union are called, with their tables."""
    tables = typing.get_args(typing.get_args(union)[0])
    found = {n: t for t in tables for n in typing.get_args(t.model_fields["name"].annotation)}
    return [(name, table) for name, table in found.items() if name != "scipy"]


@pytest.mark.parametrize(("name", "table"), names(AnyOptimizer))
def test_every_optimizer_that_is_declared_is_made_with_the_defaults_of_its_class(name, table):
    settings = REQUIRED.get(name, {})
    recipe = Recipe.from_dict({**TABLES, "optimizer": {"name": name, **settings}})
    model = recipe.network.build(0)
    optimizer = build_optimizer(recipe, model)
    assert type(optimizer) is getattr(optim, name)
    plain = getattr(optim, name)(model.parameters(), **settings)
    ours, its = optimizer.param_groups[0], plain.param_groups[0]
    assert {k: v for k, v in ours.items() if k != "params"} == {
        k: v for k, v in its.items() if k != "params"
    }
    assert set(table.model_fields) - {"name"} <= set(ours)


@pytest.mark.parametrize(("name", "table"), names(AnySchedule))
def test_every_schedule_that_is_declared_is_made_with_the_defaults_of_its_class(name, table):
    settings = REQUIRED.get(name, {})
    recipe = Recipe.from_dict({**TABLES, "schedule": {"name": name, **settings}})
    optimizer = optim.SGD([tg.Tensor([1.0], requires_grad=True)], lr=0.1)
    schedule = build_schedule(recipe, optimizer)
    kind = getattr(optim, name)
    assert type(schedule) is kind
    parameters = inspect.signature(kind).parameters
    for key, field in table.model_fields.items():
        if key != "name" and not field.is_required():
            assert parameters[key].default == field.default, key


def test_what_is_left_out_and_what_is_given_reaches_the_optimizer():
    given = {"name": "NAdam", "lr": 0.5, "betas": [0.5, 0.6], "weight_decay": 0.1}
    recipe = Recipe.from_dict({**TABLES, "optimizer": given})
    group = build_optimizer(recipe, recipe.network.build(0)).param_groups[0]
    assert (group["lr"], group["betas"], group["weight_decay"]) == (0.5, (0.5, 0.6), 0.1)
    assert group["momentum_decay"] == 4e-3


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"optimizer": {"name": "Lion", "eps": 1e-3}}, "unknown key 'eps'"),
        ({"optimizer": {"name": "Adadelta", "rho": 1.0}}, r"\[optimizer\] rho = 1.0"),
        ({"optimizer": {"name": "RAdma"}}, "did you mean 'RAdam'"),
        ({"schedule": {"name": "MultiStepLR", "milestones": []}}, r"\[schedule.milestones\]"),
        ({"schedule": {"name": "LinearLR", "start_factor": 0.0}}, r"\[schedule\] start_factor"),
        ({"schedule": {"name": "ExponentialLR"}}, "the key 'gamma' is missing"),
    ],
)
def test_tables_that_make_no_sense_are_named(table, message):
    with pytest.raises(RecipeError, match=message):
        Recipe.from_dict({**TABLES, **table})
