"""What is written in the boxes and frames of folded graphs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_bp.core import Node, Tensor
from tinygrad_bp.draw.fold import Around, Group
from tinygrad_bp.draw.scene import Names, facts, short
from tinygrad_bp.errors import in_words

_KINDS = 4  # that a line names
_SHAPES = 2
_PLAIN = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def title(of: Around | Group, names: Names, within: str = "", told: bool = False) -> str:
    """Of a call of a module, of a row of identical ones, or of a row of blocks of several items.

    Parameters
    ----------
    of : Around or Group
    names : Names
    within : str
        The path of the module within whose frame it is, which is left away.
    told : bool
        Whether the frame around it says how many there are.
    """
    block = of.block if isinstance(of, Around) else ()
    if not of.calls:
        return f"({_listed(block)}) × {of.times:,}"
    first, last = of.calls[0].module, of.calls[-1].module
    start, end = (relative(names.path(module), within) for module in (first, last))
    path = start if start == end else f"{start} … {end}"
    kind = f"({_listed(block)})" if block else type(first).__name__
    kind += f" × {of.times:,}" if of.times > 1 and not told else ""
    return f"{path}: {kind}" if path else kind


def relative(path: str, within: str) -> str:
    """A dotted path as seen from within a module.

    Examples
    --------
    >>> relative("blocks.0.up.weight", "blocks.0"), relative("head.bias", "blocks.0")
    ('up.weight', 'head.bias')
    """
    return path.removeprefix(f"{within}.") if within else path


def _listed(block: Sequence[str]) -> str:
    """What a block consists of."""
    return ", ".join([*block[:_KINDS], *(["…"] if len(block) > _KINDS else [])])


def kinds(nodes: Iterable[Node]) -> str:
    """Which operations there are, the most frequent first.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor(2.0, requires_grad=True)
    >>> kinds([(x + 1).node, (x * 2).node, (x + 2).node])
    'add × 2, multiply'
    """
    counted = Counter(node.primitive.name for node in nodes)
    ordered = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = [f"{name} × {n:,}" if n > 1 else name for name, n in ordered[:_KINDS]]
    rest = sum(n for _, n in ordered[_KINDS:])
    return ", ".join([*shown, f"{rest:,} others"] if rest else shown)


def shapes(made: Mapping[str, None]) -> tuple[str, ...]:
    """Shapes and dtypes of what a box hands on, each once."""
    more = len(made) - _SHAPES
    rest = [f"and {more} other shape{'s' * (more > 1)}"] if more > 0 else []
    return (*list(made)[:_SHAPES], *rest)


def taken(
    leaves: Sequence[Any], first: int, times: int, shared: bool, names: Names
) -> tuple[str, ...]:
    """Parameters, and other tensors and arrays, that have no box of their own.

    Parameters
    ----------
    leaves : sequence
        The tensors and arrays, those of the first block in a row before those of the others.
    first : int
        How many are in the first block.
    times : int
        The length of the row.
    shared : bool
        Whether others use them too.
    names : Names
    """
    parameters = [x.data.size if id(x) in names.parameters else 0 for x in leaves]
    lines, size, total = [], sum(parameters[:first]), sum(parameters)
    if total:
        factor = f"{times:,} × " if times > 1 and total == times * size else ""
        more = ", shared" if shared or (times > 1 and total == size) else ""
        lines.append(f"{factor}{size if factor else total:,} parameter{'s' * (total > 1)}{more}")
    others = sum(not p for p in parameters)
    if others:
        lines.append(f"{others:,} other input{'s' * (others > 1)}")
    return tuple(lines)


def params(nodes: Sequence[Node], full: bool) -> tuple[str, ...]:
    """The keyword parameters of an operation, which a row may repeat.

    Those that say nothing are left out, unless full.
    """
    lines = []
    for name, value in sorted(nodes[0].params.items()):
        if full or not _says_nothing(name, value):
            shown = {short(node.params[name]) for node in nodes}
            lines.append(f"{name}={short(value)}" if len(shown) == 1 else f"{name} differs")
    return tuple(lines)


def _says_nothing(name: str, value: Any) -> bool:
    """Whether a parameter is one without which the operation would be the same."""
    if name in _PLAIN:  # of windows, one number for each axis
        return all(n == _PLAIN[name] for n in np.ravel(value))
    return value is None or value is False


def kept(nodes: Sequence[Node], lines: bool) -> tuple[str, ...]:
    """How much memory the result of an operation takes, and, with `lines`, where it was recorded.

    Of an operation that a row repeats, it is said of each; where, if it is the same line.
    """
    first = nodes[0]
    amount = "a view" if _is_view(first) else f"keeps {_memory(_bytes(first.out))}"
    if not lines or len({(node.code, node.instruction) for node in nodes}) > 1:
        return (amount,)
    return (amount, f"at {in_words((first.code, first.instruction, ''))}")


def kept_by_all(nodes: Iterable[Node]) -> str:
    """How much memory operations keep until the backward pass, results and what they saved."""
    total = sum((0 if _is_view(node) else _bytes(node.out)) + _bytes(node.saved) for node in nodes)
    return f"{_memory(total)} kept for the backward pass"


def _is_view(node: Node) -> bool:
    return node.primitive.view and getattr(node.out, "base", None) is not None


def _bytes(value: Any) -> int:
    return int(getattr(value, "nbytes", 0))


def _memory(size: float) -> str:
    """A number of bytes.

    Examples
    --------
    >>> _memory(80), _memory(131072), _memory(2.5e12)
    ('80 bytes', '131 kB', '2.5 TB')
    """
    unit = 0
    while size >= 999.5 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.3g} {_UNITS[unit]}"


def of_row(values: Sequence[Any], names: Names, within: str) -> tuple[str, tuple[str, ...]]:
    """Title and lines of the leaves that stand at the same place in the blocks of a row.

    Parameters
    ----------
    values : sequence
        The leaves, block by block.
    names : Names
    within : str
        The path of the module around the first of them.
    """
    x = values[0]
    first, last = (names.box("", value).title for value in (x, values[-1]))
    near = relative(first, within)
    name = near if near != first or first == last else f"{first} … {last}"
    return name, (f"{facts(x.data if isinstance(x, Tensor) else x)} × {len(values):,}",)
