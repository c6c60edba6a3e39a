"""An LSTM that writes: the next letter of the pages of the documentation, one after another.

    python examples/character_lstm.py

S. Hochreiter and J. Schmidhuber, "Long short-term memory", 1997. It reads the first nine tenths of
docs/*.md, in 32 places at once, and is held against the rest: nats per character.
"""

import argparse
import textwrap
from pathlib import Path

import numpy as np

from tinygrad_bp import nn, optim

DOCS = Path(__file__).resolve().parents[1] / "docs"
STEPS, UNITS = 50, 192  # characters that a gradient goes back, units of the memory


class Writer(nn.Module):
    """A memory of all that was read, between characters in and characters out."""

    def __init__(self, characters: int, rng: np.random.Generator) -> None:
        self.embedding = nn.Embedding(characters, 64, generator=rng)
        self.lstm = nn.LSTM(64, UNITS, batch_first=True, generator=rng)
        self.dropout = nn.Dropout(0.2, generator=rng)
        self.linear = nn.Linear(UNITS, characters, generator=rng)

    def forward(self, text: np.ndarray, state: tuple | None = None) -> tuple:
        """Logits of the next characters, and the state, whose graph ends here."""
        states, state = self.lstm(self.embedding(text), state)
        return self.linear(self.dropout(states)), tuple(part.detach() for part in state)


def read(model: Writer, text: np.ndarray, rows: int, adam: optim.Adam | None = None) -> float:
    """The mean loss on a text, in rows and piece by piece; with an optimizer, a step for each."""
    columns = (len(text) - 1) // rows
    x, y = (text[k : k + rows * columns].reshape(rows, columns) for k in (0, 1))
    state, losses = None, []
    for k in range(0, columns - STEPS + 1, STEPS):
        logits, state = model(x[:, k : k + STEPS], state)
        loss = nn.functional.cross_entropy(np.swapaxes(logits, 1, 2), y[:, k : k + STEPS])
        losses.append(loss.item())
        if adam is not None:
            adam.zero_grad()
            loss.backward()
            optim.clip_grad_norm_(model.parameters(), 1.0)
            adam.step()
    return float(np.mean(losses))


def main() -> None:
    parser = argparse.ArgumentParser(description="Train an LSTM on the documentation.")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--characters", type=int, help="how many of the text, not all of them")
    args = parser.parse_args()

    pages = "".join(path.read_text("utf-8") for path in sorted(DOCS.glob("*.md")))
    letters, text = np.unique(list(pages[: args.characters]), return_inverse=True)
    train, test = np.split(text, [len(text) * 9 // 10])
    rng = np.random.default_rng(0)
    model = Writer(len(letters), rng)
    optimizer = optim.Adam(model.parameters(), lr=4e-3)
    schedule = optim.ExponentialLR(optimizer, 0.8)
    for epoch in range(1, args.epochs + 1):
        learned = read(model.train(), train, 32, optimizer)
        held = read(model.eval(), test, 8)
        schedule.step()
        print(f"epoch {epoch:2}  nats per character {learned:.3f}  held out {held:.3f}")
    text, state = np.searchsorted(letters, list("The gradient")), None
    for _ in range(400):
        logits, state = model(text[None, -1:] if state else text[None], state)
        chances = nn.functional.softmax(logits.data[0, -1].astype(float) / 0.7).data
        text = np.append(text, rng.choice(len(letters), p=chances))
    print(textwrap.fill("".join(letters[text]).replace("`", "'"), 100))  # as a page can show it


if __name__ == "__main__":
    main()
