from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_bp.errors import RecipeError, TgError
from tinygrad_bp.nn import NetworkSpec
from tinygrad_bp.train import Recipe, load_recipe, recipe_names
from tinygrad_bp.train.tables import Data, Training

LINEAR = {"type": "Linear", "out_features": 10}
TABLES = {
    "name": "mine",
    "data": {"name": "digits"},
    "network": {"input_shape": [64], "layers": [LINEAR]},
    "loss": {"name": "cross_entropy"},
    "optimizer": {"name": "SGD", "lr": 0.1},
    "training": {"epochs": 2, "batch_size": 10},
}


def with_table(table, **changes):
    return TABLES | {table: TABLES.get(table, {}) | changes}


def message(tables):
    with pytest.raises(RecipeError) as caught:
        Recipe.from_dict(tables, "mine.toml")
    return str(caught.value)


rates = st.floats(1e-6, 10.0)
fractions = st.floats(0, 0.99)
optimizers = st.one_of(
    st.builds(
        lambda lr, momentum, nesterov: {
            "name": "SGD",
            "lr": lr,
            "momentum": momentum,
            "nesterov": nesterov,
        },
        rates,
        fractions,
        st.booleans(),
    ),
    st.builds(
        lambda name, lr, betas: {"name": name, "lr": lr, "betas": list(betas)},
        st.sampled_from(["Adam", "AdamW"]),
        rates,
        st.tuples(fractions, fractions),
    ),
    st.builds(lambda lr, alpha: {"name": "RMSprop", "lr": lr, "alpha": alpha}, rates, fractions),
    st.builds(lambda lr: {"name": "Adagrad", "lr": lr}, rates),
    st.builds(
        lambda name, lr: {"name": name, "lr": lr},
        st.sampled_from(["ASGD", "Adadelta", "Adamax", "LAMB", "Lion", "NAdam", "RAdam", "Rprop"]),
        rates,
    ),
)
schedules = st.one_of(
    st.none(),
    st.builds(
        lambda n, g: {"name": "StepLR", "step_size": n, "gamma": g}, st.integers(1, 9), rates
    ),
    st.builds(lambda n: {"name": "CosineAnnealingLR", "T_max": n}, st.integers(1, 9)),
    st.builds(lambda n: {"name": "LinearWarmup", "warmup_steps": n}, st.integers(1, 9)),
    st.builds(lambda n: {"name": "ReduceLROnPlateau", "patience": n}, st.integers(0, 9)),
    st.builds(lambda g: {"name": "ExponentialLR", "gamma": g}, rates),
    st.builds(
        lambda steps: {"name": "MultiStepLR", "milestones": steps},
        st.lists(st.integers(1, 9), min_size=1),
    ),
    st.builds(
        lambda name, n: {"name": name, "total_iters": n},
        st.sampled_from(["ConstantLR", "LinearLR", "PolynomialLR"]),
        st.integers(1, 9),
    ),
    st.builds(
        lambda n, m: {"name": "CosineAnnealingWarmRestarts", "T_0": n, "T_mult": m},
        st.integers(1, 9),
        st.integers(1, 3),
    ),
)
trainings = st.builds(
    lambda length, n, size, sampling: {length: n, "batch_size": size, "sampling": sampling},
    st.sampled_from(["epochs", "steps"]),
    st.integers(1, 1000),
    st.one_of(st.just("full"), st.integers(1, 99)),
    st.sampled_from(["shuffled", "in_order", "random"]),
)


@given(
    title=st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=30),
    seed=st.integers(0, 2**40),
    divide_by=st.floats(0.1, 1000),
    fraction=st.one_of(st.none(), fractions),
    hidden=st.integers(1, 9),
    optimizer=optimizers,
    schedule=schedules,
    training=trainings,
)
def test_any_recipe_is_printed_back_unchanged(
    title, seed, divide_by, fraction, hidden, optimizer, schedule, training
):
    tables = {
        "name": "any",
        "title": title,
        "seed": seed,
        "data": {"name": "digits", "divide_by": divide_by},
        "network": {
            "input_shape": [64],
            "layers": [{"type": "Linear", "out_features": hidden}, {"type": "ReLU"}, LINEAR],
        },
        "loss": {"name": "mse", "outputs": "sum", "weight_penalty": 0.5},
        "optimizer": optimizer,
        "training": training,
    }
    if fraction is not None:
        tables["data"]["test_fraction"] = fraction
    if schedule is not None:
        tables["schedule"] = schedule
    recipe = Recipe.from_dict(tables)
    text = recipe.to_toml()
    assert Recipe.from_toml(text) == recipe
    assert Recipe.from_toml(text).to_toml() == text
    assert recipe.title == title
    assert recipe.optimizer.lr == optimizer["lr"]


