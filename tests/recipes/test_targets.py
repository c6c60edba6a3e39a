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


@pytest.mark.parametrize(
    ("settings", "reached"),
    [([], 0.85), (["data.divide_by=16", "training.steps=40000"], 0.95)],
    ids=["pixels to 16", "pixels to 1"],
)
def test_digits_delta_reaches_on_average(settings, reached):
    recipes = [load_recipe("digits-delta").override([*settings, f"seed={i}"]) for i in range(5)]
    assert sum(accuracy(recipe, "by-hand") for recipe in recipes) / 5 >= reached
