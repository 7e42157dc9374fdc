"""Where a key stands in a TOML file; `tomllib` doesn't tell."""

from __future__ import annotations

import re


def line_of_key(text: str, path: str) -> int | None:
    """Line (from 1) of a dotted key or its nearest enclosing table; None where nothing matches."""
    wanted = re.sub(r"\[\d+\]", "", path).split(".")
    best: tuple[int, int] | None = None
    section: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line)
        key = re.match(r"\s*([A-Za-z0-9_.\"'-]+)\s*=", line)
        if header:
            section = _parts(header[1])
            here = section
        elif key:
            here = section + _parts(key[1])
        else:
            continue
        if here == wanted[: len(here)] and (best is None or len(here) > best[0]):
            best = (len(here), number)
    return best[1] if best else None


def _parts(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in dotted.split(".")]
