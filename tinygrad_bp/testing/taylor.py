r"""The Taylor test: what a gradient leaves unexplained shrinks with the square of the step.

.. math:: f(x + t d) - f(x) - t \langle g, d \rangle = O(t^2)

where g is the gradient, and :math:`O(t)` where it is not. No step size has to be chosen, since
what counts is how the remainder shrinks from one step to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_bp.errors import (
    ArgumentError,
    GradientError,
    NoGradPathError,
    ShapeError,
    missing_extra,
)
from tinygrad_bp.testing.arguments import positions, require_count, require_function
from tinygrad_bp.testing.slopes import Array, Field
from tinygrad_bp.testing.subjects import Recorded, Subject, Written

_FIRST = 2.0**-4  # relative to the size of each element


class TaylorTest(NamedTuple):
    """The table of a Taylor test. As a string, it is printed.

    Attributes
    ----------
    steps : ndarray
        The steps, each half of the one before.
    remainders : ndarray
        What the gradient leaves unexplained at each step, without sign.
    differences : ndarray
        By how much the function changes at each step, without sign: it shrinks at order 1.
    rates : ndarray
        The orders at which the remainder shrinks from one step to the next; the first is NaN.
    noise : float
        What rounding puts each remainder off by. A remainder below ten times this tells nothing.
    """

    steps: Array
    remainders: Array
    differences: Array
    rates: Array
    noise: float

    @property
    def order(self) -> float:
        """The order of the remainder: near 2 for a right gradient, near 1 for a wrong one.

        It is the median of the rates at the smaller steps that stand out of the noise, and infinite
        where no remainder does, as of a linear function.
        """
        told = self.rates[1:][(self.remainders > 10 * self.noise)[1:]]
        return float(np.median(told[-4:])) if told.size else np.inf

    @property
    def passed(self) -> bool:
        """Whether the remainder shrinks faster than by order 1.5."""
        return self.order > 1.5

    def __str__(self) -> str:
        lines = ["       step      change   remainder   order"]
        for row in zip(self.steps, self.differences, self.remainders, self.rates, strict=True):
            rate = "" if np.isnan(row[3]) else f"{row[3]:8.2f}"
            lines.append(f"{row[0]:11.3e} {row[1]:11.3e} {row[2]:11.3e}{rate}")
        verdict = "right" if self.passed else "wrong"
        return "\n".join([*lines, f"The remainder shrinks at order {self.order:.2f}: {verdict}."])

    def plot(self, axes: Any = None) -> Any:
        """Draw change and remainder over the step, with lines of slopes 1 and 2.

        Parameters
        ----------
        axes : matplotlib.axes.Axes, optional
            Where to draw; new ones unless given.

        Returns
        -------
        matplotlib.axes.Axes
            What was drawn in.
        """
        if axes is None:
            try:
                from matplotlib import pyplot
            except ImportError:
                raise missing_extra("matplotlib", "train", "TaylorTest.plot") from None
            axes = pyplot.subplots()[1]
        axes.loglog(self.steps, self.differences, "o-", label="change of f")
        axes.loglog(self.steps, self.remainders, "s-", label=f"remainder, order {self.order:.2f}")
        for slope, height in ((1, self.differences[0]), (2, self.remainders[0])):
            guide = height * (self.steps / self.steps[0]) ** slope
            axes.loglog(self.steps, guide, "k:", linewidth=0.8)
        axes.set_xlabel("step")
        axes.legend()
        return axes


def taylor_test(
    f: Callable[..., Any],
    *args: Any,
    gradient: Callable[..., Any] | None = None,
    halvings: int = 10,
    argnums: int | Sequence[int] | None = None,
    seed: int = 0,
    check: bool = True,
) -> TaylorTest:
    """Halve a step in a random direction, and see at which order the remainder shrinks.

    Parameters
    ----------
    f : callable
        As for `check_gradients`: of tensors, or with `gradient` in plain NumPy. An output with
        axes is summed with random weights.
    *args : array, Tensor, float or Module
        Real ones are moved, in float64.
    gradient : callable, optional
        A gradient written by hand.
    halvings : int, default 10
        How often the step is halved, 8 times at least.
    argnums : int or sequence of int, optional
        Positions of the arguments to move.
    seed : int, default 0
        Of the direction.
    check : bool, default True
        Whether a gradient that is wrong is an error.

    Raises
    ------
    GradientError
        The remainder does not shrink at second order. The attribute ``check`` has the table.

    Examples
    --------
    >>> table = taylor_test(lambda x: np.sum(np.exp(x)), np.array([0.5, -1.0]))
    >>> round(table.order, 1), table.passed
    (2.0, True)
    """
    who = "taylor_test"
    require_function(who, "f", f)
    require_function(who, "gradient", gradient, optional=True)
    require_count(who, "seed", seed)
    if not isinstance(halvings, int | np.integer) or halvings < 8:
        raise ArgumentError(
            f"a Taylor test needs 8 halvings or more, not {halvings!r}.\nFix: halvings=10."
        )
    places = positions(who, argnums, args)
    subject: Subject
    if gradient is None:
        subject = Recorded(f, args, places)
    else:
        subject = Written(f, gradient, args, places)
    rng = np.random.default_rng(seed)
    size = np.asarray(subject.value(subject.start)).size
    rows = rng.uniform(0.5, 1.5, (1, size)) if size > 1 else np.ones((1, 1))
    try:
        parts = subject.pulls(rows)[0]
    except NoGradPathError:
        parts = [None] * len(subject.start)
    for name, g, x in zip(subject.names, parts, subject.start, strict=True):
        if g is not None and np.shape(g) != x.shape:
            raise ShapeError(
                f"the gradient of {name} has the shape {np.shape(g)}, and {name} has {x.shape}.\n"
                "Fix: check_gradients says more of it."
            )
    exact = np.concatenate(
        [
            np.zeros(x.size) if g is None else np.ravel(g)
            for g, x in zip(parts, subject.start, strict=True)
        ]
    )
    table = _table(subject, rows, exact, rng, halvings)
    if check and not table.passed:
        error = GradientError(
            f"the gradient fails the Taylor test: the remainder shrinks at order "
            f"{table.order:.2f}, not 2.\nFix: check_gradients says where it is wrong, and why."
        )
        error.check = table
        raise error
    return table


def _table(
    subject: Subject, rows: Array, exact: Array, rng: np.random.Generator, halvings: int
) -> TaylorTest:
    x = np.concatenate([a.ravel() for a in subject.start])
    ends = np.cumsum([a.size for a in subject.start])[:-1]

    def value(moved: Array) -> Array:
        arrays = [
            part.reshape(a.shape)
            for part, a in zip(np.split(moved, ends), subject.start, strict=True)
        ]
        return np.ravel(rows @ np.asarray(subject.value(arrays), np.float64).ravel())

    field = Field(value, x)
    direction = rng.uniform(0.5, 1.0, x.size) * rng.choice([-1.0, 1.0], x.size)
    direction *= np.maximum(np.abs(x), 1.0)
    steps = _FIRST * 0.5 ** np.arange(halvings + 1.0)
    with np.errstate(all="ignore"):
        changes = np.array([float(value(x + t * direction)[0] - field.center[0]) for t in steps])
        remainders = np.abs(changes - steps * float(exact @ direction))
        rates = np.full(len(steps), np.nan)
        rates[1:] = np.log2(remainders[:-1] / remainders[1:])
    noise = float(np.finfo(np.float64).eps * max(np.abs(field.center[0]), np.abs(changes).max()))
    noise = max(noise, float(field.noise[0]))
    return TaylorTest(steps, remainders, np.abs(changes), rates, noise)
