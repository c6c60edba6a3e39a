r"""A recorded graph run once more, on complex numbers: the complex step.

.. math:: f'(x) = \mathrm{Im}\, f(x + ih) / h

There is no difference in it, so no digit is lost, and the step can be so small that nothing is
truncated [1]_. It needs functions that are analytic and take complex numbers.

References
----------
.. [1] W. Squire, G. Trapp, "Using complex variables to estimate derivatives of real functions",
   SIAM Review 40, 1998.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.core.graph import Node
from tinygrad_bp.testing.slopes import Array
from tinygrad_bp.testing.subjects import Recorded, nodes_below

#: So small that nothing is truncated.
COMPLEX_STEP = 2.0**-100


class Replay:
    """The graph of a recorded function, for complex steps from its arguments.

    Attributes
    ----------
    works : bool
        Whether everything in the graph is analytic, in float64, and has taken complex numbers so
        far.
    """

    def __init__(self, subject: Recorded, rows: Array) -> None:
        self.rows, self.leaves, self.works = rows, subject.leaves, False
        if subject.order > 1:
            return
        self.out = subject.output()
        self.nodes = nodes_below(self.out)
        self.works = bool(self.nodes) and all(
            n.primitive.analytic and n.primitive.name != "astype" for n in self.nodes
        )

    def along(self, position: int) -> Array | None:
        """The derivatives of all projections along one element of the flat arguments."""
        values: dict[int, Any] = {}
        for leaf in self.leaves:
            if 0 <= position < leaf.size:
                moved = np.array(leaf.data, complex)
                moved.flat[position] += 1j * COMPLEX_STEP
                values[id(leaf)] = moved if leaf.ndim else moved[()]
            position -= leaf.size
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("error")
                out = self.run(values)
        except Exception:  # whatever a function does on numbers that it was not made for
            self.works = False
            return None
        if not np.iscomplexobj(out):  # something in between took the real part
            return None
        return np.asarray(self.rows @ np.imag(out).ravel() / COMPLEX_STEP, np.float64)

    def run(self, values: dict[int, Any]) -> Any:
        """The output for other values of the arguments, by the identity of their tensors."""
        done: dict[int, Any] = {}
        for node in self.nodes:
            inputs, touched = [], False
            for x in node.sources:
                key = x.number if isinstance(x, Node) else id(x)
                known = done if isinstance(x, Node) else values
                touched = touched or key in known
                plain = x.out if isinstance(x, Node) else x.data if isinstance(x, Tensor) else x
                inputs.append(known.get(key, plain))
            if touched:
                done[node.number] = node.primitive.value(*inputs, **node.params)
        end = self.out.node
        return done.get(end.number, end.out) if end is not None else self.out.data
