from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest
from nn.every_layer import every_layer
from told import told

import tinygrad_bp as tg
from tinygrad_bp import nn
from tinygrad_bp.core.registry import PRIMITIVES
from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn import (
    Add,
    Dropout,
    Flatten,
    Linear,
    Module,
    Parameter,
    Residual,
    Sequential,
    Wired,
)
from tinygrad_bp.nn.costs import MULTIPLY_ADDS


def model():
    return Sequential(
        Flatten(),
        Linear(784, 128),
        np.tanh,
        Sequential(Dropout(0.5, generator=0), Linear(128, 10, bias=False)),
    )


def test_the_table_has_paths_types_shapes_counts_and_totals():
    assert str(model().summary((28, 28), batch_size=2)) == (
        "layer  type        output    parameters  multiply-adds      kept\n"
        "-----  ----------  --------  ----------  -------------  --------\n"
        ".      Sequential  (2, 10)            0              0    1.0 kB\n"
        "0      Flatten     (2, 784)           0              0   0 bytes\n"
        "1      Linear      (2, 128)     100,480        200,704    1.0 kB\n"
        "3      Sequential  (2, 10)            0              0   0 bytes\n"
        "3.0    Dropout     (2, 128)           0              0   0 bytes\n"
        "3.1    Linear      (2, 10)        1,280          2,560  80 bytes\n"
        "101,760 parameters (407.0 kB), all trained\n"
        "203,264 multiply-adds; 2.1 kB kept for the backward pass"
    )


def test_repr_is_the_table_for_the_interactive_prompt():
    summary = Linear(3, 2).summary(3)
    assert repr(summary) == str(summary)


def test_the_rows_are_data():
    summary = model().summary([28, 28])
    assert summary.rows[2].output_shape == (1, 128)
    assert summary.parameters == sum(row.parameters for row in summary.rows) == 101_760


def test_modes_hooks_gradients_and_random_streams_are_left_as_they_were():
    net = model()
    net[1].eval()
    modes = [m.training for m in net.modules()]
    states = [g.bit_generator.state for _, g in net.generators()]
    net.summary((28, 28))
    assert [m.training for m in net.modules()] == modes
    assert [g.bit_generator.state for _, g in net.generators()] == states
    assert not any(m._forward_hooks for m in net.modules())
    assert all(p.grad is None for p in net.parameters())


def test_everything_is_put_back_when_the_shape_does_not_fit():
    net = model()
    with pytest.raises(ShapeError, match=r"in Sequential\.1 \(Linear 784→128\)"):
        net.summary(100)
    assert all(m.training for m in net.modules())
    assert not any(m._forward_hooks for m in net.modules())


def test_a_module_in_several_places_is_counted_once_and_said_to_be_the_same():
    shared, act = Linear(4, 4), nn.ReLU()
    block = Sequential(shared, act)
    model = Sequential(Linear(6, 4), act, block, act, block)
    summary = model.summary(6)
    assert str(summary) == (
        "layer  type                    output  parameters  multiply-adds      kept\n"
        "-----  ----------------------  ------  ----------  -------------  --------\n"
        ".      Sequential              (1, 4)           0              0   0 bytes\n"
        "0      Linear                  (1, 4)          28             24  16 bytes\n"
        "1      ReLU                    (1, 4)           0              0  64 bytes\n"
        "2      Sequential              (1, 4)           0              0   0 bytes\n"
        "2.0    Linear                  (1, 4)          20             32  32 bytes\n"
        "2.1    ReLU (same as 1)        (1, 4)           0              0   0 bytes\n"
        "3      ReLU (same as 1)        (1, 4)           0              0   0 bytes\n"
        "4      Sequential (same as 2)  (1, 4)           0              0   0 bytes\n"
        "48 parameters (192 bytes), all trained\n"
        "56 multiply-adds; 112 bytes kept for the backward pass"
    )
    assert summary.parameters == sum(p.size for p in model.parameters())
    assert [row.same_as for row in summary.rows][-3:] == ["1", "1", "2"]


def test_a_module_in_several_places_shows_the_shape_that_it_gave_in_each():
    act = nn.ReLU()
    rows = Sequential(Linear(6, 5), act, Linear(5, 3), act).summary(6).rows
    assert [row.output_shape for row in rows[1:]] == [(1, 5), (1, 5), (1, 3), (1, 3)]


