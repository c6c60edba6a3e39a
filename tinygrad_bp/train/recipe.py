"""`Recipe`: an experiment as data, from the data set to the seed, validated and printed back.

Each table of a recipe's TOML file is one class here. The same can be written in Python:
``Recipe(name="mine", data={"name": "digits"}, network=..., ...)``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from tinygrad_bp.errors import RecipeError, TgError, missing_extra, nearest
from tinygrad_bp.nn.spec import NetworkSpec

try:
    import tomli_w
    from pydantic import (
        BaseModel,
        ConfigDict,
        Field,
        PlainSerializer,
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


class _Table(BaseModel):
    """A table of a recipe: unknown keys are errors, and nothing is converted in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Data(_Table):
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
    def _split_once(self) -> Self:
        if self.name == "mnist" and self.test_fraction is not None:
            raise ValueError("test_fraction is not for mnist, which has a test set of its own")
        return self


class Loss(_Table):
    """What to minimise: the mean over samples of the loss of each, plus a weight penalty.

    Attributes
    ----------
    name : str
        ``"cross_entropy"`` and ``"binary_cross_entropy_with_logits"`` take the network's outputs
        before a softmax or sigmoid; ``"half_squared_error"`` and ``"mse"`` take them as they are.
    outputs : str, optional
        Whether a sample's loss is the ``"sum"`` or the ``"mean"`` over its outputs; the mean by
        default. Cross-entropy is one number for each sample, so there it may not be given.
    report : str, optional
        Another loss to write into the metrics in place of the one that is minimised.
    weight_penalty : float
        The λ of + λ/2m Σw², over the weights without the biases, m the number of training
        samples.
    """

    name: Literal["cross_entropy", "half_squared_error", "mse", "binary_cross_entropy_with_logits"]
    outputs: Literal["sum", "mean"] | None = None
    report: Literal["mse"] | None = None
    weight_penalty: NonNegative = 0.0

    @model_validator(mode="after")
    def _one_number(self) -> Self:
        if self.name == "cross_entropy" and self.outputs is not None:
            raise ValueError("outputs is not for cross_entropy, which is one number per sample")
        return self


class SGD(_Table):
    """Stochastic gradient descent; see `tinygrad_bp.optim.SGD`."""

    name: Literal["SGD"]
    lr: PositiveFloat
    momentum: NonNegative = 0.0
    dampening: NonNegative = 0.0
    weight_decay: NonNegative = 0.0
    nesterov: bool = False


class Adam(_Table):
    """Adam, or AdamW; see `tinygrad_bp.optim.Adam`."""

    name: Literal["Adam", "AdamW"]
    lr: PositiveFloat = 1e-3
    betas: tuple[Fraction, Fraction] = Field((0.9, 0.999), strict=False)
    eps: PositiveFloat = 1e-8
    weight_decay: NonNegative | None = None


class RMSprop(_Table):
    """RMSprop; see `tinygrad_bp.optim.RMSprop`."""

    name: Literal["RMSprop"]
    lr: PositiveFloat = 1e-2
    alpha: Fraction = 0.99
    eps: PositiveFloat = 1e-8
    weight_decay: NonNegative = 0.0
    momentum: NonNegative = 0.0


class Adagrad(_Table):
    """Adagrad; see `tinygrad_bp.optim.Adagrad`."""

    name: Literal["Adagrad"]
    lr: PositiveFloat = 1e-2
    lr_decay: NonNegative = 0.0
    weight_decay: NonNegative = 0.0
    eps: PositiveFloat = 1e-10


class Scipy(_Table):
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
    max_iterations: PositiveInt


class Step(_Table):
    """The learning rate times `gamma` after every `step_size` epochs."""

    name: Literal["StepLR"]
    step_size: PositiveInt
    gamma: PositiveFloat = 0.1


class Cosine(_Table):
    """Half a cosine wave from the learning rate down to `eta_min`, over `T_max` epochs."""

    name: Literal["CosineAnnealingLR"]
    T_max: PositiveInt
    eta_min: NonNegative = 0.0


class Warmup(_Table):
    """A linear rise to the learning rate over the first `warmup_steps` epochs."""

    name: Literal["LinearWarmup"]
    warmup_steps: PositiveInt


class Plateau(_Table):
    """The learning rate times `factor` when the training loss has not fallen for `patience`."""

    name: Literal["ReduceLROnPlateau"]
    factor: PositiveFloat = 0.1
    patience: Annotated[int, Field(ge=0)] = 10


def _batch_size(value: Any) -> int | Literal["full"]:
    if value == "full" or (type(value) is int and value >= 1):
        return value  # type: ignore[no-any-return]  # narrowed by value, which mypy cannot see
    raise ValueError('a batch has 1 sample or more, or is "full", which is all of them')


class Training(_Table):
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


def _network(value: Any) -> NetworkSpec:
    """A network from its table; the errors are those of `NetworkSpec`."""
    return value if isinstance(value, NetworkSpec) else NetworkSpec.from_dict(value)


