"""For each registered layer, networks of it with all their options, and the shape of a sample."""

from __future__ import annotations

from functools import partial

import numpy as np

from tinygrad_bp import nn

G = {"generator": 0}
SIZES = {1: (9,), 2: (7, 6), 3: (5, 4, 5)}


def of(name, shape, *args, **options):
    """An example: the name of a layer, how to make it, and the shape of a sample."""
    return name, partial(getattr(nn, name), *args, **options), shape


def trained(layer):
    """The layer, with parameters and running statistics that it has not begun with."""
    rng = np.random.default_rng(1)
    for name, buffer in layer.named_buffers():
        if buffer.dtype.kind == "f":
            wide = 0.5 + rng.random(buffer.shape)
            buffer.assign(wide if "var" in name else rng.normal(size=buffer.shape))
    for parameter in layer.parameters():
        parameter.assign(parameter.data + rng.normal(0, 0.2, parameter.shape))
    return layer


def activations():
    for name in (
        *("Hardsigmoid", "Hardswish", "Identity", "LogSigmoid", "Mish", "ReLU", "ReLU6", "SELU"),
        *("SiLU", "Sigmoid", "Softmin", "Softplus", "Softsign", "Tanh", "Tanhshrink", "CReLU"),
    ):
        yield of(name, (4, 6))
    for axis in (-1, 1):
        yield of("Softmax", (3, 4), axis)
        yield of("LogSoftmax", (3, 4), axis)
        yield of("GLU", (4, 6), axis)
    for approximate in ("none", "tanh"):
        yield of("GELU", (5,), approximate)
    yield of("Softmax2d", (3, 4, 5))
    yield of("Softplus", (4, 6), beta=2.0, threshold=1.5)
    yield of("ELU", (5,), 0.7)
    yield of("LeakyReLU", (5,), 0.2)
    yield of("CELU", (4, 6), 0.6)
    yield of("ClippedReLU", (4, 6), 0.7)
    yield of("Hardshrink", (4, 6), 0.3)
    yield of("Softshrink", (4, 6), 0.3)
    yield of("Hardtanh", (4, 6), -0.4, 0.6)
    yield of("Maxout", (4, 6), 2)
    yield of("PReLU", (4, 6))
    yield of("PReLU", (4, 6), 4)
    yield of("RReLU", (4, 6), **G)
    yield of("Threshold", (4, 6), 0.2, -1.5)


def dropouts():
    for name in ("Dropout", "AlphaDropout", "DropPath", "GaussianDropout", "GaussianNoise"):
        yield of(name, (3, 4), 0.5, **G)
    yield of("FeatureAlphaDropout", (3, 4, 2), 0.5, **G)
    for n, size in SIZES.items():
        yield of(f"Dropout{n}d", (3, *size), 0.5, **G)


def containers():
    linear = partial(nn.Linear, **G)
    yield of("Add", sequences(3, 3))
    yield of("Concat", (3,), linear(3, 2), nn.Identity())
    yield of("Residual", (3,), linear(3, 2), shortcut=linear(3, 2))
    yield of("Lambda", (3,), np.tanh)
    yield of("Sequential", (3,), linear(3, 4), nn.ReLU(), linear(4, 2))
    yield of("Flatten", (2, 3, 4))
    yield of("Flatten", (2, 3, 4), 2, 3)
    yield of("Flatten", (2, 3, 4), 0, 2)
    yield of("Unflatten", (6, 2), 1, (2, 3))
    yield of("Linear", (3,), 3, 2, **G)
    yield of("Linear", (4, 3), 3, 2, bias=False, **G)
    yield of("Linear", (2, 4, 3), 3, 2, **G)


def normalisation():
    for n, size in SIZES.items():
        for affine in (True, False):
            for track in (True, False):
                options = {"affine": affine, "track_running_stats": track}
                yield of(f"BatchNorm{n}d", (3, *size), 3, **options)
                yield of(f"InstanceNorm{n}d", (3, *size), 3, **options)
    yield of("BatchNorm1d", (3,), 3)
    for affine in (True, False):
        yield of("GroupNorm", (4, 3, 2), 2, 4, affine=affine)
        yield of("LayerNorm", (4, 3, 2), (3, 2), elementwise_affine=affine)
        yield of("RMSNorm", (4, 3), 3, elementwise_affine=affine)
    yield of("LayerNorm", (4, 3), 3, bias=False)
    yield of("LocalResponseNorm", (5, 3, 2), 3)


def convolution():
    for n, size in SIZES.items():
        here, up = (4, *size), (4, *(2, 3, 1)[:n])  # the reference evaluator takes its time
        for name, shape in ((f"Conv{n}d", here), (f"ConvTranspose{n}d", up)):
            yield of(name, shape, 4, 6, 3, **G)
            yield of(name, shape, 4, 6, 3, stride=2, padding=1, groups=2, **G)
            yield of(name, shape, 4, 6, 2, dilation=2, bias=False, **G)
        yield of(f"Conv{n}d", here, 4, 2, 3, padding="same", **G)
        for mode in ("reflect", "replicate", "circular"):
            yield of(f"Conv{n}d", here, 4, 2, 3, padding=2, padding_mode=mode, **G)
        options = {"stride": 3, "output_padding": 1, "padding": 1}
        yield of(f"ConvTranspose{n}d", up, 4, 2, 3, **options, **G)


