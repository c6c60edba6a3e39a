"""Every primitive, held against evidence that shares no code with it: see `catalogue.case.Case`.

A failure names the case, and so the primitive. Gradients are compared with those that 5-point
differences of the reference give in float64 for a random cotangent, second derivatives with the
differences of first ones, which were checked before. All shapes of a case are tried each time.

What a case gives: `call` returns one tensor; `reference` gives shape and dtype as NumPy would;
elements at the ends of the domains may be moved by 0.002.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from catalogue import cases, families
from catalogue.case import Case
from catalogue.numerical import complex_step, five_point
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp.core import PRIMITIVES

CASES = cases()
EXAMPLES = max(4, settings().max_examples // 5)
DTYPES = ((np.float64,), (np.float32,), (np.float32, np.float64), (np.float64, np.float32))
LAYOUTS = ("C", "F", "reversed", "strided")

CHECKS = []


def check(max_examples: int):
    """Let a function of a case and a draw be a test of every case."""

    def register(function):
        CHECKS.append((function, max_examples))
        return function

    return register


@dataclass(frozen=True)
class Draw:
    """What Hypothesis chooses; the rest follows from it."""

    seed: int
    dtypes: tuple[type, ...]
    layout: str
    needs: int
    rounded: bool
    create_graph: bool


draws = st.builds(
    Draw,
    seed=st.integers(0, 2**32 - 1),
    dtypes=st.sampled_from(DTYPES),
    layout=st.sampled_from(LAYOUTS),
    needs=st.integers(0, 255),
    rounded=st.booleans(),
    create_graph=st.booleans(),
)


def values_of(case: Case, shapes, draw: Draw) -> list[np.ndarray]:
    """Float64 elements inside the domains, away from kinks, and distinct where that is asked."""
    rng = np.random.default_rng(draw.seed)
    domains = [
        case.domains[i] if i < len(case.domains) else (-2.0, 2.0) for i in range(len(shapes))
    ]
    if case.distinct:
        count = sum(int(np.prod(shape)) for shape in shapes)
        low, high = domains[0]
        space = max((high - low) / max(count, 1), 0.06)
        grid = (low + high) / 2 + space * (np.arange(count) - (count - 1) / 2)
        grid += rng.uniform(-1, 1, count) * (space - 0.05) / 2
        flat = rng.permutation(grid)
        cuts = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
        arrays = [a.reshape(s) for a, s in zip(np.split(flat, cuts), shapes, strict=True)]
    else:
        arrays = [rng.uniform(*d, shape) for d, shape in zip(domains, shapes, strict=True)]
        if draw.rounded:  # so that zeros, ones and equal elements are met
            for i, (low, high) in enumerate(domains):
                coarse = np.round(2 * arrays[i]) / 2
                inside = (coarse > low) & (coarse < high)
                arrays[i] = np.where(inside, coarse, arrays[i])
    for i, kinks in enumerate(case.kinks):
        for kink in kinks:
            away = arrays[i] - kink
            shifted = kink + np.copysign(0.05, away)
            arrays[i] = np.where(np.abs(away) < 0.05, shifted, arrays[i])
    return [np.asarray(a) for a in arrays]


def laid_out(values: np.ndarray, layout: str) -> np.ndarray:
    """The same values in another memory layout."""
    if layout == "F":
        return np.array(values, order="F")
    if layout == "reversed":
        backwards = (slice(None, None, -1),) * values.ndim
        return np.array(values[backwards], order="C")[backwards]
    if layout == "strided":
        room = np.full(tuple(2 * n + 1 for n in values.shape), np.nan, values.dtype)
        view = room[(..., *(slice(1, 1 + 2 * n, 2) for n in values.shape))]
        view[...] = values
        return view
    return np.array(values, order="C")


class Setting:
    """The inputs of one application: arrays, tensors in their memory, and which are leaves."""

    def __init__(self, case: Case, shapes, draw: Draw) -> None:
        self.case, self.shapes, self.draw = case, shapes, draw
        kinds = itertools.cycle(draw.dtypes)
        exact = values_of(case, shapes, draw)
        self.arrays = [
            np.asarray(laid_out(a.astype(kind), draw.layout))
            for a, kind in zip(exact, kinds, strict=False)
        ]
        self.doubles = [np.array(a, np.float64) for a in self.arrays]
        self.before = [a.tobytes() for a in self.arrays]
        self.leaves = [i for i in range(len(shapes)) if draw.needs >> i & 1]
        self.inputs = self._inputs()
        if not case.call(*self.inputs).requires_grad:
            self.leaves = list(range(len(shapes)))
            self.inputs = self._inputs()

    def _inputs(self) -> list:
        return [
            tg.as_tensor(a).requires_grad_()
            if i in self.leaves
            else a
            if i % 2
            else tg.as_tensor(a)
            for i, a in enumerate(self.arrays)
        ]

    def __str__(self) -> str:
        kinds = [a.dtype.name for a in self.arrays]
        return f"{self.case} on {self.shapes}, {kinds}, layout {self.draw.layout}"

    def reference(self, *arrays):
        """The forward function that shares no code with ours."""
        return (self.case.reference or self.case.call)(*arrays)

    def cotangent(self, out) -> np.ndarray:
        rng = np.random.default_rng(self.draw.seed + 1)
        return np.asarray(rng.uniform(0.5, 1.5, out.shape) * rng.choice([-1, 1], out.shape))

    def with_leaves(self, values):
        """All inputs as float64 arrays, those that are leaves replaced by `values`."""
        replaced = dict(zip(self.leaves, values, strict=True))
        return [replaced.get(i, a) for i, a in enumerate(self.doubles)]

    def gradients(self) -> list:
        """Zeros where nothing arrived, which the numerical derivative has to confirm."""
        leaves = [self.inputs[i] for i in self.leaves]
        return [tg.Tensor(np.zeros_like(x.data)) if x.grad is None else x.grad for x in leaves]

    def clear(self) -> None:
        for i in self.leaves:
            self.inputs[i].grad = None

    def assert_unchanged(self) -> None:
        for i, (a, bytes_) in enumerate(zip(self.arrays, self.before, strict=True)):
            assert a.tobytes() == bytes_, f"{self}: input {i} was changed"


def assert_close(actual, expected, tolerance: float, what: str) -> None:
    """Agreement relative to the largest element."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape, f"{what}: shape {actual.shape}, not {expected.shape}"
    scale = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale, err_msg=what)


