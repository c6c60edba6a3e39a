"""Mistakes in the text of a rule: its syntax tree with one node replaced, compiled anew."""

from __future__ import annotations

import ast
import copy
import functools
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tinygrad_bp.testing.mutants.mutant import Mutant, Rule, rules_of

_OTHER = {
    "cos": "sin",
    "sin": "cos",
    "cosh": "sinh",
    "sinh": "cosh",
    "exp": "expm1",
    "expm1": "exp",
    "log": "log1p",
    "log1p": "log",
    "maximum": "minimum",
    "minimum": "maximum",
    "cumsum": "cumprod",
    "sum": "mean",
    "sqrt": "square",
    "triu": "tril",
    "tril": "triu",
}
_COMPARED = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}
_Found = Iterator[tuple[str, ast.expr]]


def _binary(node: ast.BinOp) -> _Found:
    def with_operator(op: ast.operator) -> ast.expr:
        return ast.BinOp(node.left, op, node.right)

    if isinstance(node.op, (ast.Add, ast.Sub)):
        plus = isinstance(node.op, ast.Add)
        yield "sign of a term turned", with_operator(ast.Sub() if plus else ast.Add())
        yield "term dropped", node.left
        yield "term dropped", node.right if plus else ast.UnaryOp(ast.USub(), node.right)
    elif isinstance(node.op, (ast.Mult, ast.Div)):
        times = isinstance(node.op, ast.Mult)
        yield "times for divided", with_operator(ast.Div() if times else ast.Mult())
        yield "factor dropped", node.left
        yield "factor dropped", node.right
    elif isinstance(node.op, ast.Pow):
        yield "factor dropped", node.left
    elif isinstance(node.op, ast.MatMult):
        yield "transposes swapped", ast.BinOp(node.right, ast.MatMult(), node.left)


def _changes(node: ast.AST) -> _Found:
    """What may stand in the place of an expression by mistake, each with the kind of mistake."""
    if isinstance(node, ast.BinOp):
        yield from _binary(node)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        if not isinstance(node.operand, ast.Constant):
            yield "minus dropped", node.operand
    elif isinstance(node, ast.Name) and node.id in ("x", "out") and type(node.ctx) is ast.Load:
        yield "x for out", ast.Name("out" if node.id == "x" else "x", ast.Load())
    elif isinstance(node, ast.Attribute) and node.attr in _OTHER:
        yield "another function", ast.Attribute(node.value, _OTHER[node.attr], node.ctx)
    elif isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield "transposes swapped", node.value
    elif isinstance(node, ast.Constant) and isinstance(value := node.value, (int, float)):
        if not isinstance(value, bool):
            yield "constant changed", ast.Constant(value + 1)
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARED:
        other = _COMPARED[type(node.ops[0])]()
        yield "comparison changed", ast.Compare(node.left, [other, *node.ops[1:]], node.comparators)
    elif isinstance(node, ast.IfExp):
        yield "branches swapped", ast.IfExp(node.test, node.orelse, node.body)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "where" and len(node.args) == 3:
            condition, one, two = node.args
            yield "branches swapped", ast.Call(node.func, [condition, two, one], node.keywords)
        elif node.func.attr == "swapaxes":
            yield "transposes swapped", node.args[0]


class _Replaced(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.expr) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> Any:
        return self.new if node is self.old else self.generic_visit(node)


@functools.cache
def _functions(path: str) -> list[ast.Lambda | ast.FunctionDef]:
    tree = ast.parse(Path(path).read_text("utf-8"))
    return [n for n in ast.walk(tree) if isinstance(n, (ast.Lambda, ast.FunctionDef))]


def _tree_of(function: types.FunctionType) -> ast.Lambda | ast.FunctionDef | None:
    """The syntax tree of a function; lambdas on one line are told apart by their columns."""
    code = function.__code__
    names = list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    spots = [(line, column) for line, _, column, _ in code.co_positions() if line and column]
    last = max(spots, default=(code.co_firstlineno, 0))
    found = []
    for node in _functions(code.co_filename):
        given = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        if [a.arg for a in given] != names or node.lineno != code.co_firstlineno:
            continue
        if isinstance(node, ast.FunctionDef) and node.name == code.co_name:
            return node
        end = (node.end_lineno or 0, node.end_col_offset or 0)
        if code.co_name == "<lambda>" and (node.lineno, node.col_offset) <= last <= end:
            found.append(node)
    return found[0] if len(found) == 1 else None


