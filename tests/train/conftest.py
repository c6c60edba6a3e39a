from __future__ import annotations

import numpy as np
import pytest

from tinygrad_bp.data import Collection, Examples
from tinygrad_bp.nn import NetworkSpec
from tinygrad_bp.train import Samples, load_recipe


@pytest.fixture
def make_samples():
    """A few random digits that fit a recipe's network, with as little to do with data files."""

    def make(recipe, count=60):
        rng = np.random.default_rng(0)
        features = int(np.prod(recipe.network.input_shape))
        side = round(features**0.5)
        pixels = rng.uniform(0, 1, (count, features))
        labels = rng.integers(0, 10, count)
        third = count // 3
        parts = Examples(pixels[third:], labels[third:]), Examples(pixels[:third], labels[:third])
        dataset = Collection("noise", *parts, image_shape=(side, side), value_range=(0.0, 1.0))
        x, test = (part.inputs.astype(recipe.dtype) for part in parts)
        return Samples(dataset, x, parts[0].labels, test, parts[1].labels, 0.0, 1.0)

    return make


@pytest.fixture
def in_float64():
    def change(recipe):
        spec = recipe.network
        spec = NetworkSpec(spec.input_shape, spec.layers, "float64")
        return recipe.model_copy(update={"network": spec})

    return change


@pytest.fixture
def digits():
    """The recipe `digits`, short."""
    return load_recipe("digits").override(["training.epochs=3", "network.layers.0.out_features=16"])
