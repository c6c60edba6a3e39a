"""Packing and padding, against lists of lists."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn import pack_padded_sequence, pack_sequence, pad_packed_sequence, pad_sequence

lengths_of_samples = st.lists(st.integers(1, 6), min_size=1, max_size=5)


def sequences(lengths):
    """Numbers that tell sample and step: 203 is the third step of the second sample."""
    return [100.0 * (n + 1) + np.arange(length) + 1 for n, length in enumerate(lengths)]


@given(lengths_of_samples, st.booleans())
def test_packed_data_are_the_steps_of_the_longest_samples_first(lengths, batch_first):
    x = pad_sequence(sequences(lengths), batch_first)
    packed = pack_padded_sequence(x, lengths, batch_first, enforce_sorted=False)
    order = sorted(range(len(lengths)), key=lambda n: -lengths[n])
    expected = [
        sequences(lengths)[n][t] for t in range(max(lengths)) for n in order if t < lengths[n]
    ]
    assert packed.data.data.tolist() == expected
    counts = [sum(t < length for length in lengths) for t in range(max(lengths))]
    assert packed.batch_sizes.tolist() == counts
    assert packed.lengths.tolist() == sorted(lengths, reverse=True)
    back, told = pad_packed_sequence(packed, batch_first)
    np.testing.assert_array_equal(back.data, x.data)
    assert told.tolist() == lengths


def test_the_gradient_reaches_the_steps_and_not_the_padding():
    x = tg.Tensor(np.zeros((3, 2, 2)), requires_grad=True)
    packed = pack_padded_sequence(x, [3, 1])
    padded, _ = pad_packed_sequence(packed, padding_value=7.0, total_length=5)
    assert padded.shape == (5, 2, 2)
    assert padded.data[4].tolist() == [[7, 7], [7, 7]]
    padded.backward(np.arange(20.0).reshape(5, 2, 2))
    expected = np.arange(12.0).reshape(3, 2, 2)
    expected[1:, 1] = 0
    np.testing.assert_array_equal(x.grad.data, expected)


def test_dtypes_stay():
    packed = pack_sequence([np.ones(2, np.float32), np.ones(1, np.float32)])
    assert packed.data.dtype == pad_packed_sequence(packed)[0].dtype == np.float32


def test_what_is_no_batch_is_told():
    x = np.zeros((3, 2))
    with pytest.raises(ArgumentError, match=r"the lengths \[1, 3\] rise.\nFix: enforce_sorted"):
        pack_padded_sequence(x, [1, 3])
    with pytest.raises(ShapeError, match="lengths from 0 to 3, and the input has 3 steps"):
        pack_padded_sequence(x, [3, 0])
    with pytest.raises(ShapeError, match="from 2 to 4"):
        pack_padded_sequence(x, [4, 2])
    with pytest.raises(ShapeError, match="one integer for each sample"):
        pack_padded_sequence(x, [2.0, 1.0])
    with pytest.raises(ShapeError, match="2 samples"):
        pack_padded_sequence(x, [3])
    with pytest.raises(ShapeError, match="no axes for steps and samples"):
        pack_padded_sequence(np.zeros(3), [3])
    with pytest.raises(ShapeError, match=r"shapes \[\(2, 1\), \(3, 2\)\] are no batch"):
        pad_sequence([np.zeros((2, 1)), np.zeros((3, 2))])
    with pytest.raises(ArgumentError, match="the longest sequence has 3 steps, and total_length"):
        pad_packed_sequence(pack_padded_sequence(x, [3, 1]), total_length=2)


@pytest.mark.parametrize("wrong", [3, None, np.ones((2, 3)), [np.ones(2)]])
def test_what_is_no_packed_sequence_is_told(wrong):
    with pytest.raises(ArgumentError, match=r"is no PackedSequence\.\nFix: what pack_padded"):
        pad_packed_sequence(wrong)


@pytest.mark.parametrize("call", [pack_sequence, pad_sequence])
def test_one_number_is_no_batch_of_sequences(call):
    with pytest.raises(ShapeError, match=r"sequences of the shapes \[\] are no batch\.\nFix: "):
        call(3)
