"""The tables of a recipe, each as one class that says which keys it has and what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from tinygrad_bp.errors import missing_extra

try:
    from pydantic import (
        BaseModel,
        ConfigDict,
        Field,
        PlainValidator,
        PositiveFloat,
        PositiveInt,
        ValidationError,
        model_validator,
    )
except ImportError as error:
    raise missing_extra(str(error.name), "train", "tinygrad_bp.train") from error

from tinygrad_bp.train.recipe_errors import explain

NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


if TYPE_CHECKING:
    _Model = BaseModel
else:

    class _Named(type(BaseModel)):
        """Makes ``Training(epochs=0)`` raise the same error as a recipe with that table."""

        def __call__(cls, **values: Any) -> Any:
            try:
                return super().__call__(**values)
            except ValidationError as error:
                raise explain(error, cls, cls.__name__) from None

    class _Model(BaseModel, metaclass=_Named):
        """The base of all tables."""


class Table(_Model):
    """A table of a recipe: unknown keys are errors, and nothing is converted in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Data(Table):
    """What to learn from.

    Attributes
    ----------
    name : str
        ``"digits"`` (embedded), ``"mnist"`` or ``"ex4"``.
    divide_by : float
        Every pixel is divided by it, as 255 for MNIST.
    standardise : bool
        Then subtract the mean of the training pixels, and divide by their standard deviation.
    train_size : int, optional
        Use only so many training samples, from the first on.
    test_fraction : float, optional
        For data without a test set of its own: the share that is set aside for it, drawn by the
        seed. By default, nothing is.
    """

    name: Literal["digits", "mnist", "ex4"]
    divide_by: PositiveFloat = 1.0
    standardise: bool = False
    train_size: PositiveInt | None = None
    test_fraction: Fraction | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.standardise and self.divide_by != 1:
            raise ValueError("divide_by makes no difference to what is standardised; keep one")
        if self.name == "mnist" and self.test_fraction is not None:
            raise ValueError("test_fraction is not for mnist, which has a test set of its own")
        return self


class Loss(Table):
    """What to minimise: the mean over samples of the loss of each, plus a weight penalty.

    Attributes
    ----------
    name : str
        ``"cross_entropy"``, ``"focal_loss"`` and ``"binary_cross_entropy_with_logits"`` take the
        network's outputs before a softmax or sigmoid; ``"half_squared_error"``, ``"mse"``,
        ``"l1_loss"``, ``"huber_loss"`` and ``"smooth_l1_loss"`` take them as they are.
    outputs : str, optional
        Whether a sample's loss is the ``"sum"`` or the ``"mean"`` over its outputs; the mean by
        default. Cross-entropy and focal loss are one number for each sample, so there it may not
        be given.
    label_smoothing : float, optional
        Of the cross-entropy, and of it alone.
    gamma : float, optional
        Of the focal loss, and of it alone.
    report : str, optional
        Another loss to write into the metrics in place of the one that is minimised.
    weight_penalty : float
        The λ of + λ/2m Σw², over the weights without the biases, m the number of training
        samples.
    """

    name: Literal[
        "cross_entropy",
        "half_squared_error",
        "mse",
        "binary_cross_entropy_with_logits",
        "focal_loss",
        "huber_loss",
        "l1_loss",
        "smooth_l1_loss",
    ]
    outputs: Literal["sum", "mean"] | None = None
    label_smoothing: Annotated[float, Field(ge=0, le=1)] | None = None
    gamma: NonNegative | None = None
    report: Literal["mse"] | None = None
    weight_penalty: NonNegative = 0.0

    @model_validator(mode="after")
    def _one_number(self) -> Self:
        if self.name in ("cross_entropy", "focal_loss") and self.outputs is not None:
            raise ValueError(f"outputs is not for {self.name}, which is one number per sample")
        for key, owner in (("label_smoothing", "cross_entropy"), ("gamma", "focal_loss")):
            if getattr(self, key) is not None and self.name != owner:
                raise ValueError(f"{key} is for {owner} alone")
        return self


