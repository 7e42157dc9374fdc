"""Recipes from TOML: pixelproof's own by name, a user's by path."""

from __future__ import annotations

from dataclasses import replace

from pixelproof.errors import RecipeError
from pixelproof.models.training.degradations.recipe import Recipe
from pixelproof.models.training.degradations.recipe_checks import check_recipe
from pixelproof.models.training.recipe_text import bundled_with, parsed, recipe_text
from pixelproof.schema import build


def bundled_recipes() -> tuple[str, ...]:
    """Names of the recipes that come with pixelproof, sorted."""
    return bundled_with("first")


def load_recipe(name: str) -> Recipe:
    """A recipe of pixelproof's by name, or a user's by the path of its TOML file.

    Raises:
        CallError: no such recipe.
        InputError: the file is missing or unreadable.
        RecipeError: it is no recipe; the message names key and line.
    """
    rule = "--recipe must name a recipe or its file"
    return parse_recipe(recipe_text(name, known=bundled_recipes(), rule=rule), label=name)


def parse_recipe(text: str, *, label: str) -> Recipe:
    """A recipe from its TOML.

    Args:
        label: the file's name for messages.

    Raises:
        RecipeError: no TOML, an unknown key, a value that can't be.
    """
    table, fail = parsed(text, label=label)
    recipe = build(Recipe, table, fail=fail)
    check_recipe(recipe, fail)
    return recipe


def changed(recipe: Recipe, *, scale: int | None = None, gt_usm: bool | None = None) -> Recipe:
    """A recipe with another scale, or with the sharpening switched; None leaves what it says.

    Raises:
        RecipeError: a scale that can't be.
    """

    def fail(path: str, rule: str, found: str, remedy: str) -> RecipeError:
        return RecipeError(f"{path} {rule}", found=found, remedy=remedy)

    new = replace(
        recipe,
        scale=recipe.scale if scale is None else scale,
        gt_usm=recipe.gt_usm if gt_usm is None else gt_usm,
    )
    check_recipe(new, fail)
    return new
