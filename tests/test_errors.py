from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import errors


def test_every_error_has_our_base_class_and_a_builtin_one_that_one_would_expect():
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass)]
    ours = [c for c in classes if issubclass(c, errors.TgError)]
    assert len(ours) > 15
    for kind in ours:
        if kind is not errors.TgError:
            builtin = [b for b in kind.__mro__ if b.__module__ == "builtins"]
            assert set(builtin) - {Exception, BaseException, object}, kind


def test_an_error_shows_its_message_and_no_repr_of_it():
    assert str(errors.StateDictError("two\nlines")) == "two\nlines"


@pytest.mark.parametrize(
    ("word", "known", "words"),
    [
        ("weigth", ["weight", "bias"], "did you mean 'weight'?"),
        ("zzz", ["weight", "bias"], "known: bias, weight"),
        ("x", [], "known: "),
    ],
)
def test_nearest(word, known, words):
    assert errors.nearest(word, known) == words


@pytest.mark.parametrize(
    ("x", "words"),
    [(7, "an int"), ("w", "a str"), (np.ones(1), "an ndarray"), (np.uint8(1), "a uint8")],
)
def test_a_kind_has_the_article_that_goes_with_it(x, words):
    assert errors.a_kind(x) == words


def test_user_line_is_the_line_of_the_caller():
    assert errors.user_line().startswith("test_errors.py:")


def test_a_missing_extra_names_the_command():
    error = errors.missing_extra("scipy", "train", "minimize_scipy")
    assert isinstance(error, ImportError)
    assert "pip install 'tinygrad-bp[train]'" in str(error)


@pytest.mark.parametrize(
    ("warn", "words"),
    [
        (lambda x: np.nanmax(x, axis=1), "All-NaN slice"),
        (lambda x: np.nanmedian(x, axis=1), "All-NaN slice"),
        (lambda x: np.cov(x[1:, :1]), "Degrees of freedom"),
        (lambda x: np.polyfit(0.0 * x[1] + 1.0, x[1], 1), "poorly conditioned"),
        (lambda x: np.linalg.eigh(np.eye(2) + 0.0 * x[1])[1].sum().backward(), "values are equal"),
        (lambda x: tg.grad(lambda y: 3.0)(1.0), "does not depend"),
    ],
    ids=["nanmax", "nanmedian", "cov", "polyfit", "eigh", "grad"],
)
def test_a_warning_stands_at_the_line_of_the_user(warn, words):
    x = tg.Tensor([[np.nan, np.nan], [1.0, 2.0]], requires_grad=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn(x)
    (ours,) = [w for w in caught if words in str(w.message)]
    assert (ours.filename, ours.lineno) == (__file__, warn.__code__.co_firstlineno)