def _inside(tree: ast.Lambda | ast.FunctionDef) -> Iterator[ast.AST]:
    """The nodes of the body that compute: no annotations, no messages of errors."""
    body = tree.body if isinstance(tree.body, list) else [tree.body]
    todo: list[ast.AST] = list(reversed(body))
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.Raise, ast.JoinedStr, ast.Assert)):
            continue
        yield node
        todo.extend(reversed(list(ast.iter_child_nodes(node))))


def _compiled(function: types.FunctionType, tree: ast.Lambda | ast.FunctionDef) -> Rule:
    """A function of the changed tree, with the globals and the closure of the old one."""
    made: list[ast.stmt]
    if isinstance(tree, ast.FunctionDef):
        tree.decorator_list = []
        made = [tree, ast.Return(ast.Name(tree.name, ast.Load()))]
    else:
        made = [ast.Return(tree)]
    free = function.__code__.co_freevars
    arguments = ast.arguments([], [ast.arg(name) for name in free], None, [], [], None, [])
    maker = ast.FunctionDef("make", arguments, made, [], None, None)
    module = ast.fix_missing_locations(ast.Module([maker], []))
    namespace: dict[str, Any] = {}
    exec(compile(module, "<mutant>", "exec"), function.__globals__, namespace)
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    rule: Rule = namespace["make"](*cells)
    return rule


def _edits(function: types.FunctionType) -> Iterator[tuple[str, str, Callable[[], Rule]]]:
    """Each change of a function: kind, what became what, and the maker of the changed function."""
    tree = _tree_of(function)
    if tree is None:
        return
    known = function.__code__.co_varnames
    for place, node in enumerate(_inside(tree)):
        for number, (kind, new) in enumerate(_changes(node)):
            if kind == "x for out" and new.id not in known:  # type: ignore[attr-defined]  # a name
                continue

            def make(place: int = place, number: int = number) -> Rule:
                twin = copy.deepcopy(tree)
                old = list(_inside(twin))[place]
                new = list(_changes(old))[number][1]
                return _compiled(function, _Replaced(old, new).visit(twin))

            yield kind, f"{_brief(node)} -> {_brief(new)}", make


def _brief(node: ast.AST) -> str:
    text = " ".join(ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).split())
    return text if len(text) <= 44 else f"{text[:41]}..."


def _helpers(function: types.FunctionType) -> dict[str, types.FunctionType]:
    """The functions of its own module that a rule calls by name."""
    known = function.__globals__
    return {
        name: known[name]
        for name in function.__code__.co_names
        if isinstance(known.get(name), types.FunctionType)
        and known[name].__module__ == function.__module__
    }


def _with_helper(rule: types.FunctionType, name: str, make: Callable[[], Rule]) -> Rule:
    twin = types.FunctionType(
        rule.__code__,
        {**rule.__globals__, name: make()},
        rule.__name__,
        rule.__defaults__,
        rule.__closure__,
    )
    twin.__kwdefaults__ = rule.__kwdefaults__
    return twin


def _with_position(rule: Rule, position: tuple[Any, ...]) -> Rule:
    return functools.partial(rule, *position) if position else rule


def rewritten(name: str, i: int) -> list[Mutant]:
    """The mutants of the text of input i's rule, and of the helpers beside it that it calls."""
    rule: Any = rules_of(name)[i]
    position: tuple[Any, ...] = ()
    if isinstance(rule, functools.partial):  # a rule for any number of inputs
        rule, position = rule.func, rule.args
    if not isinstance(rule, types.FunctionType):
        return []
    function = rule

    def mutant(kind: str, what: str, make: Callable[[], Rule]) -> Mutant:
        return Mutant(name, i, kind, what, lambda _: _with_position(make(), position))

    found = [mutant(*edit) for edit in _edits(function)]
    for helper, other in _helpers(function).items():
        for kind, what, make in _edits(other):

            def changed(helper: str = helper, make: Callable[[], Rule] = make) -> Rule:
                return _with_helper(function, helper, make)

            found.append(mutant(kind, f"{helper}: {what}", changed))
    return found
