"""Plain data as YAML in blocks: what a platform's configuration files need, and no more of YAML."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def to_yaml(document: Mapping[str, Any]) -> str:
    """YAML text of mappings, sequences, text, numbers, booleans and None, in the order given.

    Text is written as JSON writes it, which YAML reads as it is: no word is taken for a date or a boolean.
    """
    return "\n".join(_mapping(document, 0)) + "\n"


def _mapping(table: Mapping[str, Any], depth: int) -> list[str]:
    lines = []
    for key, value in table.items():
        name = key if _PLAIN.fullmatch(key) else json.dumps(key)
        lines += _entry(f"{'  ' * depth}{name}:", value, depth)
    return lines


def _entry(start: str, value: Any, depth: int) -> list[str]:
    if isinstance(value, Mapping) and value:
        return [start, *_mapping(value, depth + 1)]
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        return [start, *(line for item in value for line in _item(item, depth + 1))]
    return [f"{start} {_scalar(value)}"]


def _item(value: Any, depth: int) -> list[str]:
    start = f"{'  ' * depth}-"
    if not isinstance(value, Mapping) or not value:
        return [f"{start} {_scalar(value)}"]
    lines = _mapping(value, depth + 1)
    return [f"{start} {lines[0].lstrip()}", *lines[1:]]


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{}"
    return json.dumps(list(value) if isinstance(value, tuple) else value, allow_nan=False)
