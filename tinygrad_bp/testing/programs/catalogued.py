"""Operations of programs made of the catalogue's rows, so that the whole registry takes part.

The code of a row is that of NumPy's function, or of the lambda that it was written as, with the
operands in place of its arguments. What closes over something is called by the row's name.
"""

from __future__ import annotations

import ast
import functools
import inspect
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np

from tinygrad_bp.testing import catalogue
from tinygrad_bp.testing.programs.operations import BASIC, Operation, Shape, broadcast, surroundings

#: Families whose operations take any values of their domain, ties and singular matrices included.
UNSETTLED = frozenset(
    [
        "activations",
        "arithmetic",
        "choosing",
        "creation",
        "diagonals",
        "differences",
        "einsum",
        "engine",
        "exponential",
        "filling",
        "grids",
        "indexing",
        "joining",
        "linear_algebra",
        "losses",
        "padding",
        "parts",
        "products",
        "rearranging",
        "reductions",
        "scans",
        "shaping",
        "signals",
        "softmax",
        "special",
        "transforms",
        "trigonometric",
        "ufuncs",
        "updating",
        "windows",
    ]
)
_PLAIN = {"len", "abs", "sum", "slice", "range", "tuple", "list", "int", "float", "True", "False"}


def families() -> dict[str, list[Any]]:
    """The catalogue's rows by family."""
    return {name: list(rows) for name, rows in catalogue.families().items()}


@functools.cache
def calls() -> dict[str, Callable[..., Any]]:
    """The function of each row, by the row's name: what ``calls[...]`` in a program refers to."""
    return {str(row): row.call for rows in families().values() for row in rows}


@functools.cache
def environment() -> dict[str, Any]:
    """The names that the code of a program may use."""
    return {**surroundings(), "calls": calls()}


@functools.cache
def operations() -> dict[str, tuple[Operation, ...]]:
    """The operations of each primitive, in the order of the registry."""
    found: dict[str, list[Operation]] = {}
    for family, rows in families().items():
        for row in rows:
            shapes = tuple(s for s in row.shapes if all(math.prod(shape) for shape in s))
            if not shapes:
                continue
            empty = [s for s in row.shapes if s not in shapes]
            for arity in sorted({len(s) for s in shapes}):
                made = _operation(row, family, _of(arity, shapes), _of(arity, empty))
                found.setdefault(row.primitive, []).append(made)
    simple = [op.primitive for op in BASIC]
    order = sorted(found, key=lambda name: (name not in simple, name.startswith("special.")))
    return {name: tuple(found[name]) for name in order}


def _of(arity: int, shapes: Iterable[tuple[Shape, ...]]) -> tuple[tuple[Shape, ...], ...]:
    return tuple(s for s in shapes if len(s) == arity)


def _operation(
    row: Any,
    family: str,
    shapes: tuple[tuple[Shape, ...], ...],
    empty: tuple[tuple[Shape, ...], ...],
) -> Operation:
    arity = len(shapes[0])
    elementwise = isinstance(row.call, np.ufunc) and row.call.signature is None
    prefixes = {s[:n] for s in shapes for n in range(1, arity + 1)}
    return Operation(
        row.primitive,
        template_of(row, arity),
        arity,
        broadcast if elementwise else lambda *given: given in prefixes,
        () if elementwise else shapes,
        row.domains,
        row.kinks,
        row.distinct,
        row.distinct or family not in UNSETTLED,
        empty,
    )


def template_of(row: Any, arity: int) -> str:
    """Source that calls a row's function on operands ``{0}``, ``{1}`` ..."""
    call, keywords = row.call, ""
    if isinstance(call, functools.partial) and not call.args:
        parts = [f", {name}={value!r}" for name, value in call.keywords.items()]
        keywords = "".join(parts).replace("=inf", "=np.inf").replace("=-inf", "=-np.inf")
        if all(isinstance(v, int | float | str | tuple | None) for v in call.keywords.values()):
            call = call.func
    operands = ", ".join(f"{{{i}}}" for i in range(arity))
    known = _name_of(call)
    if known:
        return f"{known}({operands}{_escaped(keywords)})"
    return _written(call, arity) or f"calls[{_escaped(repr(str(row)))}]({operands})"


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _name_of(function: Any) -> str | None:
    name = getattr(function, "__name__", "")
    places = {"np": np, "np.linalg": np.linalg, "special": surroundings().get("special")}
    return next((f"{p}.{name}" for p, m in places.items() if getattr(m, name, 0) is function), None)


@functools.cache
def _tree(file: str) -> ast.Module:
    return ast.parse(Path(file).read_text(encoding="utf-8"))


def _written(function: Any, arity: int) -> str | None:
    """The body of a lambda, if it names nothing but modules that a program knows."""
    if getattr(function, "__name__", "") != "<lambda>":
        return None
    code: CodeType = function.__code__
    if (
        code.co_freevars
        or function.__defaults__
        or function.__kwdefaults__
        or code.co_argcount != arity
    ):
        return None
    file = inspect.getsourcefile(function)
    if file is None:
        return None
    known = surroundings()
    for node in ast.walk(_tree(file)):
        if not (isinstance(node, ast.Lambda) and node.lineno == code.co_firstlineno):
            continue
        parameters = [a.arg for a in node.args.args]
        names = {n.id for n in ast.walk(node.body) if isinstance(n, ast.Name)} - set(parameters)
        seen = all(n in _PLAIN or function.__globals__.get(n) is known.get(n, 0) for n in names)
        if seen and not node.args.vararg and _same(code, node.body):
            return _body(node.body, parameters)
    return None


def _same(code: CodeType, body: ast.expr) -> bool:
    """Whether this is the body that was compiled to `code`."""
    place = (body.lineno, body.end_lineno, body.col_offset, body.end_col_offset)
    return place in code.co_positions()


def _body(body: ast.expr, parameters: list[str]) -> str:
    class Placed(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.Name:
            if node.id in parameters:
                return ast.Name(f"_operand_{parameters.index(node.id)}_", node.ctx)
            return node

    tree = ast.parse(ast.unparse(body), mode="eval")
    text = _escaped(ast.unparse(Placed().visit(tree)))
    for i in range(len(parameters)):
        text = text.replace(f"_operand_{i}_", f"{{{i}}}")
    return text