class Recipe(_Table):
    """An experiment: data, network, loss, optimizer, schedule, length and seed.

    Attributes
    ----------
    name : str
        Names the run folder.
    title, description : str
        One line, and more.
    seed : int
        Everything random follows from it.
    dtype : str
        ``"float32"`` or ``"float64"``.
    data, network, loss, optimizer, schedule, training
        The tables.

    Raises
    ------
    RecipeError
        A key is unknown or missing, or a value makes no sense.

    Examples
    --------
    >>> recipe = load_recipe("digits")
    >>> recipe.optimizer.name
    'Adam'
    >>> Recipe.from_toml(recipe.to_toml()) == recipe
    True
    >>> recipe.override(["optimizer.lrr=0.1"])
    Traceback (most recent call last):
    ...
    tinygrad_bp.errors.RecipeError: digits with --set: [optimizer] unknown key 'lrr': ...
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    title: str = ""
    description: str = ""
    seed: Annotated[int, Field(ge=0)] = 0
    dtype: Literal["float32", "float64"] = "float32"
    data: Data
    network: Annotated[
        NetworkSpec,
        PlainValidator(_network),
        PlainSerializer(lambda spec: spec.to_dict(), return_type=dict[str, Any]),
    ]
    loss: Loss
    optimizer: Annotated[
        SGD | Adam | RMSprop | Adagrad | Scipy, Field(discriminator="name")
    ]
    schedule: (
        Annotated[Step | Cosine | Warmup | Plateau, Field(discriminator="name")] | None
    ) = None
    training: Training = Training()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        training = self.training
        if isinstance(self.optimizer, Scipy):
            if training != Training() or self.schedule is not None:
                raise ValueError(
                    "[training] and [schedule] are not for the optimizer scipy, which takes all "
                    "samples in each step and stops by itself or at max_iterations"
                )
        elif training.epochs is None and training.steps is None:
            raise ValueError("[training] the key 'epochs' or 'steps' is missing")
        return self

    @classmethod
    def from_dict(cls, tables: Mapping[str, Any], source: str = "recipe") -> Self:
        """A recipe from plain dictionaries; `source` names it in errors."""
        try:
            return cls.model_validate(dict(tables))
        except ValidationError as error:
            raise explain(error, cls, source) from None

    @classmethod
    def from_toml(cls, text: str, source: str = "recipe") -> Self:
        """A recipe from the text of a TOML file; `source` names it in errors."""
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(
                f"{source} is not TOML: {error}.\n"
                "Fix: correct that line; strings have quotes, and tables begin with [name]."
            ) from None
        return cls.from_dict(tables, source)

    def to_dict(self) -> dict[str, Any]:
        """The tables as plain dictionaries, with every default filled in."""
        return self.model_dump(exclude_none=True)

    def to_toml(self) -> str:
        """The text of a TOML file, from which `from_toml` makes an equal recipe."""
        return tomli_w.dumps(self.to_dict(), multiline_strings=True)

    def override(self, settings: Iterable[str]) -> Self:
        """The recipe with some values changed, as by the option ``--set optimizer.lr=0.05``.

        Parameters
        ----------
        settings : iterable of str
            Each is a key with dots, ``=``, and a value in TOML's notation; what is not TOML is
            taken as a string. A number in the key counts along a list, from 0.

        Raises
        ------
        RecipeError
            A key is not known there, or a value does not fit.
        """
        tables = self.to_dict()
        for setting in settings:
            key, equals, value = setting.partition("=")
            if not equals:
                raise RecipeError(
                    f"--set {setting}: there is no '='.\nFix: write it as --set optimizer.lr=0.05"
                )
            _put(tables, key.strip(), _value(value.strip()))
        return type(self).from_dict(tables, f"{self.name} with --set")


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _put(tables: dict[str, Any], key: str, value: Any) -> None:
    """Set a value deep inside of dictionaries and lists."""
    *path, last = key.split(".")
    here: Any = tables
    for part in [*path, None]:
        name: Any = last if part is None else part
        if isinstance(here, list):
            if not name.isdecimal() or int(name) >= len(here):
                raise RecipeError(
                    f"--set {key}: {name!r} is not a position in a list of {len(here)}.\n"
                    f"Fix: a number from 0 to {len(here) - 1}."
                )
            name = int(name)
        elif not isinstance(here, dict):
            raise RecipeError(f"--set {key}: what comes before {name!r} is a value, not a table.")
        if part is None:
            here[name] = value
        else:
            here = here[name] if isinstance(here, list) else here.setdefault(name, {})


def recipe_names() -> list[str]:
    """The recipes that ship with the package.

    Examples
    --------
    >>> "mnist-mlp" in recipe_names()
    True
    """
    folder = files("tinygrad_bp").joinpath("recipes")
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))


def load_recipe(name: str | Path) -> Recipe:
    """A recipe that ships, by its name, or one of your own, by its file.

    Parameters
    ----------
    name : str or Path
        ``"digits"``, or a path that ends in ``.toml``.

    Raises
    ------
    RecipeError
        There is no such recipe or file, or it is wrong.
    """
    path = Path(name)
    if path.suffix == ".toml":
        try:
            return Recipe.from_toml(path.read_text("utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
            raise RecipeError(
                f"the recipe {path} cannot be read: {reason}.\n"
                "Fix: the path of a .toml file, or the name of a recipe: "
                f"{', '.join(recipe_names())}."
            ) from None
    if str(name) not in recipe_names():
        raise RecipeError(
            f"there is no recipe {str(name)!r}: {nearest(str(name), recipe_names())}\n"
            "Fix: `tinygrad-bp recipes` lists them; a recipe of your own is a file "
            "that ends in .toml."
        )
    text = files("tinygrad_bp").joinpath("recipes", f"{name}.toml").read_text("utf-8")
    return Recipe.from_toml(text, f"{name}.toml")
