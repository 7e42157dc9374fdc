"""The folder of photographs: pictures checked, made smaller, written as PNG, and a record of where they are from."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelproof.errors import CallError, ImageError, InputError
from pixelproof.files import read_bytes, replacing_folder, write_text
from pixelproof.images import FORMATS, Rgb8, write_png
from pixelproof.models.training.photographs.table import Photograph

RECORD = "photographs.json"
LICENCES = "LICENCES.txt"


@dataclass(frozen=True)
class Missing:
    """A photograph that couldn't be had, and why."""

    photograph: Photograph
    why: str


def checked(photograph: Photograph, data: bytes) -> bytes:
    """The file's content, if it is the photograph that the table means.

    Raises:
        InputError: another digest.
    """
    digest = hashlib.sha256(data).hexdigest()
    if digest != photograph.sha256:
        raise InputError(
            f"{photograph.file} of {photograph.package} must be the picture whose licence was read",
            found=f"SHA-256 {digest[:16]}..., not {photograph.sha256[:16]}...",
            remedy=f"Give the package of version {photograph.version} with --debs, or use --allow-missing.",
        )
    return data


def smaller_rgb8(data: bytes, *, maximum_side: int) -> Rgb8:
    """A picture as 8-bit RGB whose longer side is at most ``maximum_side``; Lanczos where it has to be reduced.

    Grey becomes three equal channels; colour profiles and EXIF orientation are ignored.

    Returns:
        uint8, (height, width, 3), in [0, 255].

    Raises:
        ImageError: no picture that Pillow reads.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            image = opened.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError("A photograph must be readable", found=str(error)) from error
    longer = max(image.size)
    if longer > maximum_side:
        width, height = (max(1, round(side * maximum_side / longer)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    return np.array(image)


def write_collection(
    out: Path,
    photographs: Iterable[tuple[Photograph, bytes]],
    *,
    maximum_side: int,
    missing: Iterable[Missing] = (),
) -> dict[str, Any]:
    """Write ``train/``, ``validation/``, the record and the licences, all or nothing.

    Args:
        out: new, empty, or a folder that this function wrote before; it is replaced.
        photographs: with their files' contents; taken one by one.
        maximum_side: pixels of the longer side.
        missing: what the record names as left out; read last.

    Returns:
        The record: see `RECORD`.

    Raises:
        CallError: the folder holds something else.
        InputError: a file isn't the photograph that is meant.
        ImageError: no picture.
        EnvironmentFault: the disk is full, or the folder can't be written.
    """
    refuse_others(out)
    with replacing_folder(out) as folder:
        entries = [_entry(folder, one, data, maximum_side=maximum_side) for one, data in photographs]
        left_out = [{**_facts(one.photograph), "why": one.why} for one in missing]
        record = {
            "schema_version": 1,
            "maximum_side": maximum_side,
            "photographs": entries,
            "left_out": left_out,
        }
        write_text(folder / RECORD, json.dumps(record, indent=2, ensure_ascii=False) + "\n")
        write_text(folder / LICENCES, licences_text(entries))
    return record


def refuse_others(out: Path) -> None:
    """Refuse a folder that isn't ours to replace.

    Raises:
        CallError: it holds something else, or is no folder.
    """
    if not out.exists() or (out.is_dir() and ((out / RECORD).is_file() or not any(out.iterdir()))):
        return
    found = f"{'other files' if out.is_dir() else 'no folder'} at {out}"
    raise CallError("--out must be a new folder, or one of photographs", found=found)


def read_record(folder: Path) -> dict[str, Any]:
    """The record of a folder of photographs.

    Raises:
        InputError: there is none, or it is damaged.
    """
    path = folder / RECORD
    try:
        record = json.loads(read_bytes(path, what="The record of photographs"))
        if record["schema_version"] == 1 and isinstance(record["photographs"], list):
            return dict(record)
        found = f"{path}: schema_version {record['schema_version']}"
    except (ValueError, KeyError, TypeError) as error:
        found = f"{path}: {error}"
    raise InputError("The record of photographs must be what pixelproof wrote", found=found)


def licences_text(entries: Iterable[Mapping[str, Any]]) -> str:
    """Who made the pictures, under which licence: what has to go with them, and be named beside weights."""
    lines = ["Photographs, their authors and licences as the packages state them.", ""]
    lines += ["All were converted to PNG; those with larger sides were reduced.", ""]
    for entry in sorted(entries, key=lambda one: (one["licence"], one["author"], one["file"])):
        source = f"{entry['package']} {entry['version']}".strip()
        note = f" ({entry['note']})" if entry["note"] else ""
        lines.append(f"{entry['file']}: {entry['author']}, {entry['licence']}; {source}{note}")
    return "\n".join(lines) + "\n"


def _facts(photograph: Photograph) -> dict[str, Any]:
    facts = asdict(photograph)
    return {
        key: facts[key] for key in ("package", "version", "member", "sha256", "author", "licence", "note")
    }


def _entry(folder: Path, photograph: Photograph, data: bytes, *, maximum_side: int) -> dict[str, Any]:
    image = smaller_rgb8(checked(photograph, data), maximum_side=maximum_side)
    file = f"{photograph.role}/{photograph.png}"
    write_png(folder / file, image)
    height, width = image.shape[:2]
    return {"file": file, **_facts(photograph), "height": height, "width": width}
