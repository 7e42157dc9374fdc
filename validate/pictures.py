"""The worst, median and best image of a judgement, saved so that people can look at them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pixelproof.errors import CallError, EnvironmentFault
from pixelproof.files import make_folder, replacing_folder
from pixelproof.images import Rgb8
from pixelproof.measure.protocol import Array
from pixelproof.report import Fidelity, ImageFidelity, dump_json
from pixelproof.validate.pairs import Image, model_input
from pixelproof.validate.picture_maps import (
    Levels,
    crop_of,
    error_levels,
    error_picture,
    factor_for,
    input_picture,
    outside_of,
    outside_picture,
    shown_8bit,
)
from pixelproof.validate.picture_records import INDEX, PARTS, Crop, Picture, PictureFiles, Pictures, Role

T = TypeVar("T", bound=np.generic)
_ROLES: tuple[Role, ...] = ("worst", "median", "best", "only")


@dataclass(frozen=True)
class _Seen:
    """One image, run once more."""

    role: Role
    figures: ImageFidelity
    source: Image
    output: Array
    target: Rgb8
    error: Levels
    crop: Crop


def chosen_images(per_image: Sequence[ImageFidelity]) -> tuple[tuple[Role, int], ...]:
    """(role, place) of the worst, median and best image by PSNR; one that has no figure is the worst.

    Of two images there is no median, of one neither.
    """
    order = sorted(range(len(per_image)), key=lambda i: (_badness(per_image[i]), i))
    if len(order) == 1:
        return (("only", order[0]),)
    ends: tuple[tuple[Role, int], ...] = (("worst", order[0]), ("best", order[-1]))
    if len(order) == 2:
        return ends
    return (ends[0], ("median", order[(len(order) - 1) // 2]), ends[1])


def _badness(item: ImageFidelity) -> float:
    return item.psnr_db if item.psnr_db == item.psnr_db else float("-inf")


def save_pictures(
    folder: Path,
    *,
    run: Callable[[Array], Array],
    read: Callable[[int], tuple[Image, Rgb8]],
    fidelity: Fidelity,
    scale: int,
    artifact_sha256: str,
) -> Pictures:
    """Run the chosen images once more and save what is to be seen of them; whole or not at all.

    Args:
        folder: takes the place of one that was there; see `check_pictures_folder`.
        run: float32 (1, height, width, channels) in [0, 1] in, the model's output out.
        read: (input, target) of the image at a place of ``fidelity.per_image``.
        scale: output size over input size.

    Raises:
        ImageError: an image can't be read any more.
        ModelFailed, WorkerStopped: the model doesn't run any more.
        EnvironmentFault: the folder can't be written, or the disk is full.
    """
    seen = [
        _seen(role, fidelity.per_image[place], *read(place), run=run, scale=scale)
        for role, place in chosen_images(fidelity.per_image)
    ]
    with replacing_folder(folder) as made:
        images = tuple(_saved(made, item, scale=scale) for item in seen)
        pictures = Pictures(artifact_sha256=artifact_sha256, images=images)
        (made / INDEX).write_text(dump_json(pictures), encoding="utf-8")
    return pictures


def check_pictures_folder(folder: Path) -> None:
    """Refuse a folder that holds anything but earlier pictures, since it is replaced.

    Raises:
        CallError: it does, or a file stands there.
        EnvironmentFault: it can't be written.
    """
    if folder.is_dir():
        ours = {INDEX, *(_file_name(role, part) for role in _ROLES for part in PARTS)}
        foreign = sorted(member.name for member in folder.iterdir() if member.name not in ours)
        if foreign:
            remedy = "Name a new folder, an empty one, or one of earlier pictures: it is replaced."
            found = f"{foreign[0]} in {folder}"
            raise CallError("--pictures must be a folder for pictures alone", found=found, remedy=remedy)
    elif os.path.lexists(folder):
        raise CallError("--pictures must be a folder", found=f"something else: {folder}")
    make_folder(folder.absolute().parent)
    if not os.access(folder.absolute().parent, os.W_OK):
        remedy = "Choose another folder, or make this one writable."
        raise EnvironmentFault("Output must be writable", found=str(folder.absolute().parent), remedy=remedy)


def _seen(
    role: Role,
    figures: ImageFidelity,
    source: Image,
    target: Rgb8,
    *,
    run: Callable[[Array], Array],
    scale: int,
) -> _Seen:
    output = run(model_input(source[None]))[0]
    error = error_levels(output, target)
    crop = crop_of(error, scale=scale, worst=role == "worst")
    return _Seen(role, figures, source, output, target, error, crop)


def _saved(folder: Path, item: _Seen, *, scale: int) -> Picture:
    import PIL.Image

    crop = item.crop
    small = Crop(crop.top // scale, crop.left // scale, crop.height // scale, crop.width // scale, crop.place)
    source, note = input_picture(_cropped(item.source, small))
    output8 = shown_8bit(_cropped(item.output, crop))
    outside = outside_of(_cropped(item.output, crop))
    error = _cropped(item.error, crop)
    factor = factor_for(error)
    drawn = {
        "input": PIL.Image.fromarray(source),
        "output": PIL.Image.fromarray(output8),
        "target": PIL.Image.fromarray(_cropped(item.target, crop)),
        "error": error_picture(error, factor),
        "outside": outside_picture(output8, outside),
    }
    names = {part: _file_name(item.role, part) for part in drawn}
    for part, picture in drawn.items():
        picture.save(folder / names[part], format="PNG")
    return Picture(
        role=item.role,
        name=item.figures.name,
        psnr_db=item.figures.psnr_db,
        ms_ssim=item.figures.ms_ssim,
        height=item.output.shape[0],
        width=item.output.shape[1],
        scale=scale,
        crop=crop,
        files=PictureFiles(**names),
        below=int(outside.below.sum()),
        above=int(outside.above.sum()),
        non_finite=int(outside.non_finite.sum()),
        share_outside=float(outside_of(item.output).any.mean()),
        mean_error_levels=float(error.mean()),
        error_factor=factor,
        input_note=note,
    )


def _file_name(role: Role, part: str) -> str:
    return f"{role}-{part}.png"


def _cropped(image: npt.NDArray[T], crop: Crop) -> npt.NDArray[T]:
    return image[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
