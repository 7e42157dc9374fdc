"""Photographs out of their packages, one package after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

from pixelproof.errors import EnvironmentFault, InputError
from pixelproof.models.training.photographs.collection import Missing, checked
from pixelproof.models.training.photographs.debian_package import read_members
from pixelproof.models.training.photographs.sources import package_file
from pixelproof.models.training.photographs.table import SKIMAGE, Photograph


class Sources:
    """Reads photographs out of packages, one package after another.

    Args:
        debs: .deb files and folders that the user gave.
        cache: where downloads are kept.
        skimage: folder of scikit-image's pictures, or None.
        allow_missing: note what can't be had in `missing`, where it would be an error otherwise.
    """

    def __init__(
        self, *, debs: tuple[Path, ...], cache: Path, skimage: Path | None, allow_missing: bool
    ) -> None:
        self._debs, self._cache, self._skimage = debs, cache, skimage
        self._allow_missing = allow_missing
        self.missing: list[Missing] = []

    def read(
        self, wanted: tuple[Photograph, ...], say: Callable[[str], None]
    ) -> Iterator[tuple[Photograph, bytes]]:
        """The photographs with their files' contents, checked."""
        ordered = sorted(wanted, key=lambda one: one.package)
        for package, members in groupby(ordered, key=lambda one: one.package):
            group = tuple(members)
            try:
                contents = self._skimage_files(group) if package == SKIMAGE else self._package(group)
            except (EnvironmentFault, InputError) as error:
                self._miss(group, error)
                say(f"  {package}: left out; {error}")
                continue
            taken = 0
            for one in group:
                try:
                    data = checked(one, _required(one, contents))
                except InputError as error:
                    self._miss((one,), error)
                    continue
                taken += 1
                yield one, data
            say(f"  {package}: {taken} of {len(group)}")

    def _miss(self, group: tuple[Photograph, ...], error: EnvironmentFault | InputError) -> None:
        if not self._allow_missing:
            raise error
        self.missing += [Missing(one, str(error)) for one in group]

    def _package(self, group: tuple[Photograph, ...]) -> dict[str, bytes]:
        first = group[0]
        deb = package_file(first.package, first.version, given=self._debs, cache=self._cache)
        return read_members(deb, {one.member for one in group})

    def _skimage_files(self, group: tuple[Photograph, ...]) -> dict[str, bytes]:
        if self._skimage is None:
            remedy = (
                "Install scikit-image (the extra dev has it), name its data folder with --skimage, or use "
            )
            raise EnvironmentFault(
                "Some photographs are scikit-image's", found="none here", remedy=f"{remedy}--allow-missing."
            )
        paths = {one.member: self._skimage / one.member for one in group}
        return {member: path.read_bytes() for member, path in paths.items() if path.is_file()}


def _required(one: Photograph, contents: dict[str, bytes]) -> bytes:
    if one.member in contents:
        return contents[one.member]
    where = f"{one.package} of another version than {one.version}" if one.version else one.package
    remedy = "Give the package of that version with --debs, or use --allow-missing."
    raise InputError("A photograph must be in its package", found=f"no {one.file} in {where}", remedy=remedy)
