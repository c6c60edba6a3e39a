"""What a written model looks like, and what is refused before anything is written."""

from __future__ import annotations

import builtins
import subprocess
import sys
import time

import numpy as np
import onnx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from onnx_export.running import both_agree, session

import tinygrad_bp as tg
from tinygrad_bp import nn
from tinygrad_bp.errors import ArgumentError, ExportError, MissingExtraError
from tinygrad_bp.onnx import operations, to_onnx

X = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


def perceptron(seed=0):
    return nn.Sequential(
        nn.Linear(3, 5, generator=seed),
        nn.ReLU(),
        nn.Dropout(0.5, generator=0),
        nn.Linear(5, 2, generator=seed),
    )


class Calls(nn.Module):
    """A function of tensors as a module."""

    def __init__(self, function, **parts):
        self.function = function
        vars(self).update(parts)

    def forward(self, *inputs):
        return self.function(self, *inputs)


def test_parameters_keep_their_names_and_inputs_those_of_forward(tmp_path):
    model = perceptron()
    written = to_onnx(model, X, tmp_path / "a.onnx")
    arrays = {each.name: onnx.numpy_helper.to_array(each) for each in written.graph.initializer}
    state = model.state_dict()
    assert list(arrays) == list(state)
    assert all(np.array_equal(arrays[name], state[name]) for name in state)
    assert [each.name for each in written.graph.input] == ["x"]
    assert [each.name for each in written.graph.output] == ["output"]
    sizes = [d.dim_param or d.dim_value for d in written.graph.input[0].type.tensor_type.shape.dim]
    assert sizes == ["batch", 3]
    assert onnx.load(tmp_path / "a.onnx") == written


@pytest.mark.parametrize("opset", [17, 18, 19, 20, 21])
def test_opset_and_ir_version_are_those_of_one_release(opset):
    written = both_agree(perceptron(), X, opset=opset)
    assert [(each.domain, each.version) for each in written.opset_import] == [("", opset)]
    released = {row[2]: row[1] for row in reversed(onnx.helper.VERSION_TABLE)}
    assert written.ir_version == released[opset]


def test_any_number_of_samples_runs_through_the_same_model():
    run = session(to_onnx(perceptron(), X[:1]))
    model = perceptron().eval()
    for n in (1, 2, 7, 64):
        x = np.random.default_rng(n).normal(size=(n, 3)).astype(np.float32)
        np.testing.assert_allclose(run.run(None, {"x": x})[0], model(x).data, atol=1e-6)


def test_the_model_is_left_as_it_was():
    model = perceptron()
    model[2].eval()
    before, generator = model.state_dict(), model[2].generator.bit_generator.state
    to_onnx(model, X)
    assert [m.training for m in model.modules()] == [True, True, True, False, True]
    assert all(np.array_equal(before[k], v) for k, v in model.state_dict().items())
    assert model[2].generator.bit_generator.state == generator
    assert all(p.grad is None for p in model.parameters())


def test_the_same_model_gives_the_same_bytes_in_every_process(tmp_path):
    code = (
        "import sys, numpy as np; from tinygrad_bp import nn; from tinygrad_bp.onnx import to_onnx;"
        "m = nn.Sequential(nn.Linear(3, 5, generator=0), nn.GELU(), nn.Softmax());"
        "to_onnx(m, np.ones((1, 3), np.float32), sys.argv[1])"
    )
    for name in "12":
        subprocess.run(
            [sys.executable, "-c", code, tmp_path / name],
            check=True,
            env={"PYTHONHASHSEED": name, "PATH": ""},
        )
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


@given(names=st.sets(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=4))
@example(names={'<b>"', "a\nb", "x", "output", "Add", "layer 0\t", "\0", "constant"})
def test_any_name_is_kept(names):
    parts = {name: nn.Parameter(np.float32(i)) for i, name in enumerate(sorted(names))}
    model = Calls(lambda self, x: x + sum(self.parts[name] for name in parts), parts=parts)
    written = both_agree(model, X)
    assert {each.name for each in written.graph.initializer} >= {f"parts.{n}" for n in names}


