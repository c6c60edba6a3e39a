"""What is held against PyTorch: pairs of one thing in both, at drawn shapes and options, float64.

A module ``rows_*.py`` of this folder holds functions that draw a case. Each is a row of
docs/compared-with-torch.md, and a test in test_rows.py.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import tinygrad_bp as tg

TOLERANCE = 1e-9


@dataclass
class Case:
    """One drawn case: the same thing in both, and what it is called on.

    `ours` and `theirs` are modules, or functions of the inputs. The values of the parameters and
    buffers of our module, of which a name must be that of theirs, are copied to theirs. Inputs
    of floating point are differentiated, others are passed as they are. `modules` are the two
    modules whose parameters count, where `ours` and `theirs` are functions that call them.
    """

    ours: Callable[..., Any]
    theirs: Callable[..., Any]
    inputs: tuple[Any, ...]
    keywords: dict[str, Any] = field(default_factory=dict)
    modules: Any = None

    def __post_init__(self) -> None:
        self.modules = self.modules or (self.ours, self.theirs)

    def keywords_of_torch(self) -> dict[str, Any]:
        """The keywords with tensors of theirs in place of arrays."""
        import torch

        return {
            key: torch.tensor(value) if isinstance(value, np.ndarray) else value
            for key, value in self.keywords.items()
        }


@dataclass
class Row:
    """A row of the table: how to draw a case, and what of it is compared."""

    name: str
    options: str
    make: Callable[[np.random.Generator], Case]
    cases: int
    second: bool


ROWS: list[Row] = []


def row(name: str, options: str = "", *, cases: int = 12, second: bool = True) -> Any:
    """Register a function that draws a case: a decorator.

    `second` is false where there is no second derivative, for which the page gives the reason
    under `options`.
    """

    def register(make: Callable[[np.random.Generator], Case]) -> Any:
        ROWS.append(Row(name, options, make, cases, second))
        return make

    return register


def load_rows() -> list[Row]:
    """The rows of all modules of this folder."""
    for path in sorted(Path(__file__).parent.glob("rows_*.py")):
        importlib.import_module(f"with_torch.{path.stem}")
    return ROWS


@dataclass
class Differences:
    """The largest differences, relative to the largest element of each array or 1."""

    output: float = 0.0
    gradient: float = 0.0
    second: float = 0.0
    state: float = 0.0


def compare(row: Row, seed: int) -> Differences:
    """Draw a case and compare outputs, gradients, second derivatives, and buffers afterwards."""
    import torch

    case = row.make(np.random.default_rng(seed))
    _share(case)
    ours, theirs = _leaves(case)
    found = Differences()
    out = _flat(case.ours(*ours[0], **case.keywords))
    out_ = _flat(case.theirs(*theirs[0], **case.keywords_of_torch()))
    assert len(out) == len(out_), "another number of outputs"
    found.output = _largest(out, out_)
    module, module_ = case.modules
    if isinstance(module, tg.nn.Module):
        state = module_.state_dict()
        found.state = max(
            (_difference(b, state[name]) for name, b in module.named_buffers()), default=0.0
        )
    rng = np.random.default_rng([seed, 1])
    total, total_ = _toward(rng, out, out_)
    g = _gradients(total, ours[1], row.second)
    g_ = torch.autograd.grad(total_, theirs[1], create_graph=row.second, allow_unused=True)
    found.gradient = _largest(g, g_)
    if row.second:
        total, total_ = _toward(rng, g, g_)
        h = _gradients(total, ours[1], False)
        h_ = [None] * len(h)
        if isinstance(total_, torch.Tensor):  # else no gradient depends on anything
            h_ = torch.autograd.grad(total_, theirs[1], allow_unused=True)
        found.second = _largest(h, h_)
    return found


def _share(case: Case) -> None:
    """Give their module the values of ours."""
    import torch

    ours, theirs = case.modules
    if isinstance(ours, tg.nn.Module):
        theirs.double().load_state_dict(
            {name: torch.tensor(value) for name, value in ours.state_dict().items()}
        )


def _leaves(case: Case) -> Any:
    """Of both, the inputs, and of these and of the parameters what is differentiated."""
    import torch

    inputs, inputs_, leaves, leaves_ = [], [], [], []
    for x in case.inputs:
        real = isinstance(x, np.ndarray) and x.dtype.kind == "f"
        inputs.append(tg.Tensor(x, requires_grad=True) if real else x)
        inputs_.append(torch.tensor(x) if isinstance(x, np.ndarray) else x)
        if real:
            leaves.append(inputs[-1])
            leaves_.append(inputs_[-1].requires_grad_())
    module, module_ = case.modules
    if isinstance(module, tg.nn.Module):
        of_theirs = dict(module_.named_parameters())
        for name, parameter in module.named_parameters():
            leaves.append(parameter)
            leaves_.append(of_theirs[name])
    return (inputs, leaves), (inputs_, leaves_)


def _flat(out: Any) -> list[Any]:
    """The arrays of an output, however nested; what is no array is left out."""
    if isinstance(out, (tuple, list)):
        return [each for part in out for each in _flat(part)]
    return [out] if hasattr(out, "shape") else []


def _toward(rng: np.random.Generator, ours: list[Any], theirs: Any) -> tuple[Any, Any]:
    """In both, the sum of all elements, each times a random number of its own."""
    import torch

    total: Any = 0.0
    total_: Any = 0.0
    for a, b in zip(ours, theirs, strict=True):
        way = rng.normal(size=np.shape(a) if a is not None else ())
        if isinstance(a, tg.Tensor) and a.requires_grad:
            total = total + (a * way).sum()
        if b is not None and b.requires_grad:
            total_ = total_ + (b * torch.tensor(way)).sum()
    return total, total_


def _gradients(total: Any, leaves: list[Any], create_graph: bool) -> list[Any]:
    for leaf in leaves:
        leaf.grad = None
    if isinstance(total, tg.Tensor):
        total.backward(create_graph=create_graph)
    return [leaf.grad for leaf in leaves]


def _largest(ours: Any, theirs: Any) -> float:
    return max(_difference(a, b) for a, b in zip(ours, theirs, strict=True))


def _difference(ours: Any, theirs: Any) -> float:
    """The largest difference, relative to the largest element or 1; no gradient stands for 0."""
    a = None if ours is None else np.asarray(getattr(ours, "data", ours), float)
    b = None if theirs is None else theirs.detach().double().numpy(force=True)
    if a is None or b is None:
        other = b if a is None else a
        return 0.0 if other is None else float(np.abs(other).max(initial=0))
    assert a.shape == b.shape, (a.shape, b.shape)
    differences = np.where(a == b, 0.0, np.abs(a - b))  # infinities, too
    return float(differences.max(initial=0) / max(1.0, np.abs(b[np.isfinite(b)]).max(initial=0)))
