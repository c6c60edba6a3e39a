"""Rules of what is computed element by element."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_bp.onnx.builder import Builder
from tinygrad_bp.onnx.table import Step, rule

#: Operators that take the same inputs, cast to the dtype of the output.
_SAME = {
    "absolute": "Abs",
    "add": "Add",
    "arccos": "Acos",
    "arccosh": "Acosh",
    "arcsin": "Asin",
    "arcsinh": "Asinh",
    "arctan": "Atan",
    "arctanh": "Atanh",
    "ceil": "Ceil",
    "copy": "Identity",
    "cos": "Cos",
    "cosh": "Cosh",
    "divide": "Div",
    "exp": "Exp",
    "fabs": "Abs",
    "float_power": "Pow",
    "floor": "Floor",
    "identity": "Identity",
    "log": "Log",
    "maximum": "Max",
    "minimum": "Min",
    "multiply": "Mul",
    "negative": "Neg",
    "positive": "Identity",
    "power": "Pow",
    "reciprocal": "Reciprocal",
    "relu": "Relu",
    "rint": "Round",
    "sigmoid": "Sigmoid",
    "sign": "Sign",
    "sin": "Sin",
    "sinh": "Sinh",
    "softplus": "Softplus",
    "softsign": "Softsign",
    "sqrt": "Sqrt",
    "subtract": "Sub",
    "tan": "Tan",
    "tanh": "Tanh",
}
_FACTORS = {"deg2rad": math.pi / 180, "rad2deg": 180 / math.pi}
_LOGARITHMS = {"log2": 2.0, "log10": 10.0}
_COMPARISONS = {"equal": "Equal", "greater": "Greater", "greater_equal": "GreaterOrEqual"}
_COMPARISONS |= {"less": "Less", "less_equal": "LessOrEqual"}
_TRUTHS = {"logical_and": "And", "logical_or": "Or", "logical_xor": "Xor", "logical_not": "Not"}


@rule(*_SAME)
def _same(b: Builder, step: Step) -> str:
    return b.add(_SAME[step.name], *(step.cast(i) for i in range(len(step.inputs))))


@rule("astype")
def _astype(b: Builder, step: Step) -> str:
    return b.cast(step.input().name, step.out.dtype)


@rule("square")
def _square(b: Builder, step: Step) -> str:
    return b.add("Mul", step.cast(), step.cast())


@rule("cbrt")
def _cbrt(b: Builder, step: Step) -> str:
    root = b.add("Pow", b.add("Abs", step.cast()), step.number(1 / 3))
    return b.add("Mul", b.add("Sign", step.cast()), root)


@rule(*_FACTORS)
def _scaled(b: Builder, step: Step) -> str:
    return b.add("Mul", step.cast(), step.number(_FACTORS[step.name]))


@rule(*_LOGARITHMS)
def _logarithm(b: Builder, step: Step) -> str:
    return b.add("Div", b.add("Log", step.cast()), step.number(math.log(_LOGARITHMS[step.name])))


@rule("log1p")
def _log1p(b: Builder, step: Step) -> str:
    return b.add("Log", b.add("Add", step.cast(), step.number(1)))


@rule("exp2")
def _exp2(b: Builder, step: Step) -> str:
    return b.add("Pow", step.number(2), step.cast())


@rule("expm1")
def _expm1(b: Builder, step: Step) -> str:
    return b.add("Sub", b.add("Exp", step.cast()), step.number(1))


@rule("hypot")
def _hypot(b: Builder, step: Step) -> str:
    squares = (b.add("Mul", step.cast(i), step.cast(i)) for i in (0, 1))
    return b.add("Sqrt", b.add("Add", *squares))


@rule("logaddexp")
def _logaddexp(b: Builder, step: Step) -> str:
    x, y = step.cast(0), step.cast(1)
    away = b.add("Neg", b.add("Abs", b.add("Sub", x, y)))
    return b.add("Add", b.add("Max", x, y), b.add("Softplus", away))


@rule("remainder")
def _remainder(b: Builder, step: Step) -> str:
    x, y = step.cast(0), step.cast(1)
    return b.add("Sub", x, b.add("Mul", y, b.add("Floor", b.add("Div", x, y))))


@rule("fmod")
def _fmod(b: Builder, step: Step) -> str:
    return b.add("Mod", step.cast(0), step.cast(1), fmod=1)


@rule("normal_cdf", "gelu")
def _normal_cdf(b: Builder, step: Step) -> str:
    erf = b.add("Erf", b.add("Mul", step.cast(), step.number(math.sqrt(0.5))))
    cdf = b.add("Mul", b.add("Add", erf, step.number(1)), step.number(0.5))
    return cdf if step.name == "normal_cdf" else b.add("Mul", step.cast(), cdf)


@rule("leaky_relu")
def _leaky_relu(b: Builder, step: Step) -> str:
    return b.add("LeakyRelu", step.cast(), alpha=float(step.params["slope"]))


@rule("elu")
def _elu(b: Builder, step: Step) -> str:
    return b.add("Elu", step.cast(), alpha=float(step.params["alpha"]))


@rule("prelu")
def _prelu(b: Builder, step: Step) -> str:
    return b.add("PRelu", step.cast(0), step.cast(1))


@rule("hardtanh")
def _hardtanh(b: Builder, step: Step) -> str:
    return b.add("Clip", step.cast(), *(step.number(step.params[k]) for k in ("low", "high")))


@rule("hardswish")
def _hardswish(b: Builder, step: Step) -> str:
    return b.add("HardSwish", step.cast())


@rule("hardshrink", "softshrink")
def _shrink(b: Builder, step: Step) -> str:
    limit = float(step.params["limit"])
    return b.add("Shrink", step.cast(), lambd=limit, bias=limit if "soft" in step.name else 0.0)


@rule("threshold")
def _threshold(b: Builder, step: Step) -> str:
    x, limit, other = step.cast(), *(step.number(step.params[k]) for k in ("limit", "other"))
    return b.add("Where", b.add("Greater", x, limit), x, other)


@rule("softmax", "log_softmax")
def _softmax(b: Builder, step: Step) -> str:
    op = {"softmax": "Softmax", "log_softmax": "LogSoftmax"}[step.name]
    return b.add(op, step.cast(), axis=int(step.params["axis"]))


@rule("where")
def _where(b: Builder, step: Step) -> str:
    return b.add("Where", truth(b, step, 0), step.cast(1), step.cast(2))


@rule(*_COMPARISONS)
def _comparison(b: Builder, step: Step) -> str:
    return b.add(_COMPARISONS[step.name], *_together(b, step))


@rule("not_equal")
def _not_equal(b: Builder, step: Step) -> str:
    return b.add("Not", b.add("Equal", *_together(b, step)))


@rule(*_TRUTHS)
def _truths(b: Builder, step: Step) -> str:
    return b.add(_TRUTHS[step.name], *(truth(b, step, i) for i in range(len(step.inputs))))


@rule("bitwise_and", "bitwise_or", "bitwise_xor")
def _bitwise(b: Builder, step: Step) -> str:
    if step.out.dtype != np.bool_:
        raise step.failed("it takes the bits of numbers")
    op = {"bitwise_and": "And", "bitwise_or": "Or", "bitwise_xor": "Xor"}[step.name]
    return b.add(op, truth(b, step, 0), truth(b, step, 1))


@rule("isnan")
def _isnan(b: Builder, step: Step) -> str:
    return b.add("IsNaN", step.input().name)


@rule("invert")
def _invert(b: Builder, step: Step) -> str:
    if step.out.dtype != np.bool_:
        raise step.failed("it inverts the bits of numbers")
    return b.add("Not", step.input().name)


def truth(b: Builder, step: Step, i: int) -> str:
    """An input as truth values."""
    value = step.input(i)
    return value.name if value.dtype == np.bool_ else b.cast(value.name, np.bool_)


def _together(b: Builder, step: Step) -> list[str]:
    """Both inputs in one dtype."""
    values = [step.input(0), step.input(1)]
    dtype: Any = np.result_type(*(value.dtype for value in values))
    return [v.name if v.dtype == dtype else b.cast(v.name, dtype) for v in values]