def names_in_graph(out) -> set[str]:
    """The names of all primitives that were recorded for a tensor."""
    names, todo = set(), [out]
    while todo:
        node = todo.pop().node
        if node is not None:
            names.add(node.primitive.name)
            todo += [x for x in node.inputs if isinstance(x, tg.Tensor)]
    return names


@check(max_examples=EXAMPLES)
def forward_equals_the_reference_in_value_shape_and_dtype(case, draw):
    for shapes in case.shapes:
        setting = Setting(case, shapes, draw)
        out = case.call(*setting.inputs)
        assert isinstance(out, tg.Tensor), f"{setting}: returned a {type(out).__name__}"
        expected = setting.reference(*setting.arrays)
        tolerance = 1e-12 if expected.dtype == np.float64 and len(draw.dtypes) == 1 else 1e-5
        assert out.dtype == expected.dtype, f"{setting}: {out.dtype}, not {expected.dtype}"
        assert_close(out.data, expected, tolerance, str(setting))
        assert case.primitive in names_in_graph(out), f"{case} records {names_in_graph(out)}"
        setting.assert_unchanged()


@check(max_examples=EXAMPLES)
def gradients_are_the_derivatives_and_belong_to_their_inputs(case, draw):
    for shapes in case.shapes:
        setting = Setting(case, shapes, draw)
        out = case.call(*setting.inputs)
        v = setting.cotangent(out)

        def projected(*values, setting=setting, v=v):
            return np.sum(v * setting.reference(*setting.with_leaves(values)))

        start = [setting.doubles[i] for i in setting.leaves]
        expected = five_point(projected, start)
        given_v = v.astype(out.dtype)
        given_bytes = given_v.tobytes()
        out.backward(given_v, create_graph=draw.create_graph)
        for i, g, numerical in zip(setting.leaves, setting.gradients(), expected, strict=True):
            what = f"{setting}: the gradient of input {i}"
            assert g.dtype == setting.arrays[i].dtype, f"{what} has dtype {g.dtype}"
            # Where any input is float32, so are the intermediate values.
            single = np.float32 in {a.dtype.type for a in setting.arrays}
            assert_close(g.data, numerical, 2e-4 if single else 1e-7, what)
            if isinstance(g.data, np.ndarray) and g.ndim and not draw.create_graph:
                assert g.data.flags.writeable, f"{what} cannot be written to"
        if case.complex_step and draw.dtypes == (np.float64,):
            for i, g, exact in zip(
                setting.leaves, setting.gradients(), complex_step(projected, start), strict=True
            ):
                assert_close(g.data, exact, 1e-12, f"{setting}: input {i}, by the complex step")
        if not draw.create_graph:
            assert_no_aliasing(setting, out, given_v)
        setting.assert_unchanged()
        assert given_v.tobytes() == given_bytes, f"{setting}: the cotangent was changed"


