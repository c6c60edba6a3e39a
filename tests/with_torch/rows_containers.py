"""Rows of containers, of weights that are computed, and of changes of shape."""

from __future__ import annotations

from typing import Any

import numpy as np
from with_torch.rows import Case, row

import tinygrad_bp as tg
from tinygrad_bp import nn


@row("Flatten", "start, end")
def flatten(rng: np.random.Generator) -> Case:
    import torch

    shape = rng.integers(1, 4, size=rng.integers(2, 5))
    start, end = np.sort(rng.integers(0, len(shape), size=2)).tolist()
    end -= len(shape) if rng.integers(2) else 0
    return Case(nn.Flatten(start, end), torch.nn.Flatten(start, end), (rng.normal(size=shape),))


@row("Unflatten", "axis, a length that follows")
def unflatten(rng: np.random.Generator) -> Case:
    import torch

    sizes = rng.integers(1, 4, size=rng.integers(1, 4)).tolist()
    shape = rng.integers(1, 4, size=3).tolist()
    axis = int(rng.integers(-3, 3))
    shape[axis] = int(np.prod(sizes))
    if rng.integers(2):
        sizes[rng.integers(len(sizes))] = -1
    ours = nn.Unflatten(axis, sizes)
    return Case(ours, torch.nn.Unflatten(axis, tuple(sizes)), (rng.normal(size=shape),))


@row("Sequential", "append, insert, delete; names in the state")
def sequential(rng: np.random.Generator) -> Case:
    import torch

    n = int(rng.integers(1, 5))
    at = int(rng.integers(3))

    def changed(kind: Any, layers: list[Any], tanh: Any) -> Any:
        model = kind(*layers[:2])
        model.append(layers[2])
        model.insert(at, tanh)
        if n % 2:
            del model[at]
        return model + kind(layers[3])

    ours = [nn.Linear(n, n, dtype=float, generator=rng) for _ in range(4)]
    theirs = [torch.nn.Linear(n, n) for _ in range(4)]
    return Case(
        changed(nn.Sequential, ours, nn.Tanh()),
        changed(torch.nn.Sequential, theirs, torch.nn.Tanh()),
        (rng.normal(size=(3, n)),),
    )


@row("ModuleList, ModuleDict, ParameterList, ParameterDict", "nested; names in the state")
def lists(rng: np.random.Generator) -> Case:
    import torch

    n, depth = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    first = [rng.normal(size=n) for _ in range(depth)]

    def forward(self: Any, x: Any) -> Any:
        for layer, scale in zip(self.layers, self.scales, strict=True):
            x = layer["on"](x) * scale + self.shifts["x"]
        return x

    def parts(self: Any, room: Any, linear: Any, parameter: Any) -> Any:
        each = [room.ModuleDict({"off": linear(), "on": linear()}) for _ in range(depth)]
        self.layers = room.ModuleList(each)
        self.scales = room.ParameterList([parameter(value) for value in first])
        self.shifts = room.ParameterDict({"x": parameter(first[0] + 1)})
        return self

    def theirs(value: Any) -> Any:
        return torch.nn.Parameter(torch.tensor(value))

    def linear() -> Any:
        return nn.Linear(n, n, dtype=float, generator=rng)

    ours = type("Net", (nn.Module,), {"forward": forward})()
    other = type("Net", (torch.nn.Module,), {"forward": forward})()
    return Case(
        parts(ours, nn, linear, nn.Parameter),
        parts(other, torch.nn, lambda: torch.nn.Linear(n, n), theirs),
        (rng.normal(size=(2, n)),),
    )


def _weight_norm(rng: np.random.Generator) -> tuple[Case, str, int]:
    import torch

    n, m = rng.integers(1, 5, size=2).tolist()
    name, axis = [("weight", 0), ("weight", 1), ("weight", None), ("bias", 0)][rng.integers(4)]
    ours = nn.Linear(n, m, dtype=float, generator=rng)
    nn.utils.parametrizations.weight_norm(ours, name, axis)
    for p in ours.parameters():
        p.assign(rng.normal(size=p.shape))
    theirs = torch.nn.Linear(n, m)
    torch.nn.utils.parametrizations.weight_norm(theirs, name, axis)
    return Case(ours, theirs, (rng.normal(size=(3, n)),)), name, -1 if axis is None else axis


@row(
    "utils.parametrizations.weight_norm",
    "axis, None; weight, bias (PyTorch's own second derivative is wrong: gradgradcheck says so)",
    second=False,
)
def weight_norm(rng: np.random.Generator) -> Case:
    return _weight_norm(rng)[0]


@row("utils.parametrizations.weight_norm", "beside PyTorch's operations one by one")
def weight_norm_in_steps(rng: np.random.Generator) -> Case:
    import torch

    case, name, axis = _weight_norm(rng)
    step: Any = getattr(case.theirs, "parametrizations")[name][0]  # noqa: B009
    step.forward = lambda g, v: v * (g / torch.norm_except_dim(v, 2, axis))
    return case