def pooling():
    for n, size in SIZES.items():
        here = (4, *size)
        for kind in ("Max", "Avg"):
            yield of(f"{kind}Pool{n}d", here, 3)
            yield of(f"{kind}Pool{n}d", here, 3, stride=2, padding=1)
            yield of(f"{kind}Pool{n}d", here, 3, stride=2, padding=1, ceil_mode=True)
            for out in (1, 2, 4):
                yield of(f"Adaptive{kind}Pool{n}d", here, out)
        yield of(f"MaxPool{n}d", here, 2, stride=1, dilation=2)
        yield of(f"AvgPool{n}d", here, 3, padding=1, count_include_pad=False)


def padding():
    for n, size in SIZES.items():
        widths = (1, 2, -1, 0, 0, 1)[: 2 * n]
        for kind in ("Circular", "Reflection", "Replication", "Zero"):
            yield of(f"{kind}Pad{n}d", (2, *size), widths)
        yield of(f"ConstantPad{n}d", (2, *size), widths, -1.5)


def resizing():
    yield of("PixelShuffle", (8, 3, 2), 2)
    yield of("PixelUnshuffle", (2, 4, 6), 2)
    yield of("Unfold", (3, 4, 5), 2, padding=1, stride=2)
    yield of("Fold", (12, 9), (4, 5), 2, padding=1, stride=2)
    for mode in ("nearest", "nearest-exact", "bilinear"):
        for factor in (2, 1.5):
            yield of("Upsample", (2, 4, 5), None, factor, mode)
    yield of("Upsample", (2, 4, 5), (7, 3), mode="bilinear", align_corners=True)
    for mode, size in (("linear", (4,)), ("area", (4,)), ("trilinear", (4, 3, 2))):
        yield of("Upsample", (2, *size), 7, mode=mode)


def recurrent():
    for name in ("RNN", "GRU", "LSTM"):
        yield of(f"{name}Cell", (3,), 3, 4, **G)
        first = {"batch_first": True, **G}
        yield of(name, (5, 3), 3, 4, returns="sequence", **first)
        yield of(name, (5, 3), 3, 4, 2, returns="last", bidirectional=True, **first)
        yield of(name, (5, 3), 3, 4, bias=False, bidirectional=True, **first)
    yield of("RNN", (5, 3), 3, 4, nonlinearity="relu", **first)
    yield of("RNNCell", (3,), 3, 4, nonlinearity="relu", **G)
    yield of("LSTM", (5, 3), 3, 4, proj_size=2, **first)


def sequences(*lengths):
    """Several inputs, each of so many steps of 8 features."""

    def draw(rng, samples):
        return tuple(rng.normal(size=(samples, n, 8)).astype(np.float32) for n in lengths)

    return draw


def with_mask(rng, samples):
    """Queries, keys and values, and numbers that are added to the scores of keys."""
    mask = np.zeros((samples, 4), np.float32)
    mask[:, 2] = -np.inf
    mask[-1, 3] = -1.5
    return *sequences(3, 4, 4)(rng, samples), mask


def attention():
    name, first = "MultiheadAttention", {"batch_first": True, **G}
    for options in ({}, {"bias": False}, {"add_bias_kv": True}, {"add_zero_attn": True}):
        yield of(name, sequences(3, 4, 4), 8, 2, **options, **first)
    yield of(name, sequences(3, 3, 3), 8, 2, rotary=True, **first)
    yield of(name, with_mask, 8, 2, **first)
    yield of("RotaryPositions", (2, 5, 8), 8)
    yield of("SinusoidalPositions", (5, 8), 8, batch_first=True)


def transformers():
    encoder = partial(nn.TransformerEncoderLayer, 8, 2, 6, batch_first=True, **G)
    decoder = partial(nn.TransformerDecoderLayer, 8, 2, 6, batch_first=True, **G)
    for options in ({}, {"norm_first": True, "activation": "gelu"}, {"causal": True}):
        for name, lengths in (("Encoder", (3,)), ("Decoder", (3, 4))):
            make = {"batch_first": True, **options, **G}
            yield of(f"Transformer{name}Layer", sequences(*lengths), 8, 2, 6, **make)
    yield of("TransformerEncoderLayer", sequences(3), 8, 2, 6, rotary=True, **make)
    yield of("TransformerEncoder", sequences(3), encoder(), 2, nn.LayerNorm(8))
    yield of("TransformerDecoder", sequences(3, 4), decoder(), 2)
    yield of("Transformer", sequences(3, 4), 8, 2, 1, 1, 6, batch_first=True, **G)


def whole(high, *shape):
    """Whole numbers below a limit."""
    return lambda rng, samples: rng.integers(high, size=(samples, *shape))


def embedding():
    yield of("Embedding", whole(5, 3), 5, 4, **G)
    yield of("Embedding", whole(5), 5, 4, padding_idx=2, **G)
    for mode in ("sum", "mean", "max"):
        yield of("EmbeddingBag", whole(5, 3), 5, 4, mode=mode, **G)
    yield of("Bilinear", sequences(2, 2), 8, 8, 3, **G)
    yield of("CosineSimilarity", sequences(2, 2))
    yield of("PairwiseDistance", sequences(2, 2), p=3.0, keepdim=True)


FAMILIES = (
    activations,
    dropouts,
    containers,
    normalisation,
    convolution,
    pooling,
    padding,
    resizing,
    recurrent,
    attention,
    transformers,
    embedding,
)
EXAMPLES = [example for family in FAMILIES for example in family()]