def assert_no_aliasing(setting: Setting, out, v) -> None:
    """No gradient lies in the memory of another, nor in that of anything that came in or out."""
    gradients = [g.data for g in setting.gradients()]
    others = [*setting.arrays, out.data, v]
    for i, g in enumerate(gradients):
        for other in gradients[i + 1 :] + others:
            assert not np.shares_memory(g, other), f"{setting}: gradient {i} shares its memory"


@check(max_examples=4)
def gradients_add_up_over_uses_and_over_passes(case, draw):
    shapes = case.shapes[draw.seed % len(case.shapes)]
    setting = Setting(case, shapes, draw)
    out = case.call(*setting.inputs)
    v = setting.cotangent(out).astype(out.dtype)
    out.backward(v)
    once = [np.array(g.data) for g in setting.gradients()]
    case.call(*setting.inputs).backward(v)
    for i, g, single in zip(setting.leaves, setting.gradients(), once, strict=True):
        assert_close(g.data, 2 * single, 1e-6, f"{setting}: input {i} after two passes")
    setting.clear()
    (case.call(*setting.inputs) + case.call(*setting.inputs)).backward(v)
    for i, g, single in zip(setting.leaves, setting.gradients(), once, strict=True):
        assert_close(g.data, 2 * single, 1e-6, f"{setting}: input {i} used twice")
    setting.assert_unchanged()


@check(max_examples=EXAMPLES)
def second_derivatives_are_the_derivatives_of_the_gradients(case, draw):
    """With <gradient, w> as the function: of the inputs, and of the cotangent, linear in it."""
    for shapes in case.shapes:
        setting = Setting(case, shapes, Draw(**{**vars(draw), "dtypes": (np.float64,)}))
        rng = np.random.default_rng(draw.seed + 2)
        w = [rng.uniform(0.5, 1.5, shapes[i]) for i in setting.leaves]

        def slope(*values, setting=setting, w=w):
            """<gradient, w> by first-order passes alone."""
            *values, v = values
            inputs = setting.with_leaves([tg.Tensor(x, requires_grad=True) for x in values])
            setting.case.call(*inputs).backward(v)
            found = [inputs[i].grad for i in setting.leaves]
            return sum(np.sum(g.data * b) for g, b in zip(found, w, strict=True) if g is not None)

        out = case.call(*setting.inputs)
        v = tg.Tensor(setting.cotangent(out), requires_grad=True)
        expected = five_point(slope, [*(setting.doubles[i] for i in setting.leaves), v.data])
        out.backward(v, create_graph=True)
        total = sum((g * a).sum() for g, a in zip(setting.gradients(), w, strict=True))
        setting.clear()
        v.grad = None
        total.backward()
        for i, leaf, numerical in zip(
            [*setting.leaves, "cotangent"],
            [*(setting.inputs[i] for i in setting.leaves), v],
            expected,
            strict=True,
        ):
            actual = np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.data
            assert_close(actual, numerical, 1e-6, f"{setting}: second derivative, {i}")
        setting.assert_unchanged()


