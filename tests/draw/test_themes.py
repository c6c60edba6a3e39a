"""Colours: letters that can be read, and roles that can be told apart in grey."""

from __future__ import annotations

import itertools

import pytest

from tinygrad_bp.draw.themes import ROLES, THEMES


def luminance(color):
    """Relative luminance, as the contrast of WCAG has it."""
    parts = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    low, high = sorted([luminance(a), luminance(b)])
    return (high + 0.05) / (low + 0.05)


@pytest.fixture(params=THEMES)
def theme(request):
    return THEMES[request.param]


def test_letters_stand_out_from_every_box(theme):
    for role in theme.roles.values():
        assert contrast(theme.ink, role["fillcolor"]) >= 7
        assert contrast(theme.gradient, role["fillcolor"]) >= 4.5


def test_what_stands_beside_boxes_can_be_read_too(theme):
    for paper in (theme.background, theme.frames[0]["fillcolor"]):
        assert contrast(theme.muted, paper) >= 4.5
        assert contrast(theme.line, paper) >= 3


def test_outlines_stand_out(theme):
    for role in theme.roles.values():
        assert contrast(role["color"], theme.background) >= 3
    for name in ("failed", "added", "removed", "changed", "backward"):
        assert contrast(theme.states[name]["color"], theme.background) >= 3


def test_roles_are_told_apart_without_hues(theme):
    """By shape, corners or outline, or else by how light they are."""
    assert theme.roles.keys() == ROLES.keys()
    for a, b in itertools.combinations(theme.roles.values(), 2):
        told = [{k: v for k, v in role.items() if "color" not in k} for role in (a, b)]
        assert told[0] != told[1] or contrast(a["fillcolor"], b["fillcolor"]) >= 1.25


def test_both_themes_have_the_same_parts():
    light, dark = THEMES.values()
    assert light.roles.keys() == dark.roles.keys()
    assert light.states.keys() == dark.states.keys()
    assert luminance(light.background) > 0.9
    assert luminance(dark.background) < 0.05
