"""What the recipes reach without data files; with them, see the docs of each recipe."""

from __future__ import annotations

import pytest

from tinygrad_bp.train import Trainer, load_recipe, load_samples


def accuracy(recipe, gradients="autograd"):
    trainer = Trainer(recipe, load_samples(recipe), gradients)
    trainer.run()
    return trainer.rows[-1].test_accuracy


@pytest.mark.parametrize("gradients", ["autograd", "by-hand"])
def test_digits_reach_96_percent(gradients):
    assert accuracy(load_recipe("digits"), gradients) >= 0.96


def test_digits_delta_reach_85_percent_on_average():
    recipes = [load_recipe("digits-delta").override([f"seed={seed}"]) for seed in range(5)]
    assert sum(accuracy(recipe, "by-hand") for recipe in recipes) / 5 >= 0.85


def test_digits_delta_with_small_inputs_reach_95_percent():
    recipe = load_recipe("digits-delta").override(["data.divide_by=16", "training.steps=40000"])
    assert accuracy(recipe, "by-hand") >= 0.95
