"""The life of tensors, step by random step, held against a model that shares nothing with them.

In the model, each element of a tensor is a polynomial in the elements of leaves: derivatives of any
order are those of polynomials. Beside it, the model knows what is remembered of events: which
memory a tensor lies in, when that was written to, and which operations have been freed. All numbers
are small and whole, so every comparison is exact.
"""

from __future__ import annotations

import contextvars
import copy
import itertools
import pickle
import threading
from collections import Counter

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

import tinygrad_bp as tg
from tinygrad_bp import errors
from tinygrad_bp.core import PRIMITIVES

numbers = st.lists(st.integers(-2, 2), min_size=2, max_size=2)
places = st.integers(0, 99)
MOST, DEGREE = 1e6, 4  # beyond these, a product becomes a sum: numbers stay exact
clock = itertools.count(1)


def constant(value):
    return {(): value} if value else {}


def plus(p, q, sign=1):
    total = Counter(p)
    for symbols, c in q.items():
        total[symbols] += sign * c
    return {k: c for k, c in total.items() if c}


def times(p, q):
    total = Counter()
    for (a, c), (b, d) in itertools.product(p.items(), q.items()):
        total[tuple(sorted(a + b))] += c * d
    return {k: c for k, c in total.items() if c}


def derivative(p, symbol):
    total = Counter()
    for symbols, c in p.items():
        if symbol in symbols:
            rest = list(symbols)
            rest.remove(symbol)
            total[tuple(rest)] += c * symbols.count(symbol)
    return dict(total)


class Memory:
    """Two numbers, when they were last written to, and whether `assign` may do so."""

    def __init__(self, cells, assignable=True):
        self.cells, self.assignable, self.changed = list(cells), assignable, 0


class Twin:
    """A tensor and what the model knows of it.

    `order` is the places of its elements in `memory`; `polynomials` are those of a result, `inputs`
    the twins that it was computed from, `made` the time of it (None for leaves and constants).
    """

    def __init__(self, tensor, memory, order=(0, 1), *, needs=False):
        self.tensor, self.memory, self.order, self.needs = tensor, memory, order, needs
        self.polynomials, self.inputs, self.made, self.freed = None, (), None, False
        self.grad, self.factor, self.hook, self.number = None, 1, None, next(clock)

    @property
    def values(self):
        return [self.memory.cells[i] for i in self.order]

    def symbols(self):
        """One for each element of a leaf: its values are those of now, so they are part of it."""
        return [(self.number, i, value) for i, value in enumerate(self.values)]

    def elements(self):
        if not self.needs:
            return [constant(v) for v in self.values]
        return self.polynomials or [{(symbol,): 1} for symbol in self.symbols()]

    def nodes(self):
        """The results that a backward pass from here goes through."""
        found, todo = {}, [self]
        while todo:
            twin = todo.pop()
            if twin.made is not None and id(twin) not in found:
                found[id(twin)] = twin
                todo += [] if twin.freed else twin.inputs
        return list(found.values())

    def obstacles(self):
        """The errors that a backward pass from here may meet."""
        nodes = self.nodes()
        found = [errors.GraphError for twin in nodes if twin.freed]
        found += [
            errors.InplaceError
            for twin in nodes
            if not twin.freed
            for x in twin.inputs
            if x.made is None and x.memory.changed > twin.made
        ]
        return tuple(found)


def evaluated(p):
    return sum(c * int(np.prod([s[2] for s in symbols])) for symbols, c in p.items())


