"""A zip member's bytes, in blocks: counted, checked, and never more than the directory says."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from pixelproof.files import MIB
from pixelproof.submit.zip_end import read_at
from pixelproof.submit.zip_layout import Entry
from pixelproof.submit.zip_rules import Rule, refused, shown

_ARCHIVE_SUFFIXES = frozenset(
    ".zip .gz .tgz .bz2 .tbz .tbz2 .xz .txz .lzma .zst .tzst .7z .rar .tar "
    ".lz .lz4 .z .br .cab .iso .cpio .jar .war .whl .egg .apk".split()
)
_ARCHIVE_STARTS = {
    "zip": (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"),
    "gzip": (b"\x1f\x8b\x08",),
    "bzip2": (b"BZh",),
    "xz": (b"\xfd7zXZ\x00",),
    "zstd": (b"\x28\xb5\x2f\xfd",),
    "7z": (b"7z\xbc\xaf\x27\x1c",),
    "RAR": (b"Rar!\x1a\x07",),
}
_TAR_MARK, _TAR_MARK_AT = b"ustar", 257
_HEAD_BYTES = _TAR_MARK_AT + len(_TAR_MARK)
_REMEDY = "Pack its contents as plain files."


def checked_blocks(stream: BinaryIO, entry: Entry) -> Iterator[bytes]:
    """The member's bytes in blocks of at most 1 MiB.

    The last block comes before the checks that need the whole: read to the end, or trust nothing.

    Raises:
        SubmissionRefused: more or fewer bytes than the directory says, another checksum, damaged data, data
            behind the compressed data's end, or an archive.
    """
    name = shown(entry.name)
    if PurePosixPath(entry.name).suffix.lower() in _ARCHIVE_SUFFIXES and not entry.is_folder:
        raise refused(Rule.NESTED, f"{name}, an archive by its name", remedy=_REMEDY)
    size, crc, head = 0, 0, b""
    for block in _inflated(stream, entry) if entry.deflated else _packed(stream, entry):
        size += len(block)
        if size > entry.size_bytes:
            raise refused(Rule.SIZE, f"more than the {entry.size_bytes} bytes of {name}")
        crc = zlib.crc32(block, crc)
        head += block[: _HEAD_BYTES - len(head)]
        yield block
    if size != entry.size_bytes:
        raise refused(Rule.SIZE, f"{size} of the {entry.size_bytes} bytes of {name}")
    if crc != entry.crc:
        raise refused(Rule.CHECKSUM, f"{crc:#010x} for {name}, which should have {entry.crc:#010x}")
    if archive := _archive(head):
        raise refused(Rule.NESTED, f"{name}, which begins as {archive} does", remedy=_REMEDY)


def _packed(stream: BinaryIO, entry: Entry) -> Iterator[bytes]:
    """The member's bytes as they lie in the zip."""
    at, end = entry.data_offset, entry.data_offset + entry.compressed_bytes
    while at < end:
        block = read_at(stream, at, min(MIB, end - at))
        at += len(block)
        yield block


def _inflated(stream: BinaryIO, entry: Entry) -> Iterator[bytes]:
    """The member's bytes decompressed, one byte beyond its size at most."""
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    packed = _packed(stream, entry)
    room = entry.size_bytes + 1
    try:
        while room and not inflate.eof:  # a limit of 0 would be none
            given = inflate.unconsumed_tail or next(packed, b"")
            block = inflate.decompress(given, min(MIB, room))
            room -= len(block)
            if block:
                yield block
            elif not given and not inflate.eof:
                raise refused(Rule.INTACT, f"{shown(entry.name)} without its end")
    except zlib.error as error:
        raise refused(Rule.INTACT, f"{shown(entry.name)}: {error}") from error
    if inflate.unused_data or next(packed, b""):
        raise refused(Rule.HIDDEN, f"data behind the end of {shown(entry.name)}")


def _archive(head: bytes) -> str:
    """The kind of archive that begins so; empty for none."""
    for kind, starts in _ARCHIVE_STARTS.items():
        if head.startswith(starts):
            return kind
    return "tar" if head[_TAR_MARK_AT:] == _TAR_MARK else ""
