"""A residual network on small digits: blocks that add to what they are given.

    python examples/residual_network.py

K. He et al., "Deep residual learning for image recognition", 2015. The network is plain data, and
both kinds of its blocks are drawn. The 1,797 digits of 8 by 8 pixels come with scikit-learn.
"""

from __future__ import annotations

import argparse

import numpy as np

import tinygrad_bp as tg
from tinygrad_bp import data, nn, optim


def conv(channels: int, stride: int = 1) -> list[dict]:
    shape = {"kernel_size": 3, "stride": stride, "padding": 1, "bias": False}
    return [{"type": "Conv2d", "out_channels": channels, **shape}, {"type": "BatchNorm2d"}]


def block(channels: int, stride: int = 1) -> list[dict]:
    """Two convolutions, added to their input, or to a projection of it where they shrink it."""
    residual = {
        "type": "Residual",
        "layers": [*conv(channels, stride), {"type": "ReLU"}, *conv(channels)],
    }
    if stride > 1:
        projection = {"type": "Conv2d", "out_channels": channels, "kernel_size": 1}
        residual["shortcut"] = {**projection, "stride": stride, "bias": False}
    return [residual, {"type": "ReLU"}]


SPEC = nn.NetworkSpec(
    (1, 8, 8),
    [
        *(*conv(16), {"type": "ReLU"}, *block(16), *block(32, 2), *block(64, 2)),
        *({"type": "AdaptiveAvgPool2d", "output_size": 1}, {"type": "Flatten"}),
        {"type": "Linear", "out_features": 10},
    ],
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a residual network on digits.")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--out", default="residual_network", help="the picture, without .png")
    args = parser.parse_args()

    rng = np.random.default_rng(0)
    digits = data.load_digits().split(0.25, rng)
    train, test = digits.train, digits.test
    x, test_x = (np.float32(part.inputs).reshape(-1, 1, 8, 8) / 16 for part in (train, test))
    model = SPEC.build(rng)
    print(f"{sum(p.size for p in model.parameters()):,} parameters")
    options = {"batch_size": 32, "shuffle": True, "drop_last": True, "generator": rng}
    batches = data.DataLoader(x, train.labels, **options)
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    schedule = optim.OneCycleLR(optimizer, 0.05, total_steps=args.epochs * len(batches))
    for epoch in range(1, args.epochs + 1):
        model.train()
        for images, labels in batches:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            schedule.step()
        model.eval()
        with tg.no_grad():
            right = np.mean(model(test_x).data.argmax(axis=1) == test.labels)
        print(f"epoch {epoch:2}  loss {loss.item():.4f}  test accuracy {right:.4f}")
    stem = tg.Tensor(model[:3](x[:1]).data, name="stem")
    picture = tg.draw(model[3:7](stem), level="module", depth=2)
    picture.render(args.out, format="png", cleanup=True)


if __name__ == "__main__":
    main()
