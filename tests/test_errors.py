from __future__ import annotations

import inspect

import pytest

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


def test_user_line_is_the_line_of_the_caller():
    assert errors.user_line().startswith("test_errors.py:")


def test_a_missing_extra_names_the_command():
    error = errors.missing_extra("scipy", "train", "minimize_scipy")
    assert isinstance(error, ImportError)
    assert "pip install 'tinygrad-bp[train]'" in str(error)
