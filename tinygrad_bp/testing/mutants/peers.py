"""The checkers of others on the same mutants: a function of theirs around our rules.

The function that they get computes a row of the catalogue with ours, and its gradient, and the
gradient of that, is what ours gives with the mutant installed: in float64, as they all ask for.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_bp.core import Tensor, no_grad
from tinygrad_bp.testing.mutants.judge import limited
from tinygrad_bp.testing.mutants.mutant import Mutant
from tinygrad_bp.testing.mutants.ranges import LARGE, SMALL
from tinygrad_bp.testing.mutants.rows import rows_of, scaled
from tinygrad_bp.testing.setting import Draw, values_of

Array = npt.NDArray[np.float64]
_DRAW = Draw(201)

#: Of a primitive with more situations than this, a peer gets every second, third, ...
MOST = 20


class Gradient:
    """A function of arrays, its gradient, and the gradient's own gradient, as NumPy functions."""

    def __init__(self, call: Callable[..., Any], arrays: Sequence[Array]) -> None:
        self.call = call
        self.arrays = arrays

    def value(self, *inputs: Any) -> Array:
        """The function."""
        with no_grad():
            return np.array(self.call(*map(_double, inputs)).data)

    def vjp(self, g: Any, *inputs: Any) -> list[Array]:
        """The cotangents of the inputs."""
        leaves = [Tensor(_double(x), requires_grad=True) for x in inputs]
        self.call(*leaves).backward(_double(g))
        return [_of(x) for x in leaves]

    def vjp_of_vjp(self, h: Sequence[Any], g: Any, *inputs: Any) -> list[Array]:
        """The cotangents of the cotangent and of the inputs, for those of what `vjp` returns."""
        leaves = [Tensor(_double(x), requires_grad=True) for x in inputs]
        v = Tensor(_double(g), requires_grad=True)
        self.call(*leaves).backward(v, create_graph=True)
        first = [x.grad for x in leaves]
        for x in (*leaves, v):
            x.grad = None
        parts = [(g * _double(w)).sum() for g, w in zip(first, h, strict=True) if g is not None]
        total = sum(parts, Tensor(0.0))
        if total.requires_grad:
            total.backward()
        return [_of(x) for x in (v, *leaves)]


def _double(x: Any) -> Array:
    return np.array(x, np.float64)


def _of(leaf: Tensor) -> Array:
    return np.zeros(leaf.shape) if leaf.grad is None else np.array(leaf.grad.data)


def autograd_complains(f: Gradient) -> None:
    """HIPS autograd's ``check_grads`` of order 2, in reverse mode, of all arguments."""
    core = importlib.import_module("autograd.extend")
    check_grads = importlib.import_module("autograd.test_util").check_grads
    places = range(len(f.arrays))

    vjps = [core.primitive(lambda g, *xs, i=i: f.vjp(g, *xs)[i]) for i in places]
    for i in places:

        def rule(k: int, i: int = i) -> Callable[..., Any]:
            def of(_: Any, g: Any, *xs: Any) -> Callable[[Any], Array]:
                def pull(h: Any) -> Array:
                    zeros = [np.zeros(np.shape(x)) for x in xs]
                    zeros[i] = h
                    return f.vjp_of_vjp(zeros, g, *xs)[k]

                return pull

            return of

        core.defvjp(vjps[i], *map(rule, range(len(f.arrays) + 1)))
    function = core.primitive(f.value)
    core.defvjp(function, *[lambda _, *xs, i=i: lambda g: vjps[i](g, *xs) for i in places])
    check_grads(function, tuple(places), modes=["rev"])(*f.arrays)  # else of the first alone


def torch_complains(f: Gradient) -> None:
    """PyTorch's ``gradcheck`` at its defaults."""
    torch = importlib.import_module("torch")

    class Function(torch.autograd.Function):  # type: ignore[name-defined,misc]  # imported late
        @staticmethod
        def forward(ctx: Any, *xs: Any) -> Any:
            ctx.save_for_backward(*xs)
            return torch.from_numpy(f.value(*[x.detach().numpy() for x in xs]))

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            values = [x.detach().numpy() for x in ctx.saved_tensors]
            return tuple(torch.from_numpy(part) for part in f.vjp(g.detach().numpy(), *values))

    leaves = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in f.arrays]
    torch.autograd.gradcheck(Function.apply, leaves)


def jax_complains(f: Gradient) -> None:
    """JAX's ``check_grads`` in reverse mode, of order 1, with 64 bits and else at its defaults."""
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    check_grads = importlib.import_module("jax.test_util").check_grads
    shape = jax.ShapeDtypeStruct(f.value(*f.arrays).shape, np.float64)
    shapes = tuple(jax.ShapeDtypeStruct(a.shape, np.float64) for a in f.arrays)

    def value(*xs: Any) -> Any:
        return jax.pure_callback(f.value, shape, *xs)

    function = jax.custom_vjp(value)

    def forward(*xs: Any) -> Any:
        return function(*xs), xs

    def backward(xs: Any, g: Any) -> Any:
        return jax.pure_callback(lambda g, *xs: tuple(f.vjp(g, *xs)), shapes, g, *xs)

    function.defvjp(forward, backward)
    check_grads(function, tuple(f.arrays), order=1, modes=["rev"])


class Peer(NamedTuple):
    """A checker of others.

    Attributes
    ----------
    name : str
        Function, as the tables name it.
    package : str
        What has to be installed for it.
    check : callable
        Raises where the checker complains.
    """

    name: str
    package: str
    check: Callable[[Gradient], None]

    @property
    def version(self) -> str | None:
        """The version that is installed, or None."""
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(self.package)
        return None


PEERS = (
    Peer("autograd.test_util.check_grads", "autograd", autograd_complains),
    Peer("jax.test_util.check_grads", "jax", jax_complains),
    Peer("torch.autograd.gradcheck", "torch", torch_complains),
)


def _situations(primitive: str, fan_out: bool) -> list[Gradient]:
    """What a peer gets: the rows in all their shapes, large and small; where a sum, of two uses."""
    found = []
    for case in rows_of(primitive):
        call = _twice(case.call) if fan_out else case.call
        inputs = [values_of(case, shapes, _DRAW) for shapes in case.shapes]
        inputs += [a for a in (scaled(case, f, _DRAW) for f in (LARGE, SMALL)) if a is not None]
        found += [Gradient(call, arrays) for arrays in inputs if all(a.size for a in arrays)]
    return found[:: len(found) // MOST + 1]


def _twice(call: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *xs: call(*xs) + call(*xs)


_accepted: dict[tuple[str, str, bool, int], bool] = {}


def _complains(peer: Peer, f: Gradient) -> bool:
    try:
        with limited(20.0):
            peer.check(f)
    except Exception:
        return True
    return False


def kills(peer: Peer, mutant: Mutant) -> bool:
    """Whether a peer notices a mutant on any of the rows on which it accepts the right rule."""
    fan_out = "fan-out" in mutant.operator
    with ExitStack() as stack:
        # Installed once, as by the judge, since a wrong rule may remember what it has seen.
        stack.enter_context(mutant.installed())
        for number, f in enumerate(_situations(mutant.primitive, fan_out)):
            if not _complains(peer, f):
                continue
            stack.close()
            key = (peer.name, mutant.primitive, fan_out, number)
            if key not in _accepted:
                _accepted[key] = not _complains(peer, f)
            if _accepted[key]:
                return True
            stack.enter_context(mutant.installed())
    return False
