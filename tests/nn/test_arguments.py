from __future__ import annotations

import numpy as np
import pytest
from told import here, told

from tinygrad_bp import nn
from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.nn.arguments import between, positive, shown


class Layer(nn.Module):
    def __init__(self, size, factor=1.0, flag=True, *, dtype=float, generator=None):
        self.size, self.factor, self.flag = size, factor, flag


def test_a_repr_has_what_is_required_and_what_is_not_the_default():
    assert shown(Layer(3)) == "3"
    assert shown(Layer("a", 2.0, False)) == "'a', factor=2.0, flag=False"
    assert shown(Layer(3, 1)) == "3, factor=1"
    assert shown(Layer(3), flag=None, size=4) == "4, flag=None"


def test_a_size_is_a_whole_number_above_zero():
    assert positive("n", 3) == positive("n", np.int64(3)) == 3
    assert type(positive("n", np.uint8(3))) is int
    for wrong in (0, -1, 1.0, "3", True, None):
        with pytest.raises(ArgumentError) as caught:
            positive("n", wrong)
        told(caught, f"n is a positive integer, not {wrong!r} (at {here(-1)})", fix="as n=8.")


def test_a_number_lies_in_its_range():
    assert between("eps", 0, 0) == 0
    assert between("share", 1.0, 0, 1) == 1
    for wrong in (-0.1, 1.1, float("nan"), "1", True, np.True_, None, 1j, [0.5], np.ones(1)):
        with pytest.raises(ArgumentError) as caught:
            between("share", wrong, 0, 1)
        fix = "at least share=0, and at most share=1."
        told(caught, f"share is a number in [0, 1], not {wrong!r} (at {here(-2)})", fix=fix)
    with pytest.raises(ArgumentError) as caught:
        between("eps", float("inf"), 0)
    told(caught, "eps is a number of 0 or more, not inf", fix="at least eps=0.")


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int64, np.uint8])
def test_a_number_of_numpy_is_one_too_and_becomes_one_of_python(kind):
    assert between("share", kind(1), 0, 1) == 1
    assert type(between("share", kind(1), 0, 1)) in (int, float)
