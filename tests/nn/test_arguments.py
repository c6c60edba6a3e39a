from __future__ import annotations

import numpy as np
import pytest

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
        with pytest.raises(ArgumentError, match="n is a positive integer, not"):
            positive("n", wrong)


def test_a_number_lies_in_its_range():
    assert between("eps", 0, 0) == 0
    assert between("share", 1.0, 0, 1) == 1
    for wrong in (-0.1, 1.1, float("nan"), "1", True, None):
        with pytest.raises(ArgumentError, match=r"share is a number in \[0, 1\], not"):
            between("share", wrong, 0, 1)
    with pytest.raises(ArgumentError, match="eps is a number of 0 or more, not inf"):
        between("eps", float("inf"), 0)
