"""What `draw` writes on a scene when asked: values, gradients, marks, thumbnails."""

from __future__ import annotations

from collections.abc import Sequence

from tinygrad_bp.core import Tensor, record_grads
from tinygrad_bp.draw.backward import pull_back
from tinygrad_bp.draw.marks import add_marks
from tinygrad_bp.draw.numbers import add_gradients, add_values, add_widths
from tinygrad_bp.draw.scene import Scene
from tinygrad_bp.draw.thumbnails import add_thumbnails


def annotate(
    scene: Scene,
    outputs: Sequence[Tensor],
    values: bool = False,
    gradients: bool | record_grads = False,
    backward: str | None = None,
    image_shape: tuple[int, int] | None = None,
) -> Scene:
    """Write on a scene of the graph behind tensors what `draw` was asked for.

    Parameters
    ----------
    scene : Scene
    outputs : sequence of Tensor
        What it is the scene of.
    values, gradients, backward, image_shape
        As for `draw`.

    Returns
    -------
    Scene
        The same, or of the backward graph alone.
    """
    tape = gradients if isinstance(gradients, record_grads) else None
    found = pull_back(outputs, tape) if gradients is not False else None
    if values:
        add_values(scene)
    if gradients is not False and found is not None:
        add_gradients(scene, found)
        add_widths(scene, found)
    add_marks(scene, found)
    if image_shape is not None:
        add_thumbnails(scene, image_shape)
    return scene
