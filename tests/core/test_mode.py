from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import errors


@pytest.fixture
def x():
    return tg.Tensor([1.0, 2.0], requires_grad=True)


def test_no_grad_records_nothing_and_ends(x):
    with tg.no_grad():
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad


def test_modes_nest_and_come_back_after_an_exception(x):
    with pytest.raises(KeyError), tg.no_grad():
        with tg.enable_grad():
            assert (x * 2).requires_grad
        assert not tg.is_grad_enabled()
        raise KeyError
    assert tg.is_grad_enabled()


def test_one_switch_may_be_entered_twice():
    switch = tg.no_grad()
    with switch:
        with switch:
            assert not tg.is_grad_enabled()
        assert not tg.is_grad_enabled()
    assert tg.is_grad_enabled()


def test_as_a_decorator_of_a_function_it_keeps_name_and_result(x):
    @tg.no_grad()
    def double(t):
        """Twice."""
        return t * 2

    assert double.__name__ == "double"
    assert double.__doc__ == "Twice."
    assert not double(x).requires_grad
    assert (x * 2).requires_grad


def test_a_decorated_generator_does_not_switch_off_its_caller():
    seen = []

    @tg.no_grad()
    def generator():
        received = None
        for _ in range(2):
            seen.append(tg.is_grad_enabled())
            received = yield received
        return "end"

    steps = generator()
    assert next(steps) is None
    assert tg.is_grad_enabled()
    assert steps.send("sent") == "sent"
    assert tg.is_grad_enabled()
    with pytest.raises(StopIteration, match="end"):
        next(steps)
    assert seen == [False, False]


def test_a_decorated_generator_passes_exceptions_in_and_closes():
    events = []

    @tg.no_grad()
    def generator():
        try:
            yield 1
        except ValueError:
            events.append(tg.is_grad_enabled())
            try:
                yield 2
            finally:
                events.append("closed")

    steps = generator()
    next(steps)
    assert steps.throw(ValueError("x")) == 2
    assert tg.is_grad_enabled()
    steps.close()
    assert events == [False, "closed"]


def test_a_decorated_coroutine_does_not_switch_off_its_neighbours():
    @tg.no_grad()
    async def quiet():
        await asyncio.sleep(0)
        return tg.is_grad_enabled()

    async def loud():
        await asyncio.sleep(0)
        return tg.is_grad_enabled()

    async def both():
        return await asyncio.gather(quiet(), loud(), quiet())

    assert asyncio.run(both()) == [False, True, False]


def test_a_decorated_asynchronous_generator_is_refused():
    with pytest.raises(tg.errors.TgError, match=r"no_grad\(\) does not last .*steps' runs"):

        @tg.no_grad()
        async def steps():
            yield 1


def test_threads_do_not_see_each_others_mode():
    seen = []
    with tg.no_grad():
        thread = threading.Thread(target=lambda: seen.append(tg.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_threads_can_work_on_graphs_of_their_own_at_once():
    results = {}

    def work(k):
        w = tg.Tensor(float(k), requires_grad=True)
        for _ in range(50):
            w.grad = None
            y = w
            for _ in range(20):
                y = y * 1.0
            (y * y).backward()
        results[k] = w.grad.item()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {0: 0.0, 1: 2.0, 2: 4.0, 3: 6.0}


def test_decorating_what_is_no_function_is_an_error():
    with pytest.raises(errors.TgError, match="decorates a function"):
        tg.no_grad()(3)


def test_anomaly_detection_names_the_first_operation_in_the_forward_pass(x):
    words = (
        r"(?s)log made 1 of 2 values not finite .* at test_mode.py:\d+; "
        r"the first is -inf at index \(0,\)"
    )
    with tg.detect_anomaly(), np.errstate(all="ignore"):
        y = x - 1.0
        with pytest.raises(errors.NonFiniteError, match=words) as caught:
            np.log(y) * 0.0
    assert "float64 in [0, 1]" in str(caught.value)
    assert isinstance(caught.value, FloatingPointError)


def test_anomaly_detection_names_the_rule_and_the_line_in_the_backward_pass():
    x = tg.Tensor([0.0, 1.0], requires_grad=True)
    with tg.detect_anomaly(), np.errstate(all="ignore"):
        loss = np.sqrt(x).sum()
        with pytest.raises(errors.NonFiniteError, match=r"backward rule of sqrt .*test_mode.py"):
            loss.backward()
    assert x.grad is None


def test_numbers_that_come_in_not_finite_are_not_blamed_on_the_operation():
    x = tg.Tensor([np.inf], requires_grad=True)
    with tg.detect_anomaly():
        assert np.isinf((x * 2.0).item())


def _through_data(x):
    x.data[0] = 5.0


def _through_a_shared_array(x):
    x.detach().data[...] = 0.0


@pytest.mark.parametrize("write", [_through_data, _through_a_shared_array])
def test_anomaly_detection_notices_arrays_that_are_written_into(write):
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    with tg.detect_anomaly():
        loss = (x * x).sum()
        write(x)
        words = r"input 0 \(2,\) of 'multiply' at test_mode.py:\d+ was written into since"
        with pytest.raises(errors.InplaceError, match=words):
            loss.backward()
        assert x.grad is None
        (x * x).sum().backward()
    np.testing.assert_array_equal(x.grad.data, 2 * x.data)


def test_anomaly_detection_notices_a_write_into_an_intermediate_value():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    with tg.detect_anomaly():
        h = np.exp(x)
        loss = h.sum()
        h.data[0] = 7.0
        with pytest.raises(errors.InplaceError, match=r"written into"):
            loss.backward()
