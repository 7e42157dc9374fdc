"""The kinds of data, collected from the modules of this folder and of ``isp``."""

from __future__ import annotations

from functools import cache

from pixelproof.errors import RecipeError, did_you_mean
from pixelproof.models.training.collected import collected
from pixelproof.models.training.data.training_data import DataKind

_PACKAGES = ("pixelproof.models.training.data", "pixelproof.models.training.isp")


@cache
def kinds() -> dict[str, DataKind]:
    """All kinds by name, sorted."""
    return collected(_PACKAGES, "KIND", DataKind)


def kind_of(name: str) -> DataKind:
    """A kind by its name.

    Raises:
        RecipeError: there is none.
    """
    known = kinds()
    if name not in known:
        raise RecipeError(
            "data.kind must name a kind of data", found=name, remedy=did_you_mean(name, list(known))
        )
    return known[name]
