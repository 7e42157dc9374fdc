"""A folder of pictures as a folder of pairs: targets in ``GT``, degraded pictures in ``LQ``, of the same names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pixelproof.errors import CallError, ImageError
from pixelproof.files import replacing_file
from pixelproof.images import SUFFIXES, Rgb8, list_images, read_rgb8, write_png
from pixelproof.models.training.degradations.pipeline import degraded_pair
from pixelproof.models.training.degradations.plan import Plan
from pixelproof.models.training.degradations.recipe import Recipe

TARGETS, DEGRADED = "GT", "LQ"
Format = Literal["png", "bmp"]


@dataclass(frozen=True)
class Task:
    """One picture to degrade.

    Attributes:
        source: the picture.
        target, degraded: the files to write.
        recipe, seed, index: see `degraded_pair`.
    """

    source: Path
    target: Path
    degraded: Path
    recipe: Recipe
    seed: int
    index: int


@dataclass(frozen=True)
class Done:
    """What became of a picture.

    Attributes:
        index: of the task.
        source: file name.
        name: of both files that were written; "" where the picture was skipped.
        height, width: of the target.
        plan: what was done.
        skipped: why nothing was.
    """

    index: int
    source: str
    name: str = ""
    height: int = 0
    width: int = 0
    plan: Plan | None = None
    skipped: str = ""


def tasks_of(
    folder: Path, out: Path, *, recipe: Recipe, seed: int, suffix: Format, overwrite: bool
) -> tuple[Task, ...]:
    """What is to be done; an index is the picture's place in the folder, in natural order of names.

    Args:
        folder: the pictures lie directly in it.
        out: where ``GT`` and ``LQ`` will be.
        suffix: of the files that are written.
        overwrite: whether files of these names may be replaced.

    Raises:
        ImageError: no folder, or none with pictures.
        CallError: two pictures would have one name, one folder lies in the other, or there is something in ``out``.
    """
    sources = list_images(folder)
    if not sources:
        remedy = f"Known suffixes: {' '.join(SUFFIXES)}."
        raise ImageError("A folder of images must hold images", found=f"none in {folder}", remedy=remedy)
    _check_apart(folder.resolve(), out.resolve())
    _check_names(sources)
    tasks = tuple(
        Task(path, out / TARGETS / name, out / DEGRADED / name, recipe, seed, index)
        for index, path in enumerate(sources)
        for name in [f"{path.stem}.{suffix}"]
    )
    _check_room(out, tasks, overwrite=overwrite)
    return tasks


def make_pair(task: Task) -> Done:
    """Degrade one picture and write both files, each whole or not at all; one that can't be used is told, not raised.

    Raises:
        EnvironmentFault: the files can't be written.
    """
    try:
        image8 = read_rgb8(task.source)
        pair = degraded_pair(image8, task.recipe, seed=task.seed, index=task.index)
    except ImageError as error:
        return Done(task.index, task.source.name, skipped=str(error))
    _write(task.degraded, pair.degraded8)
    _write(task.target, pair.target8)
    height, width = pair.target8.shape[:2]
    return Done(task.index, task.source.name, task.target.name, height, width, pair.plan)


def _write(path: Path, image8: Rgb8) -> None:
    if path.suffix == ".png":
        write_png(path, image8)
        return
    from PIL import Image

    with replacing_file(path) as temporary:
        Image.fromarray(image8).save(temporary, format="BMP")


def _check_apart(folder: Path, out: Path) -> None:
    if out == folder or folder in out.parents or out in folder.parents:
        remedy = "Choose an output folder beside the pictures' folder."
        raise CallError(
            "OUT must lie outside IN, and IN outside OUT", found=f"{out} and {folder}", remedy=remedy
        )


def _check_names(sources: Sequence[Path]) -> None:
    by_stem: dict[str, Path] = {}
    for path in sources:
        if path.stem in by_stem:
            found = f"{by_stem[path.stem].name} and {path.name}"
            raise CallError("Images must differ in more than their suffix", found=found)
        by_stem[path.stem] = path


def _check_room(out: Path, tasks: Sequence[Task], *, overwrite: bool) -> None:
    if out.exists() and not out.is_dir():
        raise CallError("OUT must be a folder", found=f"a file: {out}")
    ours = {path for task in tasks for path in (task.target, task.degraded)}
    there = [
        path for part in (out, out / TARGETS, out / DEGRADED) if part.is_dir() for path in part.iterdir()
    ]
    places = (out / TARGETS, out / DEGRADED)
    files = [
        path for path in there if not path.name.startswith(".") and not (path in places and path.is_dir())
    ]
    others = sorted(path for path in files if path not in ours)
    if others:
        remedy = "Pairs of two runs don't mix: choose a new folder, or empty this one."
        more = f" and {len(others) - 1} more" if others[1:] else ""
        found = f"{others[0].relative_to(out)}{more}"
        raise CallError("OUT must hold nothing else", found=f"{found} in {out}", remedy=remedy)
    if files and not overwrite:
        remedy = "--overwrite replaces them."
        raise CallError(
            "OUT must be new or empty", found=f"{len(files)} files of such names in {out}", remedy=remedy
        )
