"""Pictures from a folder, as they stand in the page."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from pixelproof.errors import ReportError
from pixelproof.files import read_bytes
from pixelproof.report import Report
from pixelproof.validate.picture_maps import WHITE_LEVELS
from pixelproof.validate.picture_records import INDEX, PARTS, Picture, Pictures, read_pictures

MOST_BYTES = 400_000
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class ShownPicture:
    """One image with its parts, by name, as ``data:`` addresses."""

    picture: Picture
    parts: dict[str, str]

    @property
    def outside(self) -> int:
        """Marked pixels of the crop."""
        return self.picture.below + self.picture.above + self.picture.non_finite

    @property
    def full_error(self) -> float:
        """Error in levels that has the last colour of the map."""
        return WHITE_LEVELS / self.picture.error_factor


def are_of(pictures: Pictures, report: Report) -> bool:
    """Whether pictures are of a report's model and of its images, with its figures."""
    fidelity = report.evidence.fidelity
    if fidelity is None or pictures.artifact_sha256 != report.evidence.artifact.sha256:
        return False
    known = {(item.name, repr(item.psnr_db)) for item in fidelity.per_image}
    return {(item.name, repr(item.psnr_db)) for item in pictures.images} <= known


def gallery_of(folder: Path, report: Report) -> tuple[ShownPicture, ...]:
    """The pictures of a folder.

    Raises:
        InputError: the folder, its index or a picture is missing, is no PNG, is too large, or of another report.
    """
    pictures = read_pictures(folder)
    if not are_of(pictures, report):
        remedy = "Judge the model again with --pictures, or leave the option out."
        found = f"those of another judgement in {folder}"
        raise ReportError("Pictures must be of the report's judgement", found=found, remedy=remedy)
    return tuple(
        ShownPicture(item, {part: _address(folder, getattr(item.files, part)) for part in PARTS})
        for item in pictures.images
    )


def _address(folder: Path, name: str) -> str:
    if Path(name).name != name or name in (".", ".."):
        raise ReportError(f"{INDEX} must name files beside it", found=repr(name))
    path = folder / name
    if path.is_symlink() or not path.is_file():
        found = "a link or something else" if path.exists() or path.is_symlink() else "nothing"
        raise ReportError("A picture must be a file", found=f"{found} at {path}")
    if path.stat().st_size > MOST_BYTES:
        rule = f"A picture must have at most {MOST_BYTES:,} bytes"
        raise ReportError(rule, found=f"{path.stat().st_size:,} in {path}")
    data = read_bytes(path, what="A picture")
    if not data.startswith(_PNG):
        raise ReportError("A picture must be a PNG file", found=f"another one: {path}")
    return f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"
