"""The tables of docs/operations.md and docs/conventions.md, made from the registry.

``python -m tinygrad_bp.tables docs`` writes both; the folder's ``neighbours.toml`` holds
what other libraries differentiate.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tinygrad_bp.core import PRIMITIVES, Primitive
from tinygrad_bp.errors import DataNotFoundError
from tinygrad_bp.files import write_atomically
from tinygrad_bp.tables.conventions import table as conventions_table
from tinygrad_bp.tables.operations import Operation, example_of, inputs, operations, recorded_by

COMMAND = "python -m tinygrad_bp.tables docs"
_BETWEEN = re.compile(r"(<!-- table: [^>]*-->\n).*?(<!-- end -->)", re.DOTALL)

_INTRODUCTION = f"""# Operations

What can be differentiated, made from the registry by
`{COMMAND}`. In the examples, `x` and `y` are tensors of four numbers
(from 0.2 to 0.8 and from 1.1 to 1.9), `a` is a positive definite 3 by 3 matrix, `b` a 3 by 4
matrix, `i` the logits of three classes for four samples, and `k` the classes; `F` is
`tg.nn.functional` and `sp` is `scipy.special`. Each example was computed; next to it stand the
[primitives](#primitives) that it recorded.

*Orders* tells how often an operation can be differentiated: *any* number of times, or *once*. What
happens at kinks and ties is collected in [Conventions](conventions.md).
"""

_PARTS = {
    "np": (
        "NumPy's functions",
        "Ufuncs have `where=`, `dtype=`, `reduce`, `accumulate`, `outer` and `reduceat` too,\n"
        "made of the same rules.",
    ),
    "np.linalg": ("numpy.linalg", ""),
    "np.fft": ("numpy.fft", "The transforms are refused until there are complex numbers."),
    "np.lib.stride_tricks": ("numpy.lib.stride_tricks", ""),
    "scipy.special": (
        "scipy.special",
        "SciPy is optional. Its ufuncs ask tensors, its functions written in Python do not: those\n"
        "raise, as do ufuncs that are not listed here.",
    ),
}

_PRIMITIVES = r"""## Primitives

Each is a forward function with one rule for each input: $\bar{z}$ is the cotangent of the output
$z$, and the rule gives that of the input, before it is summed over axes along which the input was
broadcast. A dash marks an input that has no derivative. Without a domain, the operation takes all
real numbers, or all but single ones.
"""

_NEIGHBOURS = """## Against the neighbours

What HIPS/autograd (A its NumPy, S its SciPy), MyGrad (M) and Chainer (C) differentiate, and what
all three lack; of Chainer alone, nothing. *Not here* has its reason beside it.
"""


#: Where primitives give finite real numbers: an interval of their one input, or words; everywhere,
#: or nearly, where nothing stands.
DOMAINS = {
    **dict.fromkeys(("arccos", "arcsin"), "[-1, 1]"),
    **dict.fromkeys(("arctanh", "special.erfinv"), "(-1, 1)"),
    "arccosh": "[1, ∞)",
    **dict.fromkeys(("log", "log10", "log2", "special.loggamma", "special.exp1"), "(0, ∞)"),
    **dict.fromkeys(
        (f"special.{name}" for name in ("y0", "y1", "k0", "k1", "k0e", "k1e")), "(0, ∞)"
    ),
    "log1p": "(-1, ∞)",
    **dict.fromkeys(("sqrt", "special.entr", "special.spence"), "[0, ∞)"),
    "special.erfcinv": "(0, 2)",
    **dict.fromkeys(("special.logit", "special.ndtri"), "(0, 1)"),
    "special.ndtri_exp": "(-∞, 0)",
    "special.ellipk": "(-∞, 1)",
    "special.ellipe": "(-∞, 1]",
    **dict.fromkeys(("divide", "remainder", "fmod"), "y ≠ 0"),
    **dict.fromkeys(("reciprocal", "special.expi"), "x ≠ 0"),
    **dict.fromkeys(("power", "float_power"), "x > 0, or y a whole number"),
    **dict.fromkeys(("special.boxcox", "special.powm1", "geomspace"), "x > 0"),
    "special.boxcox1p": "x > -1",
    "special.xlogy": "y > 0",
    "special.xlog1py": "y > -1",
    **dict.fromkeys(("special.rel_entr", "special.kl_div"), "x ≥ 0, y > 0"),
    "cholesky": "positive definite matrices",
    **dict.fromkeys(("inv", "slogdet"), "invertible matrices"),
    "solve": "invertible x",
    **dict.fromkeys(("eig", "eigvals"), "matrices with real eigenvalues"),
}


def neighbours(folder: Path) -> dict[str, Any]:
    """What ``neighbours.toml`` of the folder says.

    Raises
    ------
    DataNotFoundError
        There is no such file.
    """
    path = folder / "neighbours.toml"
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        raise DataNotFoundError(
            f"{path} does not exist.\nFix: name the folder docs of the repository, as in {COMMAND}."
        ) from error


def examples(known: Mapping[str, Any]) -> dict[str, str]:
    """A call for functions by name: those under ``[examples]``, and what stands for neighbours."""
    found: dict[str, str] = dict(known["examples"])
    for family, entries in known.items():
        for _, here, *_ in entries.values() if family != "examples" else ():
            match = re.match(r"((?:np|sp|F)\.[\w.]+)\(", here)
            if match:
                found.setdefault(match[1].replace("sp.", "scipy.special."), here)
    return found


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [*("| " + " | ".join(cells) + " |" for cells in lines), ""]


def _code(words: Iterable[str]) -> str:
    return ", ".join(f"`{word.replace('|', chr(92) + '|')}`" for word in words)


def _formula(latex: str) -> str:
    r"""A formula for a cell of a table, in which a bar would end the cell.

    Examples
    --------
    >>> _formula(r"|x|")
    '$\\vert x\\vert $'
    """
    bars = latex.replace(r"\|", r"\Vert ").replace("|", r"\vert ")
    return f"${bars}$" if latex else "—"


def _orders(primitives: Iterable[str]) -> str:
    return "once" if any(PRIMITIVES[name].once for name in primitives) else "any"


def _differentiable(rows: Sequence[Operation], known: Mapping[str, str]) -> list[str]:
    lines = []
    for prefix, (title, remark) in _PARTS.items():
        cells = []
        for row in rows:
            if row.kind == "differentiable" and row.name.rsplit(".", 1)[0] == prefix:
                example = example_of(row.name, known)
                behind = recorded_by(example)
                names = _code([row.name, *row.aliases])
                cells.append(
                    (names, _code(row.methods), _code([example]), _code(behind), _orders(behind))
                )
        head = ("function", "tensors", "example", "records", "orders")
        lines += [f"## {title}", "", *([remark, ""] if remark else []), *_grid(head, cells)]
    return lines


def _functional(known: Mapping[str, str]) -> list[str]:
    names = inputs()["F"].__all__
    cells = []
    for name in names:
        example = example_of(f"F.{name}", known)
        behind = recorded_by(example)
        cells.append((_code([example]), _code(behind), _orders(behind)))
    return ["## tg.nn.functional", "", *_grid(("example", "records", "orders"), cells)]


def _primitive_row(primitive: Primitive) -> tuple[str, ...]:
    rules = ", ".join(_formula(latex) for latex in primitive.vjp_formulas)
    return (
        _code([primitive.name]),
        _formula(primitive.formula),
        rules,
        _orders([primitive.name]),
        DOMAINS.get(primitive.name, ""),
        primitive.kinks,
    )


def _by_reason(rows: Sequence[Operation], kind: str) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row.kind == kind:
            reasons.setdefault(row.why, []).append(row.name)
    return _grid(("why", "functions"), [(why, _code(names)) for why, names in reasons.items()])


def _compared(known: Mapping[str, Any]) -> list[str]:
    lines = []
    for family, entries in known.items():
        if family == "examples":
            continue
        cells = []
        for name, (who, here, *remark) in entries.items():
            way = _code([here]) if here else "*not here*"
            cells.append((f"`{name}`", who, way, " ".join(remark)))
        title = family[0].upper() + family[1:]
        lines += [f"### {title}", "", *_grid(("name", "who", "here", "remark"), cells)]
    return lines


def operations_page(known: Mapping[str, Any]) -> str:
    """The page docs/operations.md.

    Parameters
    ----------
    known : mapping
        What `neighbours` gives.
    """
    inputs()  # which loads the rules of scipy.special
    calls, rows = examples(known), operations()
    lines = [
        _INTRODUCTION,
        *_differentiable(rows, calls),
        *_functional(calls),
        _PRIMITIVES,
        *_grid(
            ("primitive", "$z$", "cotangents", "orders", "domain", "kinks"),
            [_primitive_row(PRIMITIVES[name]) for name in sorted(PRIMITIVES, key=str.lower)],
        ),
        "## Constants",
        "",
        "These work on tensors and give constants, for the reasons beside them.",
        "",
        *_by_reason(rows, "constant"),
        "## Refused",
        "",
        "These raise where a gradient would be lost, with what to do instead.",
        "",
        *_by_reason(rows, "refused"),
        _NEIGHBOURS,
        *_compared(known),
    ]
    return "\n".join(lines).rstrip() + "\n"


def conventions_page(page: str) -> str:
    """The page docs/conventions.md with its tables renewed."""
    inputs()
    return _BETWEEN.sub(lambda match: f"{match[1]}\n{conventions_table()}\n\n{match[2]}", page)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write both pages into the folder that is the one argument, ``docs`` unless given."""
    words = sys.argv[1:] if arguments is None else arguments
    folder = Path(words[0] if words else "docs")
    page = operations_page(neighbours(folder))
    renewed = conventions_page((folder / "conventions.md").read_text())
    write_atomically(folder / "operations.md", page)
    write_atomically(folder / "conventions.md", renewed)
