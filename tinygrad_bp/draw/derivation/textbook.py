r"""The four equations of backpropagation, written for the perceptron that a graph is.

What each line says is put together from the formulas of the primitives in the graph: BP1 and BP2
from that of the activation and of what came to it, BP3 and BP4 from those of the linear map.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from tinygrad_bp.core import Node
from tinygrad_bp.draw.derivation.document import Line, Section, dimensions, final, names_section
from tinygrad_bp.draw.derivation.equations import Quantity, Step, total
from tinygrad_bp.draw.derivation.naming import Naming
from tinygrad_bp.draw.derivation.perceptron import Layer, Perceptron, activations_of
from tinygrad_bp.draw.derivation.products import (
    decimal,
    explicit,
    factors,
    fraction,
    group_end,
    is_sum,
    tokens_of,
)
from tinygrad_bp.draw.formulas import Symbol, parameters, rewrite

_BAR = r"\bar{z}"


class Textbook:
    """Writes the derivation of a perceptron."""

    def __init__(
        self,
        perceptron: Perceptron,
        naming: Naming,
        inputs: Sequence[Quantity],
        steps: Sequence[Step],
    ) -> None:
        self.of, self.naming = perceptron, naming
        self.inputs, self.steps = inputs, steps
        things = (*naming.leaves.values(), *naming.nodes)
        quantities = (*inputs, *(step.quantity for step in steps))
        self.quantities = {id(x): q for x, q in zip(things, quantities, strict=True)}
        self.step = {id(node): s for node, s in zip(naming.nodes, steps, strict=True)}

    def sections(self) -> list[Section]:
        """All of it."""
        functions = self._functions()
        told = [Section("Activations", lines=tuple(functions))] if functions else []
        return [
            self._names(),
            Section("Forward", lines=(*self._layers_forward(), *self._loss())),
            *told,
            Section("Backward", _WORDS, tuple(self._backward())),
        ]

    def _names(self) -> Section:
        sizes = self.of.sizes
        units = ", ".join(f"n_{{{k}}}" for k in range(len(sizes)))
        more = [
            ("n", str(self.of.samples), "samples in the batch, one in each row", ""),
            (units, ", ".join(map(str, sizes)), "units of each layer", ""),
        ]
        words = {"x": "the inputs, $x = a^{0}$", "y": "the targets"}
        for k in range(1, len(sizes)):
            words[f"W^{{{k}}}"] = f"weights of layer {k}"
            words[f"b^{{{k}}}"] = f"biases of layer {k}"
        rows = [
            (symbol, shape, words.get(symbol, meaning), name)
            for symbol, shape, meaning, name in names_section(self.inputs, more).names
        ]
        return Section("Names", names=tuple(rows))

    def _line(self, x: Any, latex: str, label: str = "", gradient: bool = False) -> Line:
        q = self.quantities[id(x)]
        value = q.gradient if gradient else q.value
        return Line(latex, dimensions(q.shape), label, value=value)

    def _layers_forward(self) -> list[Line]:
        lines = []
        for k, layer in enumerate(self.of.layers, 1):
            lines.append(self._line(layer.linear, self._forward(layer.linear)))
            lines += [self._line(node, self._forward(node)) for node in layer.inner]
            if layer.identity:
                lines.append(self._line(layer.linear, f"a^{{{k}}} = z^{{{k}}}"))
            elif layer.single:
                latex = rf"a^{{{k}}} = {layer.name}(z^{{{k}}})"
                lines.append(self._line(layer.out, latex))
            else:
                lines.append(self._line(layer.out, self._forward(layer.out)))
        return lines

    def _forward(self, node: Node) -> str:
        """What a node computes; what comes from a layer without activation is called a."""
        return self._as_outputs(self.step[id(node)].forward, node)

    def _as_outputs(self, latex: str, node: Any = None) -> str:
        for k, layer in enumerate(self.of.layers, 1):
            if layer.identity and layer.linear is not node:
                z, a = (Symbol(letter, above=str(k)).latex() for letter in "za")
                latex = latex.replace(z, a).replace(f"z_{{j}}^{{{k}}}", f"a_{{j}}^{{{k}}}")
                latex = latex.replace(f"z_{{i}}^{{{k}}}", f"a_{{i}}^{{{k}}}")
        return latex

    def _functions(self) -> list[Line]:
        """What the activations and their slopes are."""
        lines = []
        for layer in activations_of(self.of.layers):
            function = rewrite(
                layer.out.primitive.formula, {"x": Symbol("z"), **_numbers(layer.out)}
            )
            if function != rf"{layer.name} z":  # tanh is tanh
                lines.append(Line(rf"{layer.name}(z) = {function}"))
            slope = _bare(self._slope(layer, Symbol("z"), Symbol("a")))
            if slope:
                where = rf", \quad a = {layer.name}(z)" if "a" in _letters(slope) else ""
                lines.append(Line(rf"{layer.name}'(z) = {slope}{where}"))
        return lines

    def _slope(self, layer: Layer, z: Symbol, a: Symbol) -> str:
        """The derivative of an activation that works on each element; nothing for others."""
        formula = layer.out.primitive.vjp_formulas[0]
        sign = "-" if formula.startswith("-") else ""
        found = factors(formula.removeprefix("-"))
        if is_sum(formula.removeprefix("-")):
            return ""
        if _BAR in found:
            found.remove(_BAR)
        elif found[0].startswith(rf"\frac{{{_BAR}}}"):
            found[0] = found[0].replace(_BAR, "1", 1)
        else:
            return ""
        names = {"x": z, "z": a, **_numbers(layer.out)}
        latex = rewrite(sign + r" \, ".join(found or ["1"]), names)
        return explicit(latex, {z.latex(), a.latex()})

    def _loss(self) -> list[Line]:
        node = self.of.fused
        if node is None:
            return [self._line(x, self._forward(x)) for x in self.of.rest]
        formula = self._scaled(node.primitive.formula)
        penalties = self.of.penalties
        symbol = r"\mathcal{L}_{0}" if penalties else r"\mathcal{L}"
        scalar = float(np.vdot(1.0, node.out)) * self.of.scale / node.params["scale"]
        lines = [Line(f"{symbol} = {formula}", value=np.float64(scalar))]
        if penalties:
            lines += [
                Line(f"{self._rate(i)} = {_exact(2 * c)}")
                for i, (_, c) in enumerate(penalties)
                if i == 0 or not self._one_rate
            ]
            terms = [self.naming.of(w).latex(above="2") for w, _ in penalties]
            if self._one_rate:
                inside = " + ".join(rf"\textstyle\sum {term}" for term in terms)
                added = rf"\frac{{\lambda}}{{2}} ({inside})"
            else:
                added = " + ".join(
                    rf"\frac{{{self._rate(i)}}}{{2}} \textstyle\sum {term}"
                    for i, term in enumerate(terms)
                )
            lines.append(self._line(self.of.rest[-1], rf"\mathcal{{L}} = {symbol} + {added}"))
        return lines

    @property
    def _one_rate(self) -> bool:
        return len({c for _, c in self.of.penalties}) == 1

    def _rate(self, i: int) -> str:
        return r"\lambda" if self._one_rate else rf"\lambda_{{{i + 1}}}"

    def _scaled(self, formula: str) -> str:
        """A formula of the loss, with its scale written by the sizes of the network."""
        node = self.of.fused
        assert node is not None
        sign = "-" if formula.startswith("-") else ""
        found = factors(formula.removeprefix("-"))
        times = 1
        for factor in list(found):
            if factor in ("s", _BAR) or factor.isdigit():
                times *= int(factor) if factor.isdigit() else 1
                found.remove(factor)
        last = len(self.of.layers)
        a, y = Symbol("a", above=str(last)), self.naming.of(node.sources[1])
        latex = rewrite(r" \, ".join(found), {"x": a, "y": y})
        latex = explicit(latex, {a.latex(), y.latex()}).replace(r"\sum", r"\textstyle\sum")
        share = self._share(times)
        return f"{sign}{share} {latex}".strip() if share else f"{sign}{latex}"

    def _share(self, times: int) -> str:
        """The scale of the loss, times a number, by the sizes of the network; nothing for 1."""
        near, size = self._scale
        near *= times
        if not size:
            return "" if near == 1 else fraction(near)
        below = size if near.denominator == 1 else rf"{near.denominator} \, {size}"
        return rf"\frac{{{near.numerator}}}{{{below}}}"

    @functools.cached_property
    def _scale(self) -> tuple[Fraction, str]:
        """The scale of the loss: a number, and the sizes that it is divided by."""
        n, last, scale = self.of.samples, self.of.sizes[-1], self.of.scale
        units = f"n_{{{len(self.of.layers)}}}"
        sizes = [(1, ""), (n * last, rf"n \, {units}"), (n, "n"), (last, units)]
        for largest in (1, 4):
            for size, symbol in sizes:
                near = Fraction(scale * size).limit_denominator(largest)
                fits = near > 0 and abs(float(near) / (scale * size) - 1) < 1e-14
                if fits and (largest > 1 or near == 1):
                    return near, symbol
        return Fraction(scale), ""

    def _backward(self) -> list[Line]:
        layers, lines = self.of.layers, []
        if self.of.fused is None:
            rest = [self.quantities[id(node)] for node in reversed(self.of.rest)]
            lines += [
                Line(q.cotangent, dimensions(q.shape), value=q.gradient) for q in rest if q.bar
            ]
        for k in range(len(layers), 0, -1):
            layer, label = layers[k - 1], "BP1" if k == len(layers) else "BP2"
            lines += self._error(k, layer, label)
            if layer.bias is not None and self.quantities[id(layer.bias)].bar:
                lines.append(self._gradient(layer.bias, "BP3"))
            if self.quantities[id(layer.weight)].bar:
                lines.append(self._gradient(layer.weight, "BP4"))
        x = self.quantities.get(id(self.of.x))
        if x is not None and x.bar:
            whole = r"\frac{\partial \mathcal{L}}{\partial x}"
            lines.append(self._line(self.of.x, f"{whole} = {total(x.terms)}", gradient=True))
        told = [self.of.x, *(p for layer in layers for p in (layer.weight, layer.bias))]
        others = [x for x in self.naming.leaves.values() if not any(x is y for y in told)]
        wanted = [(x, self.quantities[id(x)]) for x in others if self.quantities[id(x)].bar]
        return lines + [self._line(x, final(q), gradient=True) for x, q in wanted]

    def _error(self, k: int, layer: Layer, label: str) -> list[Line]:
        """How the error of layer k follows from what is behind it."""
        nabla = rf"\nabla_{{a^{{{k}}}}} \mathcal{{L}}"
        delta = rf"\delta^{{{k}}}"
        arriving = self._arriving(k, layer)
        outer = f"({arriving})" if is_sum(arriving) or label == "BP2" else arriving
        lines = []
        if label == "BP1" and not layer.identity:
            lines.append(self._line(layer.out, f"{nabla} = {_bare(arriving)}", "", True))
        if layer.identity:
            middle = f"{nabla} = " if label == "BP1" else ""
            lines.append(self._line(layer.linear, f"{delta} = {middle}{arriving}", label, True))
            return lines
        z, a = Symbol("z", above=str(k)), Symbol("a", above=str(k))
        slope = self._slope(layer, z, a) if layer.single else ""
        if slope:
            first = nabla if label == "BP1" else outer
            slope = f"({slope})" if is_sum(slope) else slope
            latex = rf"{delta} = {first} \odot {layer.name}'({z.latex()}) = {outer} \odot {slope}"
            return [*lines, self._line(layer.linear, latex, label, True)]
        g = rf"g^{{{k}}} = {nabla}"
        g += f" = {arriving}" if label == "BP2" else ""
        lines.append(self._line(layer.out, g, "", True))
        for node in reversed(layer.inner):
            lines.append(self._line(node, self.quantities[id(node)].cotangent, "", True))
        sent = total(self.quantities[id(layer.linear)].terms)
        return [*lines, self._line(layer.linear, f"{delta} = {sent}", label, True)]

    def _arriving(self, k: int, layer: Layer) -> str:
        """The derivative of the loss with respect to the output of layer k."""
        if k == len(self.of.layers) and self.of.fused is not None:
            return self._scaled(self.of.fused.primitive.vjp_formulas[0])
        return self._as_outputs(total(self.quantities[id(layer.out)].terms)).replace(r" \, ", " ")

    def _gradient(self, x: Any, label: str) -> Line:
        """The equation of a parameter."""
        q = self.quantities[id(x)]
        latex = " + ".join(t.latex for t in q.terms if t.operation == "linear")
        rates = [i for i, (w, _) in enumerate(self.of.penalties) if w is x]
        if self.of.fused is None:
            latex = total(sorted(q.terms, key=lambda t: t.operation != "linear"))
        latex += "".join(f" + {self._rate(i)} {q.symbol}" for i in rates)
        return self._line(x, f"{q.bar} = {self._as_outputs(latex)}", label, True)


_WORDS = (
    r"The error of layer $l$ is $\delta^{l} = \partial \mathcal{L} / \partial z^{l}$. BP1 is "
    "the error of the last layer, BP2 leads from a layer to the one before, BP3 gives the biases, "
    r"BP4 the weights. $\odot$ multiplies element by element, everything else is a product of "
    "matrices."
)


def _numbers(node: Node) -> dict[str, Symbol]:
    return {letter: Symbol(decimal(value)) for letter, value in parameters(node).items()}


def _bare(latex: str) -> str:
    """Without brackets around the whole."""
    tokens = tokens_of(latex)
    whole = tokens[:1] == ["("] and group_end(tokens, 0) == len(tokens)
    return "".join(tokens[1:-1]) if whole else latex


def _exact(value: float) -> str:
    return fraction(Fraction(value)) if value > 0 else decimal(value)


def _letters(latex: str) -> str:
    """The letters of a formula, without its commands."""
    return re.sub(r"\\[a-zA-Z]+(\{[a-zA-Z]+\})?", "", latex)
