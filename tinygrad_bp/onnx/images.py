"""Rules of convolution and pooling."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_bp.onnx.builder import Builder
from tinygrad_bp.onnx.table import Step, rule


def _windows(step: Step) -> dict[str, Any]:
    """Where windows lie, as ONNX says it."""
    params = step.params
    return {
        "strides": [int(n) for n in params["stride"]],
        "dilations": [int(n) for n in params["dilation"]],
        "pads": [int(pair[k]) for k in (0, 1) for pair in params["padding"]],
    }


@rule("convolution")
def _convolution(b: Builder, step: Step) -> str:
    inputs = [step.cast(i) for i in range(len(step.inputs)) if step.inputs[i] is not None]
    kernel = [int(n) for n in step.input(1).shape[2:]]
    return b.add(
        "Conv", *inputs, group=int(step.params["groups"]), kernel_shape=kernel, **_windows(step)
    )


@rule("transposed_convolution")
def _transposed(b: Builder, step: Step) -> str:
    bias = step.cast(2) if len(step.inputs) > 2 and step.inputs[2] is not None else ""
    kernel, groups = [int(n) for n in step.input(1).shape[2:]], int(step.params["groups"])
    return _carried_back(b, step, step.cast(), step.cast(1), kernel, groups, bias)


@rule("avg_pool_spread")
def _avg_pool_spread(b: Builder, step: Step) -> str:
    """Blocks of equal elements, as nearest neighbours are; or with kernels of ones."""
    params, windows, n = step.params, _windows(step), len(step.params["size"])
    name, kernel = step.cast(), [int(k) for k in params["kernel"]]
    factor = 1 / np.asarray(params["divisor"], float)
    if np.any(factor != 1):
        name = b.add("Mul", name, step.number(factor))
    sizes = zip(step.input().shape[2:], kernel, params["size"], strict=True)
    blocks = windows == {"strides": kernel, "dilations": [1] * n, "pads": [0] * 2 * n}
    if blocks and all(m * k == size for m, k, size in sizes):
        scales = b.constant(np.array([1, 1, *kernel], np.float32))
        how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return b.add("Resize", name, "", scales, mode="nearest", **how)
    channels = step.input().shape[1]
    weight = step.number(np.ones((channels, 1, *kernel)))
    return _carried_back(b, step, name, weight, kernel, channels)


def _carried_back(
    b: Builder, step: Step, name: str, weight: str, kernel: list[int], groups: int, bias: str = ""
) -> str:
    """What is left of the size after the padding and the windows is padding of the output."""
    windows, params = _windows(step), step.params
    more = []
    for i, size in enumerate(params["size"]):
        span = windows["dilations"][i] * (kernel[i] - 1) + 1
        reach = windows["strides"][i] * (step.input().shape[2 + i] - 1) + span
        more.append(int(size) - reach + sum(params["padding"][i]))
    n = len(kernel)
    pads: list[int] = list(windows["pads"])
    for i in range(n):  # windows that reach beyond the size are cut there
        pads[n + i], more[i] = pads[n + i] - min(more[i], 0), max(more[i], 0)
    # What is more than a stride would be refused as output_padding, and is appended.
    # The bias is of all, and so comes last where something is.
    inside = [min(m, s - 1) for m, s in zip(more, windows["strides"], strict=True)]
    rest = [m - i for m, i in zip(more, inside, strict=True)]
    out = b.add(
        "ConvTranspose",
        name,
        weight,
        *([bias] if bias and not any(rest) else []),
        group=groups,
        kernel_shape=kernel,
        strides=windows["strides"],
        dilations=windows["dilations"],
        pads=pads,
        output_padding=inside,
    )
    if not any(rest):
        return out
    out = b.add("Pad", out, b.whole(*([0] * (n + 4)), *rest))
    return b.add("Add", out, b.add("Unsqueeze", bias, b.whole(*range(1, n + 1)))) if bias else out


def _padded(b: Builder, name: str, pads: list[int], value: str) -> str:
    """The axes of the image with more elements at their ends."""
    n = len(pads) // 2
    return b.add("Pad", name, b.whole(0, 0, *pads[:n], 0, 0, *pads[n:]), value)


@rule("max_pool")
def _max_pool(b: Builder, step: Step) -> str:
    kernel, windows = [int(n) for n in step.params["kernel"]], _windows(step)
    name = step.cast()
    if len(kernel) != 2 and any(windows["pads"]):
        # ONNX's reference evaluator loses the size of what is padded, but for images.
        name = _padded(b, name, windows.pop("pads"), step.number(-np.inf))
    return b.add("MaxPool", name, kernel_shape=kernel, **windows)


@rule("avg_pool")
def _avg_pool(b: Builder, step: Step) -> str:
    """The mean of every element of a window, those of the padding too, times what it is not."""
    kernel, windows = [int(n) for n in step.params["kernel"]], _windows(step)
    name, pads = step.cast(), windows.pop("pads")
    if any(pads):  # apart, as the operator does not take padding that is as long as a window
        name = _padded(b, name, pads, step.number(0))
    if all(n == 1 for n in windows["dilations"]):
        mean = b.add("AveragePool", name, kernel_shape=kernel, strides=windows["strides"])
    else:  # which the operator has from opset 19 on, and onnxruntime not for all
        channels = step.input().shape[1]
        weight = step.number(np.full((channels, 1, *kernel), 1 / math.prod(kernel)))
        mean = b.add("Conv", name, weight, group=channels, kernel_shape=kernel, **windows)
    factor = math.prod(kernel) / np.asarray(step.params["divisor"], float)
    return mean if np.all(factor == 1) else b.add("Mul", mean, step.number(factor))
