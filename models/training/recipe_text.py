"""Recipes of every sort as TOML: pixelproof's own by name, a user's by path; errors name key and line."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from pixelproof.errors import CallError, RecipeError, did_you_mean
from pixelproof.files import read_bytes
from pixelproof.schema import Fail
from pixelproof.toml_lines import line_of_key


def bundled_with(table: str) -> tuple[str, ...]:
    """Names of pixelproof's own recipes that have a table of this name, sorted."""
    files = resources.files("pixelproof.models.training").joinpath("recipes").iterdir()
    texts = {file.name.removesuffix(".toml"): "\n" + file.read_text(encoding="utf-8") for file in files}
    return tuple(sorted(name for name, text in texts.items() if f"\n[{table}]" in text))


def recipe_text(name: str, *, known: Sequence[str], rule: str) -> str:
    """The text of a recipe.

    Args:
        name: one of ``known``, or the path of a TOML file.
        known: names of pixelproof's own.
        rule: what the name must be, for the message.

    Raises:
        CallError: no such recipe.
        InputError: the file is missing or unreadable.
        RecipeError: it is no UTF-8.
    """
    if name.endswith(".toml") or "/" in name:
        data = read_bytes(Path(name), what="A recipe")
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise RecipeError("A recipe must be UTF-8 text", found=f"{name}: {error.reason}") from error
    if name not in known:
        remedy = f"{did_you_mean(name, list(known))} A file of your own ends in .toml."
        raise CallError(rule, found=name, remedy=remedy)
    folder = resources.files("pixelproof.models.training").joinpath("recipes")
    return folder.joinpath(f"{name}.toml").read_text(encoding="utf-8")


def parsed(text: str, *, label: str) -> tuple[dict[str, Any], Fail]:
    """A recipe's table, and what makes an error that names the key's line.

    Args:
        label: the file's name for messages.

    Raises:
        RecipeError: no TOML.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError("A recipe must be TOML", found=f"{label}: {error}") from error

    def fail(path: str, rule: str, found: str, remedy: str) -> RecipeError:
        line = line_of_key(text, path)
        where = label if line is None else f"{label}, line {line}"
        return RecipeError(
            f"{path} {rule}" if path else f"A recipe {rule}", found=f"{found} ({where})", remedy=remedy
        )

    return table, fail
