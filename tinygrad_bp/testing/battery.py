"""The battery: what is asked of an operation, each check a function of a `Case` and a `Draw`.

Gradients are compared with the numerical derivatives of the reference, in float64 and for a random
cotangent; second derivatives with those of the first ones, which were checked before. A check tries
all shapes of a case. Elements may be moved by 0.002, over the ends of the domains too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.core import Tensor
from tinygrad_bp.errors import GradientError, a_kind
from tinygrad_bp.testing.catalogue.ties import ties_of
from tinygrad_bp.testing.numerical import numerical_jacobian
from tinygrad_bp.testing.record import RECORD
from tinygrad_bp.testing.setting import Draw, Setting, draws, require, require_close, weights
from tinygrad_bp.testing.several import complex_step, numerical_gradients
from tinygrad_bp.testing.unusual import (
    gradients_are_the_derivatives_at_large_and_small_inputs,
    gradients_at_ties_and_kinks_are_those_of_the_convention,
    gradients_in_float32_are_those_in_float64,
)
from tinygrad_bp.transforms import jvp

if TYPE_CHECKING:
    from tinygrad_bp.testing.catalogue.case import Case

Array = npt.NDArray[Any]
Check = Callable[["Case", Draw], None]

#: The step of the numerical derivatives, of which the farthest values are four away.
STEP = 2.0**-11

#: So many error bars are room enough: of the noise, a bar is only an estimate.
BARS = 3.0


def forward_equals_the_reference_in_value_shape_and_dtype(case: Case, draw: Draw) -> None:
    """For inputs of any dtypes and layouts; what was asked for is recorded, nothing is changed."""
    for shapes in case.shapes:
        setting = Setting(case, shapes, draw)
        out = case.call(*setting.inputs)
        require(isinstance(out, Tensor), f"{setting}: returned {a_kind(out)}, no Tensor")
        expected = np.asarray(setting.reference(*setting.arrays))
        tolerance = 1e-12 if expected.dtype == np.float64 and len(draw.dtypes) == 1 else 1e-5
        require(out.dtype == expected.dtype, f"{setting}: {out.dtype}, not {expected.dtype}")

        def noise(setting: Setting = setting) -> Array:
            return setting.scatter(lambda *arrays: [setting.reference(*arrays)])[0]

        require_close(out.data, expected, tolerance, f"{setting}: the value", noise)
        names = names_in_graph(out)
        require(not case.primitive or case.primitive in names, f"{case} records {names}")
        setting.require_unchanged()


def gradients_are_the_derivatives_and_belong_to_their_inputs(case: Case, draw: Draw) -> None:
    """In value, by two witnesses; in dtype, and in memory that is theirs alone."""
    for shapes in case.shapes:
        setting = Setting(case, shapes, draw)
        out = case.call(*setting.inputs)
        v = setting.cotangent(out)

        def projected(*values: Any, setting: Setting = setting, v: Array = v) -> Any:
            return np.sum(v * setting.reference_of_leaves(*values))

        start = [setting.doubles[i] for i in setting.leaves]
        expected, errors = numerical_gradients(projected, start, step=STEP)
        given_v = v.astype(out.dtype)
        given_bytes = given_v.tobytes()
        out.backward(given_v, create_graph=draw.create_graph)
        # Where any input is float32, so are the intermediate values.
        single = np.float32 in {a.dtype.type for a in setting.arrays}
        found = zip(setting.leaves, setting.gradients(), expected, strict=True)
        for k, (i, g, numerical) in enumerate(found):
            what = f"{setting}: the gradient of input {i}"
            require(g.dtype == setting.arrays[i].dtype, f"{what} has dtype {g.dtype}")
            tolerance = 2e-4 if single else 1e-7

            def noise(k: int = k, setting: Setting = setting, v: Any = (given_v, errors)) -> Any:
                return BARS * v[1][k] + setting.noise(v[0])[k]

            require_close(g.data, numerical, tolerance, what, noise)
            if isinstance(g.data, np.ndarray) and g.ndim and not draw.create_graph:
                require(g.data.flags.writeable, f"{what} cannot be written to")
        if case.complex_step and draw.dtypes == (np.float64,):
            exact = complex_step(projected, start)
            for i, g, value in zip(setting.leaves, setting.gradients(), exact, strict=True):
                what = f"{setting}: by the complex step, the gradient of input {i}"
                require_close(g.data, value, 1e-12, what)
        if not draw.create_graph:
            _require_no_aliasing(setting, out, given_v)
        setting.require_unchanged()
        require(given_v.tobytes() == given_bytes, f"{setting}: the cotangent was changed")


def gradients_add_up_over_uses_and_over_passes(case: Case, draw: Draw) -> None:
    """A second backward pass, or a second use in the graph, makes a gradient twice as large."""
    shapes = case.shapes[draw.seed % len(case.shapes)]
    setting = Setting(case, shapes, draw)
    out = case.call(*setting.inputs)
    v = setting.cotangent(out).astype(out.dtype)
    out.backward(v)
    once = [np.array(g.data) for g in setting.gradients()]
    case.call(*setting.inputs).backward(v)
    for i, g, single in zip(setting.leaves, setting.gradients(), once, strict=True):
        what = f"{setting}: after two passes, the gradient of input {i}"
        require_close(g.data, 2 * single, 1e-6, what)
    setting.clear()
    (case.call(*setting.inputs) + case.call(*setting.inputs)).backward(v)
    for i, g, single in zip(setting.leaves, setting.gradients(), once, strict=True):
        what = f"{setting}: used twice, the gradient of input {i}"
        require_close(g.data, 2 * single, 1e-6, what)
    setting.require_unchanged()


def second_derivatives_are_the_derivatives_of_the_gradients(case: Case, draw: Draw) -> None:
    """With <gradient, w> as the function: of the inputs, and of the cotangent, linear in it."""
    for shapes in case.shapes:
        setting = Setting(case, shapes, dataclasses.replace(draw, dtypes=(np.float64,)))
        rng = np.random.default_rng(draw.seed + 2)
        w, *directions = ([weights(rng, shapes[i]) for i in setting.leaves] for _ in range(3))
        start = [setting.doubles[i] for i in setting.leaves]
        out = case.call(*setting.inputs)
        v = Tensor(setting.cotangent(out), requires_grad=True)

        def slope(*values: Any, setting: Setting = setting, w: Any = w, v: Any = v.data) -> Any:
            """<gradient, w> by first-order passes alone."""
            inputs = setting.with_leaves([Tensor(x, requires_grad=True) for x in values])
            setting.case.call(*inputs).backward(v)
            found = [inputs[i].grad for i in setting.leaves]
            pairs = zip(found, w, strict=True)
            return sum((np.sum(g.data * b) for g, b in pairs if g is not None), 0.0)

        out.backward(v, create_graph=True)
        pairs = zip(setting.gradients(), w, strict=True)
        total = sum(((g * a).sum() for g, a in pairs), Tensor(0.0))
        setting.clear()
        v.grad = None
        total.backward()
        _compare_slopes(setting, slope, start, directions)
        # <J'v, w> is <v, Jw>: its derivative by the cotangent is that of the function along w.
        expected, error = _along(setting.reference_of_leaves, start, [w])
        actual = np.zeros(v.shape) if v.grad is None else v.grad.data
        what = f"{setting}: the second derivative, of the cotangent,"
        require_close(actual, expected[..., 0], 1e-6, what, BARS * error[..., 0])
        setting.require_unchanged()


def _compare_slopes(
    setting: Setting, slope: Callable[..., Any], start: list[Array], directions: list[list[Array]]
) -> None:
    """Hold the gradients against the derivatives of a slope: along directions, which is quick.

    Where these differ, each element is held against its own, which tells the one that is wrong.
    """
    actual = [g.data for g in setting.gradients()]
    summed = [sum((np.sum(g * a) for g, a in zip(actual, d, strict=True)), 0.0) for d in directions]
    try:
        expected, error = _along(slope, start, directions)
        require_close(summed, expected, 1e-6, "along directions", BARS * error)
    except GradientError:
        wanted, errors = numerical_gradients(slope, start, step=STEP)
        found = zip(setting.leaves, actual, wanted, errors, strict=True)
        for i, g, numerical, bar in found:
            what = f"{setting}: the second derivative, of input {i},"
            require_close(g, numerical, 1e-6, what, BARS * bar)


def _along(
    f: Callable[..., Any], start: list[Array], directions: list[list[Array]]
) -> tuple[Array, Array]:
    """Derivatives along directions whose elements are 1.5 at most, and their error bars."""

    def moved(t: Array) -> Any:
        parts = zip(start, *directions, strict=True)
        return f(*(np.asarray(x + sum(map(np.multiply, t - 1.0, d))) for x, *d in parts))

    # Around 1, and not around 0, whose last bit tells nothing about the noise of f.
    return numerical_jacobian(moved, np.ones(len(directions)), step=STEP / 2)


def the_backward_pass_is_the_adjoint_of_the_forward_derivative(case: Case, draw: Draw) -> None:
    """<Jv, u> = <v, J'u>, where no numerical derivative has a part."""
    for shapes in case.shapes:
        setting = Setting(case, shapes, dataclasses.replace(draw, dtypes=(np.float64,)))
        rng = np.random.default_rng(draw.seed + 3)
        v = [rng.uniform(-1, 1, shapes[i]) for i in setting.leaves]

        def of_leaves(*leaves: Any, setting: Setting = setting) -> Any:
            return setting.case.call(*setting.with_leaves(leaves))

        start = [setting.doubles[i] for i in setting.leaves]
        out, forward = jvp(of_leaves, tuple(start), tuple(v))
        u = setting.cotangent(out)
        case.call(*setting.inputs).backward(u)
        backward = sum(np.sum(g.data * a) for g, a in zip(setting.gradients(), v, strict=True))
        expected = np.sum(np.asarray(forward) * u)

        def noise(setting: Setting = setting, v: list[Array] = v, u: Array = u) -> Array:
            pairs = zip(setting.noise(u), v, strict=True)
            return np.asarray(sum((np.sum(e * np.abs(a)) for e, a in pairs), 0.0))

        require_close(backward, expected, 1e-11, f"{setting}: <v, J'u>", noise)


