"""Batch normalisation of images alone, as behind a convolution."""

from layer_cases import _alone

NAME = "BatchNorm2d, (64, 64, 28, 28)"
LIMIT = 2.0
CASE = ("BatchNorm2d", 64, (64, 64, 28, 28))


def ours():
    return _alone.ours(*CASE)


def theirs():
    return _alone.theirs(*CASE)
