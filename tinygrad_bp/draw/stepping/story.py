"""What the page tells: every value, and every step forward and backward, as data for JSON."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_bp.draw.backward import Part, Pass
from tinygrad_bp.draw.formulas import Symbol, forward_formula, settings, vjp_formula
from tinygrad_bp.draw.scene import Box, Scene, printable, short
from tinygrad_bp.draw.stepping.naming import barred, facts_of, mathml, plain, symbols
from tinygrad_bp.draw.stepping.numbers import Store
from tinygrad_bp.draw.stepping.samples import batched

_SAMPLES = 16  # that are shown one by one, at most
_SAID = (int, float, str, tuple, slice, np.ndarray, np.dtype)  # parameters that are told in words
_BYTES = 500_000  # for the samples, of the megabyte that a page may have


class Story:
    """A graph and its backward pass, step by step.

    Parameters
    ----------
    scene : Scene
        With a box for each operation.
    found : Pass
        What flows back.
    image_shape : tuple of int, optional
        Height and width of what is shown as an image.
    lines : bool, default True
        Whether it says which line of the user's an operation comes from.
    """

    def __init__(
        self,
        scene: Scene,
        found: Pass,
        image_shape: tuple[int, int] | None = None,
        lines: bool = True,
    ) -> None:
        self.scene = scene
        self.lines = lines
        self.found = found
        self.rows = batched(scene)
        self.symbols = symbols(scene, [k for k in self.rows if scene.boxes[k].node is None])
        self.sources: dict[str, list[str]] = {}
        for arrow in scene.arrows:
            self.sources.setdefault(arrow.head, []).append(arrow.tail)
        self.keys = {id(_owner(box)): key for key, box in scene.boxes.items()}
        self.parts: dict[str, list[Part]] = {}
        for part in found.parts:
            self.parts.setdefault(self.keys[id(part.source)], []).append(part)
        arrays = 2 * len(scene.boxes) + len(found.parts)
        each = sum(min(1500, 100 + 8 * _row(scene.boxes[key])) for key in self.rows)
        count = next(iter(self.rows.values()), 0)
        self.samples = min(count, _SAMPLES, max(1, _BYTES // (3 * each or 1)))
        self.store = Store(self.samples, image_shape, max(64, min(1024, 300_000 // arrays)))

    def data(self) -> dict[str, Any]:
        """All of it."""
        scene = self.scene
        boxes = {key: self._box(box) for key, box in scene.boxes.items()}
        steps = [{"phase": "start"}, *self._forward(), *self._backward(), {"phase": "end"}]
        last = next(reversed(boxes))
        return {
            "boxes": boxes,
            "frames": {
                f.key: {"title": printable(f.title), "parent": f.parent}
                for f in scene.frames.values()
            },
            "arrows": [[a.tail, a.head] for a in scene.arrows],
            "steps": steps,
            "values": self.store.entries,
            "samples": self.samples,
            "batch": next(iter(self.rows.values()), 0),
            "loss": last,
        }

    def _box(self, box: Box) -> dict[str, Any]:
        symbol, value = self.symbols[box.key], box.value
        data = {
            "name": printable(box.title),
            "role": box.role,
            "frame": box.frame,
            "math": mathml(symbol.latex()),
            "say": plain(symbol),
            "number": symbol.number,
            "facts": facts_of(value),
        }
        rows = box.key in self.rows
        grey = box.node is None and box.role != "parameter"
        data["value"] = self.store.add(value, rows, grey)
        g = self.found.of(_owner(box))
        if g is not None:
            data["gradient"] = self.store.add(g, rows)
            data["bar"] = mathml(barred(symbol).latex())
        if box.node is not None:
            path = box.node.mode.path()
            where = box.node.where().strip() if self.lines else f"in {path}" if path else ""
            data["where"] = printable(where)
            data["options"] = ", ".join(
                f"{name}={printable(short(x))}"
                for name, x in box.node.params.items()
                if isinstance(x, _SAID) and x is not False
            )
        return data

    def _forward(self) -> list[dict[str, Any]]:
        """A step for each operation, in the order in which they ran."""
        steps = []
        for key, box in self.scene.boxes.items():
            if box.node is not None:
                formula = forward_formula(box.node, self._inputs(key), self.symbols[key])
                steps.append(
                    {
                        "phase": "forward",
                        "box": key,
                        "formula": mathml(formula),
                        "with": self._settings(box),
                        "inputs": self.sources.get(key, []),
                    }
                )
        return steps

    def _backward(self) -> list[dict[str, Any]]:
        """A step for each operation that a cotangent arrives at, in the order of the pass."""
        arrived: dict[str, Any] = {}
        counts: dict[str, int] = {}
        steps = []
        by_node: dict[int, list[Part]] = {}
        for part in self.found.parts:
            by_node.setdefault(id(part.node), []).append(part)
        for node in self.found.visited:
            key = self.keys[id(node)]
            sent = []
            for part in by_node.get(id(node), []):
                to = self.keys[id(part.source)]
                counts[to] = counts.get(to, 0) + 1
                total = arrived[to] + part.value if to in arrived else part.value
                arrived[to] = total
                sent.append(self._part(key, to, part, counts[to], total))
            steps.append(
                {
                    "phase": "backward",
                    "box": key,
                    "with": self._settings(self.scene.boxes[key]),
                    "paths": len(self.parts.get(key, [])),
                    "sent": sent,
                }
            )
        return steps

    def _part(self, key: str, to: str, part: Part, nth: int, total: Any) -> dict[str, Any]:
        """What a rule sends to one input: the formula, and the numbers."""
        symbol, out = self.symbols[to], self.symbols[key]
        text = vjp_formula(part.node, part.position, self._inputs(key), out, barred(out))
        if part.summed:
            text = rf"\textstyle\sum_{{\text{{broadcast}}}} {_one_term(text)}"
        paths, bar = len(self.parts[to]), barred(symbol).latex()
        if paths == 1:
            formula = f"{bar} = {text}"
        else:
            before = f"{bar} + " if nth > 1 else ""
            formula = rf"{bar} \leftarrow {before}{text}"
        rows, whole = to in self.rows, self.found.of(part.source)
        one = paths == 1 and np.array_equal(whole, part.value, equal_nan=True)
        data = {
            "to": to,
            "position": part.position,
            "formula": mathml(formula),
            "value": self.store.add(whole if one else part.value, rows),
            "nth": nth,
            "paths": paths,
        }
        if nth > 1:
            last = nth == paths and np.array_equal(whole, total, equal_nan=True)
            data["total"] = self.store.add(whole if last else total, rows)
        return data

    def _inputs(self, key: str) -> list[Symbol]:
        return [self.symbols[tail] for tail in self.sources.get(key, [])]

    def _settings(self, box: Box) -> str:
        """The values of the letters in an operation's formulas, as MathML."""
        text = settings(box.node) if box.node is not None else ""
        return mathml(text) if text else ""


def _owner(box: Box) -> Any:
    """What the backward pass knows a box by."""
    if box.node is not None:
        return box.node
    return box.tensor if box.tensor is not None else box


def _row(box: Box) -> int:
    """How many numbers a sample has."""
    return math.prod(np.shape(box.value)[1:])


def _one_term(text: str) -> str:
    """A formula, in parentheses if it is a sum."""
    depth = 0
    for k, c in enumerate(text):
        depth += {"{": 1, "(": 1, "[": 1, "}": -1, ")": -1, "]": -1}.get(c, 0)
        if c in "+-" and not depth and k:
            return rf"\left( {text} \right)"
    return text
