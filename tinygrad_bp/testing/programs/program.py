"""`Program`: a computation as data, which runs, is drawn, and prints as code."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_bp.testing.programs.catalogued import environment
from tinygrad_bp.testing.programs.operations import IMPORTS

if TYPE_CHECKING:
    import graphviz

    from tinygrad_bp.core import Tensor


@dataclass(frozen=True)
class Step:
    """One line of a program.

    Attributes
    ----------
    name : str
        Of the value that the line computes.
    code : str
        The expression, in Python.
    primitive : str
        What the expression records, in the registry's words.
    operands : tuple of str
        The names of the values that it is computed from.
    """

    name: str
    code: str
    primitive: str
    operands: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Program:
    """A scalar function of a few arrays, as `programs` draws it.

    What runs is what `code` prints.

    Attributes
    ----------
    inputs : tuple of ndarray
        Values to run it on; their names are x0, x1, ...
    steps : tuple of Step
        The lines in order.
    result : str
        The expression of the number that is returned.

    Examples
    --------
    >>> steps = (Step("v0", "x0 * x0", "multiply", ("x0", "x0")),)
    >>> program = Program((np.array([1.0, 2.0]),), steps, "np.sum(v0)")
    >>> program.run(*program.inputs).item()
    5.0
    >>> program
    import numpy as np
    import tinygrad_bp as tg
    from tinygrad_bp.testing import check_gradients
    <BLANKLINE>
    <BLANKLINE>
    def program(x0):
        v0 = x0 * x0
        return np.sum(v0)
    <BLANKLINE>
    <BLANKLINE>
    x0 = np.array([1.0, 2.0])
    print(check_gradients(program, x0))
    """

    inputs: tuple[np.ndarray[Any, Any], ...]
    steps: tuple[Step, ...]
    result: str

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the inputs."""
        return tuple(f"x{i}" for i in range(len(self.inputs)))

    def run(self, *inputs: Any) -> Tensor:
        """Compute the result of tensors, or of arrays, which are taken as constants."""
        import tinygrad_bp as tg

        result: Tensor = tg.as_tensor(self._function(*map(tg.as_tensor, inputs)))
        return result

    @functools.cached_property
    def _function(self) -> Any:
        room: dict[str, Any] = dict(environment())
        exec(compile(self._definition(), "<program>", "exec"), room)
        return room["program"]

    def _definition(self) -> str:
        lines = [f"def program({', '.join(self.names)}):"]
        lines += [f"    {step.name} = {step.code}" for step in self.steps]
        return "\n".join([*lines, f"    return {self.result}"])

    def code(self) -> str:
        """Python source that can be pasted and run, inputs and gradient check included."""
        definition = self._definition()
        used = [n for n in IMPORTS if re.search(rf"\b{n}\b", definition) or n in ("np", "tg")]
        lines = [IMPORTS[name] for name in used]
        lines.append("from tinygrad_bp.testing import check_gradients")
        if "calls[" in definition:
            lines.append("from tinygrad_bp.testing.programs import calls")
            definition = definition.replace("calls[", "calls()[")
        values = [
            f"{name} = {literal(values)}"
            for name, values in zip(self.names, self.inputs, strict=True)
        ]
        check = f"print(check_gradients({', '.join(['program', *self.names])}))"
        return "\n".join([*lines, "", "", definition, "", "", *values, check])

    def draw(self) -> graphviz.Digraph:
        """The picture of the graph that the program records."""
        import tinygrad_bp as tg
        from tinygrad_bp.draw import draw

        pairs = zip(self.names, self.inputs, strict=True)
        leaves = [tg.Tensor(values, requires_grad=True, name=name) for name, values in pairs]
        return draw(self.run(*leaves))

    def __repr__(self) -> str:
        return self.code()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What Hypothesis shows of a failing example."""
        printer.text(f"<a program of {len(self.steps)} steps>\n{self.code()}\n")


def literal(values: Any) -> str:
    """An array as Python source, exact.

    Examples
    --------
    >>> literal(np.array([0.5, 1.0], np.float32)), literal(np.ones((0, 2)))
    ('np.array([0.5, 1.0], np.float32)', 'np.zeros((0, 2))')
    """
    array = np.asarray(values)
    dtype = "" if array.dtype == np.float64 else f", np.{array.dtype}"
    what = f"array({array.tolist()!r}" if array.size else f"zeros({array.shape}"
    return f"np.{what}{dtype})"
