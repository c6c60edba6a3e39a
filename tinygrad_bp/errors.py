"""The errors of the package, and the words that tell a user where one arose.

Every error subclasses `TgError` and the builtin exception that one would expect, so that both
``except TgError`` and ``except ValueError`` catch a `ShapeError`. A message says what happened,
where, the facts (shapes, dtypes, names), and after ``Fix:`` what to do about it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from types import CodeType, FrameType

# Not pathlib, whose import takes a tenth of the time of the package's.
_PACKAGE = os.path.dirname(os.path.realpath(__file__)) + os.sep  # noqa: PTH120
_LIBRARIES = (f"{os.sep}numpy{os.sep}", f"{os.sep}scipy{os.sep}")


class _Inside(dict[str, bool]):
    """Whether a file of Python code is ours or a library's, and not the user's; by its name."""

    def __missing__(self, path: str) -> bool:
        self[path] = path.startswith(_PACKAGE) or any(name in path for name in _LIBRARIES)
        return self[path]


#: Looked up for every operation that is recorded, so that errors can name the user's line.
INSIDE = _Inside()


class TgError(Exception):
    """Base class of every error that tinygrad_bp raises on purpose."""

    def __str__(self) -> str:
        return "\n".join(str(argument) for argument in self.args)  # KeyError would print a repr


class ShapeError(TgError, ValueError):
    """Shapes that do not go together."""


class AxisError(ShapeError, IndexError):
    """An axis that the array does not have."""


class IndexingError(TgError, IndexError):
    """An index that the array does not have."""


class MissingKeyError(TgError, KeyError):
    """A name that the dict does not have."""


class DTypeError(TgError, TypeError):
    """A dtype that the operation cannot work with."""


class LinAlgError(TgError, ValueError):
    """A matrix for which the operation has no result, as the inverse of a singular one.

    What is raised is NumPy's `numpy.linalg.LinAlgError` as well.
    """


class GraphError(TgError, RuntimeError):
    """The computation graph cannot do what was asked, as a backward pass over a freed graph."""


class NoGradPathError(GraphError):
    """A backward pass was started from a value that depends on nothing that requires a gradient."""


class MissingAttributeError(TgError, AttributeError):
    """A name that the package, or one of its rooms, does not have."""


class GradientNotKeptError(TgError, AttributeError):
    """`.grad` was read on an intermediate tensor that did not ask to keep it."""


class InplaceError(GraphError):
    """A value was, or would have been, changed that the graph still needs."""


class ConversionError(TgError, TypeError):
    """A tensor that requires a gradient would have become a constant without notice."""


class OperationError(TgError, TypeError):
    """A NumPy function has no rule, or was called in a way for which the rule is not written."""


class VJPError(TgError, ValueError):
    """A vector-Jacobian product returned something that does not fit its input."""


class NonFiniteError(TgError, FloatingPointError):
    """An operation made NaN or infinity out of finite numbers."""


class GradientError(TgError, AssertionError):
    """A gradient is not the derivative of its function.

    Attributes
    ----------
    check : object
        What raised it has found, as data: a `tinygrad_bp.testing.GradientCheck`, or None.
    """

    check: object = None


class ArgumentError(TgError, ValueError):
    """An argument has a value that makes no sense, or a name that does not exist."""


class StateDictError(TgError, ValueError):
    """A state dictionary does not fit the module or optimizer that it was loaded into."""


class SpecError(TgError, ValueError):
    """The declaration of a network is wrong."""


class RecipeError(TgError, ValueError):
    """The declaration of an experiment is wrong."""


class DataError(TgError, ValueError):
    """A data file is missing a part, is damaged, or is not what its name says."""


class DataNotFoundError(TgError, FileNotFoundError):
    """Data files are not where they were looked for."""


class DownloadError(TgError, OSError):
    """No mirror delivered a file."""


class CheckpointError(TgError, ValueError):
    """A checkpoint or run folder cannot be used."""


class ExportError(TgError, ValueError):
    """A network cannot be written in the format of another program."""


class OutputError(TgError, OSError):
    """A file cannot be written."""


class MissingExtraError(TgError, ImportError):
    """An optional library is not installed."""


def missing_extra(library: str, extra: str, purpose: str) -> MissingExtraError:
    """The error for an optional library that is absent.

    Examples
    --------
    >>> print(missing_extra("scipy", "train", "minimize_scipy"))
    minimize_scipy needs scipy, which is not installed.
    Fix: pip install 'tinygrad-bp[train]'
    """
    return MissingExtraError(
        f"{purpose} needs {library}, which is not installed.\n"
        f"Fix: pip install 'tinygrad-bp[{extra}]'"
    )


def a_kind(x: object) -> str:
    """The type of something with its article, for a message.

    Examples
    --------
    >>> a_kind(3), a_kind("w")
    ('an int', 'a str')
    """
    name = type(x).__name__
    vowel = name[0] in "aeioAEIOU" or name == "ndarray"
    return f"a{'n' if vowel else ''} {name}"


def require_argument(right: bool, who: str, name: str, value: object, fix: str) -> None:
    """Refuse an argument that makes no sense.

    Raises
    ------
    ArgumentError

    Examples
    --------
    >>> try:
    ...     require_argument(False, "StepLR", "gamma", "x", "pass a number")
    ... except ArgumentError as error:
    ...     print(str(error).partition(" (")[0])
    StepLR got gamma='x'
    """
    if not right:
        raise ArgumentError(f"{who} got {name}={value!r} (at {user_line()}).\nFix: {fix}.")


def nearest(word: str, known: Iterable[str]) -> str:
    """The words ``did you mean ...?`` for a misspelt name, or the list of what there is.

    Examples
    --------
    >>> nearest("out_feature", ["in_features", "out_features"])
    "did you mean 'out_features'?"
    >>> nearest("relu", ["GELU", "ReLU", "SELU"])
    "did you mean 'ReLU'?"
    >>> nearest("qqq", ["b", "a"])
    'known: a, b'
    """
    import difflib  # rarely needed, and not quick to import

    names = sorted(known)
    folded = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(str(word).casefold(), folded, n=1, cutoff=0.6)
    return f"did you mean {folded[close[0]]!r}?" if close else "known: " + ", ".join(names)


#: A line of the user's code, as code object, instruction, and what was called there. A plain tuple,
#: because one is made in every step of a training loop; `in_words` says it when a message needs it.
Place = tuple[CodeType | None, int, str]


def user_place(by: str = "") -> Place:
    """Where the innermost frame stands that is neither ours nor NumPy's or SciPy's.

    Parameters
    ----------
    by : str
        What was called there, as ``SGD.step()``, for the message.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if not INSIDE[code.co_filename]:
            return code, frame.f_lasti, by
        frame = frame.f_back
    return None, 0, by


def in_words(place: Place | None) -> str:
    """A place as ``file.py:41``, or ``SGD.step() in file.py:41``.

    Examples
    --------
    >>> code = compile("", "/home/me/train.py", "exec")
    >>> in_words((code, 0, "SGD.step()"))
    'SGD.step() in train.py:1'
    """
    code, instruction, by = place or (None, 0, "")
    file, line = "an unknown file", 0
    if code is not None:
        file = os.path.basename(code.co_filename)  # noqa: PTH119
        lines = [n for start, end, n in code.co_lines() if n and start <= instruction < end]
        line = lines[0] if lines else code.co_firstlineno
    return f"{by}{' in ' if by else ''}{file}:{line}"


def user_depth() -> int:
    """The `stacklevel` with which a warning names the user's line, seen from the caller of this."""
    frame, depth = sys._getframe(1), 1
    while frame.f_back is not None and INSIDE[frame.f_code.co_filename]:
        frame, depth = frame.f_back, depth + 1
    return depth


def user_line() -> str:
    """The user's line in words, as ``file.py:41``."""
    return in_words(user_place())
