"""Sums of products over named axes: `numpy.einsum` with every kind of subscripts."""

from __future__ import annotations

import string
from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive, implements
from tinygrad_bp.errors import (
    ArgumentError,
    DTypeError,
    OperationError,
    ShapeError,
    user_line,
)


def _forward(*operands: Any, subscripts: str, optimize: Any, order: Any) -> Any:
    out = np.einsum(subscripts, *operands, optimize=optimize, order=order)
    if len(operands) == 1 and isinstance(out, np.ndarray) and np.may_share_memory(out, operands[0]):
        return out.copy("C" if order == "K" else order)
    return out


def _cotangent(
    i: int, g: Any, out: Any, *operands: Any, subscripts: str, optimize: Any, order: Any
) -> Any:
    """The einsum of the cotangent with all other operands, for the labels of operand i.

    A label that operand i repeats stands for a diagonal: its second place gets a label of its
    own, tied to the first by a unit matrix. A label that no other factor has in full length was
    summed over, or broadcast: a vector of ones spreads the cotangent along it.
    """
    inputs, output = subscripts.split("->")
    terms = inputs.split(",")
    x, mine = operands[i], terms[i]
    labels = [output, *terms[:i], *terms[i + 1 :]]
    factors = [g, *operands[:i], *operands[i + 1 :]]
    fresh = _unused(subscripts)
    target = ""
    for label, n in zip(mine, x.shape, strict=True):
        if label in target:
            tied = next(fresh)
            labels.append(label + tied)
            factors.append(np.eye(n, dtype=x.dtype))
            label = tied
        target += label
    spans = {
        pair
        for term, f in zip(labels, factors, strict=True)
        for pair in zip(term, f.shape, strict=True)
    }
    for label, n in zip(target, x.shape, strict=True):
        if (label, n) not in spans:
            labels.append(label)
            factors.append(np.ones(n, x.dtype))
    path = optimize if isinstance(optimize, (bool, str)) else True
    return np.einsum(f"{','.join(labels)}->{target}", *factors, optimize=path)


_einsum = Primitive(
    "einsum",
    _forward,
    _cotangent,
    formula=r"\textstyle\sum x_{\dots} \, y_{\dots}",
    vjp_formulas=[r"\textstyle\sum \bar{z}_{\dots} \, y_{\dots}"],
)


@implements(np.einsum)
def einsum(
    *operands: Any,
    out: None = None,
    dtype: Any = None,
    order: Any = "K",
    casting: Any = "safe",
    optimize: Any = False,
) -> Any:
    """Multiply, sum, transpose and take diagonals over named axes; see `numpy.einsum`.

    Parameters
    ----------
    *operands : str, then tensors and arrays; or tensors and arrays, each followed by its labels
        Subscripts as ``"ij,jk->ik"``, with or without output, with ``...`` or without; or as lists
        of whole numbers: ``einsum(a, [0, 1], b, [1, 2], [0, 2])``.
    dtype : dtype, optional
        Operands are cast to it before the products, as `casting` allows.
    optimize : bool, str or path, default False
        The order of the products, as in NumPy; backward passes use the same kind.

    Raises
    ------
    OperationError
        ``out=`` was given.
    ArgumentError
        The subscripts are not well formed.
    DTypeError
        `casting` does not allow a cast to `dtype`.
    ShapeError
        The subscripts do not fit the operands.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> trace = np.einsum("ii", x)
    >>> trace.backward()
    >>> x.grad
    Tensor([[1., 0.],
            [0., 1.]])
    """
    if out is not None:
        raise OperationError(
            f"np.einsum with out= cannot write into an array or tensor (at {user_line()}).\n"
            "Fix: leave out= away and use what is returned."
        )
    if operands and isinstance(operands[0], str):
        written, *rest = operands
    else:
        written, rest = _as_letters(operands)
    arrays = [x if hasattr(x, "ndim") else np.asarray(x) for x in rest]
    subscripts = _spelled_out(written, [x.shape for x in arrays])
    if dtype is not None:
        arrays = [_cast(x, np.dtype(dtype), casting) for x in arrays]
    return _einsum(*arrays, subscripts=subscripts, optimize=optimize, order=order)