def test_a_module_that_holds_itself_is_shown_once_more():
    net = Linear(2, 2)
    net.me = net
    assert [(r.path, r.same_as) for r in net.summary(2).rows] == [("", None), ("me", "")]
    assert "me     Linear (same as .)  (1, 2)" in str(net.summary(2))


@pytest.mark.parametrize("shape", ["x", (-2,), (2.0,), None])
def test_what_is_no_shape_is_refused(shape):
    with pytest.raises(ArgumentError) as caught:
        model().summary(shape)
    told(caught, f"no input has the shape {shape!r}", fix="the shape of one sample")


def test_shared_frozen_and_uncalled_parts():
    class Net(Module):
        def __init__(self):
            self.first = Linear(2, 2)
            self.tied = Linear(2, 2, bias=False)
            self.tied.weight = self.first.weight
            self.spare = Linear(5, 5)
            self.frozen = Parameter([1.0, 2.0], dtype=np.float32).requires_grad_(False)

        def forward(self, x):
            return self.tied(self.first(x)), x

    summary = Net().summary(2)
    assert [(r.path, r.output_shape, r.parameters) for r in summary.rows] == [
        ("", "(1, 2), …", 2),
        ("first", (1, 2), 6),
        ("tied", (1, 2), 0),
        ("spare", None, 30),
    ]
    assert "38 parameters (152 bytes), 2 of them not trained" in str(summary)
    assert "not called" in str(summary)


def test_a_module_without_parameters():
    assert "0 parameters (0 bytes), all trained" in str(Flatten().summary((2, 3)))


def test_the_zeros_have_the_dtype_of_the_parameters():
    seen = []

    class Probe(Module):
        def __init__(self):
            self.w = Parameter([1.0], dtype=np.float64)

        def forward(self, x):
            seen.append((x.dtype, x.shape, self.training))
            return x * self.w

    Probe().summary((), batch_size=3)
    Probe().summary((2,), dtype=np.int16)
    assert seen == [(np.float64, (3,), False), (np.int16, (1, 2), False)]
    with tg.no_grad():
        assert Linear(3, 2).summary(3).multiply_adds == 6
    assert tg.is_grad_enabled()


def test_several_inputs_are_lists_of_tuples_or_mappings():
    layers = {"a": Linear(2, 3), "b": Linear(4, 3), "sum": Add()}
    model = Wired(layers, {"a": ["x"], "b": ["y"], "sum": ["a", "b"]}, ("x", "y"))
    for shapes in ([(2,), (4,)], {"x": 2, "y": [4]}):
        assert model.summary(shapes).rows[0].output_shape == (1, 3)
        assert model.summary(shapes).multiply_adds == 6 + 12


@pytest.mark.parametrize("batch_size", [(4,), 0, 1.5])
def test_an_input_in_place_of_the_batch_size_is_an_error_that_shows_the_list(batch_size):
    with pytest.raises(ArgumentError, match=r"batch_size=.* is no number[^\0]*summary\(\[\(3,\), "):
        Linear(2, 3).summary((2,), batch_size)


class Called(Module):
    """A function as a module with parameters, from which its operations are recorded."""

    def __init__(self, function, *shapes):
        self.function = function
        self.weights = [Parameter(np.ones(shape)) for shape in shapes]

    def forward(self, x):
        return self.function(x * self.weights[0][:0].sum() + x, *self.weights)


