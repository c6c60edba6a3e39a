"""Layer normalisation alone, as in a Transformer: 64 tokens of 128 features, batch 8."""

from layer_cases import _alone

NAME = "LayerNorm, (8, 64, 128)"
LIMIT = 2.0
CASE = ("LayerNorm", 128, (8, 64, 128))


def ours():
    return _alone.ours(*CASE)


def theirs():
    return _alone.theirs(*CASE)