class Life(RuleBasedStateMachine):
    """Each rule does one thing to tensors and the same in the model; invariants compare them."""

    def __init__(self):
        super().__init__()
        self.twins, self.blocks = [], []
        self.create([1, 2], True)

    @property
    def recording(self):
        return self.blocks[-1][1] if self.blocks else True

    def pick(self, place):
        """Of the twins, the youngest for 0."""
        return self.twins[-1 - place % len(self.twins)]

    def leaves(self):
        return [t for t in self.twins if t.needs and t.made is None]

    @rule(values=numbers, needs=st.booleans())
    def create(self, values, needs):
        array = np.array(values, float)
        self.twins.append(Twin(tg.Tensor(array, requires_grad=needs), Memory(values), needs=needs))
        array[:] = 99  # it was copied

    @rule(a=places, b=places, op=st.sampled_from(["add", "subtract", "multiply"]))
    def compute(self, a, b, op):
        self._compute(self.pick(a), self.pick(b), op)

    def _compute(self, x, y, op, recording=None):
        recording = self.recording if recording is None else recording
        p, q = x.elements(), y.elements()
        degree = max((len(s) for e in p for s in e), default=0)
        degree += max((len(s) for e in q for s in e), default=0)
        if op == "multiply" and (degree > DEGREE or np.max(np.abs(x.values + y.values)) > 1e3):
            op = "add"
        if np.max(np.abs(x.values + y.values)) > MOST:
            op, y, q = "subtract", x, p
        tensor = getattr(np, op)(x.tensor, y.tensor)
        v, w = np.array(x.values), np.array(y.values)
        cells = {"add": v + w, "subtract": v - w, "multiply": v * w}[op].tolist()
        if op == "multiply":
            made = [times(a, b) for a, b in zip(p, q, strict=True)]
        else:
            sign = 1 if op == "add" else -1
            made = [plus(a, b, sign) for a, b in zip(p, q, strict=True)]
        needs = (x.needs or y.needs) and recording
        self._result(Twin(tensor, Memory(cells, not needs), needs=needs), made, (x, y))

    def _result(self, twin, polynomials, inputs):
        if twin.needs:
            twin.polynomials, twin.inputs, twin.made = polynomials, inputs, next(clock)
        self.twins.append(twin)

    @rule(a=places)
    def view(self, a):
        x = self.pick(a)
        needs = x.needs and self.recording
        twin = Twin(x.tensor[::-1], x.memory, x.order[::-1], needs=needs)
        self._result(twin, x.elements()[::-1], (x,))

    @rule(a=places)
    def detach(self, a):
        x = self.pick(a)
        self.twins.append(Twin(x.tensor.detach(), x.memory, x.order))

    @rule(a=places, how=st.sampled_from(["copy", "deepcopy", "pickle"]))
    def copy(self, a, how):
        x = self.pick(a)
        ways = {
            "copy": copy.copy,
            "deepcopy": copy.deepcopy,
            "pickle": lambda t: pickle.loads(pickle.dumps(t)),
        }
        twin = Twin(ways[how](x.tensor), Memory(x.values), needs=x.needs and x.made is None)
        twin.grad = None if x.grad is None else list(x.grad)
        self.twins.append(twin)

    @rule(a=places, values=numbers)
    def assign(self, a, values):
        x = self.pick(a)
        if x.made is not None or not x.memory.assignable:
            with pytest.raises(errors.InplaceError):
                x.tensor.assign(values)
            return
        assert x.tensor.assign(values) is x.tensor
        for place, value in zip(x.order, values, strict=True):
            x.memory.cells[place] = value
        x.memory.changed = next(clock)

    @rule(a=places, values=numbers)
    def set_data(self, a, values):
        x = self.pick(a)
        if x.made is not None:
            with pytest.raises(errors.InplaceError):
                x.tensor.data = np.array(values, float)
            return
        x.tensor.data = np.array(values, float)
        x.memory, x.order = Memory(values), (0, 1)
        x.memory.changed = next(clock)

    @rule(a=places, cotangent=numbers, retain=st.booleans(), elsewhere=st.booleans())
    def backward(self, a, cotangent, retain, elsewhere):
        x = self.pick(a)

        def go():
            x.tensor.backward(np.array(cotangent, float), retain_graph=retain)

        obstacles = x.obstacles()
        if not x.needs or obstacles:
            with pytest.raises(obstacles or errors.NoGradPathError):
                go()
            return
        with tg.record_grads() as tape:
            in_thread(go, contextvars.copy_context()) if elsewhere else go()
        root = [times(constant(c), p) for c, p in zip(cotangent, x.elements(), strict=True)]
        for leaf in self._reached(x):
            g = [sum(evaluated(derivative(p, s)) for p in root) for s in leaf.symbols()]
            g = [leaf.factor * n for n in g]  # what its hook makes of it
            assert tape[leaf.tensor].data.tolist() == g
            before = leaf.grad or [0, 0]
            leaf.grad = [n + m for n, m in zip(before, g, strict=True)]
        if not retain:
            for node in x.nodes():
                node.freed = True

    def _reached(self, x):
        """The leaves at which a backward pass from here arrives."""
        inputs = [y for node in x.nodes() for y in node.inputs] or [x]
        return list({id(y): y for y in inputs if y.needs and y.made is None}.values())

    @rule(a=places, weights=numbers)
    def second_derivatives(self, a, weights):
        """Of <gradient, weights> of each leaf; all gradients are put aside meanwhile."""
        x = self.pick(a)
        if not x.needs or x.obstacles():
            return
        reached = self._reached(x)
        kept = [(leaf, leaf.tensor.grad) for leaf in self.leaves()]
        for leaf in self.leaves():
            leaf.tensor.grad = None
        x.tensor.backward(np.ones(2), create_graph=True)
        first = [(leaf, leaf.tensor.grad) for leaf in reached]
        total = plus(*x.elements())
        for leaf, g in first:
            for other in reached:
                other.tensor.grad = None
            expected = [derivative(total, s) for s in leaf.symbols()]
            assert g.data.tolist() == [leaf.factor * evaluated(p) for p in expected]
            if g.requires_grad:
                g.backward(np.array(weights, float), retain_graph=True)
            for other in reached:
                second = [
                    sum(
                        w * leaf.factor * other.factor * evaluated(derivative(p, s))
                        for w, p in zip(weights, expected, strict=True)
                    )
                    for s in other.symbols()
                ]
                found = other.tensor.grad
                assert ([0, 0] if found is None else found.data.tolist()) == second
        for leaf, g in kept:
            leaf.tensor.grad = g

    @rule(a=places)
    def zero(self, a):
        x = self.pick(a)
        if x.made is None:
            x.tensor.grad, x.grad = None, None

    @rule(a=places)
    def hook(self, a):
        x = self.pick(a)
        if x.needs and x.made is None and x.hook is None:
            x.hook, x.factor = x.tensor.register_hook(lambda g: g * 2), 2

    @rule(a=places)
    def unhook(self, a):
        x = self.pick(a)
        if x.hook is not None:
            x.hook.remove()
            x.hook, x.factor = None, 1

    @rule(enabled=st.booleans())
    def enter(self, enabled):
        block = tg.enable_grad() if enabled else tg.no_grad()
        block.__enter__()
        self.blocks.append((block, enabled))

    @precondition(lambda self: self.blocks)
    @rule()
    def leave(self):
        self.blocks.pop()[0].__exit__(None, None, None)

    @rule(a=places, b=places)
    def compute_in_a_thread_of_its_own(self, a, b):
        """There, nothing is known of the blocks around."""
        x, y = self.pick(a), self.pick(b)
        in_thread(lambda: self._compute(x, y, "multiply", recording=True))

    @invariant()
    def all_is_as_in_the_model(self):
        assert tg.is_grad_enabled() == self.recording
        for x in self.twins:
            assert x.tensor.data.tolist() == x.values
            assert x.tensor.requires_grad == x.needs
            assert x.tensor.is_leaf == (x.made is None)
            if x.made is None:
                g = x.tensor.grad
                assert (None if g is None else g.data.tolist()) == x.grad

    def teardown(self):
        while self.blocks:
            self.leave()