@pytest.mark.parametrize("name", recipe_names())
def test_a_shipped_recipe_is_complete_and_printed_back_unchanged(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.title
    assert recipe.description
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert recipe.network.shapes()[-1].shape == (10,)


def test_a_recipe_written_in_python_equals_the_one_in_toml():
    recipe = Recipe(
        name="mine",
        data=Data(name="digits"),
        network=NetworkSpec((64,), [LINEAR]),
        loss={"name": "cross_entropy"},
        optimizer={"name": "SGD", "lr": 0.1},
        training=Training(epochs=2, batch_size=10),
    )
    assert recipe == Recipe.from_dict(TABLES)


def test_recipes_are_frozen_and_have_the_dtype_of_their_network():
    recipe = load_recipe("ex4-tnc")
    assert recipe.dtype == "float64"
    with pytest.raises(ValueError, match="frozen"):
        recipe.seed = 3


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        (
            with_table("optimizer", lrr=1.0),
            ["mine.toml", "[optimizer] unknown key 'lrr': did you mean 'lr'?"],
        ),
        (TABLES | {"optimiser": {}}, ["unknown key 'optimiser': did you mean 'optimizer'?"]),
        (
            with_table("optimizer", name="adam"),
            ["[optimizer] name = 'adam' is not known: did you mean 'Adam'?", "Rprop, SGD, scipy"],
        ),
        (
            TABLES | {"optimizer": {"lr": 0.1}},
            [
                "[optimizer] the key 'name' is missing",
                "ASGD, Adadelta, Adagrad, Adam, AdamW, Adamax",
            ],
        ),
        (with_table("optimizer", lr=-1.0), ["[optimizer] lr = -1.0: input should be greater"]),
        (
            with_table("optimizer", lr="fast"),
            ["[optimizer] lr = 'fast': input should be a valid n"],
        ),
        (with_table("optimizer", lr=float("nan")), ["[optimizer] lr = nan", "finite"]),
        (
            with_table("data", name="mnst"),
            ["[data] name = 'mnst' is not known: did you mean 'mnist'? Known: digits, ex4, mnist"],
        ),
        (with_table("data", name="mnist", test_fraction=0.1), ["[data] test_fraction is not for"]),
        (with_table("data", standardise=True, divide_by=2.0), ["[data] divide_by makes no diff"]),
        (
            with_table("loss", name="cross"),
            ["[loss] name = 'cross' is not known: expected one of binary_"],
        ),
        (with_table("loss", outputs="sum"), ["[loss] outputs is not for cross_entropy"]),
        (with_table("training", batch_size=0), ["[training] batch_size = 0: ", '"full"']),
        (with_table("training", batch_size="all"), ["[training] batch_size = 'all': "]),
        (with_table("training", steps=5), ["[training] epochs and steps are both given"]),
        (
            with_table("training", epochs=True),
            ["[training] epochs = True: input should be a valid"],
        ),
        (TABLES | {"training": {}}, ["[training] the key 'epochs' or 'steps' is missing"]),
        (with_table("schedule", name="StepLR"), ["[schedule] the key 'step_size' is missing"]),
        (
            with_table("schedule", name="StepLR", step_size=1, gama=0.5),
            ["[schedule] unknown key 'gama': did you mean 'gamma'?"],
        ),
        (
            TABLES | {"optimizer": {"name": "scipy", "method": "TNC", "max_iterations": 4}},
            ["[training] and [schedule] are not for the optimizer scipy"],
        ),
        (
            with_table("network", layer=[]),
            ["[network] a network has no key 'layer'.\nFix: did you mean"],
        ),
        (
            with_table("network", layers=[{"type": "Linear", "out_feature": 3}]),
            [
                "[network] layer 0 (Linear) has no key 'out_feature'.\n"
                "Fix: did you mean 'out_features'?",
            ],
        ),
        (
            with_table("network", layers=[LINEAR, {"type": "Softmax"}]),
            ["[network] ends in a Softmax, which cross_entropy has inside"],
        ),
        ({"name": "mine"}, ["the table [data] is missing", "the key 'network' is missing"]),
        (TABLES | {"name": "a/b"}, ["name = 'a/b': string should match pattern"]),
        (TABLES | {"data": 3}, ["[data] input should be a valid dictionary"]),
    ],
)
def test_what_is_wrong_in_a_recipe_is_named(tables, words):
    text = message(tables)
    for word in words:
        assert word in text
    assert "Fix:" in text


def test_a_table_made_in_python_raises_a_recipe_error_too():
    with pytest.raises(RecipeError, match=r"Training: epochs = 0: input should be greater than 0"):
        Training(epochs=0)
    with pytest.raises(RecipeError, match=r"Recipe: [^$]*unknown key 'nme': did you mean 'name'"):
        Recipe(nme="x", **{k: v for k, v in TABLES.items() if k != "name"})


