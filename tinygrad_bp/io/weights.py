"""`save` and `load`: the weights of a module in a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinygrad_bp.errors import ArgumentError, a_kind, user_line
from tinygrad_bp.io.arrays import read_arrays, write_arrays
from tinygrad_bp.nn import state
from tinygrad_bp.nn.module import Module


def save(model: Module, path: str | Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write the parameters and buffers of a module to a file, under their dotted names.

    A name that ends in ``.npz`` gives NumPy's archive, any other a safetensors file, which
    PyTorch reads: ``safetensors.torch.load_file(path)``. The same weights give the same bytes.

    Parameters
    ----------
    model : Module
        Whose ``state_dict()`` is written.
    path : str or Path
        The file. What was there is replaced in one step, or left as it was when writing fails.
    metadata : mapping of str to str, optional
        Kept in the header of a safetensors file; `read_arrays` returns it.

    Raises
    ------
    ArgumentError
        The arguments are in another order, the metadata is not text, or a value has a dtype that
        such a file does not hold.
    OutputError
        The file cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile, tinygrad_bp as tg
    >>> model = tg.nn.Linear(3, 2, generator=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "model.safetensors")
    ...     save(model, path, {"trained on": "digits"})
    ...     other = tg.nn.Linear(3, 2, generator=1)
    ...     print(load(path, other), (other.weight.data == model.weight.data).all())
    nothing was left out True
    """
    _check_order("save(model, path)", model, path)
    write_arrays(path, model.state_dict(), metadata)


def load(path: str | Path, model: Module, strict: bool = True) -> state.LoadReport:
    """Write the values of a file into the parameters and buffers of a module, in place.

    Parameters
    ----------
    path : str or Path
        A safetensors file, from here or from PyTorch, or an ``.npz`` archive. It is read as a
        whole, and nothing in it is executed.
    model : Module
        Built with the layers of the one that was saved.
    strict : bool, default True
        Whether names, shapes and dtypes must be the same on both sides. Otherwise what has a name
        and shape of the model's is cast to its dtype and written, and the rest is left out.

    Returns
    -------
    LoadReport
        What was left out; empty where everything fitted.

    Raises
    ------
    DataNotFoundError
        There is no such file.
    DataError
        The file is damaged, or is of another kind. Nothing was changed.
    StateDictError
        Strict, and something does not fit. It lists all that is missing, unexpected, or of another
        shape or dtype. Nothing was changed.
    """
    _check_order("load(path, model)", model, path)
    arrays, _ = read_arrays(path)
    return state.load(model, arrays, strict, same_dtype=strict, source=f"what {path} holds")


def _check_order(call: str, model: Any, path: Any) -> None:
    if not isinstance(model, Module) or not isinstance(path, (str, Path)):
        raise ArgumentError(
            f"{a_kind(model)} stands where the module belongs, and "
            f"{a_kind(path)} where the path does (at {user_line()}).\nFix: {call}"
        )
