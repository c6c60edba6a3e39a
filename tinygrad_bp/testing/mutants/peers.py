"""The checkers of others on the same mutants: a function of theirs around our rules.

The function that they get computes a row of the catalogue with ours, and its gradient, and the
gradient of that, is what ours gives with the mutant installed: in the precision that they work in.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_bp.core import Tensor, no_grad
from tinygrad_bp.testing.mutants.judge import limited
from tinygrad_bp.testing.mutants.mutant import Mutant
from tinygrad_bp.testing.mutants.rows import rows_of, scaled
from tinygrad_bp.testing.setting import Draw, gradients_of, values_of
from tinygrad_bp.testing.unusual import LARGE, SMALL

Array = npt.NDArray[Any]
_DRAW = Draw(201)

#: Of a primitive with more situations than this, a peer gets every second, third, ...
MOST = 20


class Gradient:
    """A function of arrays, its gradient, and the gradient's own gradient, as NumPy functions."""

    def __init__(self, call: Callable[..., Any], arrays: Sequence[Array], dtype: Any) -> None:
        self.call = call
        self.dtype = np.dtype(dtype)
        self.arrays = [self.array(x) for x in arrays]

    def array(self, x: Any) -> Array:
        """A copy in the precision of the peer."""
        return np.array(x, self.dtype)

    def value(self, *inputs: Any) -> Array:
        """The function."""
        with no_grad():
            return self.array(self.call(*map(self.array, inputs)))

    def vjp(self, g: Any, *inputs: Any) -> list[Array]:
        """The cotangents of the inputs."""
        return gradients_of(self.call, map(self.array, inputs), self.array(g))

    def vjp_of_vjp(self, h: Sequence[Any], g: Any, *inputs: Any) -> list[Array]:
        """The cotangents of the cotangent and of the inputs, for those of what `vjp` returns."""

        def first(v: Any, *leaves: Any) -> Tensor:
            self.call(*leaves).backward(v, create_graph=True)
            parts = [
                (x.grad * self.array(w)).sum()
                for x, w in zip(leaves, h, strict=True)
                if x.grad is not None
            ]
            for x in leaves:
                x.grad = None
            return sum(parts, Tensor(self.array(0.0)))

        return gradients_of(first, map(self.array, (g, *inputs)), np.ones(()))


def autograd_complains(f: Gradient, every: bool) -> None:
    """HIPS autograd's ``check_grads(f)``, but in reverse mode alone; or that of all arguments."""
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
    if every:
        check_grads(function, tuple(places), modes=["rev"])(*f.arrays)
    else:
        check_grads(function, modes=["rev"])(*f.arrays)


def torch_complains(f: Gradient, check: str) -> None:
    """PyTorch's ``gradcheck(f, xs)`` or ``gradgradcheck(f, xs)``."""
    torch = importlib.import_module("torch")

    def tensors(arrays: Sequence[Array]) -> tuple[Any, ...]:
        return tuple(map(torch.from_numpy, arrays))

    def numbers(xs: Sequence[Any]) -> list[Any]:
        return [x.detach().numpy() for x in xs]

    class Backward(torch.autograd.Function):  # type: ignore[name-defined,misc]  # imported late
        @staticmethod
        def forward(ctx: Any, *given: Any) -> Any:
            ctx.save_for_backward(*given)
            return tensors(f.vjp(*numbers(given)))

        @staticmethod
        def backward(ctx: Any, *h: Any) -> Any:
            return tensors(f.vjp_of_vjp(numbers(h), *numbers(ctx.saved_tensors)))

    class Function(torch.autograd.Function):  # type: ignore[name-defined,misc]
        @staticmethod
        def forward(ctx: Any, *xs: Any) -> Any:
            ctx.save_for_backward(*xs)
            return torch.from_numpy(f.value(*numbers(xs)))

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return Backward.apply(g, *ctx.saved_tensors)

    leaves = [torch.tensor(a, requires_grad=True) for a in f.arrays]
    getattr(torch.autograd, check)(Function.apply, leaves)


