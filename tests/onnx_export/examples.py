"""For each registered layer, networks of it with all their options, and the shape of a sample."""

from __future__ import annotations

import numpy as np

from tinygrad_bp import nn

G = {"generator": 0}


def trained(layer):
    """The layer, with running statistics that it has not begun with."""
    rng = np.random.default_rng(1)
    for name, buffer in layer.named_buffers():
        if buffer.dtype.kind == "f":
            scale = (
                0.5 + rng.random(buffer.shape) if "var" in name else rng.normal(size=buffer.shape)
            )
            buffer.assign(scale.astype(buffer.dtype))
    for parameter in layer.parameters():
        noise = rng.normal(0, 0.2, parameter.shape)
        parameter.assign((parameter.data + noise).astype(parameter.dtype))
    return layer


def activations():
    for name in (
        "Identity",
        "LogSigmoid",
        "ReLU",
        "SiLU",
        "Sigmoid",
        "Softplus",
        "Softsign",
        "Tanh",
    ):
        yield name, lambda name=name: getattr(nn, name)(), (3, 4)
    for axis in (-1, 1):
        yield "Softmax", lambda axis=axis: nn.Softmax(axis), (3, 4)
        yield "LogSoftmax", lambda axis=axis: nn.LogSoftmax(axis), (3, 4)
    yield "ELU", lambda: nn.ELU(0.7), (5,)
    yield "LeakyReLU", lambda: nn.LeakyReLU(0.2), (5,)
    yield "GELU", lambda: nn.GELU(), (5,)
    yield "GELU", lambda: nn.GELU("tanh"), (5,)
    yield "Dropout", lambda: nn.Dropout(0.5, generator=0), (5,)
    for make in (
        lambda: nn.CELU(0.6),
        lambda: nn.CReLU(),
        lambda: nn.ClippedReLU(0.7),
        lambda: nn.GLU(),
        lambda: nn.GLU(1),
        lambda: nn.Hardshrink(0.3),
        lambda: nn.Hardsigmoid(),
        lambda: nn.Hardswish(),
        lambda: nn.Hardtanh(-0.4, 0.6),
        lambda: nn.Maxout(2),
        lambda: nn.Mish(),
        lambda: nn.PReLU(),
        lambda: nn.PReLU(4),
        lambda: nn.RReLU(generator=0),
        lambda: nn.ReLU6(),
        lambda: nn.SELU(),
        lambda: nn.Softmin(),
        lambda: nn.Softshrink(0.3),
        lambda: nn.Tanhshrink(),
        lambda: nn.Threshold(0.2, -1.5),
    ):
        yield type(make()).__name__, make, (4, 6)
    yield "Softmax2d", lambda: nn.Softmax2d(), (3, 4, 5)


def containers():
    yield "Add", lambda: nn.Sequential(nn.Residual(nn.Linear(3, 3, **G))), (3,)
    yield "Residual", lambda: nn.Residual(nn.Linear(3, 2, **G), shortcut=nn.Linear(3, 2, **G)), (3,)
    yield "Concat", lambda: nn.Concat(nn.Linear(3, 2, **G), nn.Identity()), (3,)
    yield "Lambda", lambda: nn.Lambda(np.tanh), (3,)
    yield "Sequential", lambda: nn.Sequential(nn.Linear(3, 2, **G)), (3,)
    yield "Flatten", lambda: nn.Flatten(), (2, 3, 4)
    yield "Flatten", lambda: nn.Flatten(2, 3), (2, 3, 4)
    yield "Flatten", lambda: nn.Flatten(0, 2), (2, 3, 4)
    yield "Unflatten", lambda: nn.Unflatten(1, (2, 3)), (6, 2)
    yield "Linear", lambda: nn.Linear(3, 2, **G), (3,)
    yield "Linear", lambda: nn.Linear(3, 2, bias=False, **G), (4, 3)
    yield "Linear", lambda: nn.Linear(3, 2, **G), (2, 4, 3)


def normalisation():
    for n, size in ((1, (4,)), (1, ()), (2, (4, 3)), (3, (2, 3, 2))):
        for affine in (True, False):
            for track in (True, False):
                options = {"affine": affine, "track_running_stats": track}
                batch, instance = getattr(nn, f"BatchNorm{n}d"), getattr(nn, f"InstanceNorm{n}d")
                yield f"BatchNorm{n}d", lambda c=batch, o=options: c(3, **o), (3, *size)
                if size:
                    yield f"InstanceNorm{n}d", lambda c=instance, o=options: c(3, **o), (3, *size)
    for affine in (True, False):
        yield "GroupNorm", lambda a=affine: nn.GroupNorm(2, 4, affine=a), (4, 3, 2)
        yield "LayerNorm", lambda a=affine: nn.LayerNorm((3, 2), elementwise_affine=a), (4, 3, 2)
        yield "RMSNorm", lambda a=affine: nn.RMSNorm(3, elementwise_affine=a), (4, 3)
    yield "LayerNorm", lambda: nn.LayerNorm(3, bias=False), (4, 3)
    yield "LocalResponseNorm", lambda: nn.LocalResponseNorm(3), (5, 3, 2)


