"""The loop that both estimators train with, and when it ends."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp import optim
from tinygrad_bp.core import Tensor
from tinygrad_bp.data import DataLoader
from tinygrad_bp.errors import ArgumentError, NonFiniteError, nearest
from tinygrad_bp.nn import Module, functional

Array = NDArray[Any]
Loss = Callable[..., Tensor]


def loss_function(loss: Any) -> Loss:
    """The loss of that name in `nn.functional`, or the function or module itself.

    Raises
    ------
    ArgumentError
        There is no such loss.

    Examples
    --------
    >>> loss_function("l1_loss").__name__
    'l1_loss'
    """
    if isinstance(loss, Module) and hasattr(loss, "reduction"):
        return partial(_by_module, loss)
    if callable(loss):
        return loss  # type: ignore[no-any-return]  # what it returns shows when it is called
    found: Any = getattr(functional, loss, None) if isinstance(loss, str) else None
    if not _is_loss(found):
        known = [name for name, function in vars(functional).items() if _is_loss(function)]
        raise ArgumentError(
            f"there is no loss {loss!r} in nn.functional: {nearest(str(loss), known)}\n"
            "Fix: a name, a loss of nn, or a function (outputs, targets, reduction=...)."
        )
    return found  # type: ignore[no-any-return]


def _by_module(module: Any, outputs: Tensor, targets: Array, reduction: str) -> Tensor:
    """What a loss of `nn` gives with another reduction than its own."""
    module = copy.copy(module)
    module.reduction = reduction
    loss: Tensor = module(outputs, targets)
    return loss


def _is_loss(found: Any) -> bool:
    return inspect.isfunction(found) and "reduction" in inspect.signature(found).parameters


def make_optimizer(name: Any, model: Module, lr: float, options: dict[str, Any] | None) -> Any:
    """The optimizer of a name in `optim`, or of a class, on the parameters of a network."""
    if isinstance(name, str):
        found = getattr(optim, name, None)
        if not isinstance(found, type) or not issubclass(found, optim.Optimizer):
            known = [n for n, o in vars(optim).items() if hasattr(o, "zero_grad")]
            raise ArgumentError(
                f"there is no optimizer {name!r} in optim: {nearest(name, known)}\n"
                "Fix: the name of a class, or a class."
            )
        name = found
    return name(model.parameters(), lr=lr, **(options or {}))


def batch_loss(loss: Loss, outputs: Tensor, targets: Array, weights: Array | None) -> Tensor:
    """The mean over samples, each times its weight; over all outputs of a sample, the plain mean.

    Examples
    --------
    >>> from tinygrad_bp import as_tensor
    >>> x, y = as_tensor(np.array([[1.0, 3.0], [4.0, 4.0]])), np.zeros((2, 2))
    >>> batch_loss(functional.mse_loss, x, y, np.array([2.0, 0.0])).item()
    5.0
    """
    if weights is None:
        return loss(outputs, targets, reduction="mean")
    each = loss(outputs, targets, reduction="none")
    if each.ndim > 1:
        each = each.reshape(len(each), -1).mean(axis=1)
    total: Tensor = (each * weights.astype(each.dtype)).mean()
    return total


def columns(outputs: Any) -> Any:
    """Outputs of a network as (N, outputs), also where it gives (N,)."""
    return outputs[:, None] if outputs.ndim == 1 else outputs


def epoch(model: Module, optimizer: Any, loss: Loss, batches: Iterable[Any]) -> float:
    """One pass over the samples; the mean loss of its batches, as they were met.

    Raises
    ------
    NonFiniteError
        The loss became NaN or infinite.
    """
    total, count = 0.0, 0
    model.train()
    with np.errstate(all="ignore"):
        for x, targets, *weights in batches:
            value = _step(model, optimizer, loss, x, targets, weights[0] if weights else None)
            total, count = total + value * len(x), count + len(x)
    optimizer.zero_grad()  # what is kept of an epoch has no gradients
    model.eval()
    if not np.isfinite(total):
        raise NonFiniteError(
            f"training stopped: the loss is {total / count}.\n"
            "Fix: scale the inputs, as with StandardScaler before it in a pipeline, or a smaller "
            "lr."
        )
    return total / count


def _step(
    model: Module, optimizer: Any, loss: Loss, x: Array, targets: Array, weights: Array | None
) -> float:
    def closure() -> Tensor:
        value = batch_loss(loss, columns(model(x)), targets, weights)
        optimizer.zero_grad()
        value.backward()
        return value

    if isinstance(optimizer, optim.LBFGS):
        return float(optimizer.step(closure).item())
    value = closure()
    optimizer.step()
    return float(value.item())


def batches(
    arrays: list[Array], batch_size: Any, shuffle: bool, generator: np.random.Generator
) -> DataLoader:
    """Batches of the samples, none larger than all; the whole set at once is not shuffled.

    Raises
    ------
    ArgumentError
        The batch size is no size.
    """
    count = len(arrays[0])
    size = min(200, count) if isinstance(batch_size, str) and batch_size == "auto" else batch_size
    if isinstance(size, int | np.integer):
        size = min(int(size), count)
    return DataLoader(
        *arrays, batch_size=size, shuffle=bool(shuffle) and size < count, generator=generator
    )


class Progress:
    """Whether a number that should fall still falls.

    Parameters
    ----------
    tol : float or None
        By how much it must fall below the best to count as falling; None: it never ends.
    patience : int
        Epochs without falling that end the training.

    Examples
    --------
    >>> progress = Progress(tol=0.1, patience=2)
    >>> for value in (1.0, 0.5, 0.45, 0.44):
    ...     print(progress.update(value), progress.stalled)
    True False
    True False
    True False
    True True
    """

    def __init__(self, tol: float | None, patience: int) -> None:
        self.tol, self.patience = tol, patience
        self.best, self.waited = np.inf, 0

    def update(self, value: float) -> bool:
        """Take the number of an epoch into account; whether it is the best so far."""
        self.waited = 0 if value < self.best - (self.tol or 0.0) else self.waited + 1
        better = value < self.best
        self.best = min(self.best, value)
        return bool(better)

    @property
    def stalled(self) -> bool:
        """Whether it is time to end."""
        return self.tol is not None and self.waited >= self.patience
