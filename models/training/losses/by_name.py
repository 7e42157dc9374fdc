"""The losses, collected from the modules of this folder."""

from __future__ import annotations

from functools import cache

from pixelproof.errors import RecipeError, did_you_mean
from pixelproof.models.training.collected import collected
from pixelproof.models.training.losses.loss_kinds import AnyLoss, ContentLoss, Loss

_PACKAGE = "pixelproof.models.training.losses"


@cache
def losses() -> dict[str, AnyLoss]:
    """All losses by name, sorted.

    Raises:
        PixelproofError: two of them have one name.
    """
    return collected((_PACKAGE,), "LOSS", (Loss, ContentLoss))


def loss_named(name: str) -> AnyLoss:
    """A loss by its name.

    Raises:
        RecipeError: there is none.
    """
    known = losses()
    if name not in known:
        raise RecipeError("[loss] must name losses", found=name, remedy=did_you_mean(name, list(known)))
    return known[name]
