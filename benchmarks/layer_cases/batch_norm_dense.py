"""Batch normalisation of vectors alone, as behind a dense layer."""

from layer_cases import _alone

NAME = "BatchNorm1d, (64, 256)"
LIMIT = 2.0
CASE = ("BatchNorm1d", 256, (64, 256))


def ours():
    return _alone.ours(*CASE)


def theirs():
    return _alone.theirs(*CASE)
