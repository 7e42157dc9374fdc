"""Training recipes as TOML: pixelproof's own by name, a user's by path; written again into every run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pixelproof.models.training.recipe import TrainingRecipe
from pixelproof.models.training.recipe_text import bundled_with, parsed, recipe_text
from pixelproof.models.training.run.recipe_checks import check_recipe
from pixelproof.schema import build

_OWN_KEYS = ("kind", "train", "validation")


def bundled_recipes() -> tuple[str, ...]:
    """Names of the training recipes that come with pixelproof, sorted."""
    return bundled_with("data")


def load_recipe(name: str) -> TrainingRecipe:
    """A recipe of pixelproof's by name, or a user's by the path of its TOML file.

    Raises:
        CallError: no such recipe.
        InputError: the file is missing or unreadable.
        RecipeError: it is no training recipe; the message names key and line.
    """
    rule = "A training recipe must be one of pixelproof's, or a file"
    return parse_recipe(recipe_text(name, known=bundled_recipes(), rule=rule), label=name)


def parse_recipe(text: str, *, label: str) -> TrainingRecipe:
    """A recipe from its TOML.

    Args:
        label: the file's name for messages.

    Raises:
        RecipeError: no TOML, an unknown key, a value that can't be.
    """
    table, fail = parsed(text, label=label)
    return recipe_of(table, fail=fail)


def recipe_of(table: Mapping[str, Any], *, fail: Any) -> TrainingRecipe:
    """A recipe from its table; the kind's own keys stand among those of ``[data]``.

    Args:
        fail: makes the error, see `pixelproof.schema`.
    """
    data = table.get("data")
    if isinstance(data, Mapping):
        own = {key: value for key, value in data.items() if key in _OWN_KEYS}
        table = {**table, "data": {**own, "options": {k: v for k, v in data.items() if k not in own}}}
    recipe = build(TrainingRecipe, table, fail=fail)
    check_recipe(recipe, fail)
    return recipe


def table_of(recipe: TrainingRecipe) -> dict[str, Any]:
    """The recipe as its TOML has it; `recipe_of` is the way back."""
    table = {key: value for key, value in asdict(recipe).items() if value is not None}
    table["data"] = {**{key: table["data"][key] for key in _OWN_KEYS}, **table["data"]["options"]}
    return table


def as_toml(recipe: TrainingRecipe) -> str:
    """The recipe as TOML."""
    table = table_of(recipe)
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    sections = {key: value for key, value in table.items() if isinstance(value, Mapping) and value}
    blocks = ["\n".join(_line(key, value) for key, value in plain.items())]
    blocks += [
        f"[{name}]\n" + "\n".join(_line(key, value) for key, value in section.items())
        for name, section in sections.items()
    ]
    return "\n\n".join(blocks) + "\n"


def _line(key: str, value: Any) -> str:
    return f"{_key(key)} = {_shown(value)}"


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else json.dumps(key)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_shown(one) for one in value) + "]"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(_line(key, one) for key, one in value.items()) + " }"
    return repr(value)  # numbers: Python's and TOML's words agree, inf and nan too
