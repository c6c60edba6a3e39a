"""The formulas of the registry, as they are printed in derivations, against the rules.

Every row of the catalogue is called, and each equation of the derivation of what it recorded is
read by `reader.Reader` and computed.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from draw.derivation.auditing import audit

import tinygrad_bp as tg
from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.draw.derivation import explain
from tinygrad_bp.testing.catalogue import cases
from tinygrad_bp.testing.setting import Draw, values_of

SOLVED = "it is any solution of an equation"
INDEXED = "it names elements of elements, or places in more axes than one"
WINDOWS = "it names elements by the windows that hold them"
STEPS = "it says of a step what it has of the one before"
LAYERS = "it says of which elements a mean or a sum is, or which row is taken, in words"
HIDDEN = "a letter stands for something that is not in the graph"
INVERSE = "it is an inverse function or an integral"
WORDS = "it is said in words"

#: What the reader cannot read: the primitive, "forward" or the number of an input, and why.
UNREADABLE = {
    SOLVED: {"complement": "forward", "special.wrightomega": "forward"},
    INDEXED: {
        "cumprod": "0", "diagonal": "0", "make_diagonal": "forward 0", "recurrence": "forward 0 1",
    },
    WINDOWS: {
        "avg_pool": "forward 0", "avg_pool_spread": "forward 0", "convolution": "forward 0 1 2",
        "convolution_weights": "forward 0 1", "max_pool": "forward 0",
        "max_pool_pick": "forward 0", "max_pool_spread": "forward 0",
        "transposed_convolution": "forward 0 1 2",
    },
    STEPS: {
        "gru": "forward 0 1 2 3", "lstm": "forward 0 1 2 3",
        "rnn_relu": "forward 0 1 2", "rnn_tanh": "forward 0 1 2",
    },
    LAYERS: {
        "batch_norm": "forward 0 1 2", "ctc": "forward 0", "embedding": "forward 0",
        "group_norm": "forward 0 1 2", "layer_norm": "forward 0 1",
    },
    HIDDEN: {
        "frexp": "forward 0", "geomspace": "forward 0 1", "linspace": "forward 0 1",
        "nan_to_num": "forward", "partition": "forward 0", "quantile_place": "forward 0",
        "unwrap": "forward 1",
    },
    INVERSE: {
        "special.betainccinv": "forward", "special.betaincinv": "forward",
        "special.dawsn": "forward", "special.gammainccinv": "forward",
        "special.gammaincinv": "forward", "special.spence": "forward", "special.stdtr": "forward",
        "special.stdtrit": "forward 1",
    },
    WORDS: {
        "checkpoint": "forward 0 1 2", "custom_vjp": "forward 0 1", "huber": "forward",
        "set": "forward 0",
    },
}  # fmt: skip

#: Rows in which a formula is not what the rule computes, and why.
ELSEWHERE = {
    "copysign": "among the signs is that of -0.0, which is its bit",
    "nuclear_norm[low rank]": "singular values of 0 count as having a slope of 0",
    "pinv[truncated]": "singular values that are cut off stay cut off when the matrix changes",
    "set[set, repeated]": "what is overwritten at once has no derivative",
}


#: What no row asks for, and what only comes beside terms that cannot be read.
UNASKED = {("special.gdtrc", 0), ("complement", 0)}


def _derivation(case, shapes):
    """What a row records on random inputs, with weights that tell elements apart."""
    values = values_of(case, shapes, Draw(seed=1))
    out = case.call(*(tg.Tensor(x, requires_grad=True) for x in values))
    rng = np.random.default_rng(0)
    loss = tg.Tensor(0.0)
    for part in out if isinstance(out, tuple) else (out,):
        if isinstance(part, tg.Tensor) and part.requires_grad:
            loss = loss + np.sum(part * rng.normal(size=part.shape))
    return explain(loss) if loss.requires_grad else None


@pytest.fixture(scope="module")
def outcome():
    """What became of each formula: which are right, wrong, and unreadable."""
    right, wrong, unreadable = set(), {}, {}
    seen = set()
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in cases():
            shapes = [s for s in case.shapes if all(0 not in shape for shape in s)]
            for each in shapes[: 1 if case.primitive in seen else 4]:
                derivation = _derivation(case, each)
                for kind, key, facts in (
                    audit(derivation, case.primitive) if derivation is not None else ()
                ):
                    if kind == "ok":
                        right.add(key)
                    elif kind == "un":
                        unreadable.setdefault(key, facts)
                    elif str(case) not in ELSEWHERE:
                        wrong.setdefault((str(case), *key), facts)
            seen.add(case.primitive)
    return right, wrong, {key: why for key, why in unreadable.items() if key not in right}


def test_no_formula_is_wrong(outcome):
    assert not outcome[1]


def test_what_cannot_be_read_is_known_and_little(outcome):
    right, _, unreadable = outcome
    print(*(f"{name} {what}: {why}" for (name, what), why in unreadable.items()), sep="\n")
    expected = {
        (name, part if part == "forward" else f"input {part}")
        for names in UNREADABLE.values()
        for name, parts in names.items()
        for part in parts.split()
    }
    assert set(unreadable) == expected
    of_networks = {**UNREADABLE[WINDOWS], **UNREADABLE[STEPS], **UNREADABLE[LAYERS]}
    assert sum(name not in of_networks for name, _ in unreadable) < len(right) / 12


def test_every_formula_of_every_primitive_is_right_or_listed(outcome):
    right, _, unreadable = outcome
    for name in {case.primitive for case in cases()}:
        assert (name, "forward") in right | unreadable.keys(), name
        vjps = PRIMITIVES[name].vjps
        for i, rule in enumerate(vjps if isinstance(vjps, tuple) else ()):
            if rule is not None and (name, i) not in UNASKED:
                assert (name, f"input {i}") in right | unreadable.keys(), (name, i)