def test_text_that_is_not_toml_names_the_file_and_the_line(tmp_path):
    file = tmp_path / "bad.toml"
    file.write_text("name = 'x'\n[data\n")
    with pytest.raises(RecipeError, match=r"bad.toml is not TOML: .*line 2") as caught:
        load_recipe(file)
    assert "Fix:" in str(caught.value)


def test_recipes_that_are_not_there_are_named():
    with pytest.raises(RecipeError, match="no recipe 'mnist-mpl': did you mean 'mnist-mlp'"):
        load_recipe("mnist-mpl")
    with pytest.raises(RecipeError, match=r"none.toml cannot be read: No such file") as caught:
        load_recipe("none.toml")
    assert "digits" in str(caught.value)


def test_a_recipe_file_that_is_not_text_is_refused(tmp_path):
    file = tmp_path / "x.toml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="it is not text in UTF-8"):
        load_recipe(file)


def test_a_recipe_of_a_number_without_end_is_refused():
    with pytest.raises(RecipeError, match="recipe is not TOML"):
        Recipe.from_toml(f"seed = {'9' * 5000}")


def test_a_recipe_of_ones_own_is_read_from_its_file(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(Recipe.from_dict(TABLES).to_toml())
    assert load_recipe(file) == load_recipe(str(file)) == Recipe.from_dict(TABLES)


def test_override_sets_numbers_strings_lists_and_entries_of_lists():
    recipe = load_recipe("digits").override(
        [
            "optimizer.lr=0.05",
            "optimizer.betas=[0.8, 0.9]",
            "data.name = digits",
            "network.layers.0.out_features=7",
            "training.batch_size=full",
            'title="a title"',
        ]
    )
    assert recipe.optimizer.lr == 0.05
    assert recipe.optimizer.betas == (0.8, 0.9)
    assert recipe.network.layers[0]["out_features"] == 7
    assert recipe.training.batch_size == "full"
    assert recipe.title == "a title"
    assert load_recipe("digits").optimizer.lr == 0.003


def test_override_may_name_another_optimizer():
    recipe = load_recipe("digits").override(["optimizer.name=SGD", "optimizer.lr=0.5"])
    assert recipe.optimizer.name == "SGD"
    assert recipe.optimizer.momentum == 0


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (
            "optimizer.lrr=1",
            r"digits with --set: \[optimizer\] unknown key 'lrr': did you mean 'lr'",
        ),
        ("optimizr.lr=1", r"unknown key 'optimizr': did you mean 'optimizer'"),
        ("optimizer.lr", "there is no '='"),
        ("network.layers.9.out_features=1", "'9' is not a position in a list of 5"),
        ("name.deep=1", "what comes before 'deep' is a value"),
        ("training.epochs=many", r"\[training\] epochs = 'many'"),
        ("lr=0.1", r"unknown key 'lr': did you mean 'optimizer.lr'"),
        ("gamma=0.1", r"unknown key 'gamma': did you mean 'loss.gamma' or 'schedule.gamma'"),
        ("optimizer.lr=0.1\n[x]", r"lr = '0.1\\n\[x\]'"),
        (f"seed={'9' * 5000}", r"seed = '9999"),
        (f"optimizer={'[' * 5000}", r"\[optimizer\]|optimizer = "),
    ],
)
def test_a_setting_that_does_not_fit_is_named(setting, words):
    with pytest.raises(RecipeError, match=words):
        load_recipe("digits").override([setting])


def test_epochs_take_the_place_of_steps_and_of_iterations():
    assert load_recipe("digits-delta").with_epochs(3).training.epochs == 3
    assert load_recipe("digits-delta").with_epochs(3).training.steps is None
    assert load_recipe("ex4-tnc").with_epochs(3).optimizer.max_iterations == 3


def test_scipy_counts_iterations_in_32_bits():
    for method in ("TNC", "L-BFGS-B"):
        settings = [f"optimizer.method={method}", "optimizer.max_iterations=2147483648"]
        with pytest.raises(RecipeError, match="max_iterations = 2147483648: input should be less"):
            load_recipe("ex4-tnc").override(settings)


def test_every_error_of_a_recipe_is_one_of_ours_and_a_value_error():
    assert issubclass(RecipeError, TgError)
    assert issubclass(RecipeError, ValueError)


def test_shipped_recipes_hold_nothing_but_toml():
    folder = Path(__file__).parents[2] / "tinygrad_bp" / "recipes"
    for file in folder.glob("*.toml"):
        tomllib.loads(file.read_text("utf-8"))
