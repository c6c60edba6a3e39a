"""Layers: linear maps and flattening, and the words for a layer in messages."""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.core.mode import MODE
from tinygrad_bp.core.registry import FUNCTIONS
from tinygrad_bp.core.tensor import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, ShapeError, SpecError, nearest, user_line
from tinygrad_bp.nn import functional
from tinygrad_bp.nn.arguments import positive
from tinygrad_bp.nn.containers import Layers
from tinygrad_bp.nn.init import Declaration, Seed, child_stream, initialize
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.parameter import Parameter
from tinygrad_bp.nn.registry import register_layer
from tinygrad_bp.ops.linear_algebra import linear


@register_layer
class Identity(Module):
    """The input as it is.

    Examples
    --------
    >>> Identity()(3.0)
    3.0
    """

    def forward(self, x: Any) -> Any:
        """The input."""
        return x


@register_layer
class Linear(Module):
    r"""An affine map of the last axis: :math:`y = x W^\top + b`.

    Parameters
    ----------
    in_features : int
        Length of the last axis of the input.
    out_features : int
        Length of the last axis of the output.
    bias : bool, default True
        Whether there is a `b`.
    dtype : dtype, default float32
        Of the parameters.
    generator : Generator, int or None
        Where the first values come from; a generator gives this layer a child stream of its own.
    weight_init, bias_init : str or dict, optional
        An initializer of `nn.init`. Without one, both are uniform on ±1/√in_features.

    Attributes
    ----------
    weight : Parameter
        Of shape (out_features, in_features).
    bias : Parameter or None
        Of shape (out_features,).

    Raises
    ------
    ArgumentError
        A size is not a positive integer, or an initializer is not known.
    ShapeError
        On a call: the last axis of the input is not in_features long.

    Examples
    --------
    >>> import numpy as np
    >>> Linear(784, 10)(np.zeros((64, 784), np.float32)).shape
    (64, 10)
    >>> Linear(2, 1, weight_init={"name": "constant", "value": 3}, bias_init="zeros").weight
    Tensor([[3., 3.]], dtype=float32, name='weight', requires_grad=True)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        dtype: npt.DTypeLike = np.float32,
        generator: Seed = None,
        weight_init: Declaration | None = None,
        bias_init: Declaration | None = None,
    ) -> None:
        self.in_features = positive("in_features", in_features)
        self.out_features = positive("out_features", out_features)
        self.weight_init = weight_init
        self.bias_init = bias_init
        bound = in_features**-0.5
        default = {"name": "uniform", "low": -bound, "high": bound}
        rng = child_stream(generator)
        shape = (self.out_features, self.in_features)
        values = initialize(default if weight_init is None else weight_init, shape, rng, dtype)
        # Column after column in memory: 32 samples of 784 features, to 128, take 75 µs forward in
        # place of 111, which is a third of what a step of training costs them.
        self.weight = Parameter(np.asfortranarray(values), dtype, name="weight")
        self.bias: Parameter | None = None
        if bias:
            values = initialize(default if bias_init is None else bias_init, shape[:1], rng, dtype)
            self.bias = Parameter(values, dtype, name="bias")

    def forward(self, x: Any) -> Tensor:
        """Map (..., in_features) to (..., out_features)."""
        x = as_tensor(x)
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise _misfit(self, x.shape)
        y: Tensor = linear(x, self.weight, self.bias)
        return y

    def config(self) -> dict[str, Any]:
        """What a spec says of this layer."""
        return {
            "out_features": self.out_features,
            "bias": self.bias is not None,
            "weight_init": self.weight_init,
            "bias_init": self.bias_init,
        }

    def extra_repr(self) -> str:
        """Sizes, and whether there is a bias."""
        return f"{self.in_features}, {self.out_features}" + (
            "" if self.bias is not None else ", bias=False"
        )


@register_layer
class Flatten(Module):
    """Join the axes from `start_axis` to `end_axis` into one; by default all but the batch axis.

    Examples
    --------
    >>> import numpy as np
    >>> Flatten()(np.zeros((64, 28, 28))).shape
    (64, 784)
    >>> Flatten(1, 2)(np.zeros((64, 4, 5, 3))).shape
    (64, 20, 3)
    """

    def __init__(self, start_axis: int = 1, end_axis: int = -1) -> None:
        self.start_axis = operator.index(start_axis)
        self.end_axis = operator.index(end_axis)

    def forward(self, x: Any) -> Any:
        """Map (n, a, b, ...) to (n, a·b·...)."""
        shape = np.shape(x)
        start = self.start_axis + len(shape) if self.start_axis < 0 else self.start_axis
        end = self.end_axis + len(shape) if self.end_axis < 0 else self.end_axis
        if not 0 <= start <= len(shape):
            raise ShapeError(
                f"{_where(self)}: an input of shape {shape} has no axis {self.start_axis} to "
                "flatten from.\nFix: pass a batch, or another start_axis."
            )
        if not start - 1 <= end < len(shape):
            raise ShapeError(
                f"{_where(self)}: of an input of shape {shape} no axes {self.start_axis} to "
                f"{self.end_axis} can be joined.\nFix: another end_axis."
            )
        size = int(np.prod(shape[start : end + 1]))
        return np.reshape(x, (*shape[:start], size, *shape[end + 1 :]))

    def extra_repr(self) -> str:
        """The axes, where they are not the defaults."""
        if self.end_axis != -1:
            return f"start_axis={self.start_axis}, end_axis={self.end_axis}"
        return "" if self.start_axis == 1 else f"start_axis={self.start_axis}"


@register_layer
class Unflatten(Module):
    """Split an axis into several: what `Flatten` joined.

    Parameters
    ----------
    axis : int
        The axis that is split, counted with the batch axis.
    unflattened_size : sequence of int
        The lengths that take its place; one of them may be -1, and follows from the others.

    Examples
    --------
    >>> import numpy as np
    >>> Unflatten(1, (1, 28, -1))(np.zeros((64, 784))).shape
    (64, 1, 28, 28)
    """

    def __init__(self, axis: int, unflattened_size: Sequence[int]) -> None:
        self.axis = operator.index(axis)
        sizes = unflattened_size
        whole = isinstance(sizes, (tuple, list)) and all(
            isinstance(n, (int, np.integer)) for n in sizes
        )
        if not whole or min(sizes, default=0) < -1:
            raise ArgumentError(
                f"unflattened_size is a tuple of lengths, not {sizes!r} (at {user_line()}).\n"
                "Fix: as (1, 28, 28), or (1, 28, -1)."
            )
        self.unflattened_size = [operator.index(n) for n in sizes]

    def forward(self, x: Any) -> Any:
        """Map (n, a·b·...) to (n, a, b, ...)."""
        shape = np.shape(x)
        axis = self.axis + len(shape) if self.axis < 0 else self.axis
        sizes = tuple(self.unflattened_size)
        known = int(np.prod([n for n in sizes if n != -1]))
        if 0 <= axis < len(shape) and sizes.count(-1) == 1 and known and not shape[axis] % known:
            sizes = tuple(shape[axis] // known if n == -1 else n for n in sizes)
        if not 0 <= axis < len(shape) or -1 in sizes or np.prod(sizes) != shape[axis]:
            raise ShapeError(
                f"{_where(self)}: axis {self.axis} of an input of shape {shape} cannot be split "
                f"into {tuple(self.unflattened_size)}.\n"
                "Fix: sizes whose product is the length of the axis."
            )
        return np.reshape(x, (*shape[:axis], *sizes, *shape[axis + 1 :]))

    def extra_repr(self) -> str:
        """The axis and the sizes."""
        return f"{self.axis}, {tuple(self.unflattened_size)}"


@register_layer
class Lambda(Module):
    """A function as a layer.

    Parameters
    ----------
    function : callable or str
        A function of tensors. A text, ``"np.mean"`` or ``"F.relu"``, names one of NumPy or of
        `nn.functional`; only then can a spec declare the layer.
    arguments : dict, optional
        Keywords of the function.

    Raises
    ------
    ArgumentError
        It is no function, or there is none of this name.

    Examples
    --------
    >>> import numpy as np
    >>> Lambda(lambda x: x * 2)(np.ones(2))
    array([2., 2.])
    >>> Lambda("np.mean", {"axis": 1})
    Lambda(np.mean, axis=1)
    """

    def __init__(
        self, function: Callable[..., Any] | str, arguments: Mapping[str, Any] | None = None
    ) -> None:
        self.function = function
        if arguments is not None and not isinstance(arguments, Mapping):
            raise ArgumentError(
                f"the arguments of a Lambda are a dict, not {arguments!r}.\n"
                'Fix: keywords of the function, as {"axis": 1}.'
            )
        self.arguments = None if arguments is None else dict(arguments)
        self._call = _named_function(function) if isinstance(function, str) else function
        if not callable(self._call) or isinstance(function, (type, Module)):
            raise ArgumentError(
                f"the function of a Lambda is {function!r}.\n"
                "Fix: a function of tensors; a module is a layer without Lambda."
            )

    def forward(self, *inputs: Any) -> Any:
        """Call the function."""
        keywords = (self.arguments or {}).items()  # data has lists where NumPy wants tuples
        return self._call(
            *inputs, **{k: tuple(v) if isinstance(v, list) else v for k, v in keywords}
        )

    def config(self) -> dict[str, Any]:
        """What a spec says of this layer."""
        if not isinstance(self.function, str):
            raise SpecError(
                f"a spec cannot declare {self!r}: a function is no plain data.\n"
                'Fix: its name, as in Lambda("np.mean"), or a module of your own that is decorated '
                "with @register_layer."
            )
        return {"function": self.function, "arguments": self.arguments}

    def extra_repr(self) -> str:
        """The function, by its name."""
        name = self.function if isinstance(self.function, str) else _function_name(self.function)
        return ", ".join([name, *(f"{k}={value!r}" for k, value in (self.arguments or {}).items())])


def label(layer: Any) -> str:
    """What a message calls a layer: ``Linear 128→10``, ``ReLU``."""
    if isinstance(layer, Linear):
        return f"Linear {layer.in_features}→{layer.out_features}"
    return type(layer).__name__ if isinstance(layer, Module) else _function_name(layer)


def _named_function(name: str) -> Any:
    """The function of NumPy, or of `nn.functional`, that has this name."""
    room, _, own = name.partition(".")
    if room == "F":
        known = {each: getattr(functional, each) for each in functional.__all__}
    elif room == "np":
        known = {each: getattr(np, each) for each in dir(np) if _has_rule(getattr(np, each))}
    else:
        raise ArgumentError(
            f"{name!r} is no name of a function for a Lambda.\n"
            'Fix: "np.mean", of NumPy, or "F.relu", of tinygrad_bp.nn.functional.'
        )
    if own not in known:
        near = nearest(own, known)
        if near.startswith("known"):
            near = "a name of nn.functional, as 'F.relu', or of NumPy, as 'np.tanh'."
        raise ArgumentError(f"there is no function {name!r} of tensors.\nFix: {near}")
    return known[own]


def name_of(function: Any) -> str | None:
    """The name by which `Lambda` finds a function, if it does.

    Examples
    --------
    >>> name_of(np.tanh), name_of(functional.relu), name_of(lambda x: x)
    ('np.tanh', 'F.relu', None)
    """
    own = getattr(function, "__name__", "")
    if own in functional.__all__ and getattr(functional, own) is function:
        return f"F.{own}"
    return f"np.{own}" if getattr(np, own, None) is function and _has_rule(function) else None


def _has_rule(function: Any) -> bool:
    return isinstance(function, Hashable) and function in FUNCTIONS


def _function_name(function: Any) -> str:
    return str(getattr(function, "__name__", function))


def _where(layer: Module) -> str:
    return f"in {MODE.get().path() or type(layer).__name__} ({label(layer)})"


def _previous() -> tuple[str, Any] | None:
    """The layer before the one at work, with its path, where containers tell."""
    modules = MODE.get().modules()
    names = {id(m): n for n, m in modules[0].named_modules()} if modules else {}
    for parent, layer in zip(modules[-2::-1], modules[:0:-1], strict=True):
        if not isinstance(parent, Layers):
            return None
        name = next((name for name, each in parent.items() if each is layer), "")
        before = parent.before(name)
        if before is not None:
            parts = (type(modules[0]).__name__, names.get(id(parent), ""), before)
            return ".".join(part for part in parts if part), parent[before]
    return None


def _misfit(layer: Linear, shape: tuple[int, ...]) -> ShapeError:
    """The error for an input whose last axis has another length than the layer expects."""
    n = layer.in_features
    message = f"{_where(layer)}: input {shape}, expected (…, {n})."
    fix = f"pass an input whose last axis has length {n}."
    start = next((i for i in range(1, len(shape)) if np.prod(shape[i:]) == n), None)
    if start is not None:
        message += f" Its last {len(shape) - start} axes have {n} elements: is a Flatten missing?"
        fix = f"put Flatten({'' if start == 1 else f'start_axis={start}'}) before it."
    elif shape:
        width = shape[-1]
        fix = f"make it Linear({width}, {layer.out_features}), or {fix}"
        previous = _previous()
        if previous is not None:
            path, before = previous
            message += (
                f" The previous layer {path} ({label(before)}) gave {width}: is a "
                f"Linear({width}, {n}) missing?"
            )
    return ShapeError(f"{message}\nFix: {fix}")
