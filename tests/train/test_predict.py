from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from told import told

from tinygrad_bp.errors import ArgumentError, CheckpointError, DataError, NonFiniteError
from tinygrad_bp.train import load_samples, predict, train
from tinygrad_bp.train.checkpoint import read_arrays, save_arrays


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    from tinygrad_bp.train import load_recipe

    folder, _ = train(
        load_recipe("digits").with_epochs(12),
        out=tmp_path_factory.mktemp("p") / "run",
        say=lambda line: None,
    )
    return folder


def test_test_samples_are_recognised(trained):
    found = [predict(trained.path, index=i) for i in range(20)]
    assert sum(p.answer == p.label for p in found) >= 18
    assert all(p.probabilities.sum() == pytest.approx(1, abs=1e-5) for p in found)
    assert found[3].title == "digits, test sample 3"
    pixels = load_samples(trained.recipe).dataset.test.inputs[3].reshape(8, 8) / 16
    assert np.allclose(found[3].picture, pixels)


@pytest.mark.parametrize("light", [True, False])
def test_a_picture_of_ones_own_is_cropped_scaled_and_recognised(trained, tmp_path, light):
    samples = load_samples(trained.recipe).dataset.test
    right = 0
    for i in range(10):
        ink = np.kron(samples.inputs[i].reshape(8, 8) / 16, np.ones((12, 12)))
        page = np.pad(ink, ((40, 7), (15, 60)))
        grey = (255 * (1 - page if light else page)).astype(np.uint8)
        Image.fromarray(grey).save(tmp_path / "digit.png")
        found = predict(trained.path, image=tmp_path / "digit.png")
        assert found.label is None
        assert found.picture.shape == (8, 8)
        right += found.answer == str(samples.labels[i])
    assert right >= 6


def test_transparent_pictures_lie_on_white(trained, tmp_path):
    pixels = np.zeros((40, 40, 4), np.uint8)
    pixels[5:35, 18:22, 3] = 255  # a black stroke on nothing
    Image.fromarray(pixels).save(tmp_path / "one.png")
    picture = predict(trained.path, image=tmp_path / "one.png").picture
    assert picture.max() > 0.9
    assert picture[:, 0].max() == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read as a picture: No such file"),
        (b"no picture", "cannot be read as a picture: cannot identify"),
        ("blank", "shows no digit"),
    ],
)
def test_what_is_no_picture_of_a_digit_is_refused(trained, tmp_path, content, words):
    path = tmp_path / "x.png"
    if content == "blank":
        Image.new("L", (9, 9), 200).save(path)
    elif content:
        path.write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        predict(trained.path, image=path)
    assert "Fix:" in str(caught.value)


def test_an_index_that_is_not_there_is_refused(trained):
    with pytest.raises(ArgumentError, match="no test sample 450: there are 450"):
        predict(trained.path, index=450)
    with pytest.raises(ArgumentError, match="no test sample -1"):
        predict(trained.path, index=-1)


@pytest.mark.parametrize(
    "scaling", [None, "3", "null", '{"shift": NaN, "scale": 1}', '{"shift": 0, "scale": 0}']
)
def test_a_model_without_its_scaling_is_refused(trained, tmp_path, scaling):
    from safetensors.numpy import save

    (tmp_path / "recipe.toml").write_text(trained.recipe.to_toml())
    header = None if scaling is None else {"scaling": scaling}
    (tmp_path / "model.safetensors").write_bytes(save({"x": np.ones(1)}, header))
    with pytest.raises(CheckpointError, match="does not say how its inputs were scaled"):
        predict(tmp_path)


def test_a_network_of_weights_that_are_not_numbers_is_refused(trained, tmp_path):
    arrays, header = read_arrays(trained.path / "model.safetensors")
    (tmp_path / "recipe.toml").write_text(trained.recipe.to_toml())
    save_arrays(tmp_path / "model.safetensors", {k: v * np.nan for k, v in arrays.items()}, header)
    with pytest.raises(NonFiniteError) as caught:
        predict(tmp_path)
    told(caught, str(tmp_path), "not finite for digits, test sample 0", fix="train it anew")


def test_a_recipe_without_a_test_set_shows_training_samples(digits, tmp_path):
    recipe = digits.override(["data.test_fraction=0.0", "training.epochs=1"])
    folder, _ = train(recipe, out=tmp_path / "run", say=lambda line: None)
    assert predict(folder.path, index=1796).title == "digits, training sample 1796"
    assert "1,797 training samples" in (folder.path / "report.txt").read_text()
