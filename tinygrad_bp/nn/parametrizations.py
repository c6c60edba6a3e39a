"""Weights that are computed from other parameters: weight and spectral normalisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinygrad_bp.core.mode import no_grad
from tinygrad_bp.core.tensor import Tensor
from tinygrad_bp.errors import ArgumentError, SpecError, nearest, user_line
from tinygrad_bp.nn.arguments import between
from tinygrad_bp.nn.checked import by_annotations
from tinygrad_bp.nn.init import Seed, child_stream
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.parameter import Buffer, Parameter


class WeightNorm(Module):
    r"""A weight as length and direction: :math:`w = g\, v / \lVert v \rVert`; see `weight_norm`."""

    @by_annotations
    def __init__(self, weight: Tensor, axis: int | None = 0) -> None:
        if axis is not None and not -weight.ndim <= axis < weight.ndim:
            raise ArgumentError(
                f"a weight of shape {weight.shape} has no axis {axis} (at {user_line()}).\n"
                "Fix: the axis of the outputs, or None for one length of the whole weight."
            )
        self.axis = axis
        if axis is None:
            self._others = tuple(range(weight.ndim))
        else:
            self._others = tuple(i for i in range(weight.ndim) if i != axis % weight.ndim)
        v = weight.data
        g = np.sqrt(np.sum(v * v, axis=self._others, keepdims=axis is not None))
        self.original0 = Parameter(g, v.dtype, name="original0")
        self.original1 = Parameter(v, v.dtype, name="original1")

    def forward(self) -> Tensor:
        """Compute the weight."""
        v = self.original1
        length = np.sqrt(np.sum(v * v, axis=self._others, keepdims=self.axis is not None))
        w: Tensor = v * (self.original0 / length)
        return w

    def config(self) -> dict[str, Any]:
        """What a spec says of it."""
        return _changed("weight_norm", {"axis": self.axis})

    def extra_repr(self) -> str:
        """The axis that has lengths of its own."""
        return f"axis={self.axis}"


class _Directions(Module):
    """The singular vectors of the largest singular value, as power iteration finds them."""

    def __init__(self, matrix: Any, rng: np.random.Generator) -> None:
        u, v = (rng.standard_normal(n).astype(matrix.dtype) for n in matrix.shape)
        self._u = Buffer(u, name="_u")
        self._v = Buffer(v, name="_v")

    def step(self, matrix: Any, times: int, eps: float) -> None:
        """Come closer to them."""
        u, v = self._u.data, self._v.data
        for _ in range(times):
            u = matrix @ v
            u = u / max(np.linalg.norm(u), eps)
            v = matrix.T @ u
            v = v / max(np.linalg.norm(v), eps)
        self._u.assign(u)
        self._v.assign(v)


class SpectralNorm(Module):
    """A weight, divided by its largest singular value; see `spectral_norm`."""

    @by_annotations
    def __init__(
        self,
        weight: Tensor,
        n_power_iterations: int = 1,
        eps: float = 1e-12,
        axis: int = 0,
        *,
        generator: Seed = None,
    ) -> None:
        if not -weight.ndim <= axis < weight.ndim or n_power_iterations < 1:
            raise ArgumentError(
                f"a weight of shape {weight.shape} with axis={axis} and n_power_iterations="
                f"{n_power_iterations} (at {user_line()}).\n"
                "Fix: an axis of the weight, and at least one iteration."
            )
        self.n_power_iterations = n_power_iterations
        self.eps = between("eps", eps, 0)
        self.axis = axis
        self.original = Parameter(weight.data, weight.dtype, name="original")
        if weight.ndim > 1:  # PyTorch has them under the name "0"
            matrix = self._matrix(self.original.data)
            directions = _Directions(matrix, child_stream(generator))
            directions.step(matrix, 15, eps)
            setattr(self, "0", directions)

    def _matrix(self, weight: Any) -> Any:
        return np.moveaxis(weight, self.axis, 0).reshape(weight.shape[self.axis], -1)

    def forward(self) -> Tensor:
        """Compute the weight; in training, first come closer to the singular vectors."""
        weight = self.original
        if weight.ndim == 1:
            unit: Tensor = weight / np.maximum(np.linalg.norm(weight), self.eps)
            return unit
        directions = getattr(self, "0")
        if self.training:
            directions.step(self._matrix(weight.data), self.n_power_iterations, self.eps)
        u, v = directions._u.data.copy(), directions._v.data.copy()  # written to by the next call
        w: Tensor = weight / (u @ self._matrix(weight) @ v)
        return w

    def config(self) -> dict[str, Any]:
        """What a spec says of it."""
        told = {"n_power_iterations": self.n_power_iterations, "eps": self.eps, "axis": self.axis}
        return _changed("spectral_norm", told)

    def extra_repr(self) -> str:
        """What differs from the defaults."""
        return ", ".join(f"{key}={value}" for key, value in self.config().items())


def weight_norm(module: Any, name: str = "weight", axis: int | None = 0) -> Any:
    r"""Train the length and the direction of a weight apart: :math:`w = g\, v/\lVert v \rVert`.

    The parameters in the place of ``weight`` are ``parametrizations.weight.original0``, which is
    `g`, and ``original1``, `v`, as in PyTorch. T. Salimans and D. Kingma, "Weight normalization",
    NeurIPS 2016.

    Parameters
    ----------
    module : Module
        It is changed, and returned.
    name : str, default "weight"
        Of the parameter.
    axis : int or None, default 0
        The axis along which each slice has a length of its own; None: one length for all.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> layer = weight_norm(tg.nn.Linear(3, 2))
    >>> [(name, p.shape) for name, p in layer.named_parameters()]  # doctest: +NORMALIZE_WHITESPACE
    [('bias', (2,)),
     ('parametrizations.weight.original0', (2, 1)),
     ('parametrizations.weight.original1', (2, 3))]
    >>> layer.weight.shape
    (2, 3)
    """
    return parametrize(module, name, lambda weight: WeightNorm(weight, axis))


def spectral_norm(
    module: Any,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    axis: int = 0,
    *,
    generator: Seed = None,
) -> Any:
    """Divide a weight by its largest singular value, so that the layer stretches nothing.

    Each call in training takes steps of power iteration. The parameter in the place of ``weight``
    is ``parametrizations.weight.original``, with the buffers ``parametrizations.weight.0._u`` and
    ``_v``, as in PyTorch. T. Miyato et al., "Spectral normalization for generative adversarial
    networks", ICLR 2018.

    Parameters
    ----------
    module : Module
        It is changed, and returned.
    name : str, default "weight"
        Of the parameter.
    n_power_iterations : int, default 1
        Steps in each call.
    eps : float, default 1e-12
        Least length that vectors are divided by.
    axis : int, default 0
        The axis of the outputs; 1 in transposed convolutions.
    generator : Generator, int or None
        Where the first vectors come from.

    Examples
    --------
    >>> import numpy as np, tinygrad_bp as tg
    >>> layer = spectral_norm(tg.nn.Linear(3, 3, generator=0), generator=0).eval()
    >>> round(float(np.linalg.norm(layer.weight.data, 2)), 2)
    1.0
    """
    return parametrize(
        module,
        name,
        lambda weight: SpectralNorm(weight, n_power_iterations, eps, axis, generator=generator),
    )


def parametrize(module: Any, name: str, make: Callable[[Tensor], Module]) -> Any:
    """Put a module that computes a parameter, each time it is asked for, into its place.

    Parameters
    ----------
    module : Module
        It is changed, and returned.
    name : str
        Of the parameter, an attribute of the module.
    make : callable
        Given the parameter, the module, whose `forward` takes nothing.

    Raises
    ------
    ArgumentError
        There is no such parameter, or it is computed already. Nothing was changed.
    """
    computed = _computed(module)
    parameter = vars(module).get(str(name))
    if not isinstance(parameter, Tensor):
        known = [n for n, value in vars(module).items() if isinstance(value, Tensor)]
        said = "computes its" if str(name) in computed else "has no parameter"
        raise ArgumentError(
            f"{type(module).__name__} {said} {name!r} (at {user_line()}).\n"
            f"Fix: a parameter of the module itself; {nearest(name, known)}"
        )
    part = make(parameter).train(module.training)
    for each in part.parameters():
        each.requires_grad = parameter.requires_grad
    module.parametrizations = {**computed, name: part}
    delattr(module, name)
    return module


def remove_parametrizations(
    module: Any, name: str = "weight", leave_parametrized: bool = True
) -> Any:
    """Make a computed weight a parameter again, with the value that it has.

    Parameters
    ----------
    module : Module
        It is changed, and returned.
    name : str, default "weight"
        Of the parameter.
    leave_parametrized : bool, default True
        Whether the value is the computed one; otherwise that from which it was computed, of which
        weight normalisation has none.

    Raises
    ------
    ArgumentError
        The parameter is not computed, or there is no value from which it was. Nothing was changed.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> layer = remove_parametrizations(weight_norm(tg.nn.Linear(3, 2)))
    >>> sorted(layer.state_dict())
    ['bias', 'weight']
    """
    computed = _computed(module)
    if name not in computed:
        raise ArgumentError(
            f"{type(module).__name__} does not compute {name!r} (at {user_line()}).\n"
            f"Fix: {nearest(name, computed) if computed else 'leave it as it is.'}"
        )
    part = computed[name]
    if not leave_parametrized and not hasattr(part, "original"):
        raise ArgumentError(
            f"{type(part).__name__} has no original {name!r} (at {user_line()}).\n"
            "Fix: leave_parametrized=True"
        )
    with no_grad():
        value = (part.eval()() if leave_parametrized else part.original).data
    trained = any(p.requires_grad for p in part.parameters())
    rest = {key: other for key, other in computed.items() if key != name}
    if rest:
        module.parametrizations = rest
    else:
        del module.parametrizations
    setattr(module, name, Parameter(value, value.dtype, name=name).requires_grad_(trained))
    return module


def is_parametrized(module: Module, name: str | None = None) -> bool:
    """Whether a module computes a parameter, or any, from others.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> layer = weight_norm(tg.nn.Linear(3, 2))
    >>> is_parametrized(layer), is_parametrized(layer, "bias")
    (True, False)
    """
    computed = _computed(module)
    return bool(computed) if name is None else name in computed


def _computed(module: Any) -> dict[str, Any]:
    if not isinstance(module, Module):
        raise ArgumentError(
            f"parameters are computed in a module, not in {module!r} (at {user_line()}).\n"
            "Fix: as weight_norm(nn.Linear(3, 2))."
        )
    return dict(vars(module).get("parametrizations", {}))


_DECLARED = {"weight_norm": WeightNorm, "spectral_norm": SpectralNorm}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "weight_norm": {"axis": 0},
    "spectral_norm": {"n_power_iterations": 1, "eps": 1e-12, "axis": 0},
}


def _changed(kind: str, told: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in told.items() if value != _DEFAULTS[kind][key]}


def in_full(declaration: Any) -> dict[str, Any]:
    """What a spec says of a parametrization, with all defaults written out."""
    options = {"name": declaration} if isinstance(declaration, str) else declaration
    return {**_DEFAULTS[options["name"]], **options}


def declare(module: Module, name: str, declaration: Any, rng: np.random.Generator) -> None:
    """Normalise a parameter as a spec declares it: ``"weight_norm"``, or a dict with that name.

    Raises
    ------
    SpecError
        There is no such parameter or normalisation.
    """
    options = {"name": declaration} if isinstance(declaration, str) else declaration
    if not isinstance(options, Mapping) or options.get("name") not in _DECLARED:
        said = options.get("name") if isinstance(options, Mapping) else options
        raise SpecError(
            f"has the parametrization {said!r} of {name!r}.\nFix: {nearest(str(said), _DECLARED)}"
        )
    path, _, attribute = name.rpartition(".")
    owner = dict(module.named_modules()).get(path)
    arguments = {key: value for key, value in options.items() if key != "name"}
    for key in arguments:
        if key not in _DEFAULTS[options["name"]]:
            near = nearest(str(key), _DEFAULTS[options["name"]])
            raise SpecError(f"{options['name']} of {name!r} has no option {key!r}.\nFix: {near}")
    cls: Any = _DECLARED[options["name"]]
    if cls is SpectralNorm:
        arguments["generator"] = rng
    known = [n for n, _ in module.named_parameters()]
    if owner is None or not isinstance(vars(owner).get(attribute), Parameter):
        raise SpecError(f"has no parameter {name!r} to normalise.\nFix: {nearest(name, known)}")
    parametrize(owner, attribute, lambda weight: cls(weight, **arguments))


def declared(module: Module) -> dict[str, Any]:
    """What a spec says of the parameters of a module, and those below it, that are computed."""
    names = {cls: name for name, cls in _DECLARED.items()}
    found: dict[str, Any] = {}
    for path, each in module.named_modules():
        for name, part in _computed(each).items():
            if type(part) not in names:
                raise SpecError(
                    f"computes {name!r} by {part!r}, which no spec can declare.\n"
                    f"Fix: {' or '.join(_DECLARED)}, or remove_parametrizations(module)."
                )
            options: Any = part.config()
            kind = names[type(part)]
            key = f"{path}.{name}" if path else name
            found[key] = {"name": kind, **options} if options else kind
    return found
