"""What the names in a formula stand for: values of the graph, their elements, and functions."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from draw.derivation.words import FUNCTIONS, INVERSES, SLOPES, softmax, special_function
from scipy import special

TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\d+(?:\.\d+)?|\s+|.", re.DOTALL)
SPACES = {r"\;", r"\!", r"\quad", r"\qquad", r"\textstyle", r"\left", r"\right"}
CLOSE = {"(": ")", "[": "]", "{": "}"}
MATRICES = {"matmul", "linear", "det", "slogdet", "inv", "solve", "pinv", "lstsq"}
MATRICES |= {"cholesky", "eig", "eigh", "eigvals", "eigvalsh", "lyapunov", "nuclear_norm", "polar"}
MATRICES |= {"qr", "svd", "svdvals", "backpropagation"}


def tokens_of(latex: str) -> list[str]:
    return [t for t in TOKEN.findall(latex) if not t.isspace() and t not in SPACES]


def joined(tokens: list[str]) -> str:
    """Tokens as text that has the same tokens."""
    out = ""
    for token in tokens:
        apart = re.search(r"\\[A-Za-z]+$", out) and token[0].isalnum()
        out += f" {token}" if apart else token
    return out


class UnreadableError(Exception):
    """There is something in the formula that the reader does not know."""


@dataclasses.dataclass
class Value:
    """An array, and whether an index stands at it."""

    array: Any
    element: bool = False


@dataclasses.dataclass
class Lookup:
    """Knows the values and the functions that a formula may name.

    Attributes
    ----------
    values : mapping of str to array
        What the symbols stand for, by their LaTeX.
    operation : str
        The primitive whose formula it is, where that matters.
    params : mapping
        Its parameters: over which axis a sum goes.
    shape : tuple of int or None
        Of what the formula computes.
    functions, slopes : mapping
        More functions, by their letter or word, and their derivatives.
    """

    values: Mapping[str, Any]
    operation: str = ""
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    shape: tuple[int, ...] | None = None
    functions: Mapping[str, Callable[..., Any]] = dataclasses.field(default_factory=dict)
    slopes: Mapping[str, Callable[..., Any]] = dataclasses.field(default_factory=dict)
    full: int = 0  # how many axes there are before a reduction
    reduced: set[str] = dataclasses.field(default_factory=set)  # symbols of what is reduced

    def inner(self, latex: str) -> Value:
        """The value of a part of the formula."""
        raise NotImplementedError

    @property
    def long(self) -> dict[str, str]:
        """The names that are written with several commands, as they are without spaces."""
        names = [name for name in self.values if name.startswith((r"\frac", r"\nabla"))]
        return {joined(tokens_of(name)): name for name in names}

    def _raised(self, value: Value, above: str) -> Value:
        if not above:
            return value
        x, matrix = value.array, self.operation in MATRICES
        if above.endswith(r"\top"):
            value = self._raised(value, above.removesuffix(r"\top").replace("-", "-1"))
            return self._turned(value)
        if above == "+":
            return Value(np.linalg.pinv(x, self.params.get("rcond")))
        if above == "*":
            return Value(np.conjugate(x))
        if above == "-1" and matrix and np.ndim(x) > 1:
            return Value(np.linalg.inv(x))
        power = self.inner(above)
        return Value(np.power(x, power.array), value.element or power.element)

    def _turned(self, value: Value) -> Value:
        return Value(np.swapaxes(value.array, -1, -2) if np.ndim(value.array) > 1 else value.array)

    def _indexed(self, value: Value, index: str) -> Value:
        x = np.asarray(value.array)
        if index == "I":
            return Value(x[self.params["index"]])
        if index in self.values:  # which element of a row
            chosen = np.asarray(self.values[index], int)
            return Value(x[np.arange(len(x)), chosen], True)
        if re.fullmatch(r"[ijkn]", index) or (index == "ij" and "k" in self.params):
            return Value(x, True)
        if self.operation == "slogdet" and index.isdigit():
            return Value(x[..., int(index) - 1, None, None])
        if self.operation == "stack" and index.isdigit():
            return Value(np.take(x, int(index) - 1, axis=self.params["axis"]))
        if self.operation == "choose" and index.isdigit():
            return value
        if index.startswith("[") and index[1:-1] in self.params.get("places", {}):
            return Value(x[self.params["places"][index[1:-1]]])
        if index.startswith("i_1"):
            return Value(x)
        if index.startswith(r"i_{\sigma"):
            axes = self.params["axes"]
            axes = None if axes is None else np.argsort([axis % x.ndim for axis in axes])
            return Value(np.transpose(x, axes))
        if index.startswith(r"\sigma") and "order" in self.params:
            order, axis = self.params["order"], self.params["axis"]
            order = np.argsort(order, axis=axis) if index != r"\sigma" else order
            return Value(np.take_along_axis(x, order, axis=axis))
        inner = re.fullmatch(r"(.+)_\{?[ijkn]\}?", index)
        if inner and inner[1] in self.values:
            chosen = np.asarray(self.values[inner[1]], int)
            return Value(x[np.arange(len(x)), chosen], True)
        raise UnreadableError(f"the index {index!r}")

    def _symbol(self, base: str, below: str, above: str) -> Value | None:
        """A value of the graph, with what is written below and above it."""
        numbered, _, index = below.rpartition(",")
        turned = above.removesuffix(r"\top")
        for name, at, power in (
            (_name(base, below, above), "", ""),
            (_name(base, below, turned), "", r"\top" if turned != above else ""),
            (_name(base, below, ""), "", above),
            (_name(base, numbered, above), index, ""),
            (_name(base, numbered, ""), index, above),
        ):
            if name in self.values:
                value = Value(self._lifted(name, self.values[name]))
                value = self._indexed(value, at) if at else value
                return self._raised(value, power)
        return None

    def _lifted(self, name: str, value: Any) -> Any:
        """A reduced value with the axes put back over which it was reduced."""
        if name not in self.reduced or not (
            "keepdims" in self.params or self.operation == "vecdot"
        ):
            return value
        axis = self.params.get("axis", -1 if self.operation == "vecdot" else None)
        if axis is None or self.params.get("keepdims"):
            return value
        axes = axis if isinstance(axis, tuple) else (axis,)
        return np.expand_dims(value, axis) if np.ndim(value) == self.full - len(axes) else value

    def _function(self, name: str, below: str, above: str, primes: int) -> Any:
        if primes and name == "I" and below:
            at = self.inner(below).array
            return lambda a, b: at ** (a - 1) * (1 - at) ** (b - 1) / special.beta(a, b)
        called = f"{name}_{{{below}}}" if below else name
        if primes:
            return self.slopes.get(called) or SLOPES.get(name)
        if called in self.functions:
            return self.functions[called]
        if above == "-1" and name in INVERSES:
            return INVERSES[name]
        if name in (r"\log", r"\max", r"\min") and below:
            return self._with_base(name, below)
        if name in (r"\max", r"\min"):
            return np.maximum if name == r"\max" else np.minimum
        if name in ("reshape", "broadcast"):
            return lambda x: x
        if name == "pad":
            width, fill = self.params["width"], self.params["value"]
            fill = 0 if fill is None else fill
            return lambda x: np.pad(x, width, constant_values=fill) if np.ndim(x) else x
        if name == "softmax" and "axis" in self.params:
            return lambda x: softmax(x, self.params["axis"])
        if name == "onehot":
            return lambda y: np.eye(self.shape[-1] if self.shape else None)[np.asarray(y, int)]
        if name in FUNCTIONS:
            return FUNCTIONS[name]
        return special_function(name, below, above, self.inner, self.operation)

    def _with_base(self, name: str, below: str) -> Any:
        if name == r"\log":
            return lambda x: np.log(x) / np.log(float(below))
        if r"\le" in below:
            ufunc = np.maximum if name == r"\max" else np.minimum
            return lambda x: ufunc.accumulate(x, axis=self.params.get("axis"))
        reduce, empty = (np.max, -np.inf) if name == r"\max" else (np.min, np.inf)
        where = True if self.params.get("where") is None else self.params["where"]
        return lambda x: reduce(
            x, axis=self.params.get("axis"), keepdims=True, where=where, initial=empty
        )

    def _einsum(self, latex: str) -> Any:
        """A sum of products over letters, whose result has the axes that are named behind it."""
        self.at = len(self.tokens)
        spread = r"\textstyle\sum_{\text{broadcast}} "
        if latex.startswith(spread):
            return sum_to(self._einsum(latex.removeprefix(spread)), self.shape)
        wrapped = re.fullmatch(r"\((.*)\)_\{([a-zA-Z]+)\}", latex)
        text, after = (wrapped[1], wrapped[2]) if wrapped else (latex, self.params.get("after", ""))
        text = re.sub(r"\\textstyle\\sum_\{[a-zA-Z]+\}", "", text)
        terms, arrays = [], []
        for factor in text.split(r"\,"):
            name, letters = factor.strip(), ""
            found = re.fullmatch(r"(.+?)_\{(?:(\d+),?)?([a-zA-Z]*)\}", name)
            if name not in self.values and found:
                name = found[1] + (f"_{{{found[2]}}}" if found[2] else "")
                letters = found[3]
            if name not in self.values:
                raise UnreadableError(f"the factor {factor!r}")
            arrays.append(np.asarray(self.values[name]))
            terms.append(letters)
        missing = [c for c in dict.fromkeys(after) if not any(c in t for t in terms)]
        sizes = dict(zip(after, self.shape or (), strict=False))
        ones = [np.ones(sizes[c]) for c in missing]
        plain = "".join(dict.fromkeys(after))
        found = np.einsum(",".join([*terms, *missing]) + f"->{plain}", *arrays, *ones)
        if plain == after:
            return found
        whole = np.zeros(self.shape or ())  # on the diagonal alone
        grids = np.indices(found.shape)
        whole[tuple(grids[plain.index(c)] for c in after)] = found
        return whole


def _name(base: str, below: str, above: str) -> str:
    return base + (f"_{{{below}}}" if below else "") + (f"^{{{above}}}" if above else "")


def sum_to(x: Any, shape: tuple[int, ...] | None) -> Any:
    assert shape is not None
    x = x.sum(axis=tuple(range(x.ndim - len(shape))))
    return x.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)
