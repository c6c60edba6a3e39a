from __future__ import annotations

import numpy as np
import pytest
from told import told

from tinygrad_bp.errors import RecipeError
from tinygrad_bp.train import load_recipe, load_samples
from tinygrad_bp.train.samples import Batches

X = np.arange(10)


def batches(sampling, size=3, seed=0):
    return Batches(X, X * 10, size, sampling, np.random.default_rng(seed))


@pytest.mark.parametrize("sampling", ["shuffled", "in_order", "random"])
@pytest.mark.parametrize("before", [0, 1, 3, 4, 5, 9])
def test_batches_continue_where_their_state_was_taken(sampling, before):
    first = batches(sampling)
    for _ in range(before):
        next(first)
    state = first.state_dict()
    expected = [next(first)[0].tolist() for _ in range(9)]
    second = batches(sampling, seed=5)
    second.load_state_dict(state)
    assert [next(second)[0].tolist() for _ in range(9)] == expected


def test_shuffled_batches_take_each_sample_once_an_epoch_in_a_new_order():
    source = batches("shuffled")
    epochs = [[i for _ in range(4) for i in next(source)[0]] for _ in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == X.tolist()
    assert epochs[0] != epochs[1]


def test_batches_in_order_are_views_and_targets_belong_to_their_samples():
    source = batches("in_order")
    x, y = next(source)
    assert np.shares_memory(x, X)
    assert y.tolist() == [0, 10, 20]


def test_random_batches_may_take_a_sample_twice_and_have_their_size():
    source = batches("random", size=8)
    drawn = [next(source)[0] for _ in range(20)]
    assert {len(x) for x in drawn} == {8}
    assert any(len(set(x.tolist())) < 8 for x in drawn)
    assert set(np.concatenate(drawn).tolist()) == set(range(10))


def test_a_full_batch_is_all_samples_without_a_copy():
    x, _ = next(batches("shuffled", size="full"))
    assert x.tolist() == X.tolist()
    assert np.shares_memory(x, X)


def test_samples_are_divided_and_split_by_the_seed(digits):
    one = load_samples(digits)
    assert len(one.labels) == 1347
    assert len(one.test_labels) == 450
    assert one.inputs.max() == 1
    assert one.inputs.dtype == np.float32
    again, other = load_samples(digits), load_samples(digits.override(["seed=1"]))
    assert np.array_equal(one.test_labels, again.test_labels)
    assert not np.array_equal(one.test_labels, other.test_labels)


def test_standardised_samples_have_mean_0_and_deviation_1_in_training(digits):
    samples = load_samples(digits.override(["data.standardise=true", "data.divide_by=1.0"]))
    assert abs(samples.inputs.mean(dtype=float)) < 1e-6
    assert abs(samples.inputs.std(dtype=float) - 1) < 1e-6
    pixels = samples.dataset.test.inputs
    restored = samples.test_inputs * samples.scale + samples.shift
    assert np.allclose(restored, pixels, atol=1e-5)


def test_the_first_training_samples_are_kept_where_the_recipe_says_how_many(digits):
    assert len(load_samples(digits.override(["data.train_size=100"])).labels) == 100
    with pytest.raises(RecipeError, match=r"train_size = 5000, and digits has 1347 training"):
        load_samples(digits.override(["data.train_size=5000"]))


def test_without_a_test_fraction_everything_is_for_training():
    recipe = load_recipe("digits").override(["data.test_fraction=0.0"])
    assert len(load_samples(recipe).labels) == 1797
    assert len(load_samples(recipe).test_labels) == 0


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("divide_by=1e308", "divide_by = 1e+308 makes float32 inputs of 0 to 0 out of pixels of 0"),
        ("divide_by=1e-300", "inputs of nan to nan"),
    ],
)
def test_a_scaling_that_leaves_nothing_of_the_pixels_is_refused(digits, setting, words):
    with pytest.raises(RecipeError, match="digits: ") as caught:
        load_samples(digits.override([f"data.{setting}"]))
    told(caught, words, fix="divide_by = 16, for inputs up to 1")


def test_a_network_for_other_images_is_refused(digits):
    with pytest.raises(RecipeError, match=r"input_shape is \[784\], and a sample of digits has 64"):
        load_samples(digits.override(["network.input_shape=[784]"]))
    with pytest.raises(RecipeError, match=r"output of shape \[9\], and digits has 10 classes"):
        load_samples(digits.override(["network.layers.4.out_features=9"]))


def test_a_network_of_two_dimensional_inputs_gets_upright_images(digits):
    layers = '[{type="Flatten"}, {type="Linear", out_features=10}]'
    recipe = digits.override(["network.input_shape=[8, 8]", f"network.layers={layers}"])
    samples = load_samples(recipe)
    assert samples.inputs.shape == (1347, 8, 8)
    assert np.array_equal(samples.inputs.reshape(-1, 64), load_samples(digits).inputs)
