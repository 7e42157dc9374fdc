"""The images that a quantised file is calibrated and measured with: which of the user's folders, which files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pixelproof.errors import CallError, ImageError
from pixelproof.images import list_images
from pixelproof.tflite.inputs import (
    BAYER,
    RawOptions,
    Size,
    check_channels,
    check_size,
    evenly,
    list_inputs,
    read_input,
    size_of,
)
from pixelproof.tflite.quantize import Image, Quantization

LARGEST_SIDE = 512
Origin = Literal["images", "calibration, held out", "calibration", "generated"]


@dataclass(frozen=True)
class Material:
    """What the user gives for quantising.

    Attributes:
        calibration: folder whose images show the activations' ranges.
        calibration_images: how many of them at most.
        images: folder whose images are compared; None for the calibration folder's.
        quality_images: how many are compared.
        targets: folder with the true pictures of those.
        max_psnr_loss_db: the budget.
        reference_psnr_db: of the float model, where there are no targets.
    """

    calibration: Path | None = None
    calibration_images: int = 100
    images: Path | None = None
    quality_images: int = 8
    targets: Path | None = None
    max_psnr_loss_db: float = 0.5
    reference_psnr_db: float = 30.0
    raw: RawOptions = field(default_factory=RawOptions)

    def __post_init__(self) -> None:
        for option, count in (
            ("--calibration-images", self.calibration_images),
            ("--quality-images", self.quality_images),
        ):
            if count < 1:
                raise CallError(f"{option} must be 1 or more", found=str(count))
        if not self.max_psnr_loss_db >= 0:
            rule = "--max-psnr-loss must be 0 dB or more"
            raise CallError(rule, found=f"{self.max_psnr_loss_db:g}")


@dataclass(frozen=True)
class Chosen:
    """The files that are used.

    Attributes:
        calibration: those whose ranges are taken.
        quality: those that are compared; empty where pictures are generated.
        targets: their true pictures, in the same order; empty where there are none.
        origin: where the compared ones come from.
        size: height and width of what is cut from each; None until it is known.
    """

    calibration: tuple[Path, ...]
    quality: tuple[Path, ...]
    targets: tuple[Path, ...]
    origin: Origin
    channels: int
    raw: RawOptions
    size: Size | None = None

    def stream(self) -> Iterator[Image]:
        """The calibration images, one in memory at a time."""
        for path in self.calibration:
            yield read_input(path, self.cut_size, channels=self.channels, raw=self.raw).image

    @property
    def cut_size(self) -> Size:
        """Height and width of what is cut from each image."""
        if self.size is None:
            raise RuntimeError("the size of the images has not been settled")
        return self.size


def choose(material: Material, quantization: Quantization, *, channels: int) -> Chosen:
    """Which files are used for what. Nothing is read yet.

    Compared are images that were not calibrated with, where enough are left.

    Raises:
        CallError: a folder is missing from the call, or the model takes neither RGB nor Bayer.
        ImageError: a folder is unreadable or empty, or an image has no target.
    """
    kind = quantization.kind
    if quantization.calibrated and material.calibration is None:
        remedy = "Name a folder of real inputs: --calibration DIR."
        raise CallError(f"--quantize {kind} needs images to calibrate with", found="none", remedy=remedy)
    folder = material.images or material.calibration
    if folder is None:
        if material.targets is not None:
            remedy = "Name the folder of their inputs: --images DIR."
            raise CallError("--targets needs the images that they belong to", found="none", remedy=remedy)
        return Chosen((), (), (), "generated", channels, material.raw)
    check_channels(channels)
    if material.raw.given and channels != BAYER:
        raise CallError("--cfa, --white-level and --black-level are for RAW images", found="an RGB model")
    calibration: tuple[Path, ...] = ()
    there: tuple[Path, ...] = ()
    if material.calibration is not None:
        there = list_inputs(material.calibration, channels=channels, role="--calibration")
        calibration = evenly(there, material.calibration_images) if quantization.calibrated else ()
    quality, origin = _compared(material, there, calibration, channels)
    targets = tuple(_partner(path, material.targets) for path in quality) if material.targets else ()
    return Chosen(calibration, quality, targets, origin, channels, material.raw)


def _compared(
    material: Material, there: tuple[Path, ...], calibration: tuple[Path, ...], channels: int
) -> tuple[tuple[Path, ...], Origin]:
    count = material.quality_images
    if material.images is not None:
        listed = list_inputs(material.images, channels=channels, role="--images")
        return evenly(listed, count), "images"
    used = set(calibration)
    left = [path for path in there if path not in used]
    if len(left) >= count or not used:
        return evenly(left, count), "calibration, held out" if used else "calibration"
    return evenly(there, count), "calibration"


def _partner(path: Path, folder: Path) -> Path:
    """The target of an image: the file of its name, else the only one of its stem."""
    files = list_images(folder)
    same = [p for p in files if p.name == path.name] or [p for p in files if p.stem == path.stem]
    if len(same) == 1:
        return same[0]
    listed = " and ".join(p.name for p in same) or "none"
    remedy = "A target has the name of its image; another ending will do."
    raise ImageError(f"{path.name} must have its target in {folder}", found=listed, remedy=remedy)


def settled(chosen: Chosen, size: Size | None, *, multiple: int) -> Chosen:
    """The files with the size of what is cut from them; each is looked at.

    Args:
        size: that of a fixed file; None for one of any size: what the smallest image has, at most `LARGEST_SIDE`.
        multiple: sides of a file of any size are multiples of it.

    Raises:
        ImageError: unreadable, or smaller than the file's size.
    """
    sizes = {path: size_of(path, channels=chosen.channels) for path in {*chosen.calibration, *chosen.quality}}
    if size is None:
        sides = [min([LARGEST_SIDE, *(s[axis] for s in sizes.values())]) for axis in (0, 1)]
        size = (
            max(sides[0] // multiple * multiple, multiple),
            max(sides[1] // multiple * multiple, multiple),
        )
    for path in (*chosen.calibration, *chosen.quality):
        check_size(path, sizes[path], least=size, channels=chosen.channels)
    return replace(chosen, size=size)