def test_half_a_character_is_no_name():
    model = Calls(lambda self, x: x * self.parts["\ud800"], parts={"\ud800": nn.Parameter(1.0)})
    with pytest.raises(ExportError, match="has a name that is no Unicode text"):
        to_onnx(model, X)


def test_a_parameter_that_two_layers_share_is_written_once():
    shared = nn.Linear(3, 3, generator=0)
    written = both_agree(nn.Sequential(shared, nn.Tanh(), shared), X)
    assert [each.name for each in written.graph.initializer] == ["0.weight", "0.bias"]


def test_several_inputs_and_outputs_and_an_axis_of_samples_for_each():
    def forward(self, x, scale):
        return {"sum": x.sum(axis=0), "both": (x * scale, None)}

    model = Calls(forward)
    steps = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32)
    scale = np.array([1.0, 2.0, 3.0], np.float32)
    axes = (1, None)
    batch = np.random.default_rng(1).normal(size=(5, 7, 3)).astype(np.float32)
    written = both_agree(model, (steps, scale), batch=(batch, scale), batch_axis=axes)
    assert [each.name for each in written.graph.output] == ["output", "output_1"]


@pytest.mark.parametrize(
    "function",
    [
        lambda self, x: x.reshape(-1),
        lambda self, x: x.reshape(-1, 1, 3).transpose(1, 0, 2),
        lambda self, x: np.concatenate([x, x], axis=0),
        lambda self, x: np.concatenate([x, np.zeros((len(x), 2), x.dtype)], axis=1),
        lambda self, x: np.broadcast_to(x[:, None], (len(x), 4, 3)),
        lambda self, x: x[::-1],
        lambda self, x: x[:, ::-1],
        lambda self, x: x[-1],
        lambda self, x: x[np.arange(len(x)), 1],
        lambda self, x: x[:, None, [2, 0]],
        lambda self, x: x.mean(axis=0),
        lambda self, x: np.where(x > 0.1, x, np.abs(x) < 0.5),
        lambda self, x: x.argmax(axis=-1),
        lambda self, x: x / len(self.parts),
        lambda self, x: np.stack([x @ x.T @ x] * 2),
        lambda self, x: x,
        lambda self, x: (x, x),
        lambda self, x: x * np.float64(0.5),
    ],
)
def test_what_grows_with_the_batch_and_what_does_not(function):
    batch = np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32)
    both_agree(Calls(function, parts=[1, 2]), X, batch=batch)


def test_in_float64_too():
    model = perceptron().astype(float)
    assert both_agree(model, X.astype(float), tolerance=1e-12).graph.input[0].type.tensor_type


def test_whole_numbers_as_input_pick_rows_of_a_parameter():
    model = Calls(lambda self, i: self.table[i] * 2, table=nn.Parameter(np.eye(5, 3, dtype="f")))
    example, batch = np.array([[0, 1, 2]]), np.array([[4, 3, 2], [1, 1, 0]])
    both_agree(model, example, batch=batch)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda self, x: np.sort(x), "'sort' in Calls at test_export.py"),
        (lambda self, x: x * (x.data + 1), "'multiply' in Calls at test_export.py"),
        (lambda self, x: x * (x.data > 0), "depends on the values or the number of samples"),
        (lambda self, x: x * x.detach().sum().item(), "depends on the values or the number"),
        (lambda self, x: x / len(x), "depends on the values or the number of samples"),
        (lambda self, x: x[: len(x) - 1] * 1.0, "reads a part that depends on values or the"),
        (
            lambda self, x: x if x.data[0, 0] > 0.1 else -x,
            "something else for other values or another number of samples",
        ),
        (
            lambda self, x: x * 2 if len(x) == 2 else x + x,
            "something else for other values or another number of samples",
        ),
        (
            lambda self, x: [x + 1, x * 2][int(x.data[0, 0] < 0)] * 3,
            "something else for other values",
        ),
        (lambda self, x: np.tanh([x + 1, x + 2][int(x.data[0, 0] < 0)]), "number of samples"),
        (
            lambda self, x: (lambda a, b: a * b * (a if x.data[0, 0] < 0 else b))(x + 1, x + 2),
            "it takes other inputs for other values",
        ),
        (lambda self, x: x[x.data[:, 0].argsort()], "positions depend on values in a way that"),
    ],
)
def test_what_cannot_be_written_names_the_operation_and_the_place(tmp_path, function, words):
    with pytest.raises(ExportError, match=words) as caught:
        to_onnx(Calls(function), X[:1], tmp_path / "a.onnx")
    assert isinstance(caught.value, ValueError)
    assert "Nothing was written" in str(caught.value)
    assert "Fix: " in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_layer_within_is_named_by_its_path():
    model = nn.Sequential(nn.Linear(3, 3, generator=0), Calls(lambda self, x: np.sort(x)))
    with pytest.raises(
        ExportError, match=r"'sort' in Sequential.1 at test_export.py:\d+ cannot be"
    ):
        to_onnx(model, X)