def _as_letters(operands: tuple[Any, ...]) -> tuple[str, list[Any]]:
    """The subscripts and the operands of a call that has its labels as lists of numbers."""
    arrays, lists = list(operands[0 : len(operands) // 2 * 2 : 2]), list(operands[1::2])
    if len(operands) % 2 and len(operands) > 1:
        lists.append(operands[-1])
    letters = string.ascii_uppercase + string.ascii_lowercase  # in the order of numbers
    terms = []
    for labels in lists:
        term = ""
        for label in labels if np.iterable(labels) else [None]:
            if label is Ellipsis:
                term += "..."
            elif isinstance(label, (int, np.integer)) and 0 <= label < len(letters):
                term += letters[label]
            else:
                raise ArgumentError(
                    f"np.einsum: {labels!r} is no list of labels (at {user_line()}).\n"
                    "Fix: subscripts as a string, as in np.einsum('ij,jk->ik', a, b), or after "
                    f"each operand a list of whole numbers from 0 to {len(letters) - 1} or ...."
                )
        terms.append(term)
    if not arrays:
        raise ArgumentError(
            f"np.einsum needs an operand and its labels (at {user_line()}).\n"
            "Fix: np.einsum('ij->ji', a), or np.einsum(a, [0, 1], [1, 0])."
        )
    inputs = ",".join(terms[: len(arrays)])
    return inputs + ("->" + terms[-1] if len(terms) > len(arrays) else ""), arrays


def _cast(x: Any, dtype: np.dtype[Any], casting: Any) -> Any:
    if not np.can_cast(x.dtype, dtype, casting):
        raise DTypeError(
            f"np.einsum cannot cast {x.dtype} to {dtype} with casting={casting!r} "
            f"(at {user_line()}).\nFix: another dtype, or casting='same_kind' if that is meant."
        )
    return x if x.dtype == dtype else x.astype(dtype)


def _unused(subscripts: str) -> Any:
    return (letter for letter in string.ascii_letters if letter not in subscripts)


def _spelled_out(subscripts: str, shapes: list[tuple[int, ...]]) -> str:
    """The subscripts with every ellipsis as labels, and with an output."""
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    letters = "".join((*terms, output)).replace("...", "")
    if not all(letter in string.ascii_letters for letter in letters):
        raise ArgumentError(
            f"np.einsum: {subscripts!r} is not well formed (at {user_line()}).\n"
            'Fix: letters, commas, one "->", and "..." for the remaining axes.'
        )
    if len(terms) != len(shapes):
        raise _unfit(subscripts, f"it names {len(terms)} operands, and there are {len(shapes)}")
    rest = [len(s) - len(t.replace("...", "")) for t, s in zip(terms, shapes, strict=True)]
    for i, (term, n) in enumerate(zip(terms, rest, strict=True)):
        if n < 0 or (n > 0 and "..." not in term):
            raise _unfit(
                subscripts, f"operand {i} of shape {shapes[i]} has other axes than {term!r}"
            )
    unused = _unused(letters)
    ellipsis = "".join(next(unused) for _ in range(max(rest, default=0)))
    terms = [
        t.replace("...", ellipsis[len(ellipsis) - n :]) for t, n in zip(terms, rest, strict=True)
    ]
    if not arrow:
        joined = "".join(terms)
        output = "..." + "".join(sorted(a for a in set(letters) if joined.count(a) == 1))
    elif ellipsis and "..." not in output:
        raise _unfit(subscripts, 'the output has no "..." for the remaining axes')
    _check_lengths(subscripts, terms, shapes, ellipsis)
    return f"{','.join(terms)}->{output.replace('...', ellipsis)}"


def _check_lengths(
    subscripts: str, terms: list[str], shapes: list[tuple[int, ...]], ellipsis: str
) -> None:
    seen: dict[str, tuple[int, int]] = {}
    for i, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
        for label, n in zip(term, shape, strict=True):
            m, k = seen.get(label, (1, i))
            repeated = term.count(label) > 1 and label in seen and k == i
            if n != m and ((n != 1 and m != 1) or repeated):
                name = "an axis of ..." if label in ellipsis else repr(label)
                raise _unfit(
                    subscripts, f"{name} has length {m} in operand {k} and {n} in operand {i}"
                )
            if label not in seen or m == 1:
                seen[label] = (n, i)


def _unfit(subscripts: str, why: str) -> ShapeError:
    return ShapeError(
        f"np.einsum: {subscripts!r} does not fit (at {user_line()}): {why}.\n"
        "Fix: one label per axis, and one length per label."
    )
