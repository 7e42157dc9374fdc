"""Where in a platform's reference folder the data really lies: organisers zip folders in more than one way."""

from __future__ import annotations

from pathlib import Path

from pixelproof import images
from pixelproof.errors import ImageError

LEVELS = 3
_REMEDY = "The organiser's reference data must hold it: see docs/codabench.md."


def folder_of_pictures(reference: Path) -> Path:
    """The folder that holds the most pictures, the reference folder itself or one below.

    Raises:
        ImageError: there is none; the organiser's fault, not the participant's.
    """
    candidates = _folders(reference)
    held = {folder: len(images.list_images(folder)) for folder in candidates}
    best = max(candidates, key=lambda folder: (held[folder], -len(folder.parts)), default=None)
    if best is None or not held[best]:
        raise ImageError("The reference data must hold the targets", found="no picture", remedy=_REMEDY)
    return best


def folder_with(reference: Path, names: tuple[str, ...]) -> Path:
    """The folder from which all of these relative folders start.

    Raises:
        ImageError: there is none; the organiser's fault.
    """
    for folder in _folders(reference):
        if all((folder / name).is_dir() for name in names):
            return folder
    found = f"no folder with {', '.join(names)}"
    raise ImageError("The reference data must hold the challenge's folders", found=found, remedy=_REMEDY)


def _folders(reference: Path) -> list[Path]:
    """The folder and those below it, nearer ones first; none where it is missing."""
    if not reference.is_dir():
        return []
    found, level = [reference], [reference]
    for _ in range(LEVELS):
        level = [p for folder in level for p in sorted(folder.iterdir()) if _is_folder(p)]
        found += level
    return found


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and path.name != "__MACOSX" and path.name[0] != "."
