"""What the page tells: every value, and every step forward and backward, as data for JSON."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_bp.draw.backward import Part, Pass
from tinygrad_bp.draw.derivation.equations import forward, term
from tinygrad_bp.draw.derivation.mathml import mathml
from tinygrad_bp.draw.derivation.naming import Naming
from tinygrad_bp.draw.derivation.plain import plain
from tinygrad_bp.draw.scene import Box, Scene, printable, short
from tinygrad_bp.draw.stepping.naming import facts_of, is_literal, owner, symbol_of
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
    naming : Naming
        What the values are called.
    image_shape : tuple of int, optional
        Height and width of what is shown as an image.
    lines : bool, default True
        Whether it says which line of the user's an operation comes from.
    """

    def __init__(
        self,
        scene: Scene,
        found: Pass,
        naming: Naming,
        image_shape: tuple[int, int] | None = None,
        lines: bool = True,
    ) -> None:
        self.scene = scene
        self.lines = lines
        self.found = found
        self.naming = naming
        self.rows = batched(scene)
        self.sources: dict[str, list[str]] = {}
        for arrow in scene.arrows:
            self.sources.setdefault(arrow.head, []).append(arrow.tail)
        self.keys = {id(owner(box)): key for key, box in scene.boxes.items()}
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
        symbol, value = symbol_of(self.naming, box).latex(), box.value
        data = {
            "name": printable(box.title),
            "role": box.role,
            "frame": box.frame,
            "math": mathml(symbol),
            "say": plain(symbol),
            "number": is_literal(box),
            "facts": facts_of(value),
        }
        rows, leaf = box.key in self.rows, box.node is None
        data["value"] = self.store.add(value, rows, leaf, leaf and box.role != "parameter")
        g = self.found.of(owner(box))
        if g is not None:
            data["gradient"] = self.store.add(g, rows, leaf)
            data["bar"] = mathml(self.naming.bar(owner(box)).latex())
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
                steps.append(
                    {
                        "phase": "forward",
                        "box": key,
                        "formula": mathml(forward(box.node, self.naming)),
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
                sent.append(self._part(to, part, counts[to], total))
            steps.append(
                {
                    "phase": "backward",
                    "box": key,
                    "paths": len(self.parts.get(key, [])),
                    "sent": sent,
                }
            )
        return steps

    def _part(self, to: str, part: Part, nth: int, total: Any) -> dict[str, Any]:
        """What a rule sends to one input: the formula, and the numbers."""
        paths, bar = len(self.parts[to]), self.naming.bar(part.source).latex()
        sent = term(part, self.naming)
        text = sent.latex
        if nth > 1:
            text = f"{bar} - {text[1:]}" if text.startswith("-") else f"{bar} + {text}"
        meaning = rf", \; {sent.condition}" if sent.condition else ""
        sign = "=" if paths == 1 else r"\leftarrow"
        formula = f"{bar} {sign} {text}{meaning}"
        rows, whole = to in self.rows, self.found.of(part.source)
        leaf = self.scene.boxes[to].node is None
        one = paths == 1 and np.array_equal(whole, part.value, equal_nan=True)
        data = {
            "to": to,
            "position": part.position,
            "formula": mathml(formula),
            "value": self.store.add(whole if one else part.value, rows, leaf),
            "nth": nth,
            "paths": paths,
        }
        if nth > 1:
            last = nth == paths and np.array_equal(whole, total, equal_nan=True)
            data["total"] = self.store.add(whole if last else total, rows, leaf)
        return data


def _row(box: Box) -> int:
    """How many numbers a sample has."""
    return math.prod(np.shape(box.value)[1:])
