"""What pictures.json says of the saved pictures: the judge writes it, the page reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pixelproof.errors import ReportError
from pixelproof.files import read_bytes
from pixelproof.schema import build

INDEX = "pictures.json"
SCHEMA_VERSION = 1
MOST_INDEX_BYTES = 1 << 20

Role = Literal["worst", "median", "best", "only"]
Place = Literal["largest_error", "centre", "whole"]
PARTS = ("input", "output", "target", "error", "outside")


@dataclass(frozen=True)
class Crop:
    """The part of an image that is shown, in pixels of the output; ``place`` says why this one."""

    top: int
    left: int
    height: int
    width: int
    place: Place


@dataclass(frozen=True)
class PictureFiles:
    """Names of PNG files beside the index.

    Attributes:
        input: the model's input; at its own size, so smaller where the model enlarges.
        output: clipped to [0, 1] and rounded to 8 bit.
        target: as it is.
        error: mean absolute difference of output and target over the channels, times ``error_factor``, in colours.
        outside: the output in grey, with pixels that have a value outside [0, 1] marked.
    """

    input: str
    output: str
    target: str
    error: str
    outside: str


@dataclass(frozen=True)
class Picture:
    """One image of the track.

    Attributes:
        height, width: of the whole output.
        scale: output size over input size.
        below, above, non_finite: pixels of the crop with a value below 0, above 1, NaN or infinite.
        share_outside: of the whole image's pixels, those with any of these.
        mean_error_levels: of the crop, in 8-bit levels.
        error_factor: by which its error map is multiplied.
        input_note: how an input that is no RGB image was made visible.
    """

    role: Role
    name: str
    psnr_db: float
    ms_ssim: float | None
    height: int
    width: int
    scale: int
    crop: Crop
    files: PictureFiles
    below: int
    above: int
    non_finite: int
    share_outside: float
    mean_error_levels: float
    error_factor: int
    input_note: str = ""


@dataclass(frozen=True)
class Pictures:
    """The saved pictures of one judgement."""

    artifact_sha256: str
    images: tuple[Picture, ...]
    schema_version: int = SCHEMA_VERSION


def read_pictures(folder: Path) -> Pictures:
    """The index of a folder.

    Raises:
        InputError: the folder or its index is missing, unreadable, too large, or of another version.
    """
    path = folder / INDEX
    if not path.is_file():
        found = f"none in {folder}" if folder.is_dir() else f"no folder {folder}"
        remedy = "validate-pb --pictures DIR saves them while it judges."
        raise ReportError(f"A folder of pictures must hold {INDEX}", found=found, remedy=remedy)
    if path.stat().st_size > MOST_INDEX_BYTES:
        raise ReportError(f"{INDEX} must be small", found=f"{path.stat().st_size:,} bytes: {path}")
    try:
        document = json.loads(read_bytes(path, what=INDEX).decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ReportError(f"{INDEX} must be JSON", found=f"{path}: {error}") from error
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version != SCHEMA_VERSION:
        remedy = "Judge again with this version of pixelproof, or update it."
        rule = f"{INDEX} must have schema version {SCHEMA_VERSION}"
        raise ReportError(rule, found=f"{version} in {path}", remedy=remedy)
    return build(Pictures, document, fail=_fail_in(path))


def _fail_in(path: Path) -> Any:
    def fail(key: str, rule: str, found: str, remedy: str) -> ReportError:
        return ReportError(f"{path}: {key} {rule}", found=found, remedy=remedy)

    return fail