def jax_complains(f: Gradient, order: int) -> None:
    """JAX's ``check_grads(f, xs, order)``, but in reverse mode alone."""
    jax = importlib.import_module("jax")
    logging.getLogger("jax").setLevel(logging.CRITICAL)  # it logs what mutants raise, and raises it
    check_grads = importlib.import_module("jax.test_util").check_grads
    shape = jax.ShapeDtypeStruct(f.value(*f.arrays).shape, f.dtype)
    shapes = tuple(jax.ShapeDtypeStruct(a.shape, f.dtype) for a in f.arrays)

    def called(function: Callable[..., Any], results: Any) -> Any:
        return lambda *given: jax.pure_callback(function, results, *given)

    pull = jax.custom_vjp(called(lambda g, *xs: tuple(f.vjp(g, *xs)), shapes))
    twice = called(lambda h, g, *xs: tuple(f.vjp_of_vjp(h, g, *xs)), (shape, *shapes))
    pull.defvjp(lambda g, *xs: (pull(g, *xs), (g, *xs)), lambda given, h: twice(h, *given))
    function = jax.custom_vjp(called(f.value, shape))
    function.defvjp(lambda *xs: (function(*xs), xs), lambda xs, g: pull(g, *xs))
    with jax.enable_x64(f.dtype == np.float64):
        check_grads(function, tuple(f.arrays), order, modes=["rev"])


class Peer(NamedTuple):
    """A checker of others, called in one way.

    Attributes
    ----------
    name : str
        As the head of its column says it.
    package : str
        What has to be installed for it.
    call : str
        What is called.
    checks : tuple of callable
        Each raises where the checker complains.
    dtype : type
        In which everything is computed.
    """

    name: str
    package: str
    call: str
    checks: tuple[Callable[[Gradient], None], ...]
    dtype: type = np.float64

    @property
    def version(self) -> str | None:
        """The version that is installed, or None."""
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(self.package)
        return None


_JAX = tuple(partial(jax_complains, order=order) for order in (1, 2))
_GRADCHECK = partial(torch_complains, check="gradcheck")
PEERS = (
    Peer(
        "autograd",
        "autograd",
        '`autograd.test_util.check_grads(f, modes=["rev"])(*xs)`',
        (partial(autograd_complains, every=False),),
    ),
    Peer(
        "autograd, all arguments",
        "autograd",
        '`autograd.test_util.check_grads(f, (0, 1, ...), modes=["rev"])(*xs)`',
        (partial(autograd_complains, every=True),),
    ),
    Peer(
        "jax",
        "jax",
        '`jax.test_util.check_grads(f, xs, order, modes=["rev"])`',
        _JAX,
        np.float32,
    ),
    Peer(
        "jax, 64 bits",
        "jax",
        "the same with `jax_enable_x64`",
        _JAX,
    ),
    Peer("torch", "torch", "`torch.autograd.gradcheck(f, xs)`", (_GRADCHECK,)),
    Peer(
        "torch, both checks",
        "torch",
        "the same, and `torch.autograd.gradgradcheck(f, xs)`",
        (_GRADCHECK, partial(torch_complains, check="gradgradcheck")),
    ),
)


def _situations(peer: Peer, primitive: str, fan_out: bool) -> list[Gradient]:
    """What a peer gets: the rows in all their shapes, large and small; where a sum, of two uses."""
    found = []
    for case in rows_of(primitive):
        call = _twice(case.call) if fan_out else case.call
        inputs = [values_of(case, shapes, _DRAW) for shapes in case.shapes]
        inputs += [a for a in (scaled(case, f, _DRAW) for f in (LARGE, SMALL)) if a is not None]
        full = [arrays for arrays in inputs if all(a.size for a in arrays)]
        found += [Gradient(call, arrays, peer.dtype) for arrays in full]
    return found[:: len(found) // MOST + 1]


def _twice(call: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *xs: call(*xs) + call(*xs)


_accepted: dict[tuple[str, int, str, bool, int], bool] = {}


def _complains(check: Callable[[Gradient], None], f: Gradient) -> bool:
    try:
        with limited(20.0):
            check(f)
    except Exception:
        return True
    return False


def kills(peer: Peer, mutant: Mutant) -> bool:
    """Whether a peer notices a mutant on any of the rows on which it accepts the right rule."""
    fan_out = "fan-out" in mutant.operator
    with ExitStack() as stack:
        # Installed once, as by the judge, since a wrong rule may remember what it has seen.
        stack.enter_context(mutant.installed())
        for number, f in enumerate(_situations(peer, mutant.primitive, fan_out)):
            for place, check in enumerate(peer.checks):
                if not _complains(check, f):
                    continue
                stack.close()
                key = (peer.name, place, mutant.primitive, fan_out, number)
                if key not in _accepted:
                    _accepted[key] = not _complains(check, f)
                if _accepted[key]:
                    return True
                stack.enter_context(mutant.installed())
    return False
