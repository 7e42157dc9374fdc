"""The six real-world pictures of a hand-in: slightly, moderately and extremely blurry, each with its result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelproof.errors import CallError, ImageError
from pixelproof.images import SUFFIXES, list_images, read_rgb8
from pixelproof.submit.course.faults import Faults

LEVELS = ("slightly", "moderately", "extremely")
COUNT = 6
RESULTS = "results"


@dataclass(frozen=True)
class RealWorld:
    """One picture and what the network made of it; ``level`` is one of `LEVELS`."""

    level: str
    source: Path
    result: Path


def real_world_pictures(folder: Path | None, *, scale: int, faults: Faults) -> tuple[RealWorld, ...]:
    """The pictures of a folder, in the order of their blur; what is missing or wrong is noted.

    A picture's name begins with its blur (``slightly-1.jpg``); ``results/`` in the folder holds each one's result as
    a PNG of the same stem.

    Args:
        scale: result's size over the picture's.
    """
    if folder is None:
        remedy = f"Name the folder of the {COUNT} pictures with --real-world."
        faults.add(
            CallError("A hand-in needs its real-world pictures", found="no --real-world", remedy=remedy)
        )
        return ()
    sources: Sequence[Path] = ()
    with faults.noted():
        sources = list_images(folder)
        _check_set(sources, folder)
    found = []
    for level in LEVELS:
        for source in (path for path in sources if _level(path) == level):
            with faults.noted():
                result = folder / RESULTS / f"{source.stem}.png"
                _check_pair(source, result, scale=scale)
                found.append(RealWorld(level, source, result))
    return tuple(found)


def _level(path: Path) -> str | None:
    return next((level for level in LEVELS if path.name.lower().startswith(level)), None)


def _check_set(sources: Sequence[Path], folder: Path) -> None:
    strange = [path.name for path in sources if _level(path) is None]
    absent = [level for level in LEVELS if level not in map(_level, sources)]
    stems = [path.stem for path in sources]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    found = [f"{len(sources)} in {folder}"] if len(sources) != COUNT else []
    found += [f"none {level} blurry" for level in absent] if sources else []
    found += [f"{name}, whose name tells no blur" for name in strange[:3]]
    found += [f"two of the name {stem}" for stem in twice]
    if found:
        names = ", ".join(f"{level}-1" for level in LEVELS)
        remedy = f"Name them {names} and so on, with one of {' '.join(SUFFIXES)}."
        rule = f"The real-world pictures must be {COUNT}, slightly, moderately and extremely blurry"
        raise ImageError(rule, found="; ".join(found), remedy=remedy)


def _check_pair(source: Path, result: Path, *, scale: int) -> None:
    if not result.is_file():
        remedy = f"Run the network on it: pixelproof restore-images writes a folder of results; put it at {RESULTS}/."
        raise ImageError("A real-world picture must have its result", found=f"no {result}", remedy=remedy)
    height, width = read_rgb8(source).shape[:2]
    shape = read_rgb8(result).shape[:2]
    if shape != (height * scale, width * scale):
        found = f"{shape[0]}x{shape[1]} in {result} for {height}x{width} in {source.name}"
        remedy = "Hand in the network's output as it is."
        raise ImageError(f"A result must be {scale} times its picture's size", found=found, remedy=remedy)
