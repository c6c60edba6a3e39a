"""Thumbnails: inputs and rows of weights that are images, as small PNG files."""

from __future__ import annotations

import html
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.draw.scene import Box, Scene
from tinygrad_bp.errors import ArgumentError, user_line

_TILES = 8  # images that a thumbnail shows at most
_SIDE = 42  # pixels that the longer side of an image has at least
_GAP = 2
_BLUE, _WHITE, _RED = np.array([[33, 102, 172], [247, 247, 247], [178, 24, 43]], np.float64)


def add_thumbnails(scene: Scene, image_shape: tuple[int, int]) -> None:
    """Show the inputs, and the parameters of which each row is an image, as images.

    Inputs and constants are grey, from their least number, black, to their greatest, white;
    parameters, and the gradients in a scene of the backward pass alone, are blue below zero, white
    at zero and red above it. The first eight are shown.

    Parameters
    ----------
    scene : Scene
        Its boxes get the images.
    image_shape : tuple of int
        Height and width.

    Raises
    ------
    ArgumentError
        The shape is not that of an image, or nothing that goes in has images of it.
    """
    height, width = _shape(image_shape)
    found = False
    for box in scene.boxes.values():
        images = _images(box, height, width)
        if images is not None:
            found = True
            signed = box.role in ("parameter", "output")
            tiles = _coloured(images[:_TILES], signed)
            box.image = png(_sheet(tiles, gap=70 if signed else 255))
            if len(images) > 1:
                box.lines += (f"{min(_TILES, len(images))} of {len(images)} shown",)
    if not found:
        raise ArgumentError(
            f"nothing that goes into the graph holds images of shape {image_shape} (at "
            f"{user_line()}).\nFix: pass the shape (height, width) of one image, such as (28, 28) "
            "for inputs of shape (n, 784)."
        )


def _shape(image_shape: Any) -> tuple[int, int]:
    try:
        height, width = (int(n) for n in image_shape)
    except (TypeError, ValueError):
        height = width = 0
    if height < 1 or width < 1:
        raise ArgumentError(
            f"image_shape={image_shape!r} is not the shape of an image (at {user_line()}).\n"
            "Fix: (height, width), such as (28, 28)."
        )
    return height, width


def _images(box: Box, height: int, width: int) -> npt.NDArray[Any] | None:
    """What goes in as images, one after another, where it is such."""
    if box.nodes or box.value is None:
        return None
    array = np.asarray(box.value)
    if array.dtype.kind not in "fiub" or not array.size:
        return None
    if array.shape[-2:] == (height, width):
        return array.reshape(-1, height, width)
    if height * width > 1 and array.ndim and array.shape[-1] == height * width:
        return array.reshape(-1, height, width)
    return None


def _coloured(images: npt.NDArray[Any], signed: bool) -> npt.NDArray[np.uint8]:
    """Images as (n, height, width, 3) bytes; what is not finite is green, which no number is."""
    values = images.astype(np.float64)
    finite = np.isfinite(values)
    values = np.where(finite, values, 0.0)
    if signed:
        scaled = values / (np.abs(values).max() or 1.0)
        end = np.where(scaled[..., None] < 0, _BLUE, _RED)
        colours = _WHITE + np.abs(scaled)[..., None] * (end - _WHITE)
    else:
        low, high = values[finite].min(initial=np.inf), values[finite].max(initial=-np.inf)
        spread = high / 2 - low / 2 if high > low else 1.0
        grey = np.clip((values / 2 - low / 2) / spread, 0, 1) if finite.any() else values
        colours = np.repeat(grey[..., None] * 255, 3, axis=-1)
    return np.where(finite[..., None], colours.round(), (0, 200, 0)).astype(np.uint8)


def _sheet(tiles: npt.NDArray[np.uint8], gap: int) -> npt.NDArray[np.uint8]:
    """Up to four images beside each other, below them the next; small ones are enlarged."""
    n, height, width, _ = tiles.shape
    factor = max(1, -(-_SIDE // max(height, width)))
    tiles = tiles.repeat(factor, axis=1).repeat(factor, axis=2)
    columns = min(n, 4)
    rows = -(-n // columns)
    high, wide = height * factor + _GAP, width * factor + _GAP
    sheet = np.full((rows * high - _GAP, columns * wide - _GAP, 3), gap, np.uint8)
    for k, tile in enumerate(tiles):
        y, x = (k // columns) * high, (k % columns) * wide
        sheet[y : y + high - _GAP, x : x + wide - _GAP] = tile
    return sheet


def size_of(image: bytes) -> tuple[int, int]:
    """Width and height of a PNG file in pixels.

    Examples
    --------
    >>> size_of(png(np.zeros((2, 3, 3), np.uint8)))
    (3, 2)
    """
    width, height = struct.unpack(">II", image[16:24])
    return width, height


def put_images(source: str, files: Mapping[str, str]) -> str:
    """Put the names of files into the places that DOT text leaves for the images of boxes."""
    for key, file in files.items():
        place = f'ID="image_{key}"></TD>'
        image = f'<IMG SRC="{html.escape(file)}" SCALE="TRUE"/></TD>'
        source = source.replace(place, f'ID="image_{key}">{image}')
    return source


def png(pixels: npt.NDArray[np.uint8]) -> bytes:
    r"""Pixels of shape (height, width, 3) as a PNG file.

    Examples
    --------
    >>> png(np.zeros((2, 3, 3), np.uint8))[:4]
    b'\x89PNG'
    """
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)  # each begins with 0: not filtered
    rows[:, 1:] = pixels.reshape(height, 3 * width)
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows.tobytes(), 9)),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
