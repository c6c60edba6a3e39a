"""The computation graph: variables, and one `Node` for each application of a primitive."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

from tinygrad_bp.errors import Place, in_words

if TYPE_CHECKING:
    from types import CodeType

    from tinygrad_bp.core.mode import Mode
    from tinygrad_bp.core.primitive import Primitive

#: Numbers applications and changes of values alike: of two events, the later has the greater.
clock = count(1)

#: The parameters of all applications that have none: one dictionary less to each node.
NO_PARAMS: dict[str, Any] = {}


class _Nothing:
    """Stands where a node has no input."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING = _Nothing()


class Version:
    """When a piece of memory was last written to; shared by the tensors that lie in it.

    Attributes
    ----------
    count : int
        How often it was written to.
    changed : int
        The time on `clock` of the last write. A node with a smaller number saw an older value.
    where : Place or None
        The user's line of the last write.
    assignable : bool
        False where the memory belongs to a recorded intermediate value.
    """

    __slots__ = ("assignable", "changed", "count", "where")

    def __init__(self, assignable: bool = True) -> None:
        self.count = 0
        self.changed = 0
        self.where: Place | None = None
        self.assignable = assignable

    def advance(self, where: Place) -> None:
        """Note a write."""
        self.count += 1
        self.changed = next(clock)
        self.where = where


class Variable:
    """A value in the graph: a leaf, a constant, or the output of a node. `Tensor` completes it.

    Attributes
    ----------
    _data : ndarray or NumPy scalar
        The value. Results without axes are NumPy scalars, as NumPy's own are. The engine reads
        it here; `Tensor.data`, which users read, also notes what is written to it.
    _requires_grad : bool
        Whether gradients flow to here. The engine reads it here; `Tensor.requires_grad`, which
        users set, refuses what cannot have a gradient.
    node : Node or None
        The application that made it; None for leaves and constants.
    version : Version or None
        Changes of the memory that `data` lies in; None where nothing else can reach it.
    hooks : list or None
        Functions that see, and may replace, the gradient of a leaf.
    """

    __slots__ = ("__weakref__", "_data", "_requires_grad", "hooks", "node", "version")

    _data: Any
    hooks: list[Callable[[Any], Any]] | None
    node: Node | None
    requires_grad: bool
    _requires_grad: bool
    version: Version | None


class Node:
    """One application of a primitive, as the backward pass, the pictures and the checks read it.

    A node holds the nodes before it and the array that came out, but no tensors in between. So
    there is no reference cycle, and a graph dies with the last tensor that needs it; and the
    garbage collector has fewer objects to look at, which in long graphs costs as much as recording.
    `Primitive.apply` makes nodes; nothing else does.

    Attributes
    ----------
    primitive : Primitive
        What was applied.
    x, y : Node, Variable, array, number or NOTHING
        The first two inputs: nodes for the outputs of nodes, and else what was given, which is
        leaves, constant tensors, arrays and Python numbers. They have slots of their own because
        a tuple of them would be one more object for the garbage collector to look at, which costs
        0.15 of the 4 microseconds that an operation takes.
    rest : tuple
        The inputs after them.
    params : dict
        The keyword parameters of the application.
    out : ndarray or NumPy scalar
        What came out.
    saved : ndarray or None
        What the forward function saved for the rules beside it.
    number : int
        Greater than the number of every node that came before, so that descending numbers are a
        topological order for the backward pass.
    mode : Mode
        What was in force; it knows the module path.
    hooks : list or None
        Functions that see, and may replace, the cotangent that arrives here.
    code, instruction : code, int
        What the user's code was doing; `where` puts it into words.
    freed_at : Place or None
        Where the backward pass ran that let go of the arrays.
    """

    __slots__ = (
        "code",
        "freed_at",
        "hooks",
        "instruction",
        "mode",
        "number",
        "out",
        "params",
        "primitive",
        "rest",
        "saved",
        "x",
        "y",
    )

    hooks: list[Callable[[Any], Any]] | None
    mode: Mode
    number: int
    out: Any
    params: dict[str, Any]
    primitive: Primitive
    saved: Any
    code: CodeType
    instruction: int
    freed_at: Place | None
    x: Any
    y: Any
    rest: tuple[Any, ...]

    @property
    def sources(self) -> tuple[Any, ...]:
        """All inputs in order, as in `x`, `y` and `rest`."""
        if self.y is NOTHING:
            return () if self.x is NOTHING else (self.x,)
        return (self.x, self.y, *self.rest)

    @property
    def inputs(self) -> tuple[Any, ...]:
        """The inputs as they were given: tensors, arrays and Python numbers."""
        as_tensor = self.primitive.as_tensor
        return tuple([as_tensor(x.out, x) if type(x) is Node else x for x in self.sources])

    @property
    def values(self) -> list[Any]:
        """The inputs as arrays and numbers."""
        return [
            x.out if type(x) is Node else x._data if isinstance(x, Variable) else x
            for x in self.sources
        ]

    def rule_params(self) -> dict[str, Any]:
        """The keywords of the rules: the parameters, and what the forward function saved."""
        return self.params if self.saved is None else {**self.params, "saved": self.saved}

    def where(self) -> str:
        """The module path and the user's line, for messages."""
        path = self.mode.path()
        return f"{f' in {path}' if path else ''} at {in_words((self.code, self.instruction, ''))}"

    def __repr__(self) -> str:
        state = "freed" if self.freed_at else f"{getattr(self.out, 'shape', ())}"
        return f"<Node {self.number} {self.primitive.name} {state}{self.where()}>"


def release(nodes: list[Node], where: Place) -> None:
    """Let go of inputs and arrays; a later backward pass through these nodes is an error."""
    for node in nodes:
        node.freed_at = where
        node.x = node.y = NOTHING
        node.rest = ()
        node.params = NO_PARAMS
        node.out = node.saved = None