N = 3
COUNTED = {
    "Linear": (lambda: Linear(4, 5), (6, 4), N * 6 * 4 * 5),
    "a shared layer": (lambda: Sequential(*[Linear(4, 4)] * 3), (4,), 3 * N * 4 * 4),
    "Conv1d": (lambda: nn.Conv1d(2, 5, 3, padding=1), (2, 7), N * 5 * 7 * 2 * 3),
    "Conv2d": (lambda: nn.Conv2d(4, 6, (3, 2), stride=2), (4, 9, 8), N * 6 * 4 * 4 * 4 * 6),
    "grouped": (lambda: nn.Conv2d(4, 6, 3, groups=2), (4, 5, 5), N * 6 * 3 * 3 * 2 * 9),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(4, 6, 3), (4, 5, 5), N * 4 * 25 * 6 * 9),
    "RNN": (lambda: nn.RNN(4, 5, batch_first=True), (7, 4), N * 7 * (4 * 5 + 5 * 5)),
    "GRU": (lambda: nn.GRU(4, 5, batch_first=True), (7, 4), N * 7 * 3 * (4 * 5 + 5 * 5)),
    "LSTM": (
        lambda: nn.LSTM(4, 5, num_layers=2, bidirectional=True, batch_first=True),
        (7, 4),
        N * 7 * 2 * 4 * ((4 * 5 + 5 * 5) + (10 * 5 + 5 * 5)),
    ),
    "matmul": (lambda: Called(lambda x, w: x @ w, (4, 5)), (6, 4), N * 6 * 4 * 5),
    "dot": (lambda: Called(lambda x, w: np.dot(x, w), (4,)), (6, 4), N * 6 * 4),
    "einsum": (
        lambda: Called(lambda x, w: np.einsum("nij,jk->nk", x, w), (4, 5)), (6, 4), N * 6 * 4 * 5
    ),
    "tensordot": (
        lambda: Called(lambda x, w: np.tensordot(x, w, ([2], [1])), (5, 4)), (6, 4), N * 6 * 4 * 5
    ),
    "vecdot": (lambda: Called(lambda x, w: np.vecdot(x, w), (4,)), (6, 4), N * 6 * 4),
    "convolve": (lambda: Called(lambda x, w: np.convolve(x[:, 0], w), (4,)), (6,), N * 4),
    "three factors": (
        lambda: Called(lambda x, w: np.einsum("ni,ij,ij->nj", x, w, w), (4, 5)),
        (4,),
        2 * N * 4 * 5,
    ),
    "tanh alone": (lambda: Called(lambda x, w: np.tanh(x), (4,)), (6, 4), 0),
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTED)
@pytest.mark.parametrize("frozen", [False, True])
def test_multiply_adds_are_those_counted_by_hand(name, frozen):
    make, shape, expected = COUNTED[name]
    model = make()
    for parameter in model.parameters():
        parameter.requires_grad = not frozen
    summary = model.summary(shape, batch_size=N)
    assert summary.multiply_adds == sum(row.multiply_adds for row in summary.rows) == expected
    assert all(parameter.requires_grad != frozen for parameter in model.parameters())
    assert (summary.kept == 0) == frozen


def test_what_is_counted_are_primitives():
    assert set(MULTIPLY_ADDS) <= set(PRIMITIVES)


def test_every_layer_with_a_matrix_of_weights_multiplies():
    exempt = {"Embedding", "EmbeddingBag", "LayerNorm", "RMSNorm"}
    for kind, layer, inputs in every_layer():
        if kind not in exempt and any(p.ndim > 1 for p in layer.parameters()):
            shapes = [x.shape[1:] for x in inputs]
            assert layer.summary(shapes).multiply_adds > 0, kind


@pytest.mark.parametrize(
    "make",
    [
        lambda: Sequential(Linear(400, 300), np.tanh, Residual(Linear(300, 300), np.tanh)),
        lambda: Sequential(nn.Unflatten(1, (1, 20, 20)), nn.Conv2d(1, 8, 3), nn.ReLU(),
                           nn.MaxPool2d(2), nn.Flatten(), Linear(648, 10)),
        lambda: Sequential(nn.Unflatten(1, (20, 20)), nn.LSTM(20, 30, batch_first=True)),
    ],
)  # fmt: skip
def test_the_memory_that_is_kept_is_what_python_measures(make):
    model = make()
    x = np.zeros((200, 400), np.float32)
    told = model.summary(400, batch_size=200).kept
    model.eval()(x)
    gc.collect()
    tracemalloc.start()
    y = model(x)
    gc.collect()
    measured = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert y is not None
    assert told == pytest.approx(measured, rel=0.03)


def test_what_a_layer_gives_that_is_no_array_is_told_by_its_type():
    class Named(Module):
        def forward(self, x):
            return {"x": x, "none": ()}

    class Nothing(Module):
        def forward(self, x):
            return ()

    assert Named().summary(2).rows[0].output_shape == "dict"
    assert Nothing().summary(2).rows[0].output_shape == "tuple"
    lstm = nn.LSTM(4, 5, batch_first=True).summary((7, 4))
    assert lstm.rows[0].output_shape == "(1, 7, 5), …"
    assert lstm.kept > 0


def test_what_is_frozen_before_the_first_that_is_trained_keeps_nothing():
    model = Sequential(Linear(4, 4), np.tanh, Linear(4, 4), Linear(4, 4))
    for parameter in model[0].parameters():
        parameter.requires_grad = False
    rows = model.summary(4).rows
    assert [row.kept for row in rows] == [0, 0, 32, 16]  # the third has what tanh gave, too
    assert [row.multiply_adds for row in rows] == [0, 16, 16, 16]