class SGD(Table):
    """Stochastic gradient descent; see `tinygrad_bp.optim.SGD`."""

    name: Literal["SGD"]
    lr: PositiveFloat
    momentum: NonNegative = 0.0
    dampening: NonNegative = 0.0
    weight_decay: NonNegative = 0.0
    nesterov: bool = False


class Adam(Table):
    """Adam, or AdamW; see `tinygrad_bp.optim.Adam`."""

    name: Literal["Adam", "AdamW"]
    lr: PositiveFloat = 1e-3
    betas: tuple[Fraction, Fraction] = Field((0.9, 0.999), strict=False)
    eps: PositiveFloat = 1e-8
    weight_decay: NonNegative | None = None
    amsgrad: bool = False


class RMSprop(Table):
    """RMSprop; see `tinygrad_bp.optim.RMSprop`."""

    name: Literal["RMSprop"]
    lr: PositiveFloat = 1e-2
    alpha: Fraction = 0.99
    eps: PositiveFloat = 1e-8
    weight_decay: NonNegative = 0.0
    momentum: NonNegative = 0.0


class Adagrad(Table):
    """Adagrad; see `tinygrad_bp.optim.Adagrad`."""

    name: Literal["Adagrad"]
    lr: PositiveFloat = 1e-2
    lr_decay: NonNegative = 0.0
    weight_decay: NonNegative = 0.0
    eps: PositiveFloat = 1e-10


class Scipy(Table):
    """`scipy.optimize.minimize` on all training samples at once.

    Attributes
    ----------
    method : str
        A method that uses gradients.
    max_iterations : int
        Its limit; TNC counts evaluations of the loss.
    """

    name: Literal["scipy"]
    method: Literal["TNC", "L-BFGS-B", "CG", "BFGS"]
    max_iterations: Annotated[PositiveInt, Field(lt=2**31)]  # TNC counts in 32 bits


class Step(Table):
    """The learning rate times `gamma` after every `step_size` epochs."""

    name: Literal["StepLR"]
    step_size: PositiveInt
    gamma: PositiveFloat = 0.1


class Cosine(Table):
    """Half a cosine wave from the learning rate down to `eta_min`, over `T_max` epochs."""

    name: Literal["CosineAnnealingLR"]
    T_max: PositiveInt
    eta_min: NonNegative = 0.0


class Warmup(Table):
    """A linear rise to the learning rate over the first `warmup_steps` epochs."""

    name: Literal["LinearWarmup"]
    warmup_steps: PositiveInt


class Plateau(Table):
    """The learning rate times `factor` when the training loss has not fallen for `patience`."""

    name: Literal["ReduceLROnPlateau"]
    factor: PositiveFloat = 0.1
    patience: Annotated[int, Field(ge=0)] = 10


def _batch_size(value: Any) -> int | Literal["full"]:
    if value == "full" or (type(value) is int and value >= 1):
        return value  # type: ignore[no-any-return]  # narrowed by value, which mypy cannot see
    raise ValueError('a batch has 1 sample or more, or is "full", which is all of them')


class Training(Table):
    """How long to train, and which samples make a step.

    Attributes
    ----------
    epochs, steps : int
        The length, in passes over the training samples or in steps; one of the two.
    batch_size : int or "full"
        Samples of a step.
    sampling : str
        ``"shuffled"`` anew for each epoch; ``"in_order"``; or ``"random"``: each batch is drawn
        from all training samples, so that some come twice in an epoch and some not at all.
    report_every : int, optional
        Steps between two lines of the metrics, each with a checkpoint; an epoch by default.
    """

    epochs: PositiveInt | None = None
    steps: PositiveInt | None = None
    batch_size: Annotated[int | Literal["full"], PlainValidator(_batch_size)] = "full"
    sampling: Literal["shuffled", "in_order", "random"] = "shuffled"
    report_every: PositiveInt | None = None

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.epochs is not None and self.steps is not None:
            raise ValueError("epochs and steps are both given; keep one")
        return self
