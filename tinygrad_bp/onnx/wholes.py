"""Calls of modules that are one operator of ONNX, though several primitives here."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core.graph import Node
from tinygrad_bp.nn.normalisation import BatchNorm1d, BatchNorm2d, BatchNorm3d
from tinygrad_bp.onnx.builder import Builder
from tinygrad_bp.onnx.table import Step
from tinygrad_bp.onnx.tracing import Trace


def whole_calls(run: Trace) -> dict[Node, tuple[Any, Any, set[Node]]]:
    """For the last node of each such call: the module, its input, and all nodes of the call."""
    calls: dict[Any, list[Node]] = {}
    for node in run.nodes:
        if node.mode.call is not None and _is_whole(node.mode.call.module, node.out.dtype):
            calls.setdefault(node.mode.call, []).append(node)
    found = {}
    for call, nodes in calls.items():
        own = set(nodes)
        sources = [run.source(x) for node in nodes for x in node.sources]
        given = {
            id(x): x
            for x in sources
            if (x in run.live and x not in own if isinstance(x, Node) else run.is_input(x))
        }
        if len(given) == 1:
            found[nodes[-1]] = (call.module, *given.values(), own)
    return found


def _is_whole(module: Any, dtype: Any) -> bool:
    """Whether it normalises by running statistics of the dtype of its output."""
    if type(module) not in (BatchNorm1d, BatchNorm2d, BatchNorm3d):
        return False
    if module._forward_hooks or module._forward_pre_hooks:  # what they do belongs to the call
        return False
    parts = (module.running_mean, module.running_var, module.weight, module.bias)
    return parts[0] is not None and all(part is None or part.dtype == dtype for part in parts)


def batch_normalization(b: Builder, step: Step, module: Any) -> str:
    """The operator; where there is no weight or bias, of ones and zeros."""
    n, dtype = module.num_features, step.out.dtype
    weight = b.constant(np.ones(n, dtype)) if module.weight is None else module.weight
    bias = b.constant(np.zeros(n, dtype)) if module.bias is None else module.bias
    parts = (weight, bias, module.running_mean, module.running_var)
    names = (part if isinstance(part, str) else step.value_of(part) or "" for part in parts)
    return b.add("BatchNormalization", step.input().name, *names, epsilon=float(module.eps))
