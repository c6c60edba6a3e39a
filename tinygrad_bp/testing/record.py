"""What was checked in this process, counted for the summary that pytest prints at the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Record:
    """Counts of what was checked.

    Attributes
    ----------
    properties, primitives : set of str
        Names of the gradient properties, and of the primitives that the battery was put to.
    examples : int
        How many inputs were tried, over all of them.
    verdicts : Counter
        How many elements of gradients got which verdict.
    inconclusive : Counter
        Elements about which nothing could be said, by the property that had them.
    replays : dict
        The line that replays the last failing example of a property, by its name.

    Examples
    --------
    >>> Record(properties={"test_mine"}, examples=25, verdicts=Counter(OK=400)).lines()
    ['1 property, on 25 examples', 'verdicts: 400 OK']
    """

    properties: set[str] = field(default_factory=set)
    primitives: set[str] = field(default_factory=set)
    examples: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    inconclusive: Counter[str] = field(default_factory=Counter)
    replays: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, check: Any) -> None:
        """Count the elements of a `GradientCheck`."""
        for argument in check.arguments:
            self.verdicts.update(str(verdict) for verdict in argument.verdicts.ravel())
        if check.inconclusive:
            self.inconclusive[name] += check.inconclusive

    def plain(self) -> dict[str, Any]:
        """The counts as lists, dicts and numbers, which can be sent to another process."""
        return {
            "properties": sorted(self.properties),
            "primitives": sorted(self.primitives),
            "examples": self.examples,
            "verdicts": dict(self.verdicts),
            "inconclusive": dict(self.inconclusive),
            "replays": dict(self.replays),
        }

    def merge(self, counted: dict[str, Any]) -> None:
        """Add what another process counted; see `plain`."""
        self.properties.update(counted["properties"])
        self.primitives.update(counted["primitives"])
        self.examples += counted["examples"]
        self.verdicts.update(counted["verdicts"])
        self.inconclusive.update(counted["inconclusive"])
        self.replays.update(counted["replays"])

    def lines(self) -> list[str]:
        """The summary in a few lines; none where nothing was checked."""
        found = [
            _count(len(self.properties), "property", "properties"),
            _count(len(self.primitives), "primitive", "primitives"),
        ]
        told = ", ".join(words for words in found if words)
        if not told:
            return []
        lines = [f"{told}, on {_count(self.examples, 'example', 'examples') or 'no example'}"]
        if self.verdicts:
            most = self.verdicts.most_common()
            lines.append("verdicts: " + ", ".join(f"{n:,} {name}" for name, n in most))
        for name, number in self.inconclusive.most_common(5):
            lines.append(f"inconclusive: {_count(number, 'element', 'elements')} in {name}")
        lines += [f"replay {name}:\n{line}" for name, line in self.replays.items()]
        return lines


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}" if number else ""


#: Of this process.
RECORD = Record()
