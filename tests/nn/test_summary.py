from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import ShapeError
from tinygrad_bp.nn import Dropout, Flatten, Linear, Module, Parameter, Sequential


def model():
    return Sequential(
        Flatten(),
        Linear(784, 128),
        np.tanh,
        Sequential(Dropout(0.5, generator=0), Linear(128, 10, bias=False)),
    )


def test_the_table_has_paths_types_shapes_counts_and_totals():
    assert str(model().summary((28, 28), batch_size=2)) == (
        "layer  type        output    parameters\n"
        "-----  ----------  --------  ----------\n"
        ".      Sequential  (2, 10)            0\n"
        "0      Flatten     (2, 784)           0\n"
        "1      Linear      (2, 128)     100,480\n"
        "3      Sequential  (2, 10)            0\n"
        "3.0    Dropout     (2, 128)           0\n"
        "3.1    Linear      (2, 10)        1,280\n"
        "101,760 parameters (407.0 kB), all trained"
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
        ("", "tuple", 2),
        ("first", (1, 2), 6),
        ("tied", (1, 2), 0),
        ("spare", None, 30),
    ]
    assert str(summary).endswith("38 parameters (152 bytes), 2 of them not trained")
    assert "not called" in str(summary)


def test_a_module_without_parameters():
    assert "0 parameters (0 bytes), all trained" in str(Flatten().summary((2, 3)))


def test_recording_is_off_and_the_zeros_have_the_dtype_of_the_parameters():
    seen = []

    class Probe(Module):
        def __init__(self):
            self.w = Parameter([1.0], dtype=np.float64)

        def forward(self, x):
            seen.append((x.dtype, x.shape, tg.is_grad_enabled(), self.training))
            return x * self.w

    Probe().summary((), batch_size=3)
    assert seen == [(np.float64, (3,), False, False)]
