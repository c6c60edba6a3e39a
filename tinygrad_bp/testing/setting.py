"""The inputs of one application of an operation, from a `Case` and a few choices.

Everything follows from the case and the `Draw`, so that a failure can be had again.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.errors import GradientError

if TYPE_CHECKING:
    from tinygrad_bp.testing.catalogue.case import Case

Array = npt.NDArray[Any]
Shape = tuple[int, ...]

#: Dtypes that the inputs take in turn.
DTYPES: tuple[tuple[type, ...], ...] = (
    (np.float64,),
    (np.float32,),
    (np.float32, np.float64),
    (np.float64, np.float32),
)
# By how much a number that should be 0 may differ, since inputs and cotangents are of about 1.
_ROUNDINGS = 16 * float(np.finfo(np.float64).eps)

LAYOUTS = ("C", "F", "reversed", "strided")


@dataclass(frozen=True)
class Draw:
    """What is chosen at random; the rest follows from it.

    Attributes
    ----------
    seed : int
        Of the elements and the cotangents.
    dtypes : tuple of type
        Of the inputs, in turn.
    layout : {"C", "F", "reversed", "strided"}
        Of the inputs in memory.
    needs : int
        Its bits say which inputs require a gradient.
    rounded : bool
        Whether elements are rounded to halves, so that zeros, ones and ties are met.
    create_graph : bool
        Whether the backward pass records itself.
    """

    seed: int = 0
    dtypes: tuple[type, ...] = (np.float64,)
    layout: str = "C"
    needs: int = 255
    rounded: bool = False
    create_graph: bool = False


def draws(count: int, seed: int = 0) -> Iterable[Draw]:
    """So many draws, of which the first meet every pair of dtypes and layout.

    Examples
    --------
    >>> len({(draw.dtypes, draw.layout) for draw in draws(16)})
    16
    """
    rng = np.random.default_rng(seed)
    pairs = list(itertools.product(range(len(LAYOUTS)), range(len(DTYPES))))
    for k in range(count):
        a, b = pairs[k % len(pairs)]
        yield Draw(
            seed=int(rng.integers(2**32)),
            dtypes=DTYPES[b],
            layout=LAYOUTS[(a + b) % len(LAYOUTS)],
            needs=255 if k % 2 == 0 else int(rng.integers(256)),
            rounded=bool(k // 2 % 2),
            create_graph=bool(k // 4 % 2),
        )


def values_of(case: Case, shapes: Sequence[Shape], draw: Draw) -> list[Array]:
    """Float64 elements inside the domains, away from kinks, and distinct where that is asked."""
    rng = np.random.default_rng(draw.seed)
    domains = [
        case.domains[i] if i < len(case.domains) else (-2.0, 2.0) for i in range(len(shapes))
    ]
    if case.distinct:
        arrays = _distinct(rng, domains[0], shapes)
    else:
        arrays = [rng.uniform(low, high, s) for (low, high), s in zip(domains, shapes, strict=True)]
        if draw.rounded:  # so that zeros, ones and equal elements are met
            for i, (low, high) in enumerate(domains):
                coarse = np.round(2 * arrays[i]) / 2
                inside = (coarse > low) & (coarse < high)
                arrays[i] = np.where(inside, coarse, arrays[i])
    for i, kinks in enumerate(case.kinks):
        for kink in kinks:
            away = arrays[i] - kink
            shifted = kink + np.copysign(0.05, away)
            arrays[i] = np.where(np.abs(away) < 0.05, shifted, arrays[i])
    return [np.asarray(a) for a in arrays]


def _distinct(
    rng: np.random.Generator, domain: tuple[float, float], shapes: Sequence[Shape]
) -> list[Array]:
    """Elements that differ by 0.05 or more from each other, over all arrays together."""
    sizes = [int(np.prod(shape)) for shape in shapes]
    count = sum(sizes)
    low, high = domain
    space = max((high - low) / max(count, 1), 0.06)
    grid = (low + high) / 2 + space * (np.arange(count) - (count - 1) / 2)
    grid += rng.uniform(-1, 1, count) * (space - 0.05) / 2
    parts = np.split(rng.permutation(grid), np.cumsum(sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def laid_out(values: Array, layout: str) -> Array:
    """The same values in another memory layout.

    Examples
    --------
    >>> laid_out(np.zeros((2, 3)), "strided").flags.c_contiguous
    False
    """
    if layout == "F":
        return np.array(values, order="F")
    if layout == "reversed":
        backwards = (slice(None, None, -1),) * values.ndim
        return np.asarray(np.array(values[backwards], order="C")[backwards])
    if layout == "strided":
        poison = np.nan if values.dtype.kind in "fc" else 0
        room = np.full(tuple(2 * n + 1 for n in values.shape), poison, values.dtype)
        gaps: Any = (..., *(slice(1, 1 + 2 * n, 2) for n in values.shape))
        view: Array = room[gaps]
        view[...] = values
        return view
    return np.array(values, order="C")


class Setting:
    """The inputs of one application: arrays, tensors in their memory, and which are leaves."""

    def __init__(self, case: Case, shapes: Sequence[Shape], draw: Draw) -> None:
        self.case, self.shapes, self.draw = case, shapes, draw
        kinds = itertools.cycle(draw.dtypes)
        exact = values_of(case, shapes, draw)
        self.arrays = [
            np.asarray(laid_out(a.astype(kind), draw.layout))
            for a, kind in zip(exact, kinds, strict=False)
        ]
        self.doubles = [np.array(a, np.float64) for a in self.arrays]
        self.before = [a.tobytes() for a in self.arrays]
        self.leaves = [i for i in range(len(shapes)) if draw.needs >> i & 1]
        self.inputs = self._inputs()
        if not getattr(case.call(*self.inputs), "requires_grad", False):
            self.leaves = list(range(len(shapes)))
            self.inputs = self._inputs()

    def _inputs(self) -> list[Any]:
        return [
            as_tensor(a).requires_grad_() if i in self.leaves else a if i % 2 else as_tensor(a)
            for i, a in enumerate(self.arrays)
        ]

    def __str__(self) -> str:
        return self._title

    @functools.cached_property
    def _title(self) -> str:
        kinds = ", ".join(a.dtype.name for a in self.arrays)
        layout = "" if self.draw.layout == "C" else f", layout {self.draw.layout}"
        shapes = ", ".join(map(str, self.shapes))
        name = str(self.case) if self.case.primitive else self.case.label
        return f"{name} on {shapes} of {kinds}{layout}, seed {self.draw.seed}"

    def reference(self, *arrays: Any) -> Any:
        """The forward function that shares no code with ours."""
        return (self.case.reference or self.case.call)(*arrays)

    def reference_of_leaves(self, *leaves: Any) -> Any:
        """The same as a function of the leaves alone, the other inputs being what they are."""
        return self.reference(*self.with_leaves(leaves))

    def cotangent(self, out: Any) -> Array:
        """Elements between 0.5 and 1.5 in size, of either sign."""
        return weights(np.random.default_rng(self.draw.seed + 1), out.shape)

    def with_leaves(self, values: Iterable[Any]) -> list[Any]:
        """All inputs as float64 arrays, those that are leaves replaced by `values`."""
        replaced = dict(zip(self.leaves, values, strict=True))
        return [replaced.get(i, a) for i, a in enumerate(self.doubles)]

    def gradients(self) -> list[Tensor]:
        """Zeros where nothing arrived, which the numerical derivative has to confirm."""
        leaves = [self.inputs[i] for i in self.leaves]
        return [Tensor(np.zeros_like(x.data)) if x.grad is None else x.grad for x in leaves]

    def clear(self) -> None:
        """Forget the gradients."""
        for i in self.leaves:
            self.inputs[i].grad = None

    def scatter(self, f: Callable[..., Sequence[Any]]) -> list[Array]:
        """By how much what f returns changes as all inputs do, in their last bits: its noise.

        And two last bits of 1, since what is left of ``1 - z`` is as coarse as z, which is near 1.
        """
        rng = np.random.default_rng(self.draw.seed)
        found = []
        for _ in range(8):
            moved = [a + rng.integers(-4, 5, a.shape) * np.spacing(a) for a in self.arrays]
            same = zip(moved, self.arrays, strict=True)
            found.append(f(*(np.asarray(x, a.dtype) for x, a in same)))
        bit = max((float(np.finfo(a.dtype).eps) for a in self.arrays), default=0.0)
        return [
            4 * np.ptp(np.asarray(values, np.float64), axis=0) + 2 * bit
            for values in zip(*found, strict=True)
        ]

    def noise(self, v: Array) -> list[Array]:
        """That of the gradients of the leaves, by the rules themselves."""

        def gradients(*arrays: Array) -> list[Array]:
            def of_leaves(*leaves: Any) -> Any:
                replaced = dict(zip(self.leaves, leaves, strict=True))
                return self.case.call(*(replaced.get(i, a) for i, a in enumerate(arrays)))

            return gradients_of(of_leaves, [arrays[i] for i in self.leaves], v)

        return self.scatter(gradients)

    def require_unchanged(self) -> None:
        """No input has other bytes than at the beginning."""
        for i, (a, bytes_) in enumerate(zip(self.arrays, self.before, strict=True)):
            require(a.tobytes() == bytes_, f"{self}: input {i} was changed")


def gradients_of(call: Callable[..., Any], arrays: Iterable[Any], v: Array) -> list[Array]:
    """The gradients of all inputs for a cotangent; zeros where nothing arrived.

    Examples
    --------
    >>> gradients_of(np.multiply, [2.0, 3.0], np.array(1.0))
    [array(3.), array(2.)]
    """
    leaves = [Tensor(a, requires_grad=True) for a in arrays]
    out = call(*leaves)
    if getattr(out, "requires_grad", False):
        out.backward(v.astype(out.dtype))
    return [np.zeros_like(x.data) if x.grad is None else np.asarray(x.grad.data) for x in leaves]


def second_gradients_of(call: Callable[..., Any], arrays: Iterable[Any]) -> list[Array]:
    """The gradients of the sum of all gradients of the sum of what a function returns.

    Examples
    --------
    >>> second_gradients_of(lambda x: x**3, [np.array([1.0, 2.0])])
    [array([ 6., 12.])]
    """

    def slope(*leaves: Tensor) -> Tensor:
        out = call(*leaves)
        out.backward(np.ones(out.shape, out.dtype), create_graph=True)
        found = [x.grad.sum() for x in leaves if x.grad is not None]
        for x in leaves:
            x.grad = None
        return sum(found, Tensor(0.0))

    return gradients_of(slope, arrays, np.ones(()))


def weights(rng: np.random.Generator, shape: Shape) -> Array:
    """Numbers of either sign between 0.5 and 1.5 in size, so that none is weighed lightly."""
    return np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1, 1], shape))


def require(holds: Any, message: str) -> None:
    """Raise a GradientError with the message where something does not hold."""
    if not holds:
        raise GradientError(message)


def require_close(
    actual: Any, expected: Any, tolerance: float, what: str, noise: Any = 0.0
) -> None:
    """Agreement relative to the largest element, but for some roundings of 1 and for the noise.

    The noise is a number, an array, or a function, which is asked for it only where it matters.

    Examples
    --------
    >>> require_close([1.0, 2.0], [1.0, 2.001], 1e-6, "the gradient of x")
    Traceback (most recent call last):
        ...
    tinygrad_bp.errors.GradientError: the gradient of x is wrong at 1 of 2 elements, most at index \
