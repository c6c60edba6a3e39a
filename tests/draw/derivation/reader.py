"""Reads a formula as it is printed and computes it with NumPy: the witness of the derivations.

It shares no code with what prints them. A product of two things side by side is one of matrices
where both have axes, and of elements where an index stands at one of them. Whatever it does not
know is an `UnreadableError`.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from draw.derivation.lookup import (
    CLOSE,
    MATRICES,
    Lookup,
    UnreadableError,
    Value,
    joined,
    sum_to,
    tokens_of,
)
from draw.derivation.words import others
from scipy import special


@dataclasses.dataclass
class Reader(Lookup):
    """Computes formulas."""

    def read(self, latex: str) -> Any:
        """The array that a formula stands for, of the shape that is wanted."""
        self.tokens, self.at = tokens_of(latex), 0
        if r"\text{ with" in latex:
            raise UnreadableError("words")
        found = self._einsum(latex) if self.operation == "einsum" else self._conditional().array
        if self.at < len(self.tokens):
            raise UnreadableError(f"{' '.join(self.tokens[self.at :])!r} in {latex!r}")
        found = np.asarray(found, float)
        if self.shape is not None and found.shape != self.shape:
            if found.size == np.prod(self.shape):
                return found.reshape(self.shape)
            return np.broadcast_to(found, self.shape)
        return found

    # What is at hand

    @property
    def next(self) -> str:
        at = self._past_spaces()
        return self.tokens[at] if at < len(self.tokens) else ""

    def _past_spaces(self) -> int:
        at = self.at
        while self.tokens[at : at + 1] == [r"\,"]:
            at += 1
        return at

    def take(self, expected: str = "") -> str:
        token = self.next
        if not token or (expected and token != expected):
            raise UnreadableError(
                f"{expected or 'more'!r} is missing behind {self.tokens[: self.at]}"
            )
        self.at = self._past_spaces() + 1
        return token

    def group(self) -> str:
        """The tokens of a group in braces, or one token, as text."""
        if self.next != "{":
            token = self.take()
            if len(token) > 1 and token.isdigit():  # \frac12
                self.at -= 1
                self.tokens[self.at : self.at + 1] = list(token)
                token = self.take()
            return token
        start, depth = self.at, 0
        while True:
            depth += {"{": 1, "}": -1}.get(self.take(), 0)
            if not depth:
                return joined(self.tokens[start + 1 : self.at - 1])

    def inner(self, latex: str) -> Value:
        """The value of a part of the formula."""
        reader = dataclasses.replace(self, shape=None)
        reader.tokens, reader.at = tokens_of(latex), 0
        found = reader._conditional()
        if reader.at < len(reader.tokens):
            raise UnreadableError(f"{reader.next!r} in {latex!r}")
        return found

    # From the outside in

    def _conditional(self) -> Value:
        first = self._truth()
        if self.next == "?":
            self.take()
            yes = self._sum()
            self.take(":")
            no = self._sum()
            return Value(np.where(first.array, yes.array, no.array))
        return first

    def _truth(self) -> Value:
        left = self._sum()
        signs = {"<": np.less, ">": np.greater, "=": np.equal}
        signs |= {r"\le": np.less_equal, r"\ge": np.greater_equal}
        result = None
        while self.next in signs:
            sign = signs[self.take()]
            right = self._sum()
            holds = sign(left.array, right.array)
            result = holds if result is None else result & holds
            left = right
        return left if result is None else Value(result)

    def _sum(self) -> Value:
        negative = self.next == "-" and bool(self.take())
        total = self._product()
        total = Value(-total.array, total.element) if negative else total
        while self.next in ("+", "-"):
            sign = -1 if self.take() == "-" else 1
            term = self._product()
            if isinstance(total.array, str):  # the identity, as large as what it is added to
                total = Value(np.eye(np.shape(term.array)[-1]))
            total = Value(total.array + sign * term.array, total.element or term.element)
        return total

    def _product(self) -> Value:
        total = self._factor()
        while self.next not in ("", *"+-=<>),]}?:;|", r"\le", r"\ge", r"\rfloor", r"\in"):
            if self.next == "/":
                self.take()
                by = self._factor()
                total = Value(total.array / by.array, total.element or by.element)
            elif self.next in (r"\odot", r"\cdot"):
                self.take()
                by = self._factor()
                total = Value(total.array * by.array, total.element or by.element)
            elif self.next == r"\circ":  # of whole products
                self.take()
                total = Value(total.array * self._product().array)
            elif self.next == r"\times":
                self.take()
                total = Value(np.cross(total.array, self._factor().array))
            else:
                total = self._times(total, self._factor())
        return total

    def _times(self, a: Value, b: Value) -> Value:
        x, y = np.asarray(a.array), np.asarray(b.array)
        each = self.operation in ("det", "slogdet") and (1, 1) in (x.shape[-2:], y.shape[-2:])
        if a.element or b.element or x.size == 1 or y.size == 1 or each:
            return Value(x * y, a.element or b.element)
        counted = self.params.get("where") is not None  # n is an array there
        if counted:
            return Value(x * y)
        if self.operation and self.operation not in MATRICES:
            raise AssertionError(f"two arrays side by side in a formula of {self.operation}")
        return Value(x @ y)

    # One factor

    def _factor(self) -> Value:
        token, self.at = self.next, self._past_spaces()
        if not token:
            raise UnreadableError(f"a factor is missing behind {self.tokens[: self.at]}")
        if self.tokens[self.at : self.at + 3] == ["{", "}", "_"]:
            return self._hypergeometric()
        for length in range(
            24 if token in (r"\frac", r"\nabla") else 0, 0, -1
        ):  # a name that is written with several commands
            name = joined(self.tokens[self.at : self.at + length])
            if name in self.long:
                self.at += length
                name = self.long[name]
                return self._powers(Value(self._lifted(name, self.values[name])))
        if token[0].isdigit():
            self.take()
            return self._powers(Value(float(token)))
        if token in (r"\frac", r"\tfrac", r"\binom"):
            self.take()
            upper, lower = self.inner(self.group()), self.inner(self.group())
            if token == r"\binom":
                return Value(special.binom(upper.array, lower.array))
            return Value(upper.array / lower.array, upper.element or lower.element)
        if token == r"\sqrt":
            return self._root()
        if token in "([|" or token in (r"\lfloor", "{"):
            return self._bracket()
        if token in (r"\sum", r"\prod"):
            return self._big()
        return self._named()

    def _hypergeometric(self) -> Value:
        del self.tokens[self.at : self.at + 2]
        first, _, _ = self._scripts()
        self.take("F")
        second, _, _ = self._scripts()
        return self._applied(getattr(special, f"hyp{first}f{second}"), "")

    def _root(self) -> Value:
        self.take()
        if self.next == "[":
            self.take()
            degree = float(self.take())
            self.take("]")
            x = self.inner(self.group()).array
            return Value(np.sign(x) * np.abs(x) ** (1 / degree))
        x = self.inner(self.group())
        return self._powers(Value(np.sqrt(x.array), x.element))

    def _bracket(self) -> Value:
        token = self.take()
        if token == "{":
            self.at -= 1
            return self._powers(self.inner(self.group()))
        inside = self._truth() if token == "[" else self._conditional()
        if token == "(" and self.next == ",":
            return self._together([inside])
        if token == r"\lfloor":
            self.take(r"\rfloor")
            return Value(np.floor(inside.array), inside.element)
        self.take("|" if token == "|" else CLOSE[token])
        if token == "[":
            return Value(np.asarray(inside.array, float), inside.element)
        if token == "|":
            return self._powers(Value(np.abs(inside.array), inside.element))
        return self._powers(inside)

    def _together(self, parts: list[Value]) -> Value:
        """Several arrays in one, as the operation puts them together."""
        while self.next == ",":
            self.take()
            parts.append(self._sum())
        self.take(")")
        arrays = [part.array for part in parts]
        if self.operation == "choose":
            below, _, _ = self._scripts()
            return Value(np.choose(np.asarray(self.inner(below).array, int), arrays))
        if self.operation == "slogdet":
            return Value(np.stack(np.broadcast_arrays(*arrays), axis=-1))
        if self.operation not in ("concatenate", "stack"):
            raise UnreadableError(f"several things in brackets in {self.operation}")
        return Value(getattr(np, self.operation)(arrays, axis=self.params["axis"]))

    def _scripts(self) -> tuple[str, str, int]:
        below, above, primes = "", "", 0
        while self.next in ("_", "^", "'"):
            sign = self.take()
            if sign == "'":
                primes += 1
            elif sign == "_":
                below = self.group()
            else:
                above = self.group()
        return below, above, primes

    def _powers(self, value: Value) -> Value:
        below, above, _ = self._scripts()
        if below:
            value = self._indexed(value, below)
        return self._raised(value, above)

    # Names

    def _named(self) -> Value:
        token = self.take()
        faces = (r"\operatorname", r"\text", r"\bar", r"\mathcal", r"\mathbf", r"\mathit")
        word = self.group() if token in faces else ""
        base = f"{token}{{{word}}}" if word else token
        below, above, primes = self._scripts()
        found = self._symbol(base, below, above)
        if found is not None and not primes:
            return found
        called = word if token in (r"\operatorname", r"\text") else base
        function = self._function(called, below, above, primes)
        if function is not None:
            plain = primes or above == "-1" or above.startswith("(")
            return self._applied(function, "" if plain else above)
        if base == "I" and self.operation in MATRICES:
            return Value("I")
        if base in ("i", "j") and "k" in self.params and self.shape is not None:  # rows, columns
            return Value(np.indices(self.params["outer"])["ij".index(base)])
        constants = {"e": np.e, r"\pi": np.pi, r"\infty": np.inf}
        if base in constants and not below:
            return self._raised(Value(constants[base]), above)
        raise UnreadableError(f"{base}{'_' + below if below else ''}{'^' + above if above else ''}")

    def _applied(self, function: Any, above: str) -> Value:
        if self.next == "(":
            self.take()
            arguments = [self._sum()]
            while self.next in (",", ";"):
                self.take()
                arguments.append(self._sum())
            self.take(")")
        else:
            arguments = [self._argument()]
        value = Value(function(*(a.array for a in arguments)), any(a.element for a in arguments))
        below, power, _ = self._scripts()
        value = self._indexed(value, below) if below else value
        return self._raised(self._raised(value, above), power)

    def _argument(self) -> Value:
        first = self.next
        value = self._factor()
        while first[0].isdigit() or first == r"\pi":  # sin π x
            if self.tokens[self.at : self.at + 1] == [r"\,"] or self.next in (
                "",
                *"+-=<>),]}?:;|/",
                r"\odot",
                r"\cdot",
            ):
                break
            first = self.next
            value = self._times(value, self._factor())
        return value

    # Sums and products over an index

    def _big(self) -> Value:
        token = self.take()
        below, _, _ = self._scripts()
        if joined(self.tokens[-len(_UNIT) :]) == joined(_UNIT):
            return self._scattered()
        body = self._product()
        x = np.asarray(body.array)
        last = below == "j" or self.operation == "vecdot"
        axis = self.params.get("axis", -1 if last else None)
        if self.params.get("where") is not None and below == "i":
            x = np.where(self.params["where"], x, 0)
        if below == r"\text{rows}":
            return Value(x.sum(axis=0))
        if below == r"\text{broadcast}":
            return Value(sum_to(x, self.shape))
        over = np.sum if token == r"\sum" else np.prod
        if below in ("", "i", "j", "k", "n"):
            axis = None if below == "" else axis
            return Value(over(x, axis=axis, keepdims=x.ndim > 0 and axis is not None))
        if token == r"\prod" and below == r"j\ne i":
            return Value(others(x, axis))
        ufunc = np.add if token == r"\sum" else np.multiply
        if below in (r"i\le k", r"j\le i"):
            return Value(ufunc.accumulate(x, axis=axis), True)
        if below == r"i\ge k" and "[" not in self.tokens:
            back = np.flip(ufunc.accumulate(np.flip(x, axis), axis=axis), axis)
            return Value(back, True)
        raise UnreadableError(f"{token}_{below}")

    def _scattered(self) -> Value:
        """The sum of x_i times the unit vectors at I_i."""
        del self.tokens[-len(_UNIT) :]
        total = np.zeros(self.params.get("shape") if self.shape is None else self.shape)
        np.add.at(total, self.params["index"], self._factor().array)
        return Value(total)


_UNIT = tokens_of(r"\, e_{I_i}")
