"""The pictures of a run: curves, confusion matrix, hidden units, and one digit."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp import draw
from tinygrad_bp.data import Collection
from tinygrad_bp.errors import missing_extra
from tinygrad_bp.train.progress import Row

try:
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator
except ImportError as error:
    raise missing_extra("matplotlib", "train", "the pictures of a run") from error

Array = NDArray[Any]
_TRAIN, _TEST, _INK = "#3b6fb6", "#d1603d", "#333333"
_STYLE: Any = {
    "font.size": 11,
    "axes.titlesize": 13,
    "axes.titlelocation": "left",
    "axes.edgecolor": "#888888",
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "legend.frameon": False,
}


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def curves(rows: Sequence[Row], title: str, batches_per_epoch: int) -> bytes:
    """Loss and accuracy over the run, on training and test samples, as a PNG file."""
    by_epoch = batches_per_epoch > 1
    x = [row.epoch if by_epoch else row.step for row in rows]
    marker = "o" if len(rows) <= 30 else None
    with rc_context(_STYLE):
        figure = Figure(figsize=(10, 4.2), dpi=120, layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", fontsize=14, fontweight="bold")
        for axes, what in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
            for split, colour in (("train", _TRAIN), ("test", _TEST)):
                y = [getattr(row, f"{split}_{what}") for row in rows]
                if y[-1] is None:
                    continue
                name = "training" if split == "train" else "test"
                axes.plot(x, y, color=colour, marker=marker, ms=4, label=f"{name}: {y[-1]:.4f}")
            axes.set_title(what.capitalize())
            axes.set_xlabel("epoch" if by_epoch else "step")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
            axes.margins(x=0.02)
            axes.legend(title="at the end")
            values = [v for line in axes.lines for v in np.asarray(line.get_ydata())]
            if what == "loss" and min(values) > 0 and max(values) > 20 * min(values):
                axes.set_yscale("log")
        return _png(figure)


def confusion(labels: Array, predicted: Array, names: Sequence[str], title: str) -> bytes:
    """Counts of (true class, predicted class), as a PNG file."""
    counts = np.zeros((len(names), len(names)), int)
    np.add.at(counts, (labels, predicted), 1)
    with rc_context({**_STYLE, "axes.grid": False}):
        side = 2.2 + 0.52 * len(names)
        figure = Figure(figsize=(side, side), dpi=120, layout="constrained")
        axes = figure.subplots()
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares**0.5, cmap="Blues", vmin=0, vmax=1)  # the root lets rare errors show
        for (i, j), count in np.ndenumerate(counts):
            if count:
                colour = "white" if shares[i, j] > 0.4 else _INK
                axes.text(j, i, f"{count}", ha="center", va="center", color=colour, fontsize=10)
        axes.set_xticks(range(len(names)), names)
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel("predicted digit")
        axes.set_ylabel("true digit")
        axes.set_title(f"{title}\n{np.trace(counts):,} of {len(labels):,} right")
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        return _png(figure)


def hidden_units(weights: Array, dataset: Collection, title: str) -> bytes:
    """The weights of the first layer, one picture for each unit, as a PNG file."""
    with rc_context(_STYLE):
        figure = Figure(figsize=(9, 6), dpi=120, layout="constrained")
        axes = draw.hidden_units(dataset.images(weights), ax=figure.subplots())
        (image,) = axes.images
        rows, columns = image.get_size()
        figure.set_figheight(8 * rows / columns + 0.6)
        axes.set_title(title)
        figure.colorbar(image, ax=axes, label="weight", fraction=0.03, pad=0.01)
        return _png(figure)


def digit(picture: Array, probabilities: Array, names: Sequence[str], title: str) -> bytes:
    """One image beside the probability of each class, as a PNG file."""
    best = int(probabilities.argmax())
    with rc_context({**_STYLE, "axes.grid": False}):
        figure = Figure(figsize=(7.2, 3.6), dpi=120, layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
        image, bars = figure.subplots(1, 2, width_ratios=(1, 1.2))
        image.imshow(picture, cmap="gray_r", interpolation="nearest")
        image.set_xticks([])
        image.set_yticks([])
        image.spines[:].set(visible=True, color="#cccccc")
        colours = [_TEST if k == best else "#b8c4d6" for k in range(len(names))]
        drawn = bars.barh(range(len(names)), probabilities, color=colours)
        bars.bar_label(drawn, [f"{p:.1%}" if p >= 5e-4 else "" for p in probabilities], padding=3)
        bars.set_yticks(range(len(names)), names)
        bars.invert_yaxis()
        bars.set_xlim(0, 1.2)
        bars.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        bars.set_xlabel("probability")
        bars.tick_params(axis="y", length=0)
        return _png(figure)
