"""Cases of `ops/einsum.py`: a kind of subscripts each."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case


def _case(subscripts, *shapes, optimize=False, label=None):
    return Case(
        "einsum",
        lambda *operands: np.einsum(subscripts, *operands, optimize=optimize),
        shapes,
        complex_step=True,
        label=label or subscripts,
    )


CASES = [
    _case("ij,jk->ik", ((2, 3), (3, 2)), ((2, 0), (0, 3)), ((2, 1), (1, 3))),
    _case("ij,jk->ik", ((2, 3), (3, 2)), optimize=True, label="optimized"),
    _case("ij,jk,kl->il", ((2, 3), (3, 2), (2, 2)), optimize="greedy", label="three, greedy"),
    _case("ij,jk", ((2, 3), (3, 2))),
    _case("ba", ((2, 3),)),
    _case("ij->ji", ((2, 3),), ((0, 3),)),
    _case("ii", ((3, 3),), ((1, 1),), ((0, 0),)),
    _case("ii->i", ((3, 3),), ((0, 0),)),
    _case("iii->i", ((2, 2, 2),)),
    _case("iijj->ij", ((2, 2, 2, 2),)),
    _case("iij,j->i", ((2, 2, 3), (3,))),
    _case("ij->i", ((2, 3),), ((2, 0),)),
    _case("ij->", ((2, 3),)),
    _case("->", ((),)),
    _case(",ij->i", ((), (2, 3))),
    _case("ij,kl->jl", ((2, 3), (2, 2))),
    _case("i,j,k->kij", ((2,), (3,), (2,))),
    _case("ij,ij->i", ((2, 3), (2, 3)), ((1, 3), (2, 3)), ((2, 1), (1, 3))),
    _case("...ij,...jk->...ik", ((2, 3), (3, 2)), ((2, 2, 3), (3, 2)), ((1, 2, 3), (2, 3, 2))),
    _case("...ij,...jk", ((2, 2, 3), (3, 2))),
    _case("i...->...", ((2, 3),), ((2,),), ((2, 2, 2),)),
    _case("i...i->...i", ((2, 3, 2),)),
    _case("i...,...i->...", ((2, 3), (3, 2)), ((2,), (3, 2))),
    _case("a...ba->b...", ((2, 3, 2),), ((2, 1, 3, 2),), label="ellipsis among labels"),
    Case(
        "einsum",
        lambda x, y: np.einsum(x, [0, Ellipsis, 1], y, [1, 2], [Ellipsis, 2, 0]),
        (((2, 3), (3, 2)), ((2, 2, 3), (3, 1))),
        complex_step=True,
        label="lists of labels",
    ),
    Case(
        "einsum",
        lambda x, y: np.einsum("ij,jk", x, y, dtype=np.float64, order="F"),
        (((2, 3), (3, 2)),),
        label="dtype and order",
    ),
]
