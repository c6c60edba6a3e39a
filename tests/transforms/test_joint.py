from __future__ import annotations

import numpy as np

import tinygrad_bp as tg
from tinygrad_bp.transforms.joint import Call, Packed


class Product(Call):
    """Cotangents of x · y, and how often they were computed."""

    count = 0

    def pull(self, g, out, inputs):
        self.count += 1
        return [g * inputs[1], g * inputs[0]]


def test_one_computation_answers_all_questions_of_a_pass():
    call, g = Product(), np.ones(2)
    assert [call.part(i, g, None, [2.0, 3.0])[0] for i in (0, 1)] == [3.0, 2.0]
    assert call.count == 1
    assert call._kept is None


def test_the_next_pass_computes_anew():
    call, g = Product(), np.ones(2)
    for _ in range(2):
        call.part(0, g, None, [2.0, 3.0])
    assert call.count == 2


def test_a_cotangent_that_was_written_to_counts_as_another():
    call, g = Product(), np.ones(2)
    call.part(0, g, None, [2.0, 3.0])
    g[:] = 10.0
    assert call.part(1, g, None, [2.0, 3.0])[0] == 20.0


def test_several_outputs_are_packed_end_to_end():
    packed = Packed({"a": tg.Tensor([[1.0, 2.0]]), "b": (3.0, "text"), "c": np.float32(4)})
    np.testing.assert_array_equal(packed.value(), [1.0, 2.0, 3.0, 4.0])
    built = packed.build(np.arange(4.0))
    np.testing.assert_array_equal(built["a"], [[0.0, 1.0]])
    assert built["b"] == (2.0, "text")
    assert (built["c"], built["c"].dtype) == (3.0, np.float32)
