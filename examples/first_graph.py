"""What is computed, as a picture: the graph behind one number, and behind a small network.

    python examples/first_graph.py --out FOLDER

It writes ``expression.svg`` and ``network.svg``, which any browser shows, and the DOT text of both.
The SVG files need Graphviz (``apt install graphviz``, or ``pip install 'tinygrad-bp[draw]'``); the
DOT files need nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import tinygrad_bp as tg
from tinygrad_bp import nn
from tinygrad_bp.draw import draw, save
from tinygrad_bp.errors import MissingExtraError


def expression() -> tg.Tensor:
    """A neuron, written out: the half squared distance of sigmoid(w·x + b) from 1."""
    x = tg.Tensor([0.5, -1.0, 2.0], name="x")
    w = tg.Tensor([0.1, 0.2, 0.3], requires_grad=True, name="w")
    b = tg.Tensor(0.0, requires_grad=True, name="b")
    a = nn.functional.sigmoid(w @ x + b)
    return 0.5 * (a - 1.0) ** 2


def network() -> tg.Tensor:
    """The loss of a batch of four; each layer gets a frame of its own."""
    model = nn.Sequential(nn.Linear(3, 5, generator=0), nn.Tanh(), nn.Linear(5, 2, generator=1))
    return nn.functional.cross_entropy(model(np.ones((4, 3), np.float32)), np.array([0, 1, 1, 0]))


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw two computation graphs.")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the pictures")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    for name, loss in (("expression", expression()), ("network", network())):
        picture = draw(loss)  # before backward(), which lets go of the graph
        print(save(picture, args.out / f"{name}.dot"))
        try:
            print(save(picture, args.out / f"{name}.svg"))
        except MissingExtraError as error:
            print(error)
        loss.backward()


if __name__ == "__main__":
    main()