def test_what_is_computed_of_parameters_alone_is_a_constant_where_onnx_lacks_it():
    weight = nn.Parameter(np.array([3.0, 1.0, 2.0], np.float32))
    both_agree(Calls(lambda self, x: x * np.sort(self.weight), weight=weight), X)


def test_a_model_that_computes_something_else_is_not_written(tmp_path, monkeypatch):
    from tinygrad_bp.onnx.table import RULES

    monkeypatch.setitem(RULES, "tanh", lambda b, step: b.add("Sin", step.cast()))
    with pytest.raises(ExportError, match="output 0 of the ONNX model is not what the module"):
        to_onnx(nn.Tanh(), X, tmp_path / "a.onnx")
    assert not (tmp_path / "a.onnx").exists()
    to_onnx(nn.Tanh(), X, tmp_path / "a.onnx", verify=False)
    assert (tmp_path / "a.onnx").exists()


@pytest.mark.parametrize(
    ("example", "options", "words"),
    [
        (X, {"opset": 16}, "opset is 16 .*\nFix: a whole number from 17 to 21"),
        (X, {"opset": 22}, "opset is 22"),
        (X, {"batch_axis": 2}, r"an input of shape \(4, 3\) has no sample along axis 2"),
        (X, {"batch_axis": (0, 0)}, "batch_axis has 2 axes, and there are 1 inputs"),
        (
            X.astype(float),
            {},
            r"of float64, .* of float32 .*\nFix: example.astype\(np.float32\), or",
        ),
        (X[:0], {}, "has no sample along axis 0"),
        (np.float32(1.0), {}, "has no sample along axis 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(example, options, words):
    with pytest.raises(ArgumentError, match=words):
        to_onnx(perceptron(), example, **options)


@pytest.mark.parametrize(
    ("model", "kind"),
    [(3, "an int"), (X, "an ndarray"), (nn.Linear, "a type"), (None, "a NoneType")],
)
def test_what_is_no_module_is_refused(model, kind):
    words = rf"needs a module first, not {kind} \(at test_export.py:\d+\)\.\nFix: to_onnx\(model"
    with pytest.raises(ArgumentError, match=words):
        to_onnx(model, X)


def test_without_onnx_the_error_names_the_extra(monkeypatch):
    real = builtins.__import__

    def missing(name, *rest):
        if name == "onnx":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingExtraError, match=r"pip install 'tinygrad-bp\[onnx\]'"):
        to_onnx(perceptron(), X)


def test_importing_the_room_does_not_import_onnx():
    code = "import sys, tinygrad_bp.onnx; print('onnx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_table_tells_what_it_has():
    assert {"linear", "convolution", "softmax"} <= set(operations())
    assert tg.onnx.operations() == operations()


def test_a_deep_network_takes_no_recursion_and_no_more_than_its_share_of_time():
    model = nn.Sequential(*(nn.Softsign() for _ in range(2000)))
    start = time.perf_counter()
    to_onnx(model, X, verify=False)
    assert time.perf_counter() - start < 15  # with the path of each module looked up, 40 seconds
