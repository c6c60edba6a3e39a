"""Layer normalisation of vectors alone, batch 64."""

from layer_cases import _alone

NAME = "LayerNorm, (64, 256)"
LIMIT = 2.0
CASE = ("LayerNorm", 256, (64, 256))


def ours():
    return _alone.ours(*CASE)


def theirs():
    return _alone.theirs(*CASE)
