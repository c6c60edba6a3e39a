"""Functions that are refused: each says why, and what to do."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import InplaceError, OperationError
from tinygrad_bp.ops.refused import REFUSED, name_of

X = np.array([[1.0, 4.0], [2.0, 3.0]])


@pytest.fixture
def t():
    return tg.Tensor(X, requires_grad=True)


def test_every_refusal_has_a_reason_and_a_remedy():
    for function, (why, fix) in REFUSED.items():
        assert why, name_of(function)
        assert fix, name_of(function)


@pytest.mark.parametrize(
    "call",
    [
        np.fft.fft,
        np.fft.irfft,
        np.fft.fft2,
        np.emath.sqrt,
        np.sort_complex,
        np.histogram_bin_edges,
        lambda t: np.emath.power(t, 2),
        lambda t: np.emath.logn(2, t),
    ],
)
def test_what_would_lose_a_gradient_is_refused_and_else_computed(t, call):
    with pytest.raises(OperationError, match=r"np\..* is not available on tensors: (.|\n)*Fix: "):
        call(t)
    np.testing.assert_array_equal(call(t.detach()).data, call(X))
    with tg.no_grad():
        np.testing.assert_array_equal(call(t).data, call(X))


def test_the_message_names_function_reason_place_and_remedy(t):
    with pytest.raises(OperationError) as caught:
        np.fft.rfft(t)
    message = str(caught.value)
    assert message.startswith("np.fft.rfft is not available on tensors: its numbers are complex")
    assert "test_refused.py:" in message
    assert "Fix: call it on t.data" in message


@pytest.mark.parametrize(
    "call",
    [
        lambda t: np.is_busday(t),
        lambda t: np.busday_count(t, t),
        lambda t: np.datetime_as_string(t),
        lambda t: np.isnat(t),
    ],
)
def test_dates_are_no_tensors(t, call):
    with pytest.raises(OperationError, match="numbers, not dates"):
        call(t.detach())


def test_writing_into_a_tensor_is_refused(t):
    with pytest.raises(InplaceError, match="np.putmask would write into a tensor"):
        np.putmask(t, X > 2, 0)
    assert np.putmask in REFUSED


def test_names_are_written_as_one_writes_them():
    names = {name_of(f) for f in REFUSED}
    assert {"np.copyto", "np.fft.fft", "np.emath.sqrt", "np.isnat"} <= names
