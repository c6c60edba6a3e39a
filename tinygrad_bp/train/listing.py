"""Tables on a terminal: in columns where they fit, else each row as lines of its own."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

_LEAST = 24  # characters that a last column of words is wrapped to


def show_table(
    console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]], words: bool = False
) -> None:
    """Print a table; nothing in it is ever cut off.

    Parameters
    ----------
    console : Console
        Where to.
    columns : sequence of str
        Their names.
    rows : sequence of sequences of str
        The cells, in the markup of Rich.
    words : bool
        Whether the last column is of words, which may be wrapped.

    Examples
    --------
    >>> rows = [("digits", "Small digits, done in seconds")]
    >>> show_table(Console(width=20), ("recipe", "what it is"), rows, words=True)
    recipe      digits
    what it is
      Small digits, done
      in seconds
    """
    cells = [[Text.from_markup(cell) for cell in row] for row in rows]
    widths = [
        max(len(name), *(cell.cell_len for cell in column))
        for name, column in zip(columns, zip(*cells, strict=True), strict=True)
    ]
    least = [*widths[:-1], min(widths[-1], _LEAST)] if words else widths
    if sum(least) + 2 * (len(columns) - 1) <= console.width:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for i, name in enumerate(columns):
            table.add_column(name, no_wrap=not words or i < len(columns) - 1)
        for row in cells:
            table.add_row(*row)
        console.print(table, highlight=False)
        return
    indent = max(map(len, columns)) + 2
    for number, row in enumerate(cells):
        if number:
            console.print()
        for name, cell in zip(columns, row, strict=True):
            if indent + cell.cell_len <= console.width:
                console.print(f"[bold]{name:<{indent}}[/]", cell, sep="", highlight=False)
                continue
            console.print(f"[bold]{name}[/]", highlight=False)
            for line in cell.wrap(console, max(console.width - 2, 1)):
                console.print("  ", line, sep="", highlight=False, soft_wrap=True)
