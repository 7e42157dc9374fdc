"""Which photographs: where each one is packed, who made it, under which licence, and its digest."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import PurePosixPath
from typing import Literal

from pixelproof.errors import RecipeError
from pixelproof.schema import build

TABLE = "own-photographs.toml"
SKIMAGE = "skimage"
Role = Literal["train", "validation"]


@dataclass(frozen=True)
class Group:
    """Photographs of one author under one licence, as the table has them.

    Attributes:
        package: of Debian; or ``skimage``, the folder of scikit-image's pictures.
        author, licence: as the package states them.
        version: of the package, in which that was read.
        folder: of the pictures in the package.
        note: what else there is to say of them.
        train, held_out: SHA-256 by file name.
    """

    package: str
    author: str
    licence: str
    version: str = ""
    folder: str = ""
    note: str = ""
    train: Mapping[str, str] = field(default_factory=dict)
    held_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Photograph:
    """One photograph.

    Attributes:
        package, version, author, licence, note: see `Group`.
        member: path in the package; for scikit-image in its data folder.
        sha256: of the file as it is packed.
        role: learnt from, or measured on only.
    """

    package: str
    version: str
    member: str
    author: str
    licence: str
    note: str
    sha256: str
    role: Role

    @property
    def file(self) -> str:
        """The file's name as it is packed."""
        return PurePosixPath(self.member).name

    @property
    def png(self) -> str:
        """The name of the PNG that is made of it."""
        stem = PurePosixPath(self.member).stem.removesuffix("@2x")
        return re.sub(r"[^A-Za-z0-9-]+", "_", stem) + ".png"


@dataclass(frozen=True)
class _Table:
    groups: tuple[Group, ...]


@cache
def photographs() -> tuple[Photograph, ...]:
    """All photographs of the bundled table, in its order."""
    file = resources.files("pixelproof.models.training").joinpath("recipes", TABLE)
    return parse_table(file.read_text(encoding="utf-8"))


def parse_table(text: str) -> tuple[Photograph, ...]:
    """The photographs of a table, in its order.

    Args:
        text: TOML with one ``[[groups]]`` for each author and licence.

    Raises:
        RecipeError: a key is wrong, or two photographs would have one name.
    """

    def fail(path: str, rule: str, found: str, remedy: str) -> RecipeError:
        return RecipeError(f"{path} {rule}", found=f"{found} ({TABLE})", remedy=remedy)

    groups = build(_Table, tomllib.loads(text), fail=fail).groups
    found = tuple(one for group in groups for one in _members(group))
    for names in ({one.png for one in found}, {one.sha256 for one in found}):
        if len(names) != len(found):
            raise fail("groups", "must name every photograph once", f"{len(found)} for {len(names)}", "")
    return found


def _members(group: Group) -> list[Photograph]:
    roles: tuple[tuple[Role, Mapping[str, str]], ...] = (
        ("train", group.train),
        ("validation", group.held_out),
    )
    return [
        Photograph(
            package=group.package,
            version=group.version,
            member=f"{group.folder}/{name}" if group.folder else name,
            author=group.author,
            licence=group.licence,
            note=group.note,
            sha256=digest,
            role=role,
        )
        for role, names in roles
        for name, digest in names.items()
    ]
