"""`Picture`: what `draw` returns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinygrad_bp.draw.scene import Scene
from tinygrad_bp.errors import MissingExtraError, missing_extra

try:
    import graphviz
except ImportError as error:  # a core dependency, but a trimmed installation may lack it
    raise missing_extra("graphviz", "draw", "draw") from error


class Picture(graphviz.Digraph):  # type: ignore[misc]  # graphviz has no types
    """A picture of a graph: a `graphviz.Digraph` that is also Mermaid and text.

    Jupyter shows it by itself, as SVG where Graphviz is there, and as text where it is not.

    Attributes
    ----------
    source : str
        DOT.
    scene : Scene
        The boxes, arrows and frames in it, as data.
    theme : str
        Name of its colours.
    """

    scene: Scene = Scene()
    theme: str = "light"

    def copy(self) -> Picture:
        """A copy, to add to."""
        other: Picture = super().copy()
        other.scene, other.theme = self.scene, self.theme
        return other

    def mermaid(self) -> str:
        """The picture in Mermaid's language, which Markdown pages show."""
        from tinygrad_bp.draw.mermaid import to_mermaid

        return to_mermaid(self.scene, self.theme)

    def text(self) -> str:
        """The picture as lines of text, from what comes out back to what goes in."""
        from tinygrad_bp.draw.text import to_text

        return to_text(self.scene)

    def svg(self) -> str:
        """The picture as SVG."""
        from tinygrad_bp.draw.render import render

        return render(self, "svg").decode()

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None, **_: Any
    ) -> dict[str, Any]:
        """SVG for Jupyter, or text where there is nothing to lay it out."""
        try:
            bundle = {"image/svg+xml": self.svg()}
        except MissingExtraError:
            bundle = {}
        bundle["text/plain"] = self.text()
        wanted = set(bundle) if include is None else set(include)
        return {kind: bundle[kind] for kind in bundle if kind in wanted - set(exclude or ())}

    def __repr__(self) -> str:
        return f"<Picture of {len(self.scene.boxes)} boxes and {len(self.scene.arrows)} arrows>"