#: Every check, with the part of the examples that it needs: a fifth of the profile's, or four.
CHECKS: dict[Check, bool] = {
    forward_equals_the_reference_in_value_shape_and_dtype: True,
    gradients_are_the_derivatives_and_belong_to_their_inputs: True,
    gradients_are_the_derivatives_at_large_and_small_inputs: True,
    gradients_in_float32_are_those_in_float64: False,
    gradients_at_ties_and_kinks_are_those_of_the_convention: False,
    gradients_add_up_over_uses_and_over_passes: True,
    second_derivatives_are_the_derivatives_of_the_gradients: True,
    the_backward_pass_is_the_adjoint_of_the_forward_derivative: False,
}


#: Those that differentiate a gradient; a primitive whose rules are right only once has none.
SECOND_ORDER: tuple[Check, ...] = (
    second_derivatives_are_the_derivatives_of_the_gradients,
    the_backward_pass_is_the_adjoint_of_the_forward_derivative,
)


def checks_for(case: Case) -> list[Check]:
    """Those that have something to check; of ties, those of which the conventions are known."""
    by_ties = gradients_at_ties_and_kinks_are_those_of_the_convention
    return [check for check in CHECKS if check is not by_ties or ties_of(case.primitive)]


def examples(checks: Iterable[Check], count: int, seed: int = 0) -> Iterator[tuple[Check, Draw]]:
    """Every check with its draws: so many, or four where that is enough."""
    for check in checks:
        for draw in draws(count if CHECKS[check] else min(count, 4), seed):
            yield check, draw


