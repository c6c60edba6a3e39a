"""`Module`: a part of a network, which finds its parameters by looking at its attributes."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from tinygrad_bp.core.hooks import HookHandle, add_hook
from tinygrad_bp.core.mode import MODE, Call, Mode
from tinygrad_bp.core.tensor import Tensor
from tinygrad_bp.errors import ArgumentError, GraphError, user_line
from tinygrad_bp.nn import state
from tinygrad_bp.nn.arguments import one_line, real
from tinygrad_bp.nn.parameter import Buffer, Parameter

if TYPE_CHECKING:
    from tinygrad_bp.nn.summary import Summary

_HOOKS = ("_forward_pre_hooks", "_forward_hooks")


class Module:
    """A part of a network: parameters, other modules, and a `forward` that computes with them.

    A subclass assigns its parts to attributes and writes `forward`; ``super().__init__()`` is not
    needed. Parts are found in the attributes, and in lists, tuples and dicts there, in the order
    of their definition. Their names are dotted: ``layers.0.weight``. One that is reached twice
    counts once, under its first name.

    A `Parameter` is trained; so is a leaf tensor that requires a gradient, which therefore counts
    as a parameter. A `Buffer` is saved but not trained. Other tensors are none of the state.

    Copies and pickles hold the values, the gradients and the states of the random generators; the
    graph and the hooks stay behind.

    Attributes
    ----------
    training : bool
        Whether the module is being trained, which `train` and `eval` say; Dropout asks it.
    takes_indices : bool
        Whether its input is whole numbers, as that of Embedding is, which says so in its class.
        Dry runs and `summary` then give it integers.

    Examples
    --------
    >>> import numpy as np, tinygrad_bp as tg
    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope = Parameter(2.0)
    ...         self.offset = Parameter(1.0)
    ...
    ...     def forward(self, x):
    ...         return x * self.slope + self.offset
    >>> line = Line()
    >>> line(np.array([0.0, 1.0])).sum().backward()
    >>> {name: p.grad.item() for name, p in line.named_parameters()}
    {'slope': 1.0, 'offset': 2.0}
    """

    training: bool = True
    takes_indices: bool = False
    _forward_pre_hooks: list[Callable[..., Any]] | None = None
    _forward_hooks: list[Callable[..., Any]] | None = None

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """Compute the output; every subclass writes its own, and users call the module itself."""
        raise NotImplementedError(
            f"{type(self).__name__} has no forward method.\n"
            f"Fix: define forward(self, x) in the class {type(self).__name__}."
        )

    def __call__(self, *inputs: Any, **kwargs: Any) -> Any:
        """Run the hooks and `forward`; nodes and errors then know that they belong here."""
        mode = MODE.get()
        call = Call(self, mode.call)  # a local, so that a traceback knows it; see draw.failure
        MODE.set(Mode(mode.recording, mode.anomaly, call))
        try:
            if self._forward_pre_hooks:
                for hook in list(self._forward_pre_hooks):
                    changed = hook(self, inputs)
                    if changed is not None:
                        inputs = changed if isinstance(changed, tuple) else (changed,)
            output = self.forward(*inputs, **kwargs)
            if self._forward_hooks:
                for hook in list(self._forward_hooks):
                    changed = hook(self, inputs, output)
                    if changed is not None:
                        output = changed
            return output
        except RecursionError as error:
            if mode.call is not None:
                raise
            raise GraphError(
                f"the call of this {type(self).__name__} goes deeper than Python allows (at "
                f"{user_line()}).\nFix: take a module out of itself; put layers one after another "
                "into one Sequential, not each into the one before."
            ) from error
        finally:
            MODE.set(mode)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, (np.ndarray, np.generic, list, float, int, Tensor)):
            state.keep_trained(self, name, value)
        object.__setattr__(self, name, value)

    if not TYPE_CHECKING:  # checkers of types would take any name for an attribute

        def __getattr__(self, name: str) -> Any:
            """A parameter that is computed from others: see `nn.parametrizations`."""
            computed = vars(self).get("parametrizations", {})
            if name in computed:
                return computed[name]()
            return object.__getattribute__(self, name)  # the error as it was, of a property too

    def _attributes(self) -> Iterable[tuple[str, Any]]:
        """The attributes in which parts are looked for, with their names."""
        return [item for item in vars(self).items() if item[0] not in _HOOKS]

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """Itself, under the name ``""``, and all modules below, with dotted names."""
        return ((name, part) for name, part in walk(self) if isinstance(part, Module))

    def modules(self) -> Iterator[Module]:
        """Itself and all modules below."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly below this one."""
        return ((name, part) for name, part in members(self) if isinstance(part, Module))

    def children(self) -> Iterator[Module]:
        """The modules directly below this one."""
        return (module for _, module in self.named_children())

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """The parameters of this module and all below it, with dotted names."""
        return ((name, part) for name, part in walk(self) if is_parameter(part))

    def parameters(self) -> Iterator[Tensor]:
        """The parameters of this module and all below it."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """The buffers of this module and all below it, with dotted names."""
        return ((name, part) for name, part in walk(self) if isinstance(part, Buffer))

    def generators(self) -> Iterator[tuple[str, np.random.Generator]]:
        """The random generators below this module, with dotted names.

        Their ``bit_generator.state`` is a plain dict; to write it back continues the stream where
        it was, bit for bit.

        Examples
        --------
        >>> import numpy as np, tinygrad_bp as tg
        >>> model = tg.nn.Sequential(tg.nn.Dropout(0.5, generator=0))
        >>> states = {name: g.bit_generator.state for name, g in model.generators()}
        >>> first = model(np.ones(8))
        >>> for name, generator in model.generators():
        ...     generator.bit_generator.state = states[name]
        >>> bool(np.all(model(np.ones(8)) == first))
        True
        """
        return ((n, part) for n, part in walk(self) if isinstance(part, np.random.Generator))

    def unused_parameters(self) -> dict[str, str]:
        """The parameters that no backward pass has reached since `zero_grad`, and why.

        Returns
        -------
        dict of str to str
            By name: where the parameter was cut off, as by ``detach()``; or that nothing on the way
            to the loss used it.

        Examples
        --------
        >>> import tinygrad_bp as tg
        >>> tg.nn.Linear(2, 1, bias=False).unused_parameters()
        {'weight': 'not used on the way to the loss'}
        """
        return {
            name: p._cut or "not used on the way to the loss"
            for name, p in self.named_parameters()
            if p.requires_grad and p.grad is None
        }

    def train(self, mode: bool = True) -> Self:
        """Set `training` here and below; returns the module."""
        if not isinstance(mode, (bool, np.bool_)):
            raise ArgumentError(
                f"train() takes True or False, not {mode!r} (at {user_line()}).\n"
                "Fix: train(), or eval() for predictions."
            )
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set `training` to False here and below, as for predictions; returns the module."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Set the gradients of all parameters to None."""
        for parameter in self.parameters():
            parameter.grad = parameter._cut = None

    def astype(self, dtype: npt.DTypeLike) -> Self:
        """Change parameters, and buffers of real numbers, to another dtype, in place.

        Gradients are set to None. Make an optimizer afterwards: one that was made before still
        writes to the old arrays.

        Raises
        ------
        DTypeError
            The dtype is not one of real floating-point numbers. Nothing was changed.
        """
        target = real(dtype)
        self.zero_grad()
        for _, tensor in state.entries(self):
            if tensor.dtype.kind == "f" and tensor.dtype != target:
                tensor.data = tensor.data.astype(target)
        return self

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of the values of all parameters and buffers, by dotted name.

        Examples
        --------
        >>> import tinygrad_bp as tg
        >>> {name: a.shape for name, a in tg.nn.Linear(3, 2).state_dict().items()}
        {'weight': (2, 3), 'bias': (2,)}
        """
        return {name: np.array(tensor.data) for name, tensor in state.entries(self)}

    def load_state_dict(self, values: Mapping[str, Any], strict: bool = True) -> state.LoadReport:
        """Write the values of a `state_dict` into the parameters and buffers, in place.

        Parameters
        ----------
        values : mapping of str to array_like
            By dotted name. They are cast to the dtype of what they are written to.
        strict : bool, default True
            Whether every name must be there on both sides. Otherwise what fits is written.

        Returns
        -------
        LoadReport
            What was left out; empty where everything fitted.

        Raises
        ------
        StateDictError
            Strict, and something does not fit. It lists all that is missing, unexpected or of
            another shape. Nothing was changed.
        """
        return state.load(self, values, strict)

    def __getstate__(self) -> dict[str, Any]:
        """The attributes without hooks; an intermediate tensor among them becomes a constant."""
        return {
            name: value.detach() if isinstance(value, Tensor) and value.node is not None else value
            for name, value in vars(self).items()
            if name not in _HOOKS
        }

    def register_forward_hook(self, hook: Callable[[Any, Any, Any], Any]) -> HookHandle:
        """Call ``hook(module, inputs, output)`` after each `forward`.

        What the hook returns takes the output's place; None leaves it. `inputs` is the tuple of
        positional arguments.

        Returns
        -------
        HookHandle
            ``handle.remove()`` takes the hook away.
        """
        return add_hook(self, "_forward_hooks", hook, "module, inputs, output")

    def register_forward_pre_hook(self, hook: Callable[[Any, Any], Any]) -> HookHandle:
        """Call ``hook(module, inputs)`` before each `forward`.

        What the hook returns, a tuple or a single input, takes the place of the inputs; None
        leaves them. Returns a handle as `register_forward_hook` does.
        """
        return add_hook(self, "_forward_pre_hooks", hook, "module, inputs")

    def summary(
        self, input_shape: Any, batch_size: int = 1, dtype: npt.DTypeLike | None = None
    ) -> Summary:
        """A table of all modules: shapes of outputs, parameters, multiply-adds, memory.

        Zeros go through the module once, in eval mode; its graph tells what that cost. What stands
        in several places counts in the first.

        Parameters
        ----------
        input_shape : int, tuple of int, or several of them
            Without the batch axis. A list of tuples, or a mapping to them, stands for several
            inputs.
        batch_size : int, default 1
            Length of the batch axis, which comes first.
        dtype : dtype, optional
            Of the zeros. By default that of the parameters, or integers where the module
            `takes_indices`.

        Examples
        --------
        >>> import tinygrad_bp as tg
        >>> print(tg.nn.Linear(3, 2).summary(3))
        layer  type    output  parameters  multiply-adds     kept
        -----  ------  ------  ----------  -------------  -------
        .      Linear  (1, 2)           8              6  8 bytes
        8 parameters (32 bytes), all trained
        6 multiply-adds; 8 bytes kept for the backward pass
        """
        from tinygrad_bp.nn.summary import summarize

        return summarize(self, input_shape, batch_size, dtype)

    def extra_repr(self) -> str:
        """What stands in the brackets of the repr of a module without parts."""
        return ""

    def _lines(self) -> Iterable[tuple[str, Any]]:
        """The parts that the repr shows, with their names."""
        return self.named_children()

    @reprlib.recursive_repr("...")
    def __repr__(self) -> str:
        head = f"{type(self).__name__}({self.extra_repr()}"
        try:
            parts = [(one_line(name), repr(part)) for name, part in self._lines()]
        except RecursionError:  # below, it goes deeper than Python allows
            return f"{head}...)"
        lines = [f"({name}): {part}".replace("\n", "\n  ") for name, part in parts]
        return head + "".join(f"\n  {line}" for line in lines) + ("\n)" if lines else ")")


def members(module: Module) -> Iterator[tuple[str, Any]]:
    """Modules, tensors and generators in the attributes of a module, and in containers there."""
    stack = list(module._attributes())[::-1]
    seen: set[int] = set()
    while stack:
        name, value = stack.pop()
        if isinstance(value, (Module, Tensor, np.random.Generator)):
            yield name, value
        elif isinstance(value, (list, tuple, dict)) and id(value) not in seen:
            seen.add(id(value))
            items = value.items() if isinstance(value, dict) else enumerate(value)
            stack.extend([(f"{name}.{key}", item) for key, item in items][::-1])


def walk(module: Module) -> Iterator[tuple[str, Any]]:
    """A module and all modules, tensors and generators below it, each once, in order.

    Raises
    ------
    ArgumentError
        Two of them have the same name, as under the keys 1 and "1" of a dict.
    """
    names: set[str] = set()
    for name, part, before in places(module):
        if before is not None:
            continue
        if name in names:
            raise ArgumentError(
                f"two parts of {type(module).__name__} have the same name {name!r}.\n"
                "Fix: use keys without dots that differ as text."
            )
        names.add(name)
        yield name, part


def places(module: Module) -> Iterator[tuple[str, Any, str | None]]:
    """A module and all below it, in order; what was there before, with its name there."""
    stack: list[tuple[str, Any]] = [("", module)]
    first: dict[int, str] = {}
    while stack:
        name, part = stack.pop()
        before = first.get(id(part))
        yield name, part, before
        first.setdefault(id(part), name)
        if isinstance(part, Module) and before is None:
            below = [(f"{name}.{k}" if name else k, each) for k, each in members(part)]
            stack.extend(below[::-1])


def is_parameter(part: Any) -> bool:
    """Whether a part of a module is trained with it: a `Parameter`, or a leaf with a gradient."""
    return isinstance(part, Parameter) or (
        isinstance(part, Tensor) and part.requires_grad and part.node is None
    )
