"""Rows of cells, recurrent networks and packed sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
from with_torch.rows import Case, row

import tinygrad_bp as tg
from tinygrad_bp.nn import packing


def cell(rng: np.random.Generator, kind: str, **options: Any) -> Case:
    import torch

    n, units, bias = int(rng.integers(1, 5)), int(rng.integers(1, 5)), bool(rng.integers(2))
    ours = getattr(tg.nn, kind)(n, units, bias, dtype=float, generator=rng, **options)
    theirs = getattr(torch.nn, kind)(n, units, bias, **options)
    rows = [(int(rng.integers(1, 4)),), ()][int(rng.integers(2))]
    states = [rng.normal(size=(*rows, units)) for _ in range(2 if kind == "LSTMCell" else 1)]
    inputs: tuple[Any, ...] = (rng.normal(size=(*rows, n)),)
    if not rng.integers(3):
        return Case(ours, theirs, inputs)
    return Case(
        _with_states(ours), _with_states(theirs), (*inputs, *states), modules=(ours, theirs)
    )


def _with_states(module: Any) -> Any:
    """The module as a function of its input and each of the states before."""

    def call(x: Any, *states: Any) -> Any:
        return module(x, states if len(states) > 1 else states[0])

    return call


@row("RNNCell", "bias, nonlinearity, state given or not, one sample or several")
def rnn_cell(rng: np.random.Generator) -> Case:
    return cell(rng, "RNNCell", nonlinearity=str(rng.choice(["tanh", "relu"])))


@row("LSTMCell", "bias, states given or not, one sample or several")
def lstm_cell(rng: np.random.Generator) -> Case:
    return cell(rng, "LSTMCell")


@row("GRUCell", "bias, state given or not, one sample or several")
def gru_cell(rng: np.random.Generator) -> Case:
    return cell(rng, "GRUCell")


def network(rng: np.random.Generator, kind: str, packed: bool = False, **options: Any) -> Case:
    import torch

    n, units, steps, samples = (int(k) for k in rng.integers(1, 4, size=4))
    units += 1
    options |= {
        "num_layers": int(rng.integers(1, 3)),
        "bias": bool(rng.integers(2)),
        "batch_first": bool(rng.integers(2)),
        "bidirectional": bool(rng.integers(2)),
    }
    if kind == "LSTM" and rng.integers(2):
        options["proj_size"] = int(rng.integers(1, units))
    ours = getattr(tg.nn, kind)(n, units, dtype=float, generator=rng, **options)
    theirs = getattr(torch.nn, kind)(n, units, **options)
    single = not packed and not rng.integers(4)
    shape = (samples, steps) if options["batch_first"] else (steps, samples)
    x = rng.normal(size=(steps, n) if single else (*shape, n))
    rows = options["num_layers"] * (1 + options["bidirectional"])
    sizes = [options.get("proj_size", units), units][: 2 if kind == "LSTM" else 1]
    states = [rng.normal(size=(rows, k) if single else (rows, samples, k)) for k in sizes]
    inputs = (x, *states) if rng.integers(2) else (x,)
    lengths = rng.integers(1, steps + 1, size=samples) if packed else None
    return Case(_over(ours, lengths), _over(theirs, lengths), tuple(inputs), modules=(ours, theirs))


def _over(module: Any, lengths: Any) -> Any:
    """The module as a function of sequences, packed if they have lengths, and of the states."""
    from torch.nn.utils import rnn

    owner: Any = packing if isinstance(module, tg.nn.Module) else rnn

    def call(x: Any, *states: Any) -> Any:
        hx = states if len(states) > 1 else states[0] if states else None
        if lengths is None:
            return module(x, hx)
        y, after = module(
            owner.pack_padded_sequence(x, lengths.tolist(), module.batch_first, False), hx
        )
        return (*owner.pad_packed_sequence(y, module.batch_first, -1.0), after)

    return call


OPTIONS = "layers, bias, batch_first, bidirectional, states given or not"


@row("RNN", f"nonlinearity, {OPTIONS}, one sample or several", cases=24)
def rnn(rng: np.random.Generator) -> Case:
    return network(rng, "RNN", nonlinearity=str(rng.choice(["tanh", "relu"])))


@row("LSTM", f"{OPTIONS}, proj_size, one sample or several", cases=24)
def lstm(rng: np.random.Generator) -> Case:
    return network(rng, "LSTM")


@row("GRU", f"{OPTIONS}, one sample or several", cases=24)
def gru(rng: np.random.Generator) -> Case:
    return network(rng, "GRU")


@row("RNN, packed", f"lengths, nonlinearity, {OPTIONS}")
def packed_rnn(rng: np.random.Generator) -> Case:
    return network(rng, "RNN", packed=True, nonlinearity=str(rng.choice(["tanh", "relu"])))


@row("LSTM, packed", f"lengths, proj_size, {OPTIONS}")
def packed_lstm(rng: np.random.Generator) -> Case:
    return network(rng, "LSTM", packed=True)


@row("GRU, packed", f"lengths, {OPTIONS}")
def packed_gru(rng: np.random.Generator) -> Case:
    return network(rng, "GRU", packed=True)