def put(check: Check, case: Case, draw: Draw) -> None:
    """Make a check, counted for the summary; an error says which one it was."""
    RECORD.primitives.add(case.primitive or case.label)
    RECORD.examples += 1
    try:
        check(case, draw)
    except Exception as error:
        error.add_note(f"In the check: {in_words(check)}; of {case}, {draw}.")
        raise


def in_words(check: Check) -> str:
    """The name of a check as words."""
    return str(getattr(check, "__name__", check)).replace("_", " ")


def takes_complex(case: Case) -> bool:
    """Whether the complex step is right for the reference, at one place where both can be had."""
    shapes = next((s for s in case.shapes if all(0 not in shape for shape in s)), None)
    if shapes is None:
        return False
    setting = Setting(case, shapes, Draw())

    def total(*arrays: Any) -> Any:
        return np.sum(setting.reference(*arrays))

    try:
        exact = complex_step(total, setting.doubles)
        expected, _ = numerical_gradients(total, setting.doubles, step=STEP)
        for a, b in zip(exact, expected, strict=True):
            require_close(a, b, 1e-6, "the complex step")
    except Exception:  # whatever a function of reals does with complex numbers
        return False
    return True


def _require_no_aliasing(setting: Setting, out: Tensor, v: Array) -> None:
    """No gradient lies in the memory of another, nor in that of anything that came in or out."""
    gradients = [g.data for g in setting.gradients()]
    others = [*setting.arrays, out.data, v]
    for i, g in enumerate(gradients):
        for other in gradients[i + 1 :] + others:
            require(not np.shares_memory(g, other), f"{setting}: gradient {i} shares its memory")


def names_in_graph(out: Tensor) -> set[str]:
    """The names of all primitives that were recorded for a tensor."""
    names, todo = set(), [out]
    while todo:
        node = todo.pop().node
        if node is not None:
            names.add(node.primitive.name)
            todo += [x for x in node.inputs if isinstance(x, Tensor)]
    return names
