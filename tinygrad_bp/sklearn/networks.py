"""From what an estimator was given as its network to a module that fits the data."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_bp.core import no_grad
from tinygrad_bp.errors import ArgumentError, ShapeError, SpecError, a_kind
from tinygrad_bp.nn import Module, NetworkSpec

Shape = tuple[int, ...]


def perceptron(inputs: int, outputs: int, hidden: Any, activation: str, dtype: Any) -> NetworkSpec:
    """The network of an estimator that was given none.

    Examples
    --------
    >>> perceptron(4, 2, (8,), "Tanh", "float64").build(0)
    Sequential(
      (0): Linear(4, 8)
      (1): Tanh()
      (2): Linear(8, 2)
    )
    """
    sizes = hidden if isinstance(hidden, (tuple, list, np.ndarray)) else (hidden,)
    layers: list[dict[str, Any]] = []
    for size in sizes:
        layers += [{"type": "Linear", "out_features": size}, {"type": activation}]
    layers.append({"type": "Linear", "out_features": outputs})
    return NetworkSpec((inputs,), layers, str(np.dtype(dtype)))


def declared(network: Any) -> NetworkSpec | None:
    """The spec that a dict, a TOML file or a spec is; None for anything else."""
    if isinstance(network, Mapping):
        network = NetworkSpec.from_dict(network)
    elif isinstance(network, (str, Path)):
        network = NetworkSpec.from_file(network)
    if not isinstance(network, NetworkSpec):
        return None
    if isinstance(network.input_shape, Mapping):
        raise SpecError(
            f"the network has the inputs {', '.join(network.input_shape)}, and an estimator has "
            "one, X.\nFix: input_shape = [...], and layers that take parts of it."
        )
    return network


def build(network: Any, shape: Shape, outputs: int, generator: np.random.Generator) -> Module:
    """A module of one's own for each fit.

    Parameters
    ----------
    network : NetworkSpec, Module or callable
        A spec is built, a module copied with its values, and a callable called with the number of
        features, that of outputs, and the generator.
    shape : tuple of int
        Of a sample.
    outputs : int
        How many there must be.
    generator : Generator
        Where first values come from.

    Raises
    ------
    ArgumentError
        It is none of these, or the callable makes no module.
    SpecError
        The spec is for other inputs.
    """
    if isinstance(network, NetworkSpec):
        if network.input_shape != shape:
            raise SpecError(
                f"the network is declared for inputs of shape {list(network.input_shape)}, and "
                f"the samples have the shape {list(shape)}.\n"
                f"Fix: input_shape = {list(shape)}, or other columns of X."
            )
        return network.build(generator)
    if isinstance(network, Module):
        model = copy.deepcopy(network)
        model.zero_grad()
        return model
    made = network(math.prod(shape), outputs, generator) if callable(network) else network
    if not isinstance(made, Module):
        raise ArgumentError(
            f"network {'made' if callable(network) else 'is'} {a_kind(made)} ({made!r}).\n"
            "Fix: a dict, a NetworkSpec, a path of a TOML file, a module, or a function "
            "(features, outputs, generator) that makes a module."
        )
    return made


def sample_shape(spec: NetworkSpec | None, given: Shape) -> Shape:
    """The shape in which samples go into the network: rows are brought to what a spec declares."""
    wanted: Shape = given if spec is None else spec.input_shape
    return wanted if math.prod(wanted) == math.prod(given) else given


def dtype_of(model: Module, default: Any) -> np.dtype[Any]:
    """The dtype that a network computes in: that of its first parameter."""
    return np.dtype(next((p.dtype for p in model.parameters()), default))


def count_outputs(model: Module, sample: Any, allowed: tuple[int, ...]) -> int:
    """How many outputs a network gives for a sample, by a dry run.

    Raises
    ------
    ShapeError
        None of the allowed numbers. An output of shape (N,) counts as one.
    """
    with no_grad(), np.errstate(all="ignore"):
        shape = tuple(model.eval()(sample[None]).shape)
    count = 1 if shape == (1,) else shape[-1] if len(shape) == 2 else -1
    if shape[:1] != (1,) or count not in allowed:
        wanted = " or ".join(f"(N, {n})" for n in allowed)
        raise ShapeError(
            f"the network turns a sample of shape {sample.shape} into an output of shape {shape}, "
            f"and {wanted} is needed.\n"
            f"Fix: end it in a Linear with out_features = {allowed[0]}."
        )
    return int(count)
