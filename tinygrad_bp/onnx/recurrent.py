"""Rules of recurrent networks over sequences."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.onnx.builder import Builder
from tinygrad_bp.onnx.table import Step, rule

# ONNX has the gates in another order: of an LSTM input, output, forget, cell; of a GRU update,
# reset, new.
_ORDERS = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn_tanh": (0,), "rnn_relu": (0,)}
_OPS = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN", "rnn_relu": "RNN"}


@rule(*_OPS)
def _recurrence(b: Builder, step: Step) -> str:
    """The primitive adds up what comes from the inputs before; here the operator does both."""
    order, units = _ORDERS[step.name], int(step.input(1).shape[1])
    rows = np.concatenate([np.arange(k * units, (k + 1) * units) for k in order])
    pick, first = b.constant(rows), b.whole(0)

    def turned(name: str) -> str:
        """Rows in the order of ONNX, below an axis of directions."""
        name = b.add("Gather", name, pick, axis=0) if len(order) > 1 else name
        return b.add("Unsqueeze", name, first)

    x, weight, bias = _given(b, step, len(rows))
    zeros = b.constant(np.zeros(len(rows), step.out.dtype))
    of_state = step.cast(2) if step.name == "gru" else zeros
    biases = b.add("Concat", turned(bias or zeros), turned(of_state), axis=1)
    given = range(3 if step.name == "gru" else 2, len(step.inputs))
    starts = [step.cast(i) for i in given if step.inputs[i] is not None]  # else zeros
    attributes: dict[str, Any] = {"linear_before_reset": 1} if step.name == "gru" else {}
    if step.name == "rnn_relu":
        attributes = {"activations": ["Relu"]}
    inputs = [x, turned(weight), turned(step.cast(1)), biases, ""]
    inputs += [b.add("Unsqueeze", name, first) for name in starts]
    count = 3 if step.name == "lstm" else 1
    found = b.add_several(_OPS[step.name], inputs, count, hidden_size=units, **attributes)
    states = b.add("Squeeze", found[0], b.whole(1))
    if step.name != "lstm":
        return states
    # All states, and of the cells the last: ONNX does not give the others.
    packed = b.fresh(f"{b.label}both")
    cell = b.add("Squeeze", found[2], first)
    b.parts[packed] = {(0,): states, (1, -1): cell}
    return packed


def _given(b: Builder, step: Step, rows: int) -> tuple[str, str, str | None]:
    """Inputs, their weights and bias, where x is a linear map of them; else x and a unit matrix."""
    maker = step.makers.get(step.input().name)
    if maker is not None and maker.name == "linear" and maker.out.dtype == step.out.dtype:
        bias = maker.inputs[2] if len(maker.inputs) > 2 else None
        return maker.cast(0), maker.cast(1), maker.cast(2) if bias is not None else None
    return step.cast(0), b.constant(np.eye(rows, dtype=step.out.dtype)), None