@row("utils.parametrizations.spectral_norm", "axis, number of steps, eps; in training and not")
def spectral_norm(rng: np.random.Generator) -> Case:
    import torch

    n, m = rng.integers(2, 5, size=2).tolist()
    name, axis = [("weight", 0), ("weight", 1), ("bias", 0)][rng.integers(3)]
    steps, eps, training = int(rng.integers(1, 4)), 10.0 ** -rng.integers(3, 13), rng.integers(2)
    ours = nn.Linear(n, m, dtype=float, generator=rng)
    nn.utils.parametrizations.spectral_norm(ours, name, steps, eps, axis, generator=rng)
    theirs = torch.nn.Linear(n, m)
    torch.nn.utils.parametrizations.spectral_norm(theirs, name, steps, eps, axis)
    return Case(
        ours.train(bool(training)), theirs.train(bool(training)), (rng.normal(size=(3, n)),)
    )


@row("utils.remove_parametrizations", "of weight and spectral normalisation")
def removed(rng: np.random.Generator) -> Case:
    import torch
    from torch.nn.utils import parametrizations, parametrize

    n, m = rng.integers(2, 5, size=2).tolist()
    kind = ["weight_norm", "spectral_norm"][rng.integers(2)]
    ours = nn.Linear(n, m, dtype=float, generator=rng)
    getattr(nn.utils.parametrizations, kind)(ours)
    theirs = getattr(parametrizations, kind)(torch.nn.Linear(n, m))
    nn.utils.remove_parametrizations(ours)
    parametrize.remove_parametrizations(theirs, "weight")
    return Case(ours, theirs, (rng.normal(size=(3, n)),))


@row("utils.parameters_to_vector", "any number of parameters")
def to_vector(rng: np.random.Generator) -> Case:
    from torch.nn.utils import parameters_to_vector

    shapes = [rng.integers(1, 4, size=rng.integers(0, 3)) for _ in range(rng.integers(1, 4))]
    return Case(
        lambda *ps: tg.nn.utils.parameters_to_vector(ps),
        lambda *ps: parameters_to_vector(ps),
        tuple(rng.normal(size=shape) for shape in shapes),
    )


def _theirs(parts: dict[str, Any], forward: Any) -> Any:
    """A module of PyTorch with these parts."""
    import torch

    module = type("Theirs", (torch.nn.Module,), {"forward": forward})()
    for name, part in parts.items():
        module.add_module(name, part)
    return module


@row("Residual", "shortcut; beside the sum written out")
def residual(rng: np.random.Generator) -> Case:
    import torch

    n = int(rng.integers(1, 5))
    m = int(rng.integers(1, 5)) if rng.integers(2) else n
    parts = {"0": (n, 3), "2": (3, m)} | ({"shortcut": (n, m)} if m != n else {})
    ours = {name: nn.Linear(*size, dtype=float, generator=rng) for name, size in parts.items()}

    def forward(self: Any, x: Any) -> Any:
        own = dict(self.named_children())
        y = own["2"](torch.tanh(own["0"](x)))
        return y + (own["shortcut"](x) if m != n else x)

    return Case(
        nn.Residual(ours["0"], np.tanh, ours["2"], shortcut=ours.get("shortcut")),
        _theirs({name: torch.nn.Linear(*size) for name, size in parts.items()}, forward),
        (rng.normal(size=(2, n)),),
    )


@row("Concat", "axis, branches, inputs; beside torch.cat")
def concat(rng: np.random.Generator) -> Case:
    import torch

    axis = int(rng.integers(-2, 3))
    if rng.integers(2):
        xs = []
        for _ in range(rng.integers(1, 4)):
            shape = [2, 3, 4]
            shape[axis] = int(rng.integers(1, 4))
            xs.append(rng.normal(size=shape))
        theirs = _theirs({}, lambda self, *each: torch.cat(each, axis))
        return Case(nn.Concat(axis=axis), theirs, tuple(xs))
    names = [str(i) for i in range(rng.integers(1, 4))]

    def forward(self: Any, x: Any) -> Any:
        return torch.cat([branch(x) for branch in self.children()], axis)

    return Case(
        nn.Concat(*[nn.Linear(4, 4, dtype=float, generator=rng) for _ in names], axis=axis),
        _theirs({name: torch.nn.Linear(4, 4) for name in names}, forward),
        (rng.normal(size=(2, 3, 4)),),
    )


@row("Wired, Add", "skip connections, a layer in two places, several inputs")
def wired(rng: np.random.Generator) -> Case:
    import torch

    n = int(rng.integers(1, 5))
    spec = nn.NetworkSpec(
        {"left": [n], "right": [n]},
        [
            {"type": "Linear", "name": "a", "out_features": 3, "inputs": ["left"]},
            {"type": "Shared", "name": "b", "of": "a", "inputs": ["right"]},
            {"type": "Bilinear", "name": "c", "out_features": n, "inputs": ["a", "b"]},
            {"type": "Add", "inputs": ["c", "left"]},
            {"type": "Concat", "inputs": ["3", "b"]},
            {"type": "Linear", "name": "d", "out_features": 2},
        ],
        "float64",
    )

    def forward(self: Any, left: Any, right: Any) -> Any:
        a, b = self.a(left), self.a(right)
        return self.d(torch.cat([self.c(a, b) + left, b], 1))

    theirs = {
        "a": torch.nn.Linear(n, 3),
        "c": torch.nn.Bilinear(3, 3, n),
        "d": torch.nn.Linear(n + 3, 2),
    }
    xs = rng.normal(size=(2, 2, n))
    return Case(spec.build(rng), _theirs(theirs, forward), (xs[0], xs[1]))
