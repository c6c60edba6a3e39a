"""What tests of gradient checks share: a module to check, and what a check has found."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.testing import GradientError, check_gradients


def verdicts(check):
    """The verdicts of the first argument at order 1, as one word where all are the same."""
    found = [str(v) for v in check.arguments[0].verdicts.ravel()]
    return found[0] if len(set(found)) == 1 else found


def failure(*args, **kwargs):
    """What a check that fails has found."""
    with pytest.raises(GradientError) as caught:
        check_gradients(*args, **kwargs)
    assert str(caught.value) == str(caught.value.check)
    return caught.value.check


class Network:
    """What check_gradients knows of a module: its named parameters."""

    def __init__(self):
        self.weight = tg.Tensor([[1.0, -2.0, 0.5]], requires_grad=True, dtype=np.float32)
        self.bias = tg.Tensor([0.3], requires_grad=True, dtype=np.float32)

    def named_parameters(self):
        return iter([("layer.weight", self.weight), ("layer.bias", self.bias)])
