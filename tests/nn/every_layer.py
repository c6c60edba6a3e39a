"""One of each layer that ships, as a spec declares it: for tests that go over all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_bp.nn import Module, NetworkSpec
from tinygrad_bp.nn.registry import LAYERS

_ROWS, _IMAGE, _VOLUME, _STEPS = (4, 6), (4, 8, 8), (4, 6, 6, 6), (5, 6)
_RECURRENT = {"hidden_size": 3, "batch_first": True, "returns": "sequence"}
_BLOCK = {"nhead": 2, "dim_feedforward": 8, "batch_first": True}
_TWO = {"x": _STEPS, "memory": (7, 6)}
_LINEAR = {"type": "Linear", "out_features": 6}

#: Of each layer, the shape of a sample, of several inputs by name, and the arguments that it must
#: have. What is not here is declared without arguments, for samples (4, 6).
DECLARED: dict[str, tuple[Any, dict[str, Any]]] = {
    "Bilinear": ({"x": (6,), "y": (5,)}, {"out_features": 3}),
    "Add": ({"x": _ROWS, "y": _ROWS}, {}),
    "CosineSimilarity": ({"x1": _ROWS, "x2": _ROWS}, {}),
    "PairwiseDistance": ({"x1": _ROWS, "x2": _ROWS}, {}),
    "Linear": (_ROWS, {"out_features": 3}),
    "Sequential": (_ROWS, {"layers": [_LINEAR, {"type": "Tanh"}]}),
    "Residual": (_ROWS, {"layers": [_LINEAR], "shortcut": _LINEAR}),
    "Concat": (_ROWS, {"branches": [_LINEAR, {"type": "Tanh"}]}),
    "Unflatten": (_ROWS, {"axis": 2, "unflattened_size": [2, 3]}),
    "Lambda": (_ROWS, {"function": "np.mean", "arguments": {"axis": 1}}),
    "Maxout": (_ROWS, {"pool_size": 2}),
    "Softmax2d": (_IMAGE, {}),
    "Threshold": (_ROWS, {"threshold": 0.1, "value": 20.0}),
    "RNNCell": ((6,), {"hidden_size": 3}),
    "GRUCell": ((6,), {"hidden_size": 3}),
    "LSTMCell": ((6,), {"hidden_size": 3}),
    "RNN": (_STEPS, _RECURRENT),
    "GRU": (_STEPS, _RECURRENT),
    "LSTM": (_STEPS, _RECURRENT),
    "GroupNorm": (_IMAGE, {"num_groups": 2}),
    "LocalResponseNorm": (_IMAGE, {"size": 3}),
    "Upsample": (_IMAGE, {"scale_factor": 2}),
    "PixelShuffle": (_IMAGE, {"upscale_factor": 2}),
    "PixelUnshuffle": (_IMAGE, {"downscale_factor": 2}),
    "Unfold": (_IMAGE, {"kernel_size": 3}),
    "Fold": ((36, 36), {"output_size": [8, 8], "kernel_size": 3}),
    "Embedding": ((5,), {"num_embeddings": 10, "embedding_dim": 3}),
    "EmbeddingBag": ((5,), {"num_embeddings": 10, "embedding_dim": 3}),
    "MultiheadAttention": (
        _STEPS,
        {"num_heads": 2, "batch_first": True, "returns": "output"},
    ),
    "TransformerEncoderLayer": (_STEPS, _BLOCK),
    "TransformerDecoderLayer": (_TWO, _BLOCK),
    "TransformerEncoder": (
        _STEPS,
        {"encoder_layer": {"type": "TransformerEncoderLayer", **_BLOCK}, "num_layers": 2},
    ),
    "TransformerDecoder": (
        _TWO,
        {"decoder_layer": {"type": "TransformerDecoderLayer", **_BLOCK}, "num_layers": 2},
    ),
    "Transformer": (_TWO, {**_BLOCK, "num_encoder_layers": 1, "num_decoder_layers": 1}),
    "SinusoidalPositions": (_STEPS, {"batch_first": True}),
}
for _i, _shape in ((1, _ROWS), (2, _IMAGE), (3, _VOLUME)):
    DECLARED[f"Conv{_i}d"] = (_shape, {"out_channels": 3, "kernel_size": 3})
    DECLARED[f"ConvTranspose{_i}d"] = (_shape, {"out_channels": 3, "kernel_size": 3})
    for _kind in ("MaxPool", "AvgPool"):
        DECLARED[f"{_kind}{_i}d"] = (_shape, {"kernel_size": 2})
    for _kind in ("AdaptiveAvgPool", "AdaptiveMaxPool"):
        DECLARED[f"{_kind}{_i}d"] = (_shape, {"output_size": 2})
    for _kind in ("CircularPad", "ReflectionPad", "ReplicationPad", "ZeroPad"):
        DECLARED[f"{_kind}{_i}d"] = (_shape, {"padding": 1})
    DECLARED[f"ConstantPad{_i}d"] = (_shape, {"padding": 1, "value": 0.5})
    for _kind in ("BatchNorm", "InstanceNorm", "Dropout"):
        DECLARED[f"{_kind}{_i}d"] = (_shape, {})


def names() -> list[str]:
    """Of all layers that ship."""
    ours = (n for n, kind in LAYERS.items() if kind.cls.__module__.startswith("tinygrad_bp."))
    return sorted(ours)


def spec_of(name: str, dtype: str = "float32") -> NetworkSpec:
    """A network of this layer alone."""
    shape, arguments = DECLARED.get(name, (_ROWS, {}))
    wires = {"inputs": [*shape]} if isinstance(shape, dict) else {}
    return NetworkSpec(shape, [{"type": name, **arguments, **wires}], dtype)


def one(name: str, dtype: str = "float32") -> tuple[Module, tuple[Any, ...]]:
    """A layer in eval mode, and inputs of two samples."""
    spec = spec_of(name, dtype)
    layer = spec.build(0)[0].eval()
    rng = np.random.default_rng(0)
    shapes = spec.input_shape.values() if isinstance(spec.input_shape, dict) else [spec.input_shape]
    first, *others = [rng.normal(size=(2, *shape)).astype(dtype) for shape in shapes]
    if layer.takes_indices:
        first = rng.integers(0, 5, first.shape)
    return layer, (first, *others)


def every_layer(dtype: str = "float32") -> Iterator[tuple[str, Module, tuple[Any, ...]]]:
    """The name of each layer, the layer in eval mode, and inputs of two samples."""
    for name in names():
        yield name, *one(name, dtype)
