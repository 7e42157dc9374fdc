"""Which pictures are enlarged, what they will be called, and one picture's way through the model."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from pixelproof.errors import CallError, ImageError
from pixelproof.files import replacing_file
from pixelproof.images import (
    SUFFIXES,
    Rgb8,
    bicubic_resize_8bit,
    list_images,
    read_rgb8,
    rounded_8bit,
    unit_from_8bit,
)
from pixelproof.models.training.evaluation_figures import Figures, evaluate
from pixelproof.models.training.recipe import Validation

if TYPE_CHECKING:
    from pixelproof.models.training.super_resolve_model import Enlarger

OUTPUT_SUFFIXES = (".png", ".bmp")
BICUBIC = "bicubic"


@dataclass(frozen=True)
class Task:
    """One picture to enlarge.

    Attributes:
        source: the picture.
        output, bicubic: the files that are written.
        original: what it was made from, where that is known.
    """

    source: Path
    output: Path
    bicubic: Path
    original: Path | None


@dataclass(frozen=True)
class Done:
    """What became of a picture.

    Attributes:
        task: which.
        height, width: of the result.
        seconds: in the model.
        model, bicubic: figures against the original, where there is one.
        original_size: (height, width) of the original where rows and columns of it were cut off.
    """

    task: Task
    height: int
    width: int
    seconds: float
    model: Figures | None = None
    bicubic: Figures | None = None
    original_size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Pictures:
    """The two pictures to write.

    Attributes:
        model8, bicubic8: uint8, (height, width, 3), in [0, 255].
    """

    model8: Rgb8
    bicubic8: Rgb8


def find_tasks(
    pictures: Sequence[Path], *, out: Path | None, original: Path | None, overwrite: bool
) -> tuple[Task, ...]:
    """What is to be done, in the order given; a folder's pictures in natural order.

    Args:
        pictures: files and folders.
        out: a file for one picture; a folder for several. Without it one picture's result lies beside it.
        original: of one picture the file; of several the folder.
        overwrite: whether files that are there may be replaced.

    Raises:
        ImageError: no picture at a path, or a folder without any.
        CallError: an output of another suffix, in an input's place, or there already; no folder for several pictures;
            originals of which none belongs to a picture.
    """
    sources = [path for one in pictures for path in _pictures_at(one)]
    single = len(pictures) == 1 and not pictures[0].is_dir() and (out is None or not out.is_dir())
    places = [_beside(sources[0], out)] if single else _in_folder(sources, pictures, out)
    originals = _originals(sources, original)
    tasks = tuple(Task(s, *p, o) for s, p, o in zip(sources, places, originals, strict=True))
    _check_outputs(tasks, overwrite=overwrite)
    return tasks


def enlarge(task: Task, enlarger: Enlarger) -> tuple[Done, Pictures]:
    """Enlarge one picture, and measure where its original is known; nothing is written.

    Raises:
        ImageError: not 8-bit RGB, unreadable, of a size that the model can't take, or an original of another size.
        EnvironmentFault: too large for the memory.
        ModelFailed: the model fails on it.
    """
    small8 = read_rgb8(task.source)
    height, width = (side * enlarger.scale for side in small8.shape[:2])
    original8 = None if task.original is None else _read_original(task, (height, width), enlarger.scale)
    bicubic8 = bicubic_resize_8bit(small8, height, width)
    taken = bicubic8 if enlarger.enlarged_first else small8
    _check_size(taken, task, enlarger)
    begun = perf_counter()
    output = enlarger.predict(unit_from_8bit(taken))
    done = Done(task, height, width, perf_counter() - begun)
    pictures = Pictures(rounded_8bit(output), bicubic8)
    return (done if original8 is None else _measured(done, pictures, original8, enlarger.scale)), pictures


def write(task: Task, pictures: Pictures) -> None:
    """Write both pictures: each whole or not at all, and neither before both are complete.

    Raises:
        EnvironmentFault: the folder can't be written, or the disk is full.
    """
    with replacing_file(task.output) as output, replacing_file(task.bicubic) as bicubic:
        _save(output, pictures.model8, task.output.suffix)
        _save(bicubic, pictures.bicubic8, task.bicubic.suffix)


def _measured(done: Done, pictures: Pictures, original8: Rgb8, scale: int) -> Done:
    rules = Validation(crop_border=scale, luma=True)
    target = unit_from_8bit(original8[: done.height, : done.width])
    model, bicubic = (
        evaluate(unit_from_8bit(one), target, rules) for one in (pictures.model8, pictures.bicubic8)
    )
    size = (original8.shape[0], original8.shape[1])
    cut = None if size == (done.height, done.width) else size
    return replace(done, model=model, bicubic=bicubic, original_size=cut)


def _save(path: Path, image8: Rgb8, suffix: str) -> None:
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(image8))
    if suffix.lower() == ".bmp":
        image.save(path, format="BMP")
    else:
        image.save(path, format="PNG", compress_type=zlib.Z_RLE)


def _pictures_at(path: Path) -> list[Path]:
    if not path.is_dir():
        if not path.is_file():
            raise ImageError("A picture must be a file, or lie in a folder", found=f"none at {path}")
        return [path]
    found = list(list_images(path))
    if not found:
        remedy = f"Known suffixes: {' '.join(SUFFIXES)}."
        raise ImageError("A folder of pictures must hold some", found=f"none in {path}", remedy=remedy)
    return found


def _beside(source: Path, out: Path | None) -> tuple[Path, Path]:
    output = source.with_name(f"{source.stem}_sr.png") if out is None else out
    if output.suffix.lower() not in OUTPUT_SUFFIXES:
        remedy = "A folder must be there already where it is for one picture."
        raise CallError("--out must end in .png or .bmp", found=str(out), remedy=remedy)
    return output, output.with_name(f"{output.stem}_{BICUBIC}{output.suffix}")


def _in_folder(sources: Sequence[Path], given: Sequence[Path], out: Path | None) -> list[tuple[Path, Path]]:
    rule = "--out must name the folder for several pictures"
    if out is None:
        raise CallError(rule, found="none")
    if out.exists() and not out.is_dir():
        raise CallError(rule, found=f"a file: {out}")
    if out.suffix.lower() in OUTPUT_SUFFIXES and not out.exists():
        raise CallError(rule, found=f"a picture's name: {out}")
    if any(one.is_dir() and one.resolve() == out.resolve() for one in given):
        raise CallError("--out must be another folder than the pictures'", found=str(out))
    by_stem: dict[str, Path] = {}
    for source in sources:
        other = by_stem.setdefault(source.stem, source)
        if other is not source:
            remedy = "Rename one, or enlarge them into two folders."
            found = f"{other} and {source}"
            raise CallError(f"Two pictures must not become one {source.stem}.png", found=found, remedy=remedy)
    return [(out / f"{one.stem}.png", out / BICUBIC / f"{one.stem}.png") for one in sources]


def _originals(sources: Sequence[Path], original: Path | None) -> list[Path | None]:
    if original is None:
        return [None] * len(sources)
    if not original.is_dir():
        if not original.is_file():
            raise ImageError("--original must be a picture, or a folder of them", found=f"none at {original}")
        if len(sources) > 1:
            found = f"a file for {len(sources)} pictures: {original}"
            raise CallError("--original must be a folder for several pictures", found=found)
        return [original]
    by_stem: dict[str, Path] = {}
    for path in list_images(original):
        if by_stem.setdefault(path.stem, path) is not path:
            found = f"{by_stem[path.stem].name} and {path.name} in {original}"
            raise CallError("Originals must differ in more than their suffix", found=found)
    matched = [by_stem.get(one.stem) or by_stem.get(re.sub(r"x\d$", "", one.stem)) for one in sources]
    if not any(matched):
        found = f"none of {', '.join(sorted(by_stem)[:3]) or 'nothing'} in {original}"
        remedy = (
            "An original has its picture's name, which may have the scale behind: 0801x4.png for 0801.png."
        )
        raise CallError("--original must hold pictures of these names", found=found, remedy=remedy)
    return matched


def _check_outputs(tasks: Sequence[Task], *, overwrite: bool) -> None:
    kept = [path for task in tasks for path in (task.source, task.original) if path is not None]
    kept_paths = {path.resolve() for path in kept}
    outputs = [path for task in tasks for path in (task.output, task.bicubic)]
    there = [path for path in outputs if path.exists()]
    taken = [p for p in outputs if p.resolve() in kept_paths or (p in there and any(map(p.samefile, kept)))]
    if taken:
        remedy = "Give --out another name."
        raise CallError(
            "A result must not replace a picture that is read", found=str(taken[0]), remedy=remedy
        )
    if there and not overwrite:
        more = f" and {len(there) - 1} more" if there[1:] else ""
        found = f"{there[0]}{more}"
        raise CallError("Results must not be there already", found=found, remedy="--overwrite replaces them.")


def _read_original(task: Task, size: tuple[int, int], scale: int) -> Rgb8:
    assert task.original is not None
    original8 = read_rgb8(task.original)
    surplus = [have - want for have, want in zip(original8.shape, size, strict=False)]
    if not all(0 <= one < scale for one in surplus):
        found = f"{original8.shape[0]}x{original8.shape[1]} in {task.original} for {size[0]}x{size[1]}"
        remedy = f"Up to {scale - 1} more rows and columns, bottom and right, would be cut off."
        raise ImageError(
            f"An original must have {scale} times its picture's size", found=found, remedy=remedy
        )
    return original8


def _check_size(taken: Rgb8, task: Task, enlarger: Enlarger) -> None:
    height, width = taken.shape[:2]
    contract = enlarger.contract
    if not contract.allows(height, width):
        least, multiple = contract.minimum_size, contract.size_multiple
        of = f" in multiples of {multiple}" if multiple > 1 else ""
        rule = f"{enlarger.architecture} must be given at least {least}x{least} pixels{of}"
        raise ImageError(rule, found=f"{height}x{width} for {task.source}")
