"""Which pictures are restored, what they will be called, and which targets belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelproof.errors import CallError, ImageError
from pixelproof.images import SUFFIXES, list_images
from pixelproof.raw import CAMERA_SUFFIXES


@dataclass(frozen=True)
class Item:
    """One picture to restore.

    Attributes:
        source: the RAW or RGB image.
        output: the PNG that is written; None where only time is measured.
        target: the picture that it should become, where there is one.
    """

    source: Path
    output: Path | None = None
    target: Path | None = None

    @property
    def name(self) -> str:
        """The image's file name."""
        return self.source.name


def find_items(
    given: Sequence[Path], *, out: Path | None, targets: Path | None, overwrite: bool
) -> tuple[Item, ...]:
    """The images that are named, or lie directly in the folders that are named, in natural order.

    Args:
        given: files and folders.
        out: the folder for the PNGs; they have the images' names.
        targets: a folder of pictures with the images' names; other suffixes are allowed.
        overwrite: whether PNGs that are there already may be replaced.

    Raises:
        ImageError: a folder that can't be listed or holds no images, or a file that isn't there.
        CallError: two images that would give one PNG, PNGs that are there already, or would replace an image or a
            target; targets of which none belongs to an image.
    """
    sources = [path for one in given for path in _images_at(one)]
    items = [Item(source, None if out is None else out / f"{source.stem}.png") for source in sources]
    if targets is not None:
        items = _with_targets(items, targets)
    if out is not None:
        _check_outputs(items, overwrite=overwrite)
    return tuple(items)


def _images_at(path: Path) -> list[Path]:
    if not path.is_dir():
        if not path.is_file():
            raise ImageError("An image must be a file, or lie in a folder", found=f"none at {path}")
        return [path]
    camera = [p for p in path.iterdir() if p.suffix.lower() in CAMERA_SUFFIXES and p.is_file()]
    found = [*list_images(path), *sorted(p for p in camera if not p.name.startswith("."))]
    if not found:
        remedy = f"Known suffixes: {' '.join((*SUFFIXES, *CAMERA_SUFFIXES))}."
        raise ImageError("A folder of images must hold images", found=f"none in {path}", remedy=remedy)
    return found


def _with_targets(items: Sequence[Item], folder: Path) -> list[Item]:
    by_stem: dict[str, Path] = {}
    for path in list_images(folder):
        if path.stem in by_stem:
            found = f"{by_stem[path.stem].name} and {path.name} in {folder}"
            raise CallError("Targets must differ in more than their suffix", found=found)
        by_stem[path.stem] = path
    matched = [Item(item.source, item.output, by_stem.get(item.source.stem)) for item in items]
    if not any(item.target for item in matched):
        found = f"none of {', '.join(sorted(by_stem)[:3]) or 'nothing'} in {folder}"
        remedy = "A target has its image's name; its suffix may be another."
        raise CallError("--targets must hold pictures of the images' names", found=found, remedy=remedy)
    return matched


def _check_outputs(items: Sequence[Item], *, overwrite: bool) -> None:
    outputs: dict[Path, Item] = {}
    for item in items:
        assert item.output is not None
        other = outputs.setdefault(_identity(item.output), item)
        if other is not item:
            found = f"{other.source} and {item.source}"
            rule = f"Two images must not become one {item.output.name}"
            raise CallError(rule, found=found, remedy="Rename one, or restore them into two folders.")
    kept = {_identity(p) for item in items for p in (item.source, item.target) if p is not None}
    taken = [item.name for path, item in outputs.items() if path in kept]
    if taken:
        remedy = "Name another folder with --out."
        raise CallError("A result must not replace an image or a target", found=_some(taken), remedy=remedy)
    there = [item.output.name for item in items if item.output is not None and item.output.exists()]
    if there and not overwrite:
        remedy = "--overwrite replaces them."
        raise CallError("Results must not be there already", found=_some(there), remedy=remedy)


def _identity(path: Path) -> Path:
    """One path for one file, whatever way leads to it; the file need not be there."""
    return path.resolve()


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
