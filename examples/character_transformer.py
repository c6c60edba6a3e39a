"""A small Transformer that writes: the next letter of the pages of the documentation.

    python examples/character_transformer.py

A. Vaswani et al., "Attention is all you need", 2017; rotary positions of J. Su et al., 2021. It
learns from the first nine tenths of docs/*.md and of the pages below, in pieces drawn at random,
and is held against the rest: nats per character.
"""

import argparse
import textwrap
from pathlib import Path

import numpy as np

import tinygrad_bp as tg
from tinygrad_bp import nn, optim

DOCS = Path(__file__).resolve().parents[1] / "docs"
STEPS, WIDTH = 128, 96  # characters that are looked back at, features of each


def transformer(characters: int, rng: np.random.Generator) -> nn.Sequential:
    options = {"norm_first": True, "batch_first": True, "causal": True, "rotary": True}
    layer = nn.TransformerEncoderLayer(WIDTH, 4, 4 * WIDTH, 0.1, "gelu", **options, generator=rng)
    return nn.Sequential(
        nn.Embedding(characters, WIDTH, generator=rng),
        nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(WIDTH)),
        nn.Linear(WIDTH, characters, bias=False, generator=rng),
    )


def loss_of(model: nn.Module, text: np.ndarray, starts: np.ndarray) -> tg.Tensor:
    """How surprised the model is by each next character of pieces of the text."""
    pieces = text[starts[:, None] + np.arange(STEPS + 1)]
    return nn.functional.cross_entropy(np.swapaxes(model(pieces[:, :-1]), 1, 2), pieces[:, 1:])


def held_out(model: nn.Module, text: np.ndarray) -> float:
    starts = np.arange(0, len(text) - STEPS, STEPS)
    parts = np.array_split(starts, len(starts) // 16 + 1)
    with tg.no_grad():
        losses = [loss_of(model.eval(), text, part).item() for part in parts]
    return float(np.average(losses, weights=[len(part) for part in parts]))


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a Transformer on the documentation.")
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--characters", type=int, help="how many of the text, not all of them")
    parser.add_argument("--letters", type=int, default=400, help="how many to write")
    args = parser.parse_args()

    pages = "".join(path.read_text("utf-8") for path in sorted(DOCS.rglob("*.md")))
    letters, text = np.unique(list(pages[: args.characters]), return_inverse=True)
    train, test = np.split(text, [len(text) * 9 // 10])
    rng = np.random.default_rng(0)
    model = transformer(len(letters), rng)
    optimizer = optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    schedule = optim.OneCycleLR(optimizer, 3e-3, total_steps=args.steps, pct_start=0.1)
    for step in range(1, args.steps + 1):
        optimizer.zero_grad()
        loss_of(model.train(), train, rng.integers(0, len(train) - STEPS, 12)).backward()
        optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % (args.steps // 6) == 0:
            print(f"step {step:4}  held out: {held_out(model, test):.3f} nats per character")

    text = np.searchsorted(letters, list("The gradient"))
    for _ in range(args.letters):
        with tg.no_grad():
            logits = model.eval()(text[None, -STEPS:]).data[0, -1]
        chances = nn.functional.softmax(logits.astype(float) / 0.7).data
        text = np.append(text, rng.choice(len(letters), p=chances))
    print(textwrap.fill("".join(letters[text]).replace("`", "'"), 100))  # as a page can show it


if __name__ == "__main__":
    main()
