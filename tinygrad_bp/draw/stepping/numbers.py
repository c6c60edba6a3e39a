"""Arrays as the page holds them: small ones in full, large ones as figures and a map of colours."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.draw.numbers import sizes

#: Arrays of at most so many elements are written out.
IN_FULL = 64
_WIDE = 32  # columns of a map
_TILES = 16  # images that are shown of the rows of a matrix


class Store:
    """The arrays of a page, each of them once; what shows them holds their numbers.

    Parameters
    ----------
    samples : int
        How many samples of a batch are shown one by one.
    image_shape : tuple of int, optional
        Height and width of what is shown as an image.
    cells : int
        How many elements of an array have a colour at most.
    """

    def __init__(self, samples: int, image_shape: tuple[int, int] | None, cells: int) -> None:
        self.samples = samples
        self.image_shape = image_shape
        self.cells = cells
        self.entries: list[dict[str, Any]] = []
        self._known: dict[tuple[int, bool], int] = {}
        self._kept: list[Any] = []  # so that an id stays that of its array

    def add(self, value: Any, rows: bool = False, leaf: bool = False, grey: bool = False) -> int:
        """Take an array, and give the number under which it is found.

        Parameters
        ----------
        value : array
        rows : bool
            Whether it has a row for each sample.
        leaf : bool
            Whether it is what goes into the graph, or its gradient, which may be images; what a
            layer of so many units puts out is none.
        grey : bool
            Whether an image in it is black and white, and not of two colours about 0.
        """
        key = (id(value), rows)
        if key not in self._known:
            self._known[key] = len(self.entries)
            self._kept.append(value)
            array = np.asarray(value)
            entry = self._entry(array, leaf, grey)
            if rows:
                entry["each"] = [self._entry(row, leaf, grey) for row in array[: self.samples]]
            self.entries.append(entry)
        return self._known[key]

    def _entry(self, array: npt.NDArray[Any], leaf: bool, grey: bool) -> dict[str, Any]:
        """Shape, and all numbers or what sums them up."""
        entry: dict[str, Any] = {"shape": list(array.shape)}
        if array.dtype.kind not in "fiub":
            complex_ = array.dtype.kind == "c"
            array = np.abs(array) if complex_ else np.zeros(0)
            entry["what"] = "absolute values" if complex_ else "no numbers"
        found = sizes(array)
        entry["norm"] = rounded(found.norm)
        bad = int(array.size - np.count_nonzero(np.isfinite(array)))
        if bad:
            entry["bad"] = bad
        if array.size <= IN_FULL and array.ndim <= 2:
            entry["all"] = rounded_all(array.tolist())
        else:
            entry |= {k: rounded(getattr(found, k)) for k in ("low", "high", "mean")}
        picture = self._map(array, self.image_shape if leaf else None, grey)
        return entry if picture is None else entry | {"map": picture}

    def _map(
        self, array: npt.NDArray[Any], image: tuple[int, int] | None, grey: bool
    ) -> dict[str, Any] | None:
        """Colours of the elements, as many as fit, as bytes: 0 for none, 1 for not finite."""
        size = math.prod(image) if image else 0
        if not array.size or array.min() == array.max():
            return None
        if image and array.size == size:
            return _coloured(array.reshape(image), "" if grey else "image", grey)
        if image and array.ndim == 2 and array.shape[1] == size and len(array) > 1:
            tiles = min(_TILES, len(array))
            words = f"rows 0 to {tiles - 1} of {len(array)}, as images"
            return _coloured(_sheet(array[:tiles].reshape(tiles, *image)), words, grey)
        if array.size <= IN_FULL:
            return None
        flat = array.reshape(-1) if array.ndim < 2 else array.reshape(-1, array.shape[-1])
        if flat.ndim == 1:
            part = flat[: self.cells]
            cut = "" if part.size == flat.size else f"the first {part.size} of {flat.size}"
            words = cut or f"{flat.size} elements, {_WIDE} to a line"
            filled = _nothing((-(-part.size // _WIDE) * _WIDE,))
            filled[: part.size] = part
            return _coloured(filled.reshape(-1, _WIDE), words, False)
        side = max(1, min(_WIDE, math.isqrt(self.cells)))
        part = flat[:side, :side]
        rows, columns = (
            f"0 to {n - 1} of {of}" for n, of in zip(part.shape, flat.shape, strict=True)
        )
        words = f"rows {rows}, columns {columns}"
        return _coloured(part, "" if part.size == flat.size else words, False)


def _nothing(shape: tuple[int, ...]) -> Any:
    """An array that is to be filled in part."""
    return np.ma.masked_array(np.zeros(shape), mask=True)


def _sheet(tiles: npt.NDArray[Any]) -> Any:
    """Images beside and below each other, with a line of nothing between them."""
    n, height, width = tiles.shape
    columns = min(n, 8)
    sheet = _nothing((-(-n // columns) * (height + 1) - 1, columns * (width + 1) - 1))
    for k, tile in enumerate(tiles):
        y, x = (k // columns) * (height + 1), (k % columns) * (width + 1)
        sheet[y : y + height, x : x + width] = tile
    return sheet


def _coloured(pixels: Any, words: str, grey: bool) -> dict[str, Any]:
    """Numbers as bytes, 2 to 254: from -top over 0 to top, or from the least to the greatest."""
    values = np.ma.getdata(pixels).astype(np.float64)
    finite = np.isfinite(values) & ~np.ma.getmaskarray(pixels)
    kept = values[finite]
    low, high = (float(kept.min()), float(kept.max())) if kept.size else (0.0, 0.0)
    if grey:
        scaled = (kept / 2 - low / 2) / ((high / 2 - low / 2) or 1.0) * 2 - 1
    else:
        low, high = -max(-low, high, 0.0), max(-low, high, 0.0)
        scaled = kept / (high or 1.0)
    levels = np.where(np.ma.getmaskarray(pixels), 0, 1).astype(np.uint8)
    levels[finite] = 128 + np.round(126 * scaled)
    return {
        "w": values.shape[1],
        "words": words,
        "grey": grey,
        "low": rounded(low),
        "high": rounded(high),
        "b": base64.b64encode(levels.tobytes()).decode(),
    }


def rounded(value: Any) -> Any:
    """A number with four digits, as JSON can hold it: what is not finite is a word.

    Examples
    --------
    >>> rounded(1 / 3), rounded(True), rounded(12345678), rounded(float("inf"))
    (0.3333, True, 12345678, 'inf')
    """
    if isinstance(value, (bool, int)) and abs(value) < 10**9:
        return value
    if not math.isfinite(value):
        return str(float(value))
    short = float(f"{value:.4g}")
    return int(short) if short.is_integer() and abs(short) < 10**6 else short


def rounded_all(value: Any) -> Any:
    """Numbers in lists, each of them rounded."""
    return [rounded_all(x) for x in value] if isinstance(value, list) else rounded(value)
