"""Layers for inputs of a shape of their own: a small sample's, with the layer as a spec has it."""

from __future__ import annotations

from typing import Any

Shaped = tuple[tuple[int, ...], dict[str, Any]]

_SIZES = {1: (3,), 2: (2, 3), 3: (2, 1, 2)}
_WINDOWS = {1: 2, 2: [1, 2], 3: [2, 1, 1]}
_PADDINGS = ("Circular", "Reflection", "Replication", "Zero")


def _along(axes: int) -> list[Shaped]:
    """Those that there are for each number of axes."""
    image = (2, *_SIZES[axes])
    window: dict[str, Any] = {"kernel_size": _WINDOWS[axes]}
    ends = [1] + [0] * (2 * axes - 1)
    conv = {**window, "out_channels": 2, "groups": 2}
    return [
        (image, {"type": f"Conv{axes}d", **conv, "padding": "same"}),
        (image, {"type": f"ConvTranspose{axes}d", **conv, "stride": 2, "output_padding": 1}),
        (image, {"type": f"MaxPool{axes}d", **window, "stride": 1}),
        (image, {"type": f"AvgPool{axes}d", **window, "ceil_mode": True}),
        (image, {"type": f"AdaptiveAvgPool{axes}d", "output_size": 2}),
        (image, {"type": f"AdaptiveMaxPool{axes}d", "output_size": 2}),
        (image, {"type": f"BatchNorm{axes}d"}),
        (image, {"type": f"InstanceNorm{axes}d", "affine": True}),
        (image, {"type": f"Dropout{axes}d"}),
        (image, {"type": f"ConstantPad{axes}d", "padding": 1, "value": 0.5}),
        *((image, {"type": f"{kind}Pad{axes}d", "padding": ends}) for kind in _PADDINGS),
    ]


_STEPS = {"batch_first": True, "returns": "sequence", "hidden_size": 2}
_BLOCK = {"nhead": 1, "dim_feedforward": 2, "batch_first": True}
_LINEAR = {"type": "Linear", "out_features": 2}

#: Those that take one array of real numbers, and give one.
SHAPED: tuple[Shaped, ...] = (
    *(row for axes in _SIZES for row in _along(axes)),
    ((1, 2, 3), {"type": "Upsample", "scale_factor": 2}),
    ((1, 2, 3), {"type": "Upsample", "size": 4, "mode": "bilinear"}),
    ((4, 1, 2), {"type": "PixelShuffle", "upscale_factor": 2}),
    ((1, 2, 4), {"type": "PixelUnshuffle", "downscale_factor": 2}),
    ((2, 2, 3), {"type": "Unfold", "kernel_size": 2}),
    ((4, 4), {"type": "Fold", "output_size": 3, "kernel_size": 2}),
    ((2, 3), {"type": "LayerNorm"}),
    ((3,), {"type": "RMSNorm"}),
    ((4, 2), {"type": "GroupNorm", "num_groups": 2}),
    ((3, 2), {"type": "LocalResponseNorm", "size": 3}),
    ((2, 1, 3), {"type": "Softmax2d"}),
    ((2,), {"type": "CReLU"}),
    ((4,), {"type": "GLU"}),
    ((4,), {"type": "Maxout", "pool_size": 2}),
    ((2,), {"type": "PReLU"}),
    ((2,), {"type": "Hardshrink"}),
    ((2,), {"type": "Threshold", "threshold": 0.5, "value": 2.0}),
    ((2,), {"type": "AlphaDropout"}),
    ((2, 2), {"type": "FeatureAlphaDropout"}),
    ((2,), {"type": "GaussianDropout"}),
    ((2,), {"type": "GaussianNoise"}),
    ((2,), {"type": "DropPath"}),
    ((4,), {"type": "Unflatten", "axis": 1, "unflattened_size": [2, 2]}),
    ((2, 2), {"type": "Lambda", "function": "np.mean", "arguments": {"axis": 1}}),
    ((2,), {"type": "Residual", "layers": [_LINEAR]}),
    ((2,), {"type": "Concat", "branches": [_LINEAR, {"type": "Tanh"}]}),
    ((2,), {"type": "RNNCell", "hidden_size": 2}),
    ((2,), {"type": "GRUCell", "hidden_size": 2}),
    ((3, 2), {"type": "RNN", **_STEPS}),
    ((3, 2), {"type": "GRU", **_STEPS}),
    ((3, 2), {"type": "LSTM", **_STEPS}),
    (
        (2, 2),
        {"type": "MultiheadAttention", "num_heads": 1, "batch_first": True, "returns": "output"},
    ),
    ((2, 3), {"type": "TransformerEncoderLayer", **_BLOCK}),
    (
        (2, 3),
        {
            "type": "TransformerEncoder",
            "encoder_layer": {"type": "TransformerEncoderLayer", **_BLOCK},
            "num_layers": 1,
        },
    ),
    ((3, 2), {"type": "SinusoidalPositions", "batch_first": True}),
    ((3, 2), {"type": "RotaryPositions"}),
)

#: Those that take or give several arrays, or take indices.
SEVERAL = frozenset(
    {
        "Add",
        "Bilinear",
        "CosineSimilarity",
        "Embedding",
        "EmbeddingBag",
        "LSTMCell",
        "PairwiseDistance",
        "Transformer",
        "TransformerDecoder",
        "TransformerDecoderLayer",
    }
)
