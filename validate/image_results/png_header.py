"""What a PNG says of itself in its first 26 bytes, read before anything decodes it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEAD = struct.Struct(
    ">8sI4sIIBB"
)  # signature, length and name of the first chunk, width, height, depth, kind
_KINDS = {0: "grey", 2: "RGB", 3: "a palette", 4: "grey with transparency", 6: "RGB with transparency"}
_OTHER_STARTS = {
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"RIFF": "WebP",
    b"PK\x03\x04": "a zip",
    b"version https://git-lfs": "a Git LFS pointer",
}


@dataclass(frozen=True)
class PngHeader:
    """Size in pixels, bits a channel, and the kind of pixel (2 is RGB, 3 a palette)."""

    height: int
    width: int
    bit_depth: int
    kind: int

    @property
    def problem(self) -> str:
        """Why its pixels are not 8-bit RGB; empty where they are. A palette stands for RGB of 8 bit."""
        if self.kind not in (2, 3):
            return f"{_KINDS.get(self.kind, f'kind {self.kind}')}, not RGB"
        return "" if self.bit_depth <= 8 else f"{self.bit_depth} bit a channel, not 8"


def read_header(path: Path) -> PngHeader | str:
    """The header of a PNG file, or why there is none (PNG specification, sections 5.2 and 11.2.2)."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD.size)
    except OSError as error:
        return error.strerror or "unreadable"
    if not head:
        return "an empty file"
    if not head.startswith(SIGNATURE):
        other = next((kind for start, kind in _OTHER_STARTS.items() if head.startswith(start)), "no PNG")
        return f"{other} under a PNG's name" if other != "no PNG" else other
    if len(head) < _HEAD.size:
        return "cut off"
    _, length, chunk, width, height, depth, kind = _HEAD.unpack(head)
    if chunk != b"IHDR" or length != 13 or not height or not width:
        return "a PNG without a proper header"
    return PngHeader(height, width, depth, kind)
