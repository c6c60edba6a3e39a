"""What pydantic found wrong in a recipe, in the words of somebody who writes recipes."""

from __future__ import annotations

import ast
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from tinygrad_bp.errors import RecipeError, nearest


def explain(error: ValidationError, model: type[BaseModel], source: str) -> RecipeError:
    """The error for a recipe, or a table of one, that does not validate.

    Parameters
    ----------
    error : ValidationError
        What pydantic raised.
    model : type
        What was being validated.
    source : str
        Where the recipe came from, as a file name.

    Returns
    -------
    RecipeError
        It names the table and key of each fault, what is known there, and what is expected.
    """
    faults = [_fault(item, model) for item in error.errors(include_url=False)]
    listed = faults[0] if len(faults) == 1 else "".join(f"\n  {fault}" for fault in faults)
    fix = "Fix: correct the recipe; `tinygrad-bp recipes` lists those that ship, to start from."
    return RecipeError(f"{source}: {listed}" + ("" if "\nFix:" in listed else f"\n{fix}"))


def _fault(item: Any, model: type[BaseModel]) -> str:
    """One line for one fault."""
    tables, fields, key = _walk(item["loc"], model)
    where = f"[{'.'.join(tables)}] " if tables else ""
    kind, context, given = item["type"], item.get("ctx", {}), item["input"]
    if kind == "extra_forbidden":
        if not tables and (owners := _owners(model, key)):
            meant = " or ".join(f"'{owner}.{key}'" for owner in owners)
            return f"unknown key {key!r}: did you mean {meant}?"
        return f"{where}unknown key {key!r}: {nearest(key, fields)}"
    if kind == "missing":
        return f"{where}the key {key!r} is missing" if key else f"the table {where}is missing"
    if kind == "union_tag_not_found":
        tags = sorted(_tags(model, tables))
        return f"{where}the key 'name' is missing; expected one of {', '.join(tags)}"
    if kind == "union_tag_invalid":
        tags = list(ast.literal_eval(f"[{context['expected_tags']}]"))
        return f"{where}name = {context['tag']!r} is not known: {_expected(context['tag'], tags)}"
    if kind == "literal_error":
        values = list(ast.literal_eval(f"[{context['expected'].replace(' or ', ', ')}]"))
        return f"{where}{key} = {given!r} is not known: {_expected(str(given), values)}"
    if kind == "value_error":
        message = str(context["error"])
    else:
        message = item["msg"][:1].lower() + item["msg"][1:]
    if key and not isinstance(given, (str, int, float)):
        return f"[{'.'.join([*tables, key])}] {message}"
    return f"{where}{key} = {given!r}: {message}" if key else f"{where}{message}"


def _expected(given: str, values: list[str]) -> str:
    """What a value might have meant, and all values that there are."""
    hint = nearest(given, values)
    listed = ", ".join(sorted(values))
    return f"expected one of {listed}" if hint.startswith("known") else f"{hint} Known: {listed}"


def _walk(
    location: tuple[int | str, ...], model: type[BaseModel]
) -> tuple[list[str], list[str], str]:
    """Tables on the way to a fault, the keys of the last one, and the key at fault.

    The tag of a choice between tables, which pydantic puts among the keys, is left out.
    """
    tables: list[str] = []
    here: type[BaseModel] | None = model
    parts = list(location)
    while parts:
        name = str(parts[0])
        field = here.model_fields.get(name) if here else None
        choices = _models(field.annotation, field.metadata) if field else []
        if not choices:
            break
        tables.append(name)
        parts.pop(0)
        if len(choices) > 1 and parts:
            tag = parts.pop(0)
            here = next(c for c in choices if tag in get_args(c.model_fields["name"].annotation))
        else:
            here = choices[0]
    return tables, list(here.model_fields) if here else [], ".".join(str(part) for part in parts)


def _owners(model: type[BaseModel], key: str) -> list[str]:
    """The tables that have a key which was put outside of them."""
    return [
        name
        for name, field in model.model_fields.items()
        if any(key in table.model_fields for table in _models(field.annotation, field.metadata))
    ]


def _models(annotation: Any, metadata: list[Any]) -> list[type[BaseModel]]:
    """The tables that an annotation allows."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) is None:
        return []
    return [found for part in get_args(annotation) for found in _models(part, metadata)]


def _tags(model: type[BaseModel], tables: list[str]) -> list[str]:
    """The names of the tables between which there is a choice."""
    field = model.model_fields[tables[-1]]
    choices = _models(field.annotation, field.metadata)
    return [tag for choice in choices for tag in get_args(choice.model_fields["name"].annotation)]
