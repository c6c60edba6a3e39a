"""Parameters that belong to several modules."""

from __future__ import annotations

from collections.abc import Mapping

from tinygrad_bp.core.tensor import Tensor
from tinygrad_bp.errors import SpecError, nearest
from tinygrad_bp.nn.module import Module


def share(module: Module, name: str, source: str, modules: Mapping[str, Module]) -> None:
    """Put a parameter of another module into the place of one of a module's own.

    Parameters
    ----------
    module : Module
    name : str
        The dotted name of the parameter in it.
    source : str
        The dotted name of the other: that of its module, and its own.
    modules : mapping of str to Module
        The modules that there are so far, by dotted names.

    Raises
    ------
    SpecError
        There is no parameter of this name, here or there, or their shapes differ.
    """
    own = dict(module.named_parameters())
    if name not in own:
        raise SpecError(f"has no parameter {name!r} to share.\nFix: {nearest(name, own)}")
    others: dict[str, Tensor] = {}
    first: dict[int, str] = {}  # a parameter has one name, that of where it was first
    for path, each in modules.items():
        for own_name, parameter in each.named_parameters():
            full = f"{path}.{own_name}"
            if first.setdefault(id(parameter), full) == full:
                others[full] = parameter
    if source not in others:
        known = nearest(source, others)
        raise SpecError(
            f"shares {source!r}, which is no parameter before it of its own layer.\nFix: {known}"
        )
    if own[name].shape != others[source].shape:
        raise SpecError(
            f"shares {source!r}, of shape {others[source].shape}, and its own {name!r} has the "
            f"shape {own[name].shape}.\n"
            "Fix: share a parameter of that shape, or give the layers the same sizes."
        )
    replace(module, name, others[source])


def replace(module: Module, name: str, tensor: Tensor) -> None:
    """Set the attribute of a dotted name."""
    path, _, attribute = name.rpartition(".")
    owner = dict(module.named_modules()).get(path)
    if owner is None or not isinstance(vars(owner).get(attribute), Tensor):
        raise SpecError(
            f"keeps its parameter {name!r} in no attribute of that name, so it cannot be shared.\n"
            "Fix: have its class assign the parameter to an attribute of its own."
        )
    setattr(owner, attribute, tensor)
