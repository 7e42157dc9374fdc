"""Which groups of checks a call asks for."""

from __future__ import annotations

from pixelproof.errors import CallError, did_you_mean
from pixelproof.validate.checks.base import GROUPS, Group


def parse_groups(only: str | None, skip: str | None) -> frozenset[Group]:
    """The groups of checks that ``--only`` and ``--skip`` leave.

    Raises:
        CallError: both given, an unknown group, or none left.
    """
    if only is not None and skip is not None:
        raise CallError("--only and --skip exclude each other", found="both", remedy="Give one of them.")
    given = only if only is not None else skip
    if given is None:
        return frozenset(GROUPS)
    named = [part.strip() for part in given.split(",")]
    for part in named:
        if part not in GROUPS:
            rule = f"--{'only' if only is not None else 'skip'} takes groups of checks, with commas between"
            raise CallError(rule, found=repr(part), remedy=did_you_mean(part, GROUPS))
    chosen = frozenset(group for group in GROUPS if (group in named) == (only is not None))
    if not chosen:
        raise CallError("Something must be left to judge", found="every group in --skip")
    return chosen
