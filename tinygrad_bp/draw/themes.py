"""How things look: a light and a dark theme, told apart by lightness and outline as well as hue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tinygrad_bp.errors import ArgumentError, nearest, user_line


class Theme(NamedTuple):
    """Colours of everything, and the shape of each role.

    Attributes
    ----------
    background, ink, muted, line, gradient : str
        Colours of the paper, of titles, of what stands beside, of arrows, and of gradients.
    frames : tuple of dict
        Attributes of frames: of a call, and of a row of identical blocks.
    roles : dict of str to dict
        Of boxes, by role: attributes of Graphviz.
    states : dict of str to dict
        Of boxes and arrows in a state such as ``"failed"``: attributes that replace those.
    """

    background: str
    ink: str
    muted: str
    line: str
    gradient: str
    frames: tuple[Mapping[str, str], Mapping[str, str]]
    roles: Mapping[str, Mapping[str, str]]
    states: Mapping[str, Mapping[str, str]]


#: What a role is called in a legend, in the order there.
ROLES = {
    "input": "input",
    "parameter": "parameter",
    "constant": "constant",
    "operation": "operation",
    "module": "module",
    "fold": "many operations",
    "output": "output",
    "saved": "saved for the backward pass",
    "sum": "sum of cotangents",
}

# Outline, corners and shape tell roles apart where colours do not.
_SHAPES = {
    "input": {"shape": "box", "style": "rounded,filled", "penwidth": "2"},
    "parameter": {"shape": "box", "style": "filled"},
    "constant": {"shape": "box", "style": "filled,dashed"},
    "operation": {"shape": "box", "style": "rounded,filled"},
    "module": {"shape": "box", "style": "rounded,filled"},
    "fold": {"shape": "box3d", "style": "filled"},
    "output": {"shape": "box", "style": "rounded,filled", "peripheries": "2"},
    "saved": {"shape": "note", "style": "filled"},
    "sum": {"shape": "circle", "style": "filled", "margin": "0.02"},
}


def _theme(
    paper: tuple[str, str, str, str, str],
    frames: tuple[str, str, str],
    fills: Mapping[str, tuple[str, str]],
    states: Mapping[str, str],
) -> Theme:
    """A theme of colours: of paper and lines, frames, roles and states."""
    background, _, _, line, gradient = paper
    pale, strong, inside = frames
    roles = {
        role: {**_SHAPES[role], "fillcolor": fill, "color": outline}
        for role, (fill, outline) in fills.items()
    }
    changed: dict[str, Mapping[str, str]] = {
        state: {"color": color, "penwidth": "2.5"} for state, color in states.items()
    }
    changed["same"] = {"color": pale, "fillcolor": background, "fontcolor": line}
    changed["saved"] = {"style": "dotted", "arrowhead": "none"}
    changed["part"] = {"arrowhead": "none"}
    changed["backward"] = {"style": "dashed", "color": gradient, "constraint": "false"}
    single = {"style": "rounded,filled", "penwidth": "1", "color": pale, "fillcolor": inside}
    row = {**single, "color": strong, "penwidth": "2.5"}
    return Theme(*paper, frames=(single, row), roles=roles, states=changed)


THEMES = {
    "light": _theme(
        ("#ffffff", "#1b2430", "#56616d", "#66717d", "#991455"),
        ("#b4bec8", "#4b4f9c", "#f5f7f9"),
        {
            "input": ("#cfe6f7", "#0072b2"),
            "parameter": ("#f3bf61", "#8a5a00"),
            "constant": ("#f1f1f1", "#8b949e"),
            "operation": ("#ffffff", "#56616d"),
            "module": ("#d9dcf3", "#4b4f9c"),
            "fold": ("#e9ebf6", "#4b4f9c"),
            "output": ("#bfe6d3", "#00694a"),
            "saved": ("#fbf7dd", "#8d8438"),
            "sum": ("#ffffff", "#991455"),
        },
        {"failed": "#c2280c", "added": "#00694a", "removed": "#c2280c", "changed": "#0072b2"},
    ),
    "dark": _theme(
        ("#14181d", "#eef2f6", "#a3afbb", "#8895a2", "#f29bc4"),
        ("#465361", "#a6aaf0", "#1b2128"),
        {
            "input": ("#123a56", "#56b4e9"),
            "parameter": ("#5f3f04", "#f0b44c"),
            "constant": ("#23292f", "#77828d"),
            "operation": ("#262d35", "#95a2af"),
            "module": ("#3b3f7d", "#a6aaf0"),
            "fold": ("#26294a", "#a6aaf0"),
            "output": ("#0e5139", "#4fd0a0"),
            "saved": ("#3a3719", "#c9bf6a"),
            "sum": ("#262d35", "#f29bc4"),
        },
        {"failed": "#ff7a5c", "added": "#4fd0a0", "removed": "#ff7a5c", "changed": "#56b4e9"},
    ),
}


def theme_named(name: str) -> Theme:
    """The theme of a name.

    Raises
    ------
    ArgumentError
        There is none of this name.
    """
    if name not in THEMES:
        raise ArgumentError(
            f"there is no theme {name!r} (at {user_line()}): {nearest(name, THEMES)}\n"
            "Fix: 'light' or 'dark'."
        )
    return THEMES[name]