SIZES = {1: (9,), 2: (9, 8), 3: (6, 7, 5)}


def convolution():
    for n, size in SIZES.items():
        for kind in ("Conv", "ConvTranspose"):
            cls, name = getattr(nn, f"{kind}{n}d"), f"{kind}{n}d"
            for options in (
                {},
                {"stride": 2, "padding": 1, "groups": 2},
                {"dilation": 2, "bias": False},
            ):
                yield name, lambda c=cls, o=options: c(4, 6, 3, **o, **G), (4, *size)
        cls = getattr(nn, f"Conv{n}d")
        for mode in ("zeros", "reflect", "replicate", "circular"):
            options = {"padding": "same" if mode == "zeros" else 2, "padding_mode": mode}
            yield f"Conv{n}d", lambda c=cls, o=options: c(4, 2, 3, **o, **G), (4, *size)
        cls = getattr(nn, f"ConvTranspose{n}d")
        options = {"stride": 3, "output_padding": 1, "padding": 1}
        yield f"ConvTranspose{n}d", lambda c=cls, o=options: c(4, 2, 3, **o, **G), (4, *size)


def pooling():
    for n, size in SIZES.items():
        for kind in ("Max", "Avg"):
            name = f"{kind}Pool{n}d"
            for options in (
                {},
                {"stride": 2, "padding": 1},
                {"stride": 2, "padding": 1, "ceil_mode": True},
            ):
                yield name, lambda c=getattr(nn, name), o=options: c(3, **o), (4, *size)
            name = f"Adaptive{kind}Pool{n}d"
            for out in (1, 2, 4):
                yield name, lambda c=getattr(nn, name), o=out: c(o), (4, *size)
        name = f"MaxPool{n}d"
        yield name, lambda c=getattr(nn, name): c(2, stride=1, dilation=2), (4, *size)
        name = f"AvgPool{n}d"
        options = {"padding": 1, "count_include_pad": False}
        yield name, lambda c=getattr(nn, name), o=options: c(3, **o), (4, *size)


def resizing():
    yield "PixelShuffle", lambda: nn.PixelShuffle(2), (8, 3, 2)
    yield "PixelUnshuffle", lambda: nn.PixelUnshuffle(2), (2, 4, 6)
    yield "Unfold", lambda: nn.Unfold(2, padding=1, stride=2), (3, 4, 5)
    yield "Fold", lambda: nn.Fold((4, 5), 2, padding=1, stride=2), (12, 9)
    for mode in ("nearest", "nearest-exact", "bilinear"):
        for factor in (2, 1.5):
            yield "Upsample", lambda m=mode, f=factor: nn.Upsample(None, f, m), (2, 4, 5)
    options = {"mode": "bilinear", "align_corners": True}
    yield "Upsample", lambda: nn.Upsample((7, 3), **options), (2, 4, 5)
    yield "Upsample", lambda: nn.Upsample(7, mode="area"), (2, 4)
    yield "Upsample", lambda: nn.Upsample(7, mode="linear"), (2, 4)
    yield "Upsample", lambda: nn.Upsample(7, mode="trilinear"), (2, 4, 3, 2)


def recurrent():
    for kind in ("RNN", "GRU", "LSTM"):
        cls = getattr(nn, kind)
        for options in (
            {"returns": "sequence"},
            {"returns": "last", "bidirectional": True, "num_layers": 2},
            {"returns": "all", "bias": False, "bidirectional": True},
        ):
            yield kind, lambda c=cls, o=options: c(3, 4, batch_first=True, **o, **G), (5, 3)
        yield f"{kind}Cell", lambda k=kind: getattr(nn, f"{k}Cell")(3, 4, **G), (3,)
    yield "RNN", lambda: nn.RNN(3, 4, nonlinearity="relu", batch_first=True, **G), (5, 3)
    yield "RNNCell", lambda: nn.RNNCell(3, 4, nonlinearity="relu", **G), (3,)
    yield "LSTM", lambda: nn.LSTM(3, 4, proj_size=2, batch_first=True, **G), (5, 3)


FAMILIES = (activations, containers, normalisation, convolution, pooling, resizing, recurrent)
EXAMPLES = [(name, make, shape) for family in FAMILIES for name, make, shape in family()]

#: The registered layers that cannot be exported, with the words of the error and the reason.
REFUSED: dict[str, str] = {}
