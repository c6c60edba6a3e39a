"""Embeddings and bags of them against loops, numerical derivatives, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import nn
from tinygrad_bp.errors import ArgumentError, DTypeError, ShapeError
from tinygrad_bp.nn import functional
from tinygrad_bp.testing import check_gradients

RNG = np.random.default_rng(5)
TABLE = RNG.normal(size=(6, 3))


@pytest.mark.parametrize(
    "indices", [[2, 0, 2], [[5, 5], [1, 0]], 3, [], [[]], np.array([4], np.uint8)]
)
def test_an_embedding_gives_the_rows_and_each_its_gradient(indices):
    indices = np.asarray(indices, None if np.size(indices) else int)
    found = functional.embedding(indices, TABLE)
    np.testing.assert_array_equal(found.data, TABLE[indices])
    check_gradients(lambda w: functional.embedding(indices, w) ** 2, TABLE, order=2)
    weight = tg.Tensor(TABLE, requires_grad=True)
    out = functional.embedding(indices, weight)
    g = RNG.normal(size=out.shape)
    out.backward(g)
    expected = np.zeros_like(TABLE)
    for place in np.ndindex(indices.shape):
        expected[indices[place]] += g[place]
    np.testing.assert_allclose(weight.grad.data, expected, rtol=1e-13)


def test_indices_may_be_tensors_and_lists():
    for indices in ([1, 2], (1, 2), tg.Tensor(np.array([1, 2])), np.array([1, 2], np.int8)):
        np.testing.assert_array_equal(functional.embedding(indices, TABLE).data, TABLE[[1, 2]])


def test_a_padding_row_is_zero_at_first_and_learns_nothing():
    layer = nn.Embedding(6, 3, padding_idx=-1, generator=0)
    assert layer.padding_idx == 5
    assert not layer.weight.data[5].any()
    assert layer.weight.data[:5].all()
    layer([[0, 5], [5, 1]]).sum().backward()
    np.testing.assert_array_equal(layer.weight.grad.data.any(axis=1), [1, 1, 0, 0, 0, 0])
    layer.weight.grad = None
    (layer([0, 5]) ** 2).sum().backward(create_graph=True)
    np.testing.assert_array_equal(layer.weight.grad.data.any(axis=1), [1, 0, 0, 0, 0, 0])


def test_gradients_are_divided_by_how_often_a_row_is_named():
    weight = tg.Tensor(TABLE, requires_grad=True)
    functional.embedding([1, 1, 1, 2], weight, scale_grad_by_freq=True).sum().backward()
    np.testing.assert_allclose(weight.grad.data[:, 0], [0, 1, 1, 0, 0, 0])


def test_rows_that_are_too_long_are_shortened_in_the_table_when_they_are_chosen():
    layer = nn.Embedding(6, 3, max_norm=1.0, dtype=float)
    layer.weight.assign(TABLE * 10)
    norms = np.linalg.norm(TABLE * 10, axis=1)
    assert (norms > 1).all()
    found = layer([1, 4, 1])
    np.testing.assert_allclose(np.linalg.norm(found.data, axis=1), 1, rtol=1e-6)
    after = np.linalg.norm(layer.weight.data, axis=1)
    np.testing.assert_allclose(after[[0, 2, 3, 5]], norms[[0, 2, 3, 5]], rtol=1e-14)
    version = layer.weight.version.count
    layer([1, 4])  # short enough now, so that nothing is written
    assert layer.weight.version.count == version


def test_many_rows_of_one_table_get_what_a_loop_gives_them():
    weight = tg.Tensor(RNG.normal(size=(10, 4, 2)).astype(np.float32), requires_grad=True)
    rows = RNG.integers(-10, 10, size=(50, 3))
    g = RNG.normal(size=(50, 3, 4, 2)).astype(np.float32)
    weight[rows].backward(g)
    expected = np.zeros((10, 4, 2))
    np.add.at(expected, rows, g)
    np.testing.assert_allclose(weight.grad.data, expected, rtol=1e-5, atol=1e-5)
    assert weight.grad.dtype == np.float32


def bags_by_loop(bags, mode, padding_idx=None):
    """One bag after another, of plain lists."""
    out = np.zeros((len(bags), TABLE.shape[1]))
    for i, bag in enumerate(bags):
        rows = [TABLE[k] for k in bag if k != padding_idx]
        if rows:
            out[i] = {"sum": np.sum, "mean": np.mean, "max": np.max}[mode](rows, axis=0)
    return out


BAGS = [[1, 2, 2], [], [5], [0, 3, 1, 4]]


@pytest.mark.parametrize("padding_idx", [None, 2, 5])
@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_of_any_length_are_reduced_one_by_one(mode, padding_idx):
    flat = np.concatenate(BAGS).astype(int)
    starts = np.cumsum([0, *map(len, BAGS)])
    expected = bags_by_loop(BAGS, mode, padding_idx)
    for offsets, last in ((starts[:-1], False), (starts, True)):
        layer = nn.EmbeddingBag(
            6, 3, mode=mode, include_last_offset=last, padding_idx=padding_idx, dtype=float
        )
        layer.weight.assign(TABLE)
        np.testing.assert_allclose(layer(flat, offsets).data, expected, rtol=1e-13)
    even = np.array([[1, 2], [5, 0]])
    found = functional.embedding_bag(even, TABLE, mode=mode, padding_idx=padding_idx)
    np.testing.assert_allclose(found.data, bags_by_loop(even, mode, padding_idx), rtol=1e-13)
    if padding_idx is None:
        check_gradients(
            lambda w: functional.embedding_bag(flat, w, starts[:-1], mode=mode) ** 2, TABLE
        )


def test_rows_of_a_bag_may_have_weights_which_have_a_gradient():
    indices, weights = np.array([[1, 2], [3, 3]]), RNG.normal(size=(2, 2))
    found = functional.embedding_bag(indices, TABLE, mode="sum", per_sample_weights=weights)
    np.testing.assert_allclose(found.data, (TABLE[indices] * weights[..., None]).sum(axis=1))
    check_gradients(
        lambda table, w: functional.embedding_bag(
            indices.ravel(), table, [0, 1], mode="sum", per_sample_weights=w
        ),
        TABLE,
        weights.ravel(),
        order=2,
    )


def test_a_pretrained_table_is_frozen_unless_it_is_to_be_trained():
    layer = nn.Embedding.from_pretrained(TABLE, padding_idx=0)
    np.testing.assert_array_equal(layer.weight.data, TABLE)
    assert layer.weight.dtype == float
    assert not layer.weight.requires_grad
    assert nn.EmbeddingBag.from_pretrained(TABLE, freeze=False, mode="max").weight.requires_grad
    with pytest.raises(ShapeError, match=r"a table of shape \(3,\)"):
        nn.Embedding.from_pretrained(TABLE[0])


def test_a_table_starts_normal_in_its_dtype_or_as_it_is_told():
    weight = nn.Embedding(400, 50, generator=0).weight
    assert weight.dtype == np.float32
    assert weight.data.std() == pytest.approx(1, abs=0.02)
    assert (nn.Embedding(3, 2, weight_init="ones").weight.data == 1).all()
    assert repr(nn.Embedding(3, 2, padding_idx=0)) == "Embedding(3, 2, padding_idx=0)"
    assert repr(nn.EmbeddingBag(3, 2, mode="sum")) == "EmbeddingBag(3, 2, mode='sum')"


def test_a_spec_runs_embeddings_on_integers():
    spec = nn.NetworkSpec(
        (7,),
        [
            {"type": "Embedding", "num_embeddings": 10, "embedding_dim": 4, "padding_idx": 0},
            {"type": "Flatten"},
            {"type": "Linear", "out_features": 2},
        ],
    )
    assert [s.shape for s in spec.shapes()] == [(7, 4), (28,), (2,)]
    model = spec.build(0)
    assert nn.NetworkSpec.from_module(model, (7,)) == spec
    assert model.summary(7).rows[1].output_shape == (1, 7, 4)
    assert model(np.array([[0, 9, 1, 2, 3, 4, 5]])).shape == (1, 2)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: nn.Sequential(nn.Embedding(6, 3))([7]),
            ArgumentError,
            "embedding in Sequential.0 at .*: the index at .0. is 7, and the table has 6 rows, 0 "
            "to 5.\nFix: num_embeddings=8",
        ),
        (
            lambda: nn.Embedding(6, 3)([[0, -1]]),
            ArgumentError,
            r"the index at \[0, 1\] is -1.*\nFix: Look",
        ),
        (
            lambda: nn.Embedding(6, 3)([0.5]),
            DTypeError,
            "the indices are real numbers.*\nFix: pass integers",
        ),
        (lambda: nn.Embedding(6, 3)(np.array([True])), DTypeError, "the indices have dtype bool"),
        (lambda: nn.Embedding(0, 3), ArgumentError, "num_embeddings is a positive integer"),
        (
            lambda: nn.Embedding(6, 3, padding_idx=6),
            ArgumentError,
            "padding_idx is 6, and there are 6 rows",
        ),
        (lambda: functional.embedding(TABLE, [1, 2]), DTypeError, "the indices are real numbers"),
        (lambda: functional.embedding([0], TABLE[0]), ShapeError, "pass the indices first"),
        (lambda: functional.embedding_bag([0], TABLE), ShapeError, "without offsets"),
        (lambda: functional.embedding_bag([[0]], TABLE, [0]), ShapeError, "and offsets"),
        (lambda: functional.embedding_bag([0], TABLE, [1]), ArgumentError, "are not where bags"),
        (
            lambda: functional.embedding_bag([0, 1], TABLE, [0, 2, 1]),
            ArgumentError,
            "are not where",
        ),
        (lambda: functional.embedding_bag([0], TABLE, [0, 5]), ArgumentError, "are not where bags"),
        (lambda: functional.embedding_bag([0], TABLE, [0.0]), DTypeError, "the offsets are real"),
        (
            lambda: functional.embedding_bag([[0]], TABLE, mode="men"),
            ArgumentError,
            "did you mean 'mean'",
        ),
        (lambda: nn.EmbeddingBag(6, 3, mode="men"), ArgumentError, "did you mean 'mean'"),
        (
            lambda: functional.embedding_bag([[0]], TABLE, per_sample_weights=[[1.0]]),
            ArgumentError,
            "with mode 'mean'",
        ),
    ],
)
def test_wrong_use_is_told_with_what_helps(call, error, text):
    with pytest.raises(error, match=text):
        call()
