"""Averages of the weights of a training: stochastic weight averaging, and moving averages."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.core.mode import no_grad
from tinygrad_bp.errors import StateDictError, require_argument, user_line
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.parameter import Buffer
from tinygrad_bp.optim.checks import is_number, plain
from tinygrad_bp.optim.flat import Array

AverageOf = Callable[[Array, Array, int], Array]


class AveragedModel(Module):
    r"""A copy of a model whose parameters are the average of those that the model had.

    .. math:: \bar w \leftarrow \bar w + (w - \bar w) / (n + 1)

    each time that `update_parameters` is called [1]_; or what `avg_fn` makes of them, as
    ``get_ema_avg_fn(0.999)``. After the training, `update_bn` makes the statistics of batch
    normalisation anew, which are not those of the average.

    Parameters
    ----------
    model : Module
        The model. It is copied.
    avg_fn : callable, optional
        Of the average, the present values and how many went into the average: the new average.
    use_buffers : bool, default False
        Whether buffers of real numbers are averaged, too; otherwise they are those of the model.

    Attributes
    ----------
    module : Module
        The copy.
    n_averaged : Buffer
        How many went into the average.

    References
    ----------
    .. [1] P. Izmailov et al., "Averaging weights leads to wider optima and better generalization",
       UAI 2018, https://arxiv.org/abs/1803.05407

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> model = tg.nn.Linear(1, 1, bias=False)
    >>> averaged = AveragedModel(model)
    >>> for weight in (1.0, 2.0, 6.0):
    ...     _ = model.weight.assign([[weight]])
    ...     averaged.update_parameters(model)
    >>> averaged(np.ones((1, 1), np.float32)).item()
    3.0
    """

    def __init__(
        self, model: Module, avg_fn: AverageOf | None = None, use_buffers: bool = False
    ) -> None:
        _check_module("AveragedModel", model)
        right = avg_fn is None or callable(avg_fn)
        fix = "pass a function of the average, the values and a count, as get_ema_avg_fn(0.999)"
        require_argument(right, "AveragedModel", "avg_fn", avg_fn, fix)
        self.n_averaged = Buffer(0, np.int64)
        self.module = copy.deepcopy(model)
        self.module.zero_grad()
        self.avg_fn: AverageOf = avg_fn or _equal
        self.use_buffers = use_buffers

    def forward(self, *inputs: Any, **keywords: Any) -> Any:
        """What the averaged model makes of it."""
        return self.module(*inputs, **keywords)

    def update_parameters(self, model: Module) -> None:
        """Let the present parameters of the model go into the average.

        Raises
        ------
        StateDictError
            The model has other parameters or buffers than the one that was copied. Nothing was
            changed.
        """
        _check_module("update_parameters", model)
        own, present = _parts(self.module), _parts(model)
        if {n: p.shape for n, p in own.items()} != {n: p.shape for n, p in present.items()}:
            differ = sorted(
                n
                for n in {*own, *present}
                if n not in own or n not in present or own[n].shape != present[n].shape
            )
            raise StateDictError(
                f"the model has other parameters than the averaged one (at {user_line()}): "
                f"{', '.join(differ)}. Nothing was changed.\n"
                "Fix: pass the model that the AveragedModel was made of."
            )
        count = int(self.n_averaged.item())
        for name, part in own.items():
            values = present[name].data
            averaged = not isinstance(part, Buffer) or (self.use_buffers and part.dtype.kind == "f")
            part.assign(self.avg_fn(part.data, values, count) if count and averaged else values)
        self.n_averaged.assign(count + 1)


def _equal(average: Array, values: Array, count: int) -> Array:
    """The mean of `count` values and of another one."""
    mean: Array = average + (values - average) / (count + 1)
    return mean


def get_ema_avg_fn(decay: float = 0.999) -> AverageOf:
    r"""For `AveragedModel`: the exponential moving average, :math:`d \bar w + (1 - d) w`.

    Parameters
    ----------
    decay : float, default 0.999
        :math:`d`, from 0 to 1.

    Raises
    ------
    ArgumentError
        It is not.

    Examples
    --------
    >>> float(get_ema_avg_fn(0.75)(np.array(1.0), np.array(2.0), 1))
    1.25
    """
    decay = plain(decay)
    right = is_number(decay) and 0 <= decay <= 1
    require_argument(right, "get_ema_avg_fn", "decay", decay, "0 <= decay <= 1")
    return functools.partial(_exponential, decay)


def _exponential(decay: float, average: Array, values: Array, count: int) -> Array:
    mean: Array = decay * average + (1 - decay) * values
    return mean


def update_bn(loader: Iterable[Any], model: Module) -> None:
    """Make the running statistics of batch normalisation anew: their means over all batches.

    Parameters
    ----------
    loader : iterable
        Batches that the model is called with; of a tuple or list, its first element.
    model : Module
        Of which the statistics are changed, and nothing else.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> model = tg.nn.Sequential(tg.nn.BatchNorm1d(1, dtype=float))
    >>> update_bn([np.array([[0.0], [2.0]]), np.array([[3.0], [3.0]])], model)
    >>> model[0].running_mean.data
    array([2.])
    """
    _check_module("update_bn", model)
    without_axes = isinstance(loader, np.ndarray | Tensor) and not loader.ndim
    right = isinstance(loader, Iterable) and not without_axes
    require_argument(right, "update_bn", "loader", loader, "pass batches, as a DataLoader")
    modes = {module: module.training for module in model.modules()}
    norms: list[Any] = [m for m in modes if getattr(m, "num_batches_tracked", None) is not None]
    before = [m.momentum for m in norms]
    if not norms:
        return
    try:
        model.train()
        for m in norms:
            for statistic in (m.running_mean, m.running_var, m.num_batches_tracked):
                statistic.assign(np.zeros(statistic.shape))
            m.momentum = None  # the mean over all batches
        with no_grad():
            for batch in loader:
                model(batch[0] if isinstance(batch, (tuple, list)) else batch)
    finally:
        for m, momentum in zip(norms, before, strict=True):
            m.momentum = momentum
        for m, mode in modes.items():
            m.training = mode


def _check_module(who: str, model: Any) -> None:
    require_argument(isinstance(model, Module), who, "model", model, "pass a module")


def _parts(model: Module) -> dict[str, Tensor]:
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}
