from __future__ import annotations

import pytest
from matplotlib.figure import Figure


@pytest.fixture
def ax():
    """Axes that no window shows."""
    return Figure(layout="constrained").subplots()
