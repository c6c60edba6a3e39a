"""Rows of losses: the modules, on random shapes and with all their options."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from with_torch.rows import Case, row

import tinygrad_bp as tg

REDUCTIONS = ("mean", "sum", "none")


def shape_of(rng, axes=(1, 4)):
    return tuple(int(n) for n in rng.integers(1, 5, size=rng.integers(*axes)))


def reduction(rng, among=REDUCTIONS):
    return {"reduction": str(rng.choice(among))}


def both(name: str, inputs: tuple[Any, ...], *constants: Any, **options: Any) -> Case:
    """The module of this name in both, with these options; `constants` are not differentiated."""
    import torch

    theirs_ = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    ours, theirs = getattr(tg.nn, name)(**options), getattr(torch.nn, name)(**theirs_)
    if not constants:
        return Case(ours, theirs, inputs)
    of_torch = [torch.tensor(x) for x in constants]
    return Case(lambda *x: ours(*x, *constants), lambda *x: theirs(*x, *of_torch), inputs)


def signs(rng, shape):
    return rng.choice([-1, 1], size=shape)


def maybe(rng, value):
    return value if rng.integers(2) else None


@row("MSELoss", "reduction")
def mse(rng: np.random.Generator) -> Case:
    shape = shape_of(rng)
    return both("MSELoss", (rng.normal(size=shape), rng.normal(size=shape)), **reduction(rng))


@row("L1Loss", "reduction")
def l1(rng: np.random.Generator) -> Case:
    shape = shape_of(rng)
    return both("L1Loss", (rng.normal(size=shape), rng.normal(size=shape)), **reduction(rng))


@row("HuberLoss", "reduction, delta")
def huber(rng: np.random.Generator) -> Case:
    shape, delta = shape_of(rng), float(rng.uniform(0.2, 2))
    inputs = rng.normal(size=shape), rng.normal(size=shape)
    return both("HuberLoss", inputs, delta=delta, **reduction(rng))


@row("SmoothL1Loss", "reduction, beta, 0 among them", cases=20)
def smooth_l1(rng: np.random.Generator) -> Case:
    shape, beta = shape_of(rng), float(rng.choice([0, rng.uniform(0.2, 2)]))
    inputs = rng.normal(size=shape), rng.normal(size=shape)
    return both("SmoothL1Loss", inputs, beta=beta, **reduction(rng))


def class_axes(rng):
    """The shape of logits, and that of the labels: (N, C), (N, C, d...) or (C,)."""
    classes = int(rng.integers(2, 6))
    if not rng.integers(5):
        return (classes,), ()
    n, *more = shape_of(rng)
    return (n, classes, *more), (n, *more)


def labels_of(rng, logits, shape, ignore_index):
    classes = logits[1] if len(logits) > 1 else logits[0]
    labels = np.array(rng.integers(classes, size=shape))
    labels[rng.random(shape) < 0.3] = ignore_index
    labels.flat[0] = (ignore_index + 1) % classes if labels.size else 0  # one that counts
    return labels


@row("CrossEntropyLoss", "labels, weight, ignore_index, label_smoothing, reduction, axes", cases=60)
def cross_entropy(rng: np.random.Generator) -> Case:
    logits, shape = class_axes(rng)
    classes = logits[1] if len(logits) > 1 else logits[0]
    ignore_index = int(rng.choice([-100, -1, 0]))
    options = {
        "weight": maybe(rng, rng.uniform(0.5, 2, classes)),
        "ignore_index": ignore_index,
        "label_smoothing": float(rng.choice([0, 0.2])),
    }
    labels = labels_of(rng, logits, shape, ignore_index)
    return both("CrossEntropyLoss", (rng.normal(0, 2, logits), labels), **options, **reduction(rng))


@row("CrossEntropyLoss (probabilities)", "weight, label_smoothing, reduction, axes", cases=30)
def cross_entropy_of_probabilities(rng: np.random.Generator) -> Case:
    logits, _ = class_axes(rng)
    axis = 1 if len(logits) > 1 else 0
    target = rng.uniform(0.1, 1, logits)
    target /= target.sum(axis=axis, keepdims=True)
    options = {
        "weight": maybe(rng, rng.uniform(0.5, 2, logits[axis])),
        "label_smoothing": float(rng.choice([0, 0.2])),
    }
    # Normalized inside, so that the gradient of the target is along the distributions alone.
    case = both("CrossEntropyLoss", (), **options, **reduction(rng))
    ours, theirs = case.ours, case.theirs
    return Case(
        lambda x, y: ours(x, y / y.sum(axis=axis, keepdims=True)),
        lambda x, y: theirs(x, y / y.sum(dim=axis, keepdim=True)),
        (rng.normal(0, 2, logits), target),
    )


@row("NLLLoss", "weight, ignore_index, reduction, axes", cases=30)
def nll(rng: np.random.Generator) -> Case:
    logits, shape = class_axes(rng)
    classes = logits[1] if len(logits) > 1 else logits[0]
    ignore_index = int(rng.choice([-100, -1, 0]))
    options = {"weight": maybe(rng, rng.uniform(0.5, 2, classes)), "ignore_index": ignore_index}
    inputs = -rng.uniform(0.1, 3, logits), labels_of(rng, logits, shape, ignore_index)
    return both("NLLLoss", inputs, **options, **reduction(rng))


@row("focal_loss", "gamma, reduction; against its formula in PyTorch's functions", cases=20)
def focal(rng: np.random.Generator) -> Case:
    import torch
    import torch.nn.functional as F  # noqa: N812 - its usual name

    n, classes = int(rng.integers(1, 5)), int(rng.integers(2, 6))
    gamma, how = float(rng.choice([0, 0.5, 2, 3])), reduction(rng)["reduction"]
    labels = rng.integers(classes, size=n)

    def theirs(x):
        logs = torch.gather(F.log_softmax(x, 1), 1, torch.tensor(labels)[:, None])[:, 0]
        each = -((1 - logs.exp()) ** gamma) * logs
        return each if how == "none" else getattr(each, how)()

    ours = tg.nn.FocalLoss(gamma=gamma, reduction=how)
    return Case(lambda x: ours(x, labels), theirs, (rng.normal(size=(n, classes)),))


@row("sigmoid_focal_loss", "alpha, gamma, reduction; against its formula", cases=20)
def sigmoid_focal(rng: np.random.Generator) -> Case:
    import torch
    import torch.nn.functional as F  # noqa: N812 - its usual name

    shape, how = shape_of(rng), reduction(rng)["reduction"]
    alpha = maybe(rng, float(rng.uniform(0, 1)))
    gamma = float(rng.choice([0, 0.5, 2]))
    y = rng.integers(2, size=shape) * 1.0 if rng.integers(2) else rng.uniform(size=shape)

    def theirs(x):  # as torchvision.ops.sigmoid_focal_loss
        t = torch.tensor(y)
        p = torch.sigmoid(x)
        each = F.binary_cross_entropy_with_logits(x, t, reduction="none")
        each = each * (1 - (p * t + (1 - p) * (1 - t))) ** gamma
        if alpha is not None:
            each = each * (alpha * t + (1 - alpha) * (1 - t))
        return each if how == "none" else getattr(each, how)()

    ours = tg.nn.SigmoidFocalLoss(alpha, gamma, how)
    return Case(lambda x: ours(x, y), theirs, (rng.normal(size=shape),))


@row("BCELoss", "weight, reduction")
def bce(rng: np.random.Generator) -> Case:
    shape = shape_of(rng)
    weight = maybe(rng, rng.uniform(0.5, 2, shape[-1:]))
    p, target = rng.uniform(0.05, 0.95, shape), rng.uniform(size=shape)
    return both("BCELoss", (p,), target, weight=weight, **reduction(rng))


@row("BCEWithLogitsLoss", "weight, pos_weight, reduction", cases=20)
def bce_with_logits(rng: np.random.Generator) -> Case:
    shape = shape_of(rng)
    options = {
        "weight": maybe(rng, rng.uniform(0.5, 2, shape[-1:])),
        "pos_weight": maybe(rng, rng.uniform(0.5, 2, shape[-1:])),
    }
    inputs = rng.normal(0, 3, shape), rng.uniform(0.1, 0.9, shape)
    return both("BCEWithLogitsLoss", inputs, **options, **reduction(rng))


@row("KLDivLoss", "log_target, reduction, batchmean among them", cases=20)
def kl(rng: np.random.Generator) -> Case:
    shape, log_target = shape_of(rng), bool(rng.integers(2))
    target = rng.uniform(0.1, 0.9, shape)
    inputs = -rng.uniform(0.1, 3, shape), np.log(target) if log_target else target
    options = reduction(rng, (*REDUCTIONS, "batchmean"))
    case = both("KLDivLoss", inputs, log_target=log_target, **options)

    def theirs(x, y):  # the mean warns that it is no mean over the samples
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return case.theirs(x, y)

    return Case(case.ours.forward, theirs, inputs)


@row("GaussianNLLLoss", "full, eps, variance for each element or sample, reduction", cases=20)
def gaussian_nll(rng: np.random.Generator) -> Case:
    shape = shape_of(rng)
    of_var = [shape, shape[:-1], (*shape[:-1], 1)][rng.integers(3)]
    inputs = (rng.normal(size=shape), rng.normal(size=shape), rng.uniform(0.05, 2, of_var))
    options = {"full": bool(rng.integers(2)), "eps": float(rng.choice([1e-6, 0.3]))}
    return both("GaussianNLLLoss", inputs, **options, **reduction(rng))


@row("PoissonNLLLoss", "log_input, full, eps, reduction", cases=20)
def poisson_nll(rng: np.random.Generator) -> Case:
    shape, log_input = shape_of(rng), bool(rng.integers(2))
    x = rng.normal(size=shape) if log_input else rng.uniform(0.1, 3, shape)
    options = {"log_input": log_input, "full": bool(rng.integers(2)), "eps": 1e-4}
    counts = rng.integers(6, size=shape) * 1.0
    return both("PoissonNLLLoss", (x,), counts, **options, **reduction(rng))


@row("HingeEmbeddingLoss", "margin, reduction")
def hinge_embedding(rng: np.random.Generator) -> Case:
    shape, margin = shape_of(rng), float(rng.uniform(0.5, 2))
    inputs = rng.normal(size=shape), signs(rng, shape)
    return both("HingeEmbeddingLoss", inputs, margin=margin, **reduction(rng))


@row("SoftMarginLoss", "reduction")
def soft_margin(rng: np.random.Generator) -> Case:
    shape = shape_of(rng)
    return both("SoftMarginLoss", (rng.normal(0, 3, shape), signs(rng, shape)), **reduction(rng))


@row(
    "MultiMarginLoss",
    "p, margin, weight, reduction, axes (no second derivative in PyTorch)",
    cases=30,
    second=False,
)
def multi_margin(rng: np.random.Generator) -> Case:
    classes, n = int(rng.integers(2, 6)), shape_of(rng, (0, 2))
    options = {
        "p": int(rng.integers(1, 3)),
        "margin": float(rng.uniform(0.5, 2)),
        "weight": maybe(rng, rng.uniform(0.5, 2, classes)),
    }
    inputs = rng.normal(size=(*n, classes)), np.array(rng.integers(classes, size=n))
    return both("MultiMarginLoss", inputs, **options, **reduction(rng))


@row(
    "MultiLabelMarginLoss",
    "reduction, axes (no second derivative in PyTorch)",
    cases=20,
    second=False,
)
def multilabel_margin(rng: np.random.Generator) -> Case:
    shape = (*shape_of(rng, (0, 2)), int(rng.integers(2, 6)))
    labels = np.full(shape, -1)
    for row_ in labels.reshape(-1, shape[-1]):
        some = rng.permutation(shape[-1])[: rng.integers(shape[-1] + 1)]
        row_[: len(some)] = some
        if len(some) + 1 < shape[-1]:
            row_[-1] = rng.integers(shape[-1])  # behind a -1, and does not count
    return both("MultiLabelMarginLoss", (rng.normal(size=shape), labels), **reduction(rng))


@row("MultiLabelSoftMarginLoss", "weight, reduction, axes")
def multilabel_soft_margin(rng: np.random.Generator) -> Case:
    shape = (*shape_of(rng, (0, 2)), int(rng.integers(2, 6)))
    weight = maybe(rng, rng.uniform(0.5, 2, shape[-1]))
    x, target = rng.normal(0, 3, shape), rng.integers(2, size=shape) * 1.0
    return both("MultiLabelSoftMarginLoss", (x,), target, weight=weight, **reduction(rng))


@row("CosineSimilarity", "dim, eps, less than the lengths")
def cosine_similarity(rng: np.random.Generator) -> Case:
    shape = shape_of(rng, (2, 4))
    options = {"dim": int(rng.integers(len(shape))), "eps": float(rng.choice([1e-8, 1e-3]))}
    return both("CosineSimilarity", (rng.normal(size=shape), rng.normal(size=shape)), **options)


@row("PairwiseDistance", "p, eps, keepdim", cases=20)
def pairwise_distance(rng: np.random.Generator) -> Case:
    shape = shape_of(rng, (1, 3))
    options = {"p": float(rng.choice([1, 2, 3, 2.5])), "keepdim": bool(rng.integers(2))}
    return both("PairwiseDistance", (rng.normal(size=shape), rng.normal(size=shape)), **options)


@row("CosineEmbeddingLoss", "margin, reduction, axes", cases=20)
def cosine_embedding(rng: np.random.Generator) -> Case:
    n, d = shape_of(rng, (0, 2)), int(rng.integers(2, 5))
    inputs = rng.normal(size=(*n, d)), rng.normal(size=(*n, d)), np.array(signs(rng, n))
    margin = float(rng.uniform(-0.5, 0.5))
    return both("CosineEmbeddingLoss", inputs, margin=margin, **reduction(rng))


def triplet(rng):
    shape = (*shape_of(rng, (0, 2)), int(rng.integers(1, 5)))
    return tuple(rng.normal(size=shape) for _ in range(3))


@row("TripletMarginLoss", "margin, p, swap, reduction, axes", cases=20)
def triplet_margin(rng: np.random.Generator) -> Case:
    options = {
        "margin": float(rng.uniform(0.5, 2)),
        "p": float(rng.choice([1, 2, 3])),
        "swap": bool(rng.integers(2)),
    }
    return both("TripletMarginLoss", triplet(rng), **options, **reduction(rng))


@row("TripletMarginWithDistanceLoss", "distance_function, margin, swap, reduction", cases=20)
def triplet_margin_with_distance(rng: np.random.Generator) -> Case:
    options = {
        "distance_function": maybe(rng, lambda a, b: ((a - b) ** 2).sum(-1)),
        "margin": float(rng.uniform(0.5, 2)),
        "swap": bool(rng.integers(2)),
    }
    return both("TripletMarginWithDistanceLoss", triplet(rng), **options, **reduction(rng))


@row(
    "CTCLoss",
    "blank, zero_infinity, reduction, targets as rows or as one, lengths, axes; of "
    "log_softmax (no second derivative in PyTorch)",
    cases=40,
    second=False,
)
def ctc(rng: np.random.Generator) -> Case:
    import torch

    steps, classes, one = int(rng.integers(4, 9)), int(rng.integers(2, 5)), not rng.integers(5)
    samples = 1 if one else int(rng.integers(1, 4))
    blank = int(rng.integers(classes))
    lengths = rng.integers(1, 4, size=samples)
    read = rng.integers(2, steps + 1, size=samples)  # sometimes too few, for an infinite loss
    labels = (blank + rng.integers(1, classes, size=(samples, 4))) % classes
    if not one and rng.integers(2):
        labels = np.concatenate([row_[:n] for row_, n in zip(labels, lengths, strict=True)])
    if one:
        labels, lengths, read = labels[0, : lengths[0]], lengths[0], read[0]
    options = {"blank": blank, "zero_infinity": True, **reduction(rng)}
    ours, theirs = tg.nn.CTCLoss(**options), torch.nn.CTCLoss(**options)
    x = rng.normal(size=(steps, classes) if one else (steps, samples, classes))
    rest = [torch.tensor(a) for a in (labels, read, lengths)]
    return Case(
        lambda x: ours(tg.nn.functional.log_softmax(x, -1), labels, read, lengths),
        lambda x: theirs(torch.log_softmax(x, -1), *rest),
        (x,),
    )


@row("MarginRankingLoss", "margin, reduction")
def margin_ranking(rng: np.random.Generator) -> Case:
    shape, margin = shape_of(rng), float(rng.uniform(0, 1))
    inputs = rng.normal(size=shape), rng.normal(size=shape), signs(rng, shape)
    return both("MarginRankingLoss", inputs, margin=margin, **reduction(rng))
