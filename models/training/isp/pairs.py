"""The challenge's pairs: a RAW patch and the picture of the same name, and which of them can't be used."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pixelproof.environment import usable_cores
from pixelproof.errors import ImageError
from pixelproof.images import FORMATS, SUFFIXES, list_images, unreadable
from pixelproof.models.training.data.training_data import Skipped
from pixelproof.raw import PIXEL_SUFFIXES

Size = tuple[int, int]
SizeRule = Callable[[Size], str]

_GREY_16, _GREY_8 = ("I;16", "I;16B", "I;16L", "I"), "L"
_WHITE_OF_8_BIT = 255.0


@dataclass(frozen=True)
class Pair:
    """A RAW mosaic and the picture of the same scene."""

    mosaic: Path
    picture: Path


@dataclass(frozen=True)
class Found:
    """Pairs in natural order of their names, and what was left out."""

    pairs: tuple[Pair, ...]
    skipped: tuple[Skipped, ...]


def find_pairs(
    folder: Path, *, phone_dir: str, dslr_dir: str, white_level: float, why_not: SizeRule
) -> Found:
    """The pairs below a folder, each file's header and check sums read.

    Args:
        folder: ``train`` or ``val`` of the challenge's folder.
        phone_dir, dslr_dir: folders in it with mosaics and pictures.
        white_level: up to 255, mosaics of 8 bit are taken too.
        why_not: says of a size (height, width) why it can't be used, "" where it can.

    Raises:
        ImageError: a folder is missing, or no pair can be used.
    """
    mosaics = _by_stem(_listed(folder / phone_dir, PIXEL_SUFFIXES))
    pictures = _by_stem(_listed(folder / dslr_dir, SUFFIXES))
    matched, skipped = [], []
    for stem, files in mosaics.items():
        if len(files) == 1 and len(pictures.get(stem, ())) == 1:
            matched.append(Pair(files[0], pictures[stem][0]))
        elif stem in pictures:
            both = ", ".join(path.name for path in (*files, *pictures[stem]))
            skipped.append(Skipped(str(files[0]), f"several files of that name: {both}"))
        else:
            skipped += [
                Skipped(str(path), f"no picture of that name in {folder / dslr_dir}") for path in files
            ]
    for stem in pictures.keys() - mosaics.keys():
        skipped += [
            Skipped(str(path), f"no mosaic of that name in {folder / phone_dir}") for path in pictures[stem]
        ]

    def fault(pair: Pair) -> Skipped | None:
        return _fault(pair, white_level=white_level, why_not=why_not)

    with ThreadPoolExecutor(usable_cores()) as threads:
        faults = list(threads.map(fault, matched))
    usable = tuple(pair for pair, wrong in zip(matched, faults, strict=True) if wrong is None)
    skipped = sorted([*skipped, *filter(None, faults)], key=lambda one: one.name)
    if not usable:
        found = f"none in {folder} ({phone_dir} and {dslr_dir})"
        found += (
            f"; {len(skipped)} left out, the first one {skipped[0].name}: {skipped[0].why}" if skipped else ""
        )
        raise ImageError("A folder to learn from must hold pairs that can be used", found=found)
    return Found(usable, tuple(skipped))


def _listed(folder: Path, suffixes: tuple[str, ...]) -> tuple[Path, ...]:
    if not folder.is_dir():
        remedy = (
            "The challenge's folder has train/, val/ and test/, each with mediatek_raw/ and fujifilm/; "
            "phone_dir and dslr_dir name others."
        )
        raise ImageError(
            "RAW patches and pictures must lie in two folders", found=f"no folder {folder}", remedy=remedy
        )
    return list_images(folder, suffixes=suffixes)


def _by_stem(files: tuple[Path, ...]) -> dict[str, list[Path]]:
    grouped: dict[str, list[Path]] = {}
    for path in files:
        grouped.setdefault(path.stem, []).append(path)
    return grouped


def _fault(pair: Pair, *, white_level: float, why_not: SizeRule) -> Skipped | None:
    try:
        size = _checked(pair.mosaic, lambda mode, raw_mode: _not_raw(mode, white_level))
    except ImageError as error:
        return _skipped(pair.mosaic, error)
    try:
        other = _checked(pair.picture, _not_rgb8)
    except ImageError as error:
        return _skipped(pair.picture, error)
    if size != other:
        sizes = f"{size[0]}x{size[1]} and {other[0]}x{other[1]}"
        return Skipped(str(pair.mosaic), f"mosaic and picture are of different sizes, {sizes}")
    wrong = why_not(size)
    return Skipped(str(pair.mosaic), wrong) if wrong else None


def _skipped(path: Path, error: ImageError) -> Skipped:
    return Skipped(str(path), error.found.replace(f"{path}: ", "").replace(f": {path}", ""))


def _not_raw(mode: str, white_level: float) -> str:
    if mode in _GREY_16 or (mode == _GREY_8 and white_level <= _WHITE_OF_8_BIT):
        return ""
    if mode == _GREY_8:
        return f"8 bit, and the white level is {white_level:g}"
    return f"mode {mode}, not one channel of 16 bit"


def _not_rgb8(mode: str, raw_mode: str) -> str:
    if mode != "RGB":
        return f"mode {mode}, not RGB"
    return "more than 8 bit a channel" if ";16" in raw_mode else ""


def _checked(path: Path, wrong: Callable[[str, str], str]) -> Size:
    """Height and width of an image whose kind is right and whose file is whole.

    Raises:
        ImageError: unreadable, damaged or of another kind; ``found`` says why.
    """
    from PIL import Image

    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            raw_mode = " ".join(str(tile[3]) for tile in image.tile)
            if why := wrong(image.mode, raw_mode):
                raise ImageError("An image must be of the kind that is wanted", found=why)
            if image.format == "PNG":
                image.verify()  # every chunk's check sum, in a twentieth of the time of decoding
            else:
                image.load()
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise unreadable(path, error) from error
    except Image.DecompressionBombError as error:
        raise ImageError("An image must be of a usual size", found=str(error)) from error
    return height, width