def in_thread(function, context=None):
    """Run a function elsewhere, and raise here what it raises."""
    raised = []

    def go():
        try:
            (context or contextvars.Context()).run(function)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=go)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


LENGTH = settings(max_examples=4 * settings().max_examples, stateful_step_count=30)
FAULTS = settings(
    LENGTH,
    max_examples=1000,
    database=None,
    derandomize=True,
    report_multiple_bugs=False,
    phases=[Phase.generate],  # found is enough: it need not be small
)


def test_tensors_live_as_the_model_does():
    run(Life, settings=LENGTH)


def test_a_wrong_rule_is_found(monkeypatch):
    right = PRIMITIVES["subtract"].vjps
    monkeypatch.setattr(PRIMITIVES["subtract"], "vjps", (right[0], right[0]))
    with pytest.raises(AssertionError):
        run(Life, settings=FAULTS)


def test_writes_that_the_graph_does_not_learn_of_are_found(monkeypatch):
    monkeypatch.setattr(tg.core.graph.Version, "advance", lambda self, where: None)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        run(Life, settings=FAULTS)


def test_copies_that_share_memory_are_found(monkeypatch):
    state = tg.Tensor.__getstate__
    monkeypatch.setattr(tg.Tensor, "__getstate__", lambda self: {**state(self), "data": self._data})
    with pytest.raises(AssertionError):
        run(Life, settings=FAULTS)
