"""The two headers of each member of a zip, as they lie there: the directory's and the member's own.

Sections are those of PKWARE's APPNOTE.TXT 6.3.10.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pixelproof.submit.zip_end import MAX_32, End, read_at
from pixelproof.submit.zip_rules import Rule, refused, shown

DESCRIPTOR_FOLLOWS = 0x0008
_LISTED = struct.Struct("<4s6H3L5H2L")
_OWN = struct.Struct("<4s5H3L2H")
_LISTED_SIGNATURE, _OWN_SIGNATURE, _DESCRIPTOR_SIGNATURE = b"PK\x01\x02", b"PK\x03\x04", b"PK\x07\x08"
_WIDE, _UNICODE_NAME = 0x0001, 0x7075


@dataclass(frozen=True)
class Header:
    """What both headers of a member say; in its own header checksum and sizes may be left to a descriptor."""

    name: bytes
    flags: int
    method: int
    crc: int
    compressed_bytes: int
    size_bytes: int


@dataclass(frozen=True)
class Listed:
    """A member as the directory has it; ``attributes`` are of Unix above, of DOS and Windows below 16 bits."""

    header: Header
    disk: int
    attributes: int
    offset: int


@dataclass(frozen=True)
class Own:
    """A member's own header, and where its data begins."""

    header: Header
    data_offset: int


def listed_members(stream: BinaryIO, end: End) -> Iterator[Listed]:
    """The directory's records, exactly as many as the end record claims (4.3.12).

    Raises:
        SubmissionRefused: another count, a damaged record, a malformed extra field.
    """
    directory = read_at(stream, end.directory_offset, end.directory_bytes)
    at = 0
    for number in range(1, end.members + 1):
        if directory[at : at + 4] != _LISTED_SIGNATURE or len(directory) - at < _LISTED.size:
            raise refused(Rule.DIRECTORY, f"no record {number} of {end.members}")
        _, _, _, flags, method, _, _, crc, packed, size, *lengths, disk, _, attributes, offset = (
            _LISTED.unpack_from(directory, at)
        )
        name_bytes, extra_bytes, comment_bytes = lengths
        name_at = at + _LISTED.size
        extra_at = name_at + name_bytes
        at = extra_at + extra_bytes + comment_bytes
        if at > len(directory):
            raise refused(Rule.DIRECTORY, f"record {number} longer than the directory")
        name = directory[name_at:extra_at]
        extra = _extra_fields(directory[extra_at : extra_at + extra_bytes], name=name)
        size, packed, offset = _widened((size, packed, offset), extra, name=name)
        yield Listed(Header(name, flags, method, crc, packed, size), disk, attributes, offset)
    if at != len(directory):
        raise refused(Rule.DIRECTORY, f"{len(directory) - at} bytes behind its last record")


def own_header(stream: BinaryIO, listed: Listed, end: End) -> Own:
    """The header in front of a member's data (4.3.7).

    Raises:
        SubmissionRefused: there is none, it reaches into the directory, or it has a malformed extra field.
    """
    name = listed.header.name
    if listed.offset + _OWN.size > end.directory_offset:
        raise refused(Rule.DIRECTORY, f"{shown(name)} at byte {listed.offset}, where no member can be")
    fixed = _OWN.unpack(read_at(stream, listed.offset, _OWN.size))
    signature, _, flags, method, _, _, crc, packed, size, name_bytes, extra_bytes = fixed
    if signature != _OWN_SIGNATURE:
        raise refused(Rule.AGREE, f"{shown(name)} without a header of its own")
    own = read_at(stream, listed.offset + _OWN.size, name_bytes + extra_bytes)
    extra = _extra_fields(own[name_bytes:], name=name)
    size, packed = _widened((size, packed), extra, name=name)
    header = Header(own[:name_bytes], flags, method, crc, packed, size)
    return Own(header, listed.offset + _OWN.size + name_bytes + extra_bytes)


def descriptor_forms(header: Header) -> tuple[bytes, ...]:
    """The ways to write a member's data descriptor: with or without signature, 32 or 64 bits (4.3.9)."""
    sizes = (header.crc, header.compressed_bytes, header.size_bytes)
    bodies = (struct.pack("<3L", *sizes), struct.pack("<L2Q", *sizes))
    return tuple(signature + body for body in bodies for signature in (_DESCRIPTOR_SIGNATURE, b""))


def _extra_fields(data: bytes, *, name: bytes) -> dict[int, bytes]:
    """Extra fields by id (4.5); a second name in one must be the name itself (4.6.9)."""
    fields: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<2H", data, at) if len(data) - at >= 4 else (0, len(data))
        at += 4 + length
        if at > len(data):
            raise refused(Rule.EXTRA, f"{shown(name)} with one that is cut off")
        if kind in fields and kind in (_WIDE, _UNICODE_NAME):
            raise refused(Rule.EXTRA, f"{shown(name)} with two of kind {kind:#06x}")
        fields[kind] = data[at - length : at]
    if fields.get(_UNICODE_NAME, b"")[5:] not in (b"", name):
        raise refused(Rule.AGREE, f"{shown(name)} with another name in an extra field")
    return fields


def _widened(values: tuple[int, ...], extra: dict[int, bytes], *, name: bytes) -> tuple[int, ...]:
    """32-bit values, those at their maximum replaced by the zip64 field's, in its order (4.5.3)."""
    wanted = values.count(MAX_32)
    field = extra.get(_WIDE, b"")
    if len(field) < 8 * wanted:
        raise refused(Rule.EXTRA, f"{shown(name)} with 64-bit sizes and no room for them")
    wide = iter(struct.unpack_from(f"<{wanted}Q", field))
    return tuple(next(wide) if value == MAX_32 else value for value in values)
