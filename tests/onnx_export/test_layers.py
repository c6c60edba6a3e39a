"""Every registered layer is exported, and computes the same."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_export.examples import EXAMPLES, trained
from onnx_export.running import both_agree

from tinygrad_bp.nn.registry import LAYERS

SHIPPED = [name for name, kind in LAYERS.items() if kind.cls.__module__.startswith("tinygrad_bp.")]


def inputs(make, shape, samples):
    rng = np.random.default_rng(samples)
    if callable(shape):
        return shape(rng, samples)
    return rng.normal(size=(samples, *shape)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "make", "shape"), EXAMPLES, ids=[f"{k}-{e[0]}" for k, e in enumerate(EXAMPLES)]
)
def test_a_layer_computes_the_same_in_onnx(name, make, shape):
    layer = trained(make())
    example, batch = inputs(make, shape, 1), inputs(make, shape, 4)
    for opset in (17, 21):  # `verify` would do once more what is done here on other numbers
        both_agree(layer, example, batch=batch, opset=opset, verify=False)


def test_every_registered_layer_has_an_example():
    """What is refused is an option or a use of one; see test_networks.py."""
    assert set(SHIPPED) == {name for name, _, _ in EXAMPLES}
