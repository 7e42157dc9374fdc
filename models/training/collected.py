"""What the modules of a folder offer, by name, so that a newcomer is one new file."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from typing import Any

from pixelproof.errors import PixelproofError


def collected(packages: Sequence[str], attribute: str, types: Any) -> dict[str, Any]:
    """The objects that modules hold under one attribute, by their ``name``, sorted.

    Args:
        packages: dotted names of the folders.
        attribute: of the modules; those without it are left out.
        types: as for `isinstance`; other objects are left out.

    Raises:
        PixelproofError: two of them have one name.
    """
    found: dict[str, Any] = {}
    for package in packages:
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            one = getattr(importlib.import_module(f"{package}.{module.name}"), attribute, None)
            if not isinstance(one, types):
                continue
            if one.name in found:
                raise PixelproofError(f"Each {attribute} must have a name of its own", found=one.name)
            found[one.name] = one
    return dict(sorted(found.items()))
