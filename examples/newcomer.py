"""Do two images show the same digit? A network from its declaration to its answers.

    python examples/newcomer.py [EPOCHS]

One encoder, with a skip connection in it, looks at both images: see docs/networks.md.
"""

import sys

import numpy as np

import tinygrad_bp as tg
from tinygrad_bp import data, nn, optim
from tinygrad_bp.testing import check_gradients

spec = nn.NetworkSpec.from_toml("""
input_shape = { left = [64], right = [64] }
layers = [
    { type = "Sequential", name = "encoder", inputs = ["left"], layers = [
        { type = "Linear", out_features = 32 }, { type = "ReLU" },
        { type = "Residual", layers = [{ type = "Linear", out_features = 32 }, { type = "ReLU" }] },
    ] },
    { type = "Shared", name = "again", of = "encoder", inputs = ["right"] },
    { type = "Bilinear", name = "same", out_features = 1, inputs = ["encoder", "again"] },
]""")


def pairs(part, rng):
    """Pairs of images, and whether they show the same digit, as about half of them do."""
    i, j = rng.integers(0, len(part.labels), (2, 100_000))
    same = part.labels[i] == part.labels[j]
    kept = same | (rng.random(len(same)) < 1 / 9)
    images = np.float32(part.inputs / 16)
    return images[i[kept]], images[j[kept]], same[kept, None]


rng = np.random.default_rng(0)
digits = data.load_digits().split(0.25, rng)
train, test = pairs(digits.train, rng), pairs(digits.test, rng)
model, loss_of = spec.build(seed=0), nn.BCEWithLogitsLoss()
print(model.summary(spec.input_shape))
left, right, same = (part[:2] for part in train)
tg.draw.save(tg.draw(loss_of(model(left, right), same), level="module", depth=3), "newcomer.svg")
print(check_gradients(lambda model: loss_of(model(left, right), same), model))

optimizer = optim.AdamW(model.parameters(), lr=3e-3)
for _ in range(int(sys.argv[1]) if sys.argv[1:] else 10):
    for left, right, same in data.DataLoader(*train, batch_size=64, shuffle=True, generator=rng):
        optimizer.zero_grad()
        loss_of(model(left, right), same).backward()
        optimizer.step()
tg.io.save(model, "newcomer.safetensors")

loaded = spec.build()
tg.io.load("newcomer.safetensors", loaded)
with tg.no_grad():
    same = loaded(*test[:2]).data > 0
print(f"right of pairs of other digits: {np.mean(same == test[2]):.3f}")
