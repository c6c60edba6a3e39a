"""Parameters side by side in one buffer, and the checks of what may be a parameter."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.core import Tensor
from tinygrad_bp.core.graph import Version, clock
from tinygrad_bp.errors import (
    ArgumentError,
    DTypeError,
    GraphError,
    Place,
    ShapeError,
    a_kind,
    user_line,
)

Array = npt.NDArray[Any]

# Elements that a rule works on at a time, so that its temporaries stay in the cache. Adam on
# 4,000,000 float32 parameters takes 0.7 of the time that it takes on whole arrays. Blocks of 16,384
# are slower by a quarter on 235,000 parameters: the calls then cost more than the cache saves.
BLOCK = 131072

# Positions of parameters, the slice of the gradient of a large one, and views of their values and
# states.
Piece = tuple[tuple[int, ...], slice | None, tuple[Array, ...]]

# Gradients are copied side by side where they are no more elements than this together: 100 small
# parameters take Adam a sixth of the time of one by one. Larger ones are read where they are, as
# copying 100,000 costs half of what plain gradient descent does with them.
JOINED = 2048


def describe(p: Tensor, position: int) -> str:
    """A parameter for a message: by its name or position, with shape and dtype."""
    return f"{repr(p.name) if p.name else f'number {position}'} {p.shape} {p.dtype}"


def checked_parameters(parameters: Any, who: str) -> list[Tensor]:
    """The parameters as a list without repetitions, each a real leaf.

    Raises
    ------
    ArgumentError, DTypeError, GraphError
        There are none, or one of them is no tensor, not real, or an intermediate value.
    """
    if hasattr(parameters, "parameters"):  # a module; Sequential is an iterable of its layers
        raise ArgumentError(
            f"pass model.parameters(): {who} needs the parameters, and got the module that has "
            f"them, {a_kind(parameters)} (at {user_line()}).\nFix: {who}(model.parameters(), ...)."
        )
    without_axes = isinstance(parameters, np.ndarray) and not parameters.ndim
    if isinstance(parameters, Tensor) or without_axes or not isinstance(parameters, Iterable):
        raise ArgumentError(
            f"{who} needs an iterable of parameters, not {a_kind(parameters)} "
            f"(at {user_line()}).\nFix: pass a list: [parameter]."
        )
    found = list({id(p): p for p in parameters}.values())
    if not found:
        raise ArgumentError(
            f"{who} got no parameters: the {type(parameters).__name__} it was given is empty "
            f"(at {user_line()}).\n"
            "Fix: pass model.parameters(), and see that the layers are attributes of the model, "
            "or in a list or dict that is; a generator that was used before is empty, too."
        )
    for i, p in enumerate(found):
        if not isinstance(p, Tensor):
            raise ArgumentError(
                f"{who} got {a_kind(p)} as parameter number {i} (at {user_line()}).\n"
                "Fix: pass tensors, as with model.parameters() or Tensor(..., requires_grad=True)."
            )
        if p.node is not None:
            raise GraphError(
                f"{who} got parameter {describe(p, i)}, which is not a leaf: it was made by "
                f"{p.node.primitive.name!r} (at {user_line()}).\n"
                "Fix: pass the leaf that it was computed from, or make one of its values: "
                "Tensor(t.detach(), requires_grad=True)."
            )
        if p.dtype.kind != "f":
            raise DTypeError(
                f"{who} cannot change parameter {describe(p, i)} (at {user_line()}).\n"
                "Fix: pass parameters of a real floating-point dtype."
            )
    return found


def no_gradients(who: str, count: int) -> GraphError:
    """The error where not one of the parameters has a gradient."""
    return GraphError(
        f"{who} found no gradient on any of its {count} parameters (at {user_line()}). Nothing "
        "was changed.\n"
        "Fix: call backward() on the loss first, after zero_grad(); if you did, the loss was "
        "computed from other tensors than these parameters."
    )


def _is_turned(array: Any) -> bool:
    """Whether the columns of a matrix, and not its rows, lie one after the other in memory."""
    flags = array.flags
    return array.ndim == 2 and bool(flags.f_contiguous and not flags.c_contiguous)


def _flat(array: Any, turned: bool) -> Array:
    """The elements one after the other, as they lie in the memory of the parameter."""
    flat: Array = (array.T if turned else array).reshape(-1)
    return flat


def _shaped(flat: Array, shape: tuple[int, ...], turned: bool) -> Array:
    """What `_flat` gave, in the shape of the parameter."""
    return flat.reshape(shape[::-1]).T if turned else flat.reshape(shape)


class FlatParameters:
    """Parameters of one dtype in one buffer, of which each ``p.data`` is a view.

    Attributes
    ----------
    params : list of Tensor
        The parameters, in order.
    data : ndarray
        The buffer.
    steps : list of int
        How often each parameter was updated.
    whole : bool
        Whether each parameter is updated by itself and as a whole, for rules with a norm of it.
    """

    def __init__(self, params: list[Tensor]) -> None:
        self.params = params
        self.bounds = list(accumulate((p.size for p in params), initial=0))
        self._turned = [_is_turned(p.data) for p in params]
        self._orders: list[Any] = ["F" if turned else "C" for turned in self._turned]
        self.data = np.concatenate(
            [_flat(p.data, turned) for p, turned in zip(params, self._turned, strict=True)]
        )
        self.steps = [0] * len(params)
        self.whole = False
        self._states: dict[str, Array] = {}
        self._planned: tuple[list[int], tuple[str, ...]] = ([], ())
        self._plan: list[Piece] = []
        self._views = []
        for i, p in enumerate(params):
            view = _shaped(self.data[self._range(i)], p.shape, self._turned[i])
            self._views.append(view)
            p._data = view  # not p.data, which would tell graphs of new values
            if p.version is None or not p.version.assignable:
                p.version = Version()  # the memory is its own now

    def __getstate__(self) -> dict[str, Any]:
        """All but the plan, whose views a pickle would hold as copies."""
        return {**vars(self), "_planned": ([], ()), "_plan": []}

    def _range(self, i: int) -> slice:
        return slice(self.bounds[i], self.bounds[i + 1])

    def is_current(self) -> bool:
        """Whether no parameter was given other memory meanwhile.

        Raises
        ------
        ShapeError
            One was given another shape.
        """
        for i, p in enumerate(self.params):
            if p._data is not self._views[i]:
                break
        else:
            return True
        for i, (p, view) in enumerate(zip(self.params, self._views, strict=True)):
            if p.shape != view.shape:
                raise ShapeError(
                    f"parameter {describe(p, i)} had the shape {view.shape} when the optimizer "
                    f"was made (at {user_line()}). Nothing was changed.\n"
                    "Fix: make a new optimizer for the new parameters."
                )
        return False

    def buffer(self, name: str) -> Array:
        """The state of this name for all parameters; zero where it is new."""
        if name not in self._states:
            self._states[name] = np.zeros_like(self.data)
        return self._states[name]

    def state(self, i: int, names: tuple[str, ...] | None = None) -> dict[str, Any]:
        """A copy of the state of one parameter; only the number of steps where that is 0.

        Its arrays are those of the given names, or all that there are.
        """
        state: dict[str, Any] = {"step": self.steps[i]}
        if self.steps[i]:
            shape = self.params[i].shape
            for name in tuple(self._states) if names is None else names:
                part = self.buffer(name)[self._range(i)]
                state[name] = _shaped(part, shape, self._turned[i]).copy()
        return state

    def set_state(self, i: int, state: dict[str, Any]) -> None:
        """Put back what `state` returned."""
        self._planned = ([], ())
        self.steps[i] = state["step"]
        for values in self._states.values():
            values[self._range(i)] = 0
        for name, values in state.items():
            if name != "step":
                self.buffer(name)[self._range(i)] = _flat(np.asarray(values), self._turned[i])

    def updates(
        self, where: Place, names: tuple[str, ...]
    ) -> list[tuple[int, Array, tuple[Array, ...]]]:
        """Count a step for each parameter with a gradient, and say what is to be updated.

        Parameters
        ----------
        where : Place
            The user's line, for the error where a graph still needs the old values.
        names : tuple of str
            The states that the rule works on.

        Returns
        -------
        list of (step, gradient, (parameters, *states))
            All flat, and none of them larger than a block.
        """
        grads: list[Any] = []
        ready: list[int] = []
        steps, now = self.steps, next(clock)
        for i, p in enumerate(self.params):
            grad = p._grad  # as p.grad, which costs a call
            grads.append(grad)
            if grad is not None:
                ready.append(i)
                steps[i] += 1
                version = p.version  # set when it was adopted; written to as by `advance`
                version.count += 1  # type: ignore[union-attr]
                version.changed = now  # type: ignore[union-attr]
                version.where = where  # type: ignore[union-attr]
        # The pieces are the same from step to step, until other parameters have a gradient;
        # making them anew would cost 3 of the 10 microseconds of a step on two small matrices.
        if self._planned != (ready, names):
            self._plan = self._pieces(ready, names)
            self._planned = (ready, names)
        found, orders = [], self._orders
        for positions, cut, part in self._plan:
            first = positions[0]
            if len(positions) == 1:
                g = grads[first]._data.ravel(orders[first])  # as _flat, in one call
            else:
                g = np.concatenate([grads[i]._data.ravel(orders[i]) for i in positions])
            found.append((steps[first], g if cut is None else g[cut], part))
        return found

    def _pieces(self, ready: list[int], names: tuple[str, ...]) -> list[Piece]:
        """Join small neighbours that are at the same step, and cut large parameters into blocks."""
        whole = [self.data, *map(self.buffer, names)]
        pieces: list[Piece] = []
        limit, block = (0, self.data.size) if self.whole else (JOINED, BLOCK)
        joined: list[int] = []
        for i in [*ready, None]:
            if joined and (
                i is None
                or i != joined[-1] + 1
                or self.steps[i] != self.steps[joined[0]]
                or self.bounds[i + 1] - self.bounds[joined[0]] > limit
            ):
                span = slice(self.bounds[joined[0]], self.bounds[joined[-1] + 1])
                pieces.append((tuple(joined), None, tuple(a[span] for a in whole)))
                joined = []
            if i is None:
                break
            start, stop = self.bounds[i], self.bounds[i + 1]
            if stop - start <= limit:
                joined.append(i)
                continue
            for a in range(start, stop, block):
                span = slice(a, min(a + block, stop))
                cut = slice(a - start, span.stop - start) if stop - start > block else None
                pieces.append(((i,), cut, tuple(array[span] for array in whole)))
        return pieces
