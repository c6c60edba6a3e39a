"""NumPy functions whose results are constants: comparisons, tests, roundings, positions, facts."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.core import without_derivative

STEP = "piecewise constant: the derivative is zero wherever there is one"
_TRUTH = "the result is a truth value"
_POSITION = "the result is a position or a count"
_FACT = "the result does not depend on the values"
_TEXT = "the result is text"
_SET = "the result is a set of values, whose size changes with them"
_FILE = "the values are written to a file"

_COMPARISONS = (
    np.less,
    np.less_equal,
    np.greater,
    np.greater_equal,
    np.equal,
    np.not_equal,
    np.logical_and,
    np.logical_or,
    np.logical_xor,
    np.logical_not,
    np.isfinite,
    np.isnan,
    np.isinf,
    np.isposinf,
    np.isneginf,
    np.signbit,
    np.all,
    np.any,
    np.allclose,
    np.isclose,
    np.array_equal,
    np.array_equiv,
    np.isin,
    np.isreal,
    np.iscomplex,
)
_STEPS = (
    np.sign,
    np.floor,
    np.ceil,
    np.rint,
    np.trunc,
    np.round,
    np.around,
    np.floor_divide,
    np.bitwise_and,
    np.bitwise_or,
    np.bitwise_xor,
    np.invert,
    np.left_shift,
    np.right_shift,
    np.bitwise_count,
    np.gcd,
    np.lcm,
    np.packbits,
    np.unpackbits,
)
_POSITIONS = (
    np.argmax,
    np.argmin,
    np.argsort,
    np.argpartition,
    np.lexsort,
    np.nanargmax,
    np.nanargmin,
    np.argwhere,
    np.count_nonzero,
    np.nonzero,
    np.flatnonzero,
    np.searchsorted,
    np.digitize,
    np.ravel_multi_index,
    np.unravel_index,
    np.ix_,
)
_SETS = (
    np.unique,
    np.unique_all,
    np.unique_counts,
    np.unique_inverse,
    np.unique_values,
    np.intersect1d,
    np.setdiff1d,
    np.setxor1d,
    np.union1d,
)
_FACTS = (
    np.shape,
    np.ndim,
    np.size,
    np.zeros_like,
    np.ones_like,
    np.empty_like,
    np.result_type,
    np.common_type,
    np.min_scalar_type,
    np.can_cast,
    np.iscomplexobj,
    np.isrealobj,
    np.shares_memory,
    np.may_share_memory,
    np.diag_indices_from,
    np.tril_indices_from,
    np.triu_indices_from,
    np.einsum_path,
)
_TEXTS = (np.array_repr, np.array_str, np.array2string)
_FILES = (np.save, np.savetxt, np.savez, np.savez_compressed)

for _functions, _why in (
    (_COMPARISONS, _TRUTH),
    (_STEPS, STEP),
    (_POSITIONS, _POSITION),
    (_FACTS, _FACT),
    (_TEXTS, _TEXT),
    (_SETS, _SET),
    (_FILES, _FILE),
):
    without_derivative(dict.fromkeys(_functions, _why))
