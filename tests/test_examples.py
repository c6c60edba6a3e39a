"""Every program of examples/ runs as its reader would run it, and prints what it promises."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from programs import EXAMPLES, mnist_folder, numbers, run, run_here, told_by_the_page

import tinygrad_bp as tg
from tinygrad_bp.nn import NetworkSpec
from tinygrad_bp.testing.several import complex_step, numerical_gradients
from tinygrad_bp.train import load_recipe

__all__ = ["mnist_folder", "run_here"]  # fixtures


def test_the_perceptron_in_python_learns_digits(mnist_folder, tmp_path):
    short = ("--epochs", "3", "--samples", "2000")
    out = run(EXAMPLES / "mnist_mlp.py", "--data-dir", mnist_folder, *short, cwd=tmp_path)
    assert "235,146 parameters" in out
    losses = numbers(out, "loss")
    assert len(losses) == 3
    assert losses[2] < losses[0] / 2
    assert numbers(out, "test accuracy")[-1] > 0.8


def test_the_perceptron_in_toml_learns_digits(mnist_folder, tmp_path):
    short = ("--epochs", "3", "--set", "data.train_size=2000", "--out", "run")
    recipe = ("train", EXAMPLES / "mnist_mlp.toml", "--data-dir", mnist_folder)
    out = run("-m", "tinygrad_bp", *recipe, *short, cwd=tmp_path)
    assert numbers(out, "test accuracy")[-1] > 0.8
    assert (tmp_path / "run" / "curves.png").exists()
    assert out.rstrip().endswith("run/")


def test_python_and_toml_declare_the_same_perceptron():
    model = runpy.run_path(str(EXAMPLES / "mnist_mlp.py"))["perceptron"](0)
    recipe = load_recipe(EXAMPLES / "mnist_mlp.toml")
    assert NetworkSpec.from_module(model) == recipe.network
    shipped = load_recipe("mnist-mlp")
    naming = {"name", "title", "description"}
    assert recipe.model_dump(exclude=naming) == shipped.model_dump(exclude=naming)


def test_the_declaration_in_python_is_a_dozen_lines():
    source = (EXAMPLES / "mnist_mlp.py").read_text()
    declared = re.search(r"^def perceptron.*?(?=^def )", source, re.MULTILINE | re.DOTALL)
    assert declared is not None
    assert len(declared[0].strip().splitlines()) <= 12


def test_a_first_network_learns_small_digits(tmp_path):
    out = run(EXAMPLES / "first_network.py", "--epochs", "5", cwd=tmp_path)
    assert "(turn): Linear(48, 48)" in out
    assert numbers(out, "test accuracy")[-1] > 0.9


def test_a_first_graph_is_written_as_text_and_as_a_picture(tmp_path):
    out = run(EXAMPLES / "first_graph.py", "--out", "pictures", cwd=tmp_path)
    expression = (tmp_path / "pictures" / "expression.dot").read_text()
    assert all(word in expression for word in ("sigmoid", "matmul", "w", "power"))
    assert "Linear" in (tmp_path / "pictures" / "network.dot").read_text()
    drawn = [path.name for path in (tmp_path / "pictures").glob("*.svg")]
    assert len(drawn) == 2 or "Graphviz" in out


def test_a_first_gradient_check_tells_right_from_wrong(tmp_path):
    out = run(EXAMPLES / "first_gradient_check.py", cwd=tmp_path)
    assert "right: 16 derivatives of orders 1 and 2 agree" in out
    assert numbers(out, "largest relative difference")[0] < 1e-9
    assert "wrong: the gradient of argument 0 (2, 4) is wrong at 8 of 8 elements" in out


def test_a_gradient_of_another_library_is_checked_through_numpy(tmp_path):
    out = run(EXAMPLES / "torch_gradient_check.py", cwd=tmp_path)
    assert "right: 6 derivatives agree to 1e-9: True" in out
    assert "it is not divided by 5, the length of axis 0 of argument 1" in out


def test_without_that_library_numpy_stands_in(monkeypatch, capsys):
    example = runpy.run_path(str(EXAMPLES / "torch_gradient_check.py"))
    monkeypatch.setitem(example["main"].__globals__, "TORCH", False)
    example["main"]()
    out = capsys.readouterr().out
    assert "written by hand, as PyTorch is not there" in out
    assert "it is not divided by 5, the length of axis 0" in out


def test_homework_is_graded_formula_by_formula(tmp_path):
    ada, ben, cem = run(EXAMPLES / "grade_homework.py", cwd=tmp_path).strip().split("\n\n")
    assert "all 4 formulas are right" in ada
    assert "Begin with delta1" in ben
    assert "the derivative of Sigmoid is missing" in ben
    assert ben.count("WRONG") == 1
    assert re.search(r"b2 +WRONG +.*not divided by 8, the number of samples", cem)
    assert re.search(r"W1 +WRONG +.*the penalty λW is missing", cem)
    assert re.search(r"0.bias +MISSING", cem)


def test_a_custom_operation_is_checked_and_resists_outliers(tmp_path):
    out = run(EXAMPLES / "custom_operation.py", cwd=tmp_path)
    assert numbers(out, "largest difference")[0] < 1e-9
    lines = re.findall(r"y = (\S+) x (\S+)", out)
    (slope, offset), (_, pulled) = [(float(a), float(b)) for a, b in lines]
    assert abs(slope - 2) < 0.1
    assert abs(offset + 1) < 0.2
    assert abs(pulled + 1) > 1


def test_newtons_method_finds_the_bottom_where_descent_does_not(tmp_path):
    out = run(EXAMPLES / "second_derivative.py", cwd=tmp_path)
    assert "minimum at [1. 1.]" in out
    values = numbers(out, "value")
    assert values[-2] < 1e-12 < values[-1]


def test_scipy_fits_a_curve_in_fewer_evaluations_than_adam(tmp_path):
    out = run(EXAMPLES / "scipy_minimize.py", cwd=tmp_path)
    assert numbers(out, "final loss")[0] < numbers(out, "as many evaluations:")[0]
    assert numbers(out, "without noise:")[0] < 0.2


def test_a_kalman_filter_finds_the_frequency(tmp_path):
    out = run(EXAMPLES / "kalman_filter.py", cwd=tmp_path)
    assert numbers(out, "largest relative difference")[0] < 1e-9
    assert numbers(out, "evaluations:")[0] > numbers(out, "per measurement:")[0] + 0.2
    assert abs(numbers(out, "angle of a step")[0] - 0.4) < 0.05


def test_a_gaussian_process_finds_the_year_and_fills_the_gap(tmp_path):
    out = run(EXAMPLES / "gaussian_process.py", cwd=tmp_path)
    assert numbers(out, "largest relative difference")[0] < 1e-8
    assert numbers(out, "evaluations:")[0] > numbers(out, "per measurement:")[0] + 1
    assert abs(numbers(out, "period")[0] - 1) < 0.01
    assert numbers(out, "off by")[0] < 1.5 * numbers(out, "it expects")[0]


def test_a_differential_equation_is_fitted_to_the_pelts(tmp_path):
    out = run(EXAMPLES / "ode.py", cwd=tmp_path)
    assert numbers(out, "largest relative difference")[0] < 1e-8
    assert numbers(out, "Jacobians:")[0] < 0.05 < numbers(out, "residuals:")[0]
    # The rates that textbooks find in these counts.
    found = [numbers(out, word)[0] for word in ("birth", "hunt", "death", "feed")]
    np.testing.assert_allclose(found, [0.55, 0.028, 0.80, 0.024], rtol=0.05)


def test_a_softmax_regression_tells_irises_apart(tmp_path):
    out = run(EXAMPLES / "softmax_regression.py", cwd=tmp_path)
    assert numbers(out, "largest relative difference")[0] < 1e-9
    losses = numbers(out, "loss")
    assert losses == sorted(losses, reverse=True)
    assert numbers(out, "other flowers")[-1] > 0.9


def _kalman_filter(own):
    theta = np.log([0.35, 0.05, 0.3, 0.7])
    _, y = own["measurements"](theta, 60, np.random.default_rng(1))
    return lambda theta: own["loss"](theta, y), [theta]


def _gaussian_process(own):
    times = np.linspace(0.0, 3.0, 40)
    y = own["series"](times, np.random.default_rng(1))
    theta = np.log([1.2, 0.7, 0.8, 1.5, 1.05, 0.2])
    return lambda theta: own["log_likelihood"](theta, times, y), [theta]


def _ode(own):
    theta = np.log([0.5, 0.025, 0.9, 0.02, 30.0, 5.0])
    return lambda theta: np.mean(own["residuals"](theta) ** 2), [theta]


def _softmax_regression(own):
    rng = np.random.default_rng(1)
    x, labels = rng.uniform(1.0, 4.0, (20, 4)), rng.integers(0, 3, 20)
    names = ("powers", "weights", "bias")

    def loss(*values):
        return own["loss"](dict(zip(names, values, strict=True)), x, labels, np.arange(5, 20))

    return loss, [rng.uniform(0.5, 1.5, 4), rng.normal(size=(15, 3)), rng.normal(size=3)]


PROGRAMS = {
    "kalman_filter": _kalman_filter,
    "gaussian_process": _gaussian_process,
    "ode": _ode,
    "softmax_regression": _softmax_regression,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_knows_no_tensors_is_differentiated_to_eight_digits(name):
    own = runpy.run_path(str(EXAMPLES / f"{name}.py"))
    loss, inputs = PROGRAMS[name](own)
    value, gradients = tg.value_and_grad(loss, argnums=tuple(range(len(inputs))))(*inputs)
    assert value.item() == pytest.approx(loss(*inputs), rel=1e-14)
    numeric, _ = numerical_gradients(loss, inputs, step=2.0**-13)
    for found, expected in zip(gradients, numeric, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)


def test_a_program_of_analytic_functions_is_differentiated_to_rounding():
    loss, (theta,) = _ode(runpy.run_path(str(EXAMPLES / "ode.py")))
    (expected,) = complex_step(loss, [theta])
    np.testing.assert_allclose(tg.grad(loss)(theta), expected, rtol=1e-12)


def test_the_numerics_of_the_four_programs_know_no_tensors():
    for name in PROGRAMS:
        source = (EXAMPLES / f"{name}.py").read_text()
        numerics = source[source.index("\n\n\n") : source.index("def main")]
        assert "tg." not in numerics
        assert "Tensor" not in numerics


def test_an_autoencoder_draws_digits_from_few_numbers(mnist_folder, run_here, tmp_path):
    short = ("--data-dir", mnist_folder, "--samples", "1000", "--epochs", "4")
    out = run_here("autoencoder.py", *short)
    errors = numbers(out, "squared error of a pixel")
    assert len(errors) == 4
    assert errors[-1] < 0.09  # grey everywhere is wrong by 0.2
    assert 0 < numbers(out, "principal components")[0] < errors[-1]  # it takes more digits
    told_by_the_page("autoencoder", out, tmp_path)


def test_principal_components_are_those_of_the_singular_values():
    own = runpy.run_path(str(EXAMPLES / "autoencoder.py"))
    rng = np.random.default_rng(0)
    x, new = rng.normal(size=(30, 6)) * np.arange(1, 7), rng.normal(size=(4, 6))
    mean = x.mean(axis=0)
    rows = np.linalg.svd(x - mean)[2][:2]
    expected = mean + (new - mean) @ rows.T @ rows
    np.testing.assert_allclose(own["principal_components"](x, 2, new), expected, atol=1e-12)


def test_a_variational_autoencoder_learns_a_plane_of_digits(mnist_folder, run_here, tmp_path):
    short = ("--data-dir", mnist_folder, "--samples", "1000", "--epochs", "3")
    out = run_here("variational_autoencoder.py", *short)
    nats = numbers(out, "nats of test digits:")
    assert len(nats) == 3
    assert nats == sorted(nats, reverse=True)
    assert all(point >= 0 for point in numbers(out, "pixels +"))
    told_by_the_page("variational_autoencoder", out, tmp_path)


def test_the_divergence_of_the_plane_is_the_integral():
    model = runpy.run_path(str(EXAMPLES / "variational_autoencoder.py"))["Variational"]
    model = model(np.random.default_rng(0)).astype(float)
    m, log_s = np.array([0.4, -1.5]), np.array([-0.7, 0.2])
    model.encoder[-1].weight.assign(np.zeros((4, 192)))
    model.encoder[-1].bias.assign(np.concatenate([m, log_s]))
    _, found = model(np.zeros((3, 784)), np.random.default_rng(0))
    z = np.linspace(-15.0, 15.0, 3001)[:, np.newaxis]
    density = np.exp(-(((z - m) / np.exp(log_s)) ** 2) / 2 - log_s) / np.sqrt(2 * np.pi)
    ratio = (z**2 - ((z - m) / np.exp(log_s)) ** 2) / 2 - log_s
    assert found.item() == pytest.approx(np.sum(density * ratio) * 0.01, rel=1e-9)


def test_a_forger_learns_digits_it_never_saw(run_here, tmp_path):
    out = run_here("gan_digits.py", "--steps", "800")
    right = numbers(out, "read as what was wanted:")
    assert len(right) == 8
    assert right[0] < 0.3 < 0.7 < right[-1]
    assert numbers(out, "to nearest real:")[0] > numbers(out, "nearest other real:")[0]
    told_by_the_page("gan_digits", out, tmp_path)


def test_a_law_carries_a_network_on_beyond_the_measurements(run_here, tmp_path):
    out = run_here("derivative_constraint.py", "--iterations", "150")
    assert numbers(out, "breaks the law by")[0] < 1e-12
    alone, lawful = numbers(out, "measured, by")
    assert lawful < 1 < alone
    told_by_the_page("derivative_constraint", out, tmp_path)


def test_the_gradient_of_a_broken_law_is_of_third_order():
    own = runpy.run_path(str(EXAMPLES / "derivative_constraint.py"))
    t = np.array([[0.1], [0.9]])

    def broken(w, v):
        return np.mean(own["violation"](lambda t: np.tanh(t @ w) @ v, t) ** 2)

    w, v = np.array([[1.5, -0.7]]), np.array([[0.3], [2.0]])
    found = tg.grad(broken, argnums=(0, 1))(w, v)
    numeric, _ = numerical_gradients(broken, [w, v])
    for one, other in zip(found, numeric, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8)


def test_learning_rates_are_learned_through_training(run_here, tmp_path):
    short = ("--updates", "20", "--steps", "4")
    out = run_here("learn_learning_rate.py", *short)
    assert numbers(out, "largest relative difference")[0] < 1e-9
    first, best, learned = numbers(out, "mean loss")
    assert best < learned < first
    told_by_the_page("learn_learning_rate", out, tmp_path)


def test_a_layer_of_ones_own_is_checked_declared_and_trained(tmp_path):
    out = run(EXAMPLES / "custom_layer.py", cwd=tmp_path)
    assert "second derivatives are the derivatives of the gradients" in out
    assert "147 parameters" in out
    assert numbers(out, "right of other points:")[0] > 0.97
    told_by_the_page("custom_layer", out, tmp_path)


def test_a_network_is_fooled_by_gradients_and_not_by_noise(mnist_folder, run_here, tmp_path):
    short = ("--data-dir", mnist_folder, "--samples", "1000")
    out = run_here("fool_network.py", *short)
    noise, one, ten = (numbers(out, word) for word in ("noise", "a step", "ten steps"))
    assert noise[0] == one[0] == ten[0] > 0.7
    assert noise[-1] > 0.9 * noise[0]
    assert ten[-1] <= one[-1] < noise[-1]
    assert ten[-1] < 0.5 * noise[-1]
    told_by_the_page("fool_network", out, tmp_path)


def test_every_example_is_tested_and_says_how_it_is_run():
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_examples*.py"))
    for path in sorted(EXAMPLES.glob("*.py")):
        assert f'"{path.name}"' in tests
        source = path.read_text()
        assert f"python examples/{path.name}" in source
        assert len(source.splitlines()) <= 80