@check(max_examples=4)
def the_backward_pass_is_the_adjoint_of_the_forward_derivative(case, draw):
    """<Jv, u> = <v, J'u>, where no numerical derivative has a part."""
    for shapes in case.shapes:
        setting = Setting(case, shapes, Draw(**{**vars(draw), "dtypes": (np.float64,)}))
        rng = np.random.default_rng(draw.seed + 3)
        v = [rng.uniform(-1, 1, shapes[i]) for i in setting.leaves]

        def of_leaves(*leaves, setting=setting):
            return setting.case.call(*setting.with_leaves(leaves))

        start = [setting.doubles[i] for i in setting.leaves]
        out, forward = tg.jvp(of_leaves, tuple(start), tuple(v))
        u = setting.cotangent(out)
        case.call(*setting.inputs).backward(u)
        backward = sum(np.sum(g.data * a) for g, a in zip(setting.gradients(), v, strict=True))
        assert_close(backward, np.sum(np.asarray(forward) * u), 1e-11, f"{setting}: <v, J'u>")


def _method(function, max_examples: int, cases: list[Case]):
    """The method of a class of tests; Hypothesis and pytest mark it, so each class has its own."""

    def method(self, case, draw):
        function(case, draw)

    method.__name__ = f"test_{function.__name__}"
    method.__doc__ = function.__doc__
    marked = settings(max_examples=max_examples)(given(draw=draws)(method))
    return pytest.mark.parametrize("case", cases, ids=str)(marked)


# A class of tests for each family. One function for all cases would not do: Hypothesis wraps its
# settings once more for each of them, and looks through all wrappings for each.
for _family, _cases in families().items():
    _name = "Test" + "".join(part.capitalize() for part in _family.split("_"))
    globals()[_name] = type(
        _name, (), {f"test_{f.__name__}": _method(f, n, _cases) for f, n in CHECKS}
    )


def test_every_primitive_has_a_case_and_every_case_a_primitive():
    """Asked of a fresh interpreter, since other tests register primitives of their own."""
    program = (
        "import scipy.special, tinygrad_bp as tg; tg.core.registry.load_late(); tg.transforms;"
        "print(*tg.core.PRIMITIVES)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    shipped, tested = set(run.stdout.split()), {case.primitive for case in CASES}
    assert not shipped - tested, f"no case in tests/catalogue for: {sorted(shipped - tested)}"
    assert not tested - shipped, f"cases of unknown primitives: {sorted(tested - shipped)}"


def test_labels_tell_the_cases_of_a_primitive_apart():
    names = [str(case) for case in CASES]
    assert len(names) == len(set(names)), sorted({n for n in names if names.count(n) > 1})


def test_the_complex_step_is_taken_of_analytic_primitives_alone():
    wrong = [str(c) for c in CASES if c.complex_step and not PRIMITIVES[c.primitive].analytic]
    assert not wrong


def test_every_shipped_primitive_has_formulas_for_all_its_rules():
    for name in sorted({case.primitive for case in CASES}):
        primitive = PRIMITIVES[name]
        assert primitive.formula, f"{name} has no formula"
        rules = primitive.vjps if isinstance(primitive.vjps, tuple) else [primitive.vjps]
        written = [bool(formula) for formula in primitive.vjp_formulas]
        missing = [i for i, r in enumerate(rules) if r is not None and not any(written[i : i + 1])]
        assert not missing, f"{name} has no formula for the rules of inputs {missing}"
