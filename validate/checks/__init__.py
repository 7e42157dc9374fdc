"""The rules, one class each; a new check is a new file here. Found and sorted by `all_checks`."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

from pixelproof.validate.checks.base import Check


def all_checks() -> tuple[Check, ...]:
    """An instance of every check, in the order in which they are reported.

    Raises:
        ValueError: two checks have one id.
    """
    found: dict[str, Check] = {}
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        for _, kind in inspect.getmembers(loaded, inspect.isclass):
            if kind.__module__ == loaded.__name__ and issubclass(kind, Check) and kind is not Check:
                check = kind()
                if check.id in found:
                    raise ValueError(f"two checks have the id {check.id}")
                found[check.id] = check
    return tuple(sorted(found.values(), key=lambda check: check.position))
