"""Names of a zip's members: plain relative paths that mean one and the same file on every system."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from pixelproof.submit.zip_rules import RENAME, Limits, Rule, refused, shown

_RESERVED = frozenset(':*?"<>|')
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)\s*(\..*)?", re.IGNORECASE)
"""What Windows takes for a device, with any suffix ("Naming Files, Paths, and Namespaces", Microsoft)."""


def member_path(raw: bytes, *, limits: Limits) -> tuple[str, ...]:
    """The parts of a member's path; a folder's closing slash is dropped.

    Args:
        raw: the name as it lies in the zip. UTF-8 is expected whether or not the zip's flag says so, as macOS
            writes it without; a name in a system's code page can't be told from another's.
        limits: of length.

    Raises:
        SubmissionRefused: the name is no text, no plain relative path, or not good on every system.
    """
    if len(raw) > limits.name_bytes:
        found = f"{shown(raw)}, {len(raw)} bytes of at most {limits.name_bytes}"
        raise refused(Rule.NAME_LENGTH, found, remedy=RENAME)
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        raise refused(Rule.NAME_TEXT, f"{shown(raw)}, which is no UTF-8", remedy=RENAME) from None
    if not name.isprintable():
        raise refused(Rule.NAME_TEXT, f"{shown(name)}, with a character that doesn't print", remedy=RENAME)
    if "\\" in name:
        raise refused(Rule.NAME_PATH, f"{shown(name)}, with a backslash", remedy=RENAME)
    parts = tuple(name.removesuffix("/").split("/"))
    if len(parts) > limits.depth:
        found = f"{shown(name)}, {len(parts)} levels of at most {limits.depth}"
        raise refused(Rule.NAME_LENGTH, found, remedy=RENAME)
    for part in parts:
        if len(part.encode()) > limits.part_bytes:
            found = f"{shown(name)}, a part of {len(part.encode())} bytes of at most {limits.part_bytes}"
            raise refused(Rule.NAME_LENGTH, found, remedy=RENAME)
        _check_part(part, name=name)
        _check_part(unicodedata.normalize("NFKC", part), name=name)
    return parts


def check_unique(paths: Iterable[tuple[tuple[str, ...], bool]]) -> None:
    """Refuse two members that some file system would put in one place.

    Args:
        paths: the parts of each path, and whether it is a folder.

    Raises:
        SubmissionRefused: a name occurs twice, in another case or normal form too, or is both file and folder.
    """
    spelt: dict[tuple[str, ...], tuple[str, ...]] = {}
    listed: set[tuple[str, ...]] = set()
    files: set[tuple[str, ...]] = set()
    folders: set[tuple[str, ...]] = set()
    for parts, is_folder in paths:
        keys = tuple(_key(part) for part in parts)
        for depth in range(1, len(parts) + 1):
            first = spelt.setdefault(keys[:depth], parts[:depth])
            if first != parts[:depth]:
                both = f"{shown('/'.join(first))} and {shown('/'.join(parts[:depth]))}"
                raise refused(Rule.UNIQUE, f"{both}, one name on some systems", remedy=RENAME)
        if keys in listed:
            raise refused(Rule.UNIQUE, f"{shown('/'.join(parts))} twice", remedy=RENAME)
        listed.add(keys)
        (folders if is_folder else files).add(keys)
        folders.update(keys[:depth] for depth in range(1, len(keys)))
    for keys in sorted(files & folders):
        raise refused(Rule.UNIQUE, f"{shown('/'.join(spelt[keys]))}, a file and a folder", remedy=RENAME)


def _check_part(part: str, *, name: str) -> None:
    if part in ("", ".", "..") or "/" in part or "\\" in part:
        raise refused(Rule.NAME_PATH, f"{shown(name)}, with {shown(part)} for a part", remedy=RENAME)
    if part[-1] in ". ":
        raise refused(Rule.NAME_PORTABLE, f"{shown(name)}, with a dot or space at an end", remedy=RENAME)
    if reserved := _RESERVED & set(part):
        listed = " ".join(sorted(reserved))
        raise refused(Rule.NAME_PORTABLE, f"{shown(name)}, with {listed}", remedy=RENAME)
    if _DEVICE.fullmatch(part):
        raise refused(Rule.NAME_PORTABLE, f"{shown(name)}, a device's name on Windows", remedy=RENAME)


def _key(part: str) -> str:
    folded = unicodedata.normalize("NFKC", part).casefold()
    return unicodedata.normalize("NFKC", folded)
