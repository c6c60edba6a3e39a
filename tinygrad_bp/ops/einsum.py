"""Sums of products over named axes: `numpy.einsum` with every kind of subscripts."""

from __future__ import annotations

import string
from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive, implements
from tinygrad_bp.errors import ArgumentError, OperationError, ShapeError, user_line


def _forward(*operands: Any, subscripts: str, optimize: Any) -> Any:
    out = np.einsum(subscripts, *operands, optimize=optimize)
    if len(operands) == 1 and isinstance(out, np.ndarray) and np.may_share_memory(out, operands[0]):
        return out.copy()
    return out


def _cotangent(i: int, g: Any, out: Any, *operands: Any, subscripts: str, optimize: Any) -> Any:
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
def einsum(*operands: Any, out: None = None, optimize: Any = False, **kwargs: Any) -> Any:
    """Multiply, sum, transpose and take diagonals over named axes; see `numpy.einsum`.

    Parameters
    ----------
    *operands : str, then tensors and arrays
        Subscripts as ``"ij,jk->ik"``, with or without output, with ``...`` or without.
    optimize : bool, str or path, default False
        The order of the products, as in NumPy; backward passes use the same kind.

    Raises
    ------
    OperationError
        Subscripts as lists, ``out=``, ``dtype=``, ``order=`` or ``casting=``.
    ArgumentError
        The subscripts are not well formed.
    ShapeError
        They do not fit the operands.

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
    if not operands or not isinstance(operands[0], str):
        raise OperationError(
            f"np.einsum with subscripts as lists is not available on tensors (at {user_line()}).\n"
            'Fix: pass them as a string, as "ij,jk->ik".'
        )
    if out is not None or kwargs:
        names = ", ".join(f"{name}=" for name in (*(["out"] if out is not None else []), *kwargs))
        raise OperationError(
            f"np.einsum with {names} is not available on tensors (at {user_line()}).\n"
            "Fix: leave it away, and use astype() for another dtype."
        )
    arrays = [x if hasattr(x, "ndim") else np.asarray(x) for x in operands[1:]]
    subscripts = _spelled_out(operands[0], [x.shape for x in arrays])
    return _einsum(*arrays, subscripts=subscripts, optimize=optimize)


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
