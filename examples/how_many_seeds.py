"""How many seeds does a claim need? The recipe digits-delta in plain NumPy, for many seeds at once.

    python examples/how_many_seeds.py [SEEDS] [STEPS]

Each seed draws its own split, weights and order; see docs/recipes/digits-delta.md.
"""

import sys

import numpy as np
from scipy.special import expit as sigmoid
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

PIXELS, LABELS = load_digits(return_X_y=True)
ONE_HOT = np.eye(10)


def accuracies(seeds, steps, divide_by=1, leak=False):
    """The test accuracy of each seed; with `leak`, trained on all digits as the original was."""
    images, rngs = PIXELS / divide_by, [np.random.default_rng(seed) for seed in seeds]
    rows = np.arange(len(LABELS))
    splits = [train_test_split(rows, random_state=seed) for seed in seeds]
    v = np.stack([rng.uniform(-1, 1, (64, 100)) for rng in rngs])
    w = np.stack([rng.uniform(-1, 1, (100, 10)) for rng in rngs])
    order = [
        rng.choice(rows if leak else train, steps)
        for rng, (train, _) in zip(rngs, splits, strict=True)
    ]
    for i in np.transpose(order):  # one sample for each seed
        x, y = images[i][:, None], ONE_HOT[LABELS[i]][:, None]
        h = sigmoid(x @ v)
        a = sigmoid(h @ w)
        delta_2 = (a - y) * a * (1 - a)
        delta_1 = delta_2 @ np.swapaxes(w, 1, 2) * h * (1 - h)
        w -= 0.1 * np.swapaxes(h, 1, 2) * delta_2
        v -= 0.1 * np.swapaxes(x, 1, 2) * delta_1
    return [
        np.mean((sigmoid(images[test] @ v[k]) @ w[k]).argmax(1) == LABELS[test])
        for k, (_, test) in enumerate(splits)
    ]


seeds = int(sys.argv[1]) if sys.argv[1:] else 100
steps = int(sys.argv[2]) if sys.argv[2:] else 10_000
print(f"{'pixels':18}{'steps':>7}{'mean':>8}{'sd':>7}{'least':>8}{'most':>7}  five reach 0.95")
for name, n, options in [
    ("0 to 16", steps, {}),
    ("0 to 1", steps, {"divide_by": 16}),
    ("0 to 1, leaking", steps, {"divide_by": 16, "leak": True}),
    ("0 to 1", 4 * steps, {"divide_by": 16}),
]:
    reached = np.concatenate(
        [accuracies(range(k, k + 5), n, **options) for k in range(0, seeds, 5)]
    )
    fives = reached.reshape(-1, 5).mean(1)
    print(
        f"{name:18}{n:7,}{reached.mean():8.3f}{reached.std():7.3f}{reached.min():8.3f}"
        f"{reached.max():7.3f}  {(fives >= 0.95).sum()} of {len(fives)}"
    )