(1,): it is 2, and should be 2.001; the tolerance is 2.001e-06
    >>> require_close(1e-13, 0.0, 1e-6, "the mean", noise=1e-12)
    """
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    require(
        actual.shape == expected.shape,
        f"{what} has the shape {actual.shape}, and should have {expected.shape}",
    )
    largest = np.max(np.abs(expected), initial=0.0, where=np.isfinite(expected))
    with np.errstate(invalid="ignore"):
        difference = np.abs(actual - expected)
    same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    room = np.asarray(tolerance * float(largest) + _ROUNDINGS)
    wrong = ~(same | (difference <= room))
    if wrong.any():
        known = np.asarray(noise() if callable(noise) else noise)
        # What is infinite is not known, and nothing is put down to it.
        room = room + np.where(np.isfinite(known), known, 0.0)
        wrong = ~(same | (difference <= room))
    if wrong.any():
        worst = np.argmax(np.where(wrong, np.nan_to_num(difference, nan=np.inf), -1.0))
        index = tuple(int(i) for i in np.unravel_index(worst, actual.shape))
        raise GradientError(
            f"{what} is wrong at {wrong.sum()} of {actual.size} elements, most at index {index}: "
            f"it is {actual[index]:.12g}, and should be {expected[index]:.12g}; the tolerance is "
            f"{np.broadcast_to(room, actual.shape)[index]:.4g}"
        )
