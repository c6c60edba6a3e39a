"""The tables of a recipe for optimizers and schedules beyond the usual ones."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from tinygrad_bp.train.tables import (
    SGD,
    Adagrad,
    Adam,
    Cosine,
    Fraction,
    NonNegative,
    Plateau,
    RMSprop,
    Scipy,
    Step,
    Table,
    Warmup,
)

Share = Annotated[float, Field(ge=0, le=1)]


class Adadelta(Table):
    """Adadelta; see `tinygrad_bp.optim.Adadelta`."""

    name: Literal["Adadelta"]
    lr: PositiveFloat = 1.0
    rho: Fraction = 0.9
    eps: PositiveFloat = 1e-6
    weight_decay: NonNegative = 0.0


class Moments(Table):
    """Optimizers with means of gradients; see those of their names in `tinygrad_bp.optim`.

    What is not given is left to the class.
    """

    name: Literal["Adamax", "LAMB", "Lion", "NAdam", "RAdam"]
    lr: PositiveFloat | None = None
    betas: Annotated[tuple[Fraction, Fraction] | None, Field(strict=False)] = None
    weight_decay: NonNegative | None = None


class Rprop(Table):
    """Resilient backpropagation, for batches of all samples; see `tinygrad_bp.optim.Rprop`."""

    name: Literal["Rprop"]
    lr: PositiveFloat = 1e-2
    etas: Annotated[tuple[float, float], Field(strict=False)] = (0.5, 1.2)
    step_sizes: Annotated[tuple[float, float], Field(strict=False)] = (1e-6, 50.0)


class Averaged(Table):
    """Averaged stochastic gradient descent; see `tinygrad_bp.optim.ASGD`."""

    name: Literal["ASGD"]
    lr: PositiveFloat = 1e-2
    lambd: NonNegative = 1e-4
    alpha: Fraction = 0.75
    t0: NonNegative = 1e6
    weight_decay: NonNegative = 0.0


class Exponential(Table):
    """The learning rate times `gamma` after every epoch."""

    name: Literal["ExponentialLR"]
    gamma: PositiveFloat


class MultiStep(Table):
    """The learning rate times `gamma` after each of the epochs `milestones`."""

    name: Literal["MultiStepLR"]
    milestones: Annotated[list[PositiveInt], Field(min_length=1)]
    gamma: PositiveFloat = 0.1


class Constant(Table):
    """The learning rate times `factor` in the first `total_iters` epochs."""

    name: Literal["ConstantLR"]
    factor: Share = 1 / 3
    total_iters: PositiveInt = 5


class Linear(Table):
    """The learning rate times a factor that goes evenly from one to another."""

    name: Literal["LinearLR"]
    start_factor: Annotated[float, Field(gt=0, le=1)] = 1 / 3
    end_factor: Share = 1.0
    total_iters: PositiveInt = 5


class Polynomial(Table):
    """The learning rate down to 0 in `total_iters` epochs, by a power."""

    name: Literal["PolynomialLR"]
    total_iters: PositiveInt = 5
    power: PositiveFloat = 1.0


class Restarts(Table):
    """Half a cosine down to `eta_min`, over `T_0` epochs and then anew, `T_mult` times longer."""

    name: Literal["CosineAnnealingWarmRestarts"]
    T_0: PositiveInt
    T_mult: PositiveInt = 1
    eta_min: NonNegative = 0.0


AnyOptimizer = Annotated[
    SGD | Adam | RMSprop | Adagrad | Adadelta | Moments | Rprop | Averaged | Scipy,
    Field(discriminator="name"),
]
AnySchedule = Annotated[
    Step
    | Cosine
    | Warmup
    | Plateau
    | Exponential
    | MultiStep
    | Constant
    | Linear
    | Polynomial
    | Restarts,
    Field(discriminator="name"),
]
