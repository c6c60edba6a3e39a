"""Every rule of the table, on the ways in which the catalogue calls its primitive."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_export.running import both_agree

from tinygrad_bp import nn
from tinygrad_bp.errors import ExportError
from tinygrad_bp.onnx.table import RULES, load
from tinygrad_bp.onnx.tracing import name_of, trace
from tinygrad_bp.testing.catalogue import cases

CASES = [case for case in cases() if case.primitive in load()]


class Calls(nn.Module):
    """A function of arrays as a module."""

    def __init__(self, function):
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def drawn(case, shapes, seed=0):
    """Inputs in float32, within the domains of the case."""
    rng = np.random.default_rng(seed)
    for i, shape in enumerate(shapes):
        low, high = case.domains[i] if i < len(case.domains) else (-2, 2)
        yield rng.uniform(low, high, shape).astype(np.float32)


#: Ways to call a primitive of which some are refused, with the words of the error.
REFUSED = {
    "tril": "it makes a matrix of a vector",
    "triu": "it makes a matrix of a vector",
    "einsum[ij,ij->i]": "the axis 'i' of length 1 is broadcast",
    "einsum[...ij,...jk->...ik]": "of length 1 is broadcast",
    "gather[truth value]": "a single truth value is no position",
    "pad[own values]": "its ends have values of their own",
    "lstm[from zeros]": "of the cells of an LSTM, ONNX has the last ones alone",
    "lstm": "of the cells of an LSTM, ONNX has the last ones alone",
    # What they compute depends on the values in a way that is not in the graph.
    "concatenate[polydiv, rest]": "values",
    "divide[corrcoef]": "values",
    "divide[corrcoef, two in columns]": "values",
    "where[interp, x]": "values",
    "where[interp, x, values beyond]": "values",
    "where[interp, values]": "values",
    "where[interp, points]": "values",
    "where[interp, period]": "values",
}


@pytest.mark.filterwarnings("ignore:Arrays of 2-dimensional vectors:DeprecationWarning")
@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_a_primitive_computes_onnx_computes_too(case):
    """In all shapes of the catalogue, but for arrays without axes or elements."""
    refused = set()
    for shapes in case.shapes:
        if () in shapes or any(0 in shape for shape in shapes):
            continue
        module, inputs = Calls(case.call), tuple(drawn(case, shapes))
        try:
            both_agree(module, inputs, batch_axis=None, tolerance=2e-5)
        except ExportError as error:
            words = str(error)
        else:
            continue
        other = "ONNX has no such operation" in words
        assert other or REFUSED.get(str(case), "nothing") in words, words
        assert not other or {name_of(n) for n in trace(module, inputs).nodes} - RULES.keys()
        refused.add(other)
    assert (False in refused) == (str(case) in REFUSED)
