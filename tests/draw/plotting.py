"""What tests of plots share."""

from __future__ import annotations

import io


def png(ax) -> bytes:
    """The picture, as a file: what cannot be drawn is an error here."""
    buffer = io.BytesIO()
    ax.figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
