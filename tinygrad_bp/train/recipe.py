"""`Recipe`: an experiment as data, from the data set to the seed, validated and printed back.

Each table of a recipe's TOML file is one class of `tinygrad_bp.train.tables`. The same can be
written in Python: ``Recipe(name="mine", data={"name": "digits"}, network=..., ...)``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Self

from tinygrad_bp.errors import RecipeError, missing_extra, nearest
from tinygrad_bp.nn.spec import NetworkSpec

try:
    import tomli_w
    from pydantic import Field, PlainSerializer, PlainValidator, ValidationError, model_validator
except ImportError as error:
    raise missing_extra(str(error.name), "train", "tinygrad_bp.train") from error

from tinygrad_bp.train.recipe_errors import explain
from tinygrad_bp.train.tables import Data, Loss, Scipy, Table, Training
from tinygrad_bp.train.tables_optim import AnyOptimizer, AnySchedule

_INSIDE = {
    "cross_entropy": ("Softmax", "LogSoftmax"),
    "focal_loss": ("Softmax", "LogSoftmax"),
    "binary_cross_entropy_with_logits": ("Sigmoid",),
}


def _network(value: Any) -> NetworkSpec:
    """A network from its table; the errors are those of `NetworkSpec`."""
    return value if isinstance(value, NetworkSpec) else NetworkSpec.from_dict(value)


class Recipe(Table):
    """An experiment: data, network, loss, optimizer, schedule, length and seed.

    Attributes
    ----------
    name : str
        Names the run folder.
    title, description : str
        One line, and more.
    seed : int
        Everything random follows from it.
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
    data: Data
    network: Annotated[
        NetworkSpec,
        PlainValidator(_network),
        PlainSerializer(lambda spec: spec.to_dict(), return_type=dict[str, Any]),
    ]
    loss: Loss
    optimizer: AnyOptimizer
    schedule: AnySchedule | None = None
    training: Training = Training()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        training, last = self.training, self.network.layers[-1]["type"]
        if last in _INSIDE.get(self.loss.name, ()):
            raise ValueError(
                f"[network] ends in a {last}, which {self.loss.name} has inside: it takes the "
                "outputs before it. Leave the layer away"
            )
        if isinstance(self.optimizer, Scipy):
            if training != Training() or self.schedule is not None:
                raise ValueError(
                    "[training] and [schedule] are not for the optimizer scipy, which takes all "
                    "samples in each step and stops by itself or at max_iterations"
                )
        elif training.epochs is None and training.steps is None:
            raise ValueError("[training] the key 'epochs' or 'steps' is missing")
        return self

    @property
    def dtype(self) -> str:
        """The dtype of the network, in which everything is computed."""
        return self.network.dtype

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
        except (ValueError, RecursionError) as error:  # also of numbers of thousands of digits
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
        # Defaults stay out, so that another optimizer is not given the settings of the first.
        tables = self.model_dump(exclude_none=True, exclude_unset=True)
        for setting in settings:
            key, equals, value = setting.partition("=")
            if not equals:
                raise RecipeError(
                    f"--set {setting}: there is no '='.\nFix: write it as --set optimizer.lr=0.05"
                )
            _put(tables, key.strip(), _value(value.strip()))
        return type(self).from_dict(tables, f"{self.name} with --set")

    def with_epochs(self, epochs: int) -> Self:
        """The recipe with another length: in epochs, or in iterations where scipy trains."""
        tables = self.to_dict()
        if isinstance(self.optimizer, Scipy):
            tables["optimizer"]["max_iterations"] = epochs
        else:
            tables["training"].pop("steps", None)
            tables["training"]["epochs"] = epochs
        return type(self).from_dict(tables, f"{self.name} with --epochs")


def _value(text: str) -> Any:
    try:
        found = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):  # a number of thousands of digits, and brackets likewise
        return text
    return found["value"] if len(found) == 1 else text  # and not the first of several lines


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
            raise RecipeError(
                f"--set {key}: what comes before {name!r} is a value, not a table.\n"
                f"Fix: leave {'.' + name!r} away, or begin with a table, as in optimizer.lr."
            )
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
    return sorted(
        f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")
    )


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
