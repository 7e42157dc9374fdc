"""What a zip holds and where, known before a byte of it is unpacked: every byte of the file belongs to one thing.

Python's zipfile believes the directory, reads two members from the same bytes, cuts names at a NUL and skips what
lies between members. Here the directory, the members' own headers and their extents must agree, so that every
reader sees the same files.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import BinaryIO

from pixelproof.submit.zip_end import End, read_at, read_end
from pixelproof.submit.zip_names import check_unique, member_path
from pixelproof.submit.zip_records import (
    DESCRIPTOR_FOLLOWS,
    Listed,
    Own,
    descriptor_forms,
    listed_members,
    own_header,
)
from pixelproof.submit.zip_rules import Limits, Rule, refused, shown

STORED, DEFLATED = 0, 8
_METHODS = {9: "deflate64", 12: "bzip2", 14: "LZMA", 93: "zstd", 95: "xz", 99: "AES encryption"}
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
_ORDINARY_FLAGS = 0x0006 | DESCRIPTOR_FOLLOWS | 0x0800
"""Deflate's level, a data descriptor, UTF-8 names (APPNOTE 4.4.4)."""

_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
_WINDOWS_LINK = stat.FILE_ATTRIBUTE_REPARSE_POINT | stat.FILE_ATTRIBUTE_DEVICE


@dataclass(frozen=True)
class Entry:
    """One member, checked; ``name`` is canonical and without a folder's closing slash."""

    name: str
    is_folder: bool
    deflated: bool
    crc: int
    size_bytes: int
    compressed_bytes: int
    data_offset: int


def read_layout(stream: BinaryIO, *, limits: Limits) -> tuple[Entry, ...]:
    """Every member of a zip, in the order of its data.

    Costs the same however much a zip claims: the end record's claims are checked before the directory is read,
    and nothing is unpacked.

    Raises:
        InputError: no zip.
        SubmissionRefused: a rule is broken; the message names it and the member.
    """
    end = read_end(stream, limits=limits)
    listed = tuple(listed_members(stream, end))
    paths = [member_path(member.header.name, limits=limits) for member in listed]
    for member in listed:
        _check_kind(member)
    check_unique((path, _is_folder(member)) for path, member in zip(paths, listed, strict=True))
    _check_sizes(listed, limits=limits)
    own = [own_header(stream, member, end) for member in listed]
    _check_extents(stream, sorted(zip(listed, own, strict=True), key=lambda pair: pair[0].offset), end)
    entries = [
        Entry(
            name="/".join(path),
            is_folder=_is_folder(member),
            deflated=member.header.method == DEFLATED,
            crc=member.header.crc,
            size_bytes=member.header.size_bytes,
            compressed_bytes=member.header.compressed_bytes,
            data_offset=placed.data_offset,
        )
        for path, member, placed in zip(paths, listed, own, strict=True)
    ]
    return tuple(sorted(entries, key=lambda entry: entry.data_offset))


def _is_folder(member: Listed) -> bool:
    return member.header.name.endswith(b"/")


def _check_kind(member: Listed) -> None:
    header, name = member.header, shown(member.header.name)
    if member.disk != 0:
        raise refused(Rule.ONE_FILE, f"{name} on part {member.disk + 1}")
    if header.flags & _ENCRYPTED:
        raise refused(Rule.UNENCRYPTED, name, remedy="Pack it again without a password.")
    if header.method not in (STORED, DEFLATED):
        raise refused(Rule.METHOD, f"{name} by {_METHODS.get(header.method, f'method {header.method}')}")
    if header.flags & ~_ORDINARY_FLAGS:
        raise refused(Rule.FLAGS, f"{name} with {header.flags:#06x}")
    kind = stat.S_IFMT(member.attributes >> 16)
    remedy = "Pack the file itself."
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise refused(Rule.PLAIN, f"{name}, {_KINDS.get(kind, f'of kind {kind:#o}')}", remedy=remedy)
    if member.attributes & _WINDOWS_LINK:
        raise refused(Rule.PLAIN, f"{name}, a Windows link or device", remedy=remedy)
    folder_bit = kind == stat.S_IFDIR or bool(member.attributes & stat.FILE_ATTRIBUTE_DIRECTORY)
    if _is_folder(member) and (kind == stat.S_IFREG or header.size_bytes):
        raise refused(Rule.PLAIN, f"{name}, a file with a folder's name", remedy=remedy)
    if folder_bit and not _is_folder(member):
        raise refused(Rule.PLAIN, f"{name}, a folder with a file's name", remedy=remedy)


def _check_sizes(listed: tuple[Listed, ...], *, limits: Limits) -> None:
    """The sizes that are claimed; what is read later must not exceed them."""
    if all(_is_folder(member) for member in listed):
        raise refused(Rule.MEMBERS, "folders only")
    for member in listed:
        header, name = member.header, shown(member.header.name)
        size, packed = header.size_bytes, header.compressed_bytes
        if header.method == STORED and packed != size:
            raise refused(Rule.SIZE, f"{name}, stored: {packed} bytes in the zip, {size} unpacked")
        if size > packed * limits.ratio:
            found = f"{name}, {packed} bytes for {size}: more than {limits.ratio} to 1"
            raise refused(Rule.RATIO, found, remedy="Pack it without compression.")
        if packed > size + size // 8 + 64:  # fixed codes write a byte in 9 bits at most (RFC 1951, 3.2.6)
            raise refused(Rule.HIDDEN, f"{name}, {packed} compressed bytes for {size}")
    total = sum(member.header.size_bytes for member in listed)
    if total > limits.total_bytes:
        found = f"{total} bytes where at most {limits.total_bytes} are allowed"
        raise refused(Rule.TOTAL, found, remedy="Leave out what the challenge doesn't ask for.")


def _check_extents(stream: BinaryIO, members: list[tuple[Listed, Own]], end: End) -> None:
    """Members must lie one behind the other, from byte 0 to the directory."""
    first = members[0][0].offset
    if first != 0:
        raise refused(Rule.HIDDEN, f"{first} bytes before the first member")
    starts = [(listed.offset, shown(listed.header.name)) for listed, _ in members[1:]]
    starts.append((end.directory_offset, "the directory"))
    for (listed, own), (next_offset, following) in zip(members, starts, strict=True):
        _check_agreement(listed, own)
        data_end = own.data_offset + listed.header.compressed_bytes
        name = shown(listed.header.name)
        if data_end > next_offset:
            raise refused(Rule.OVERLAP, f"{name} reaching {data_end - next_offset} bytes into {following}")
        forms = descriptor_forms(listed.header) if listed.header.flags & DESCRIPTOR_FOLLOWS else (b"",)
        between = next_offset - data_end
        if between not in {len(form) for form in forms}:
            raise refused(Rule.HIDDEN, f"{between} bytes behind {name}")
        if read_at(stream, data_end, between) not in forms:
            raise refused(Rule.AGREE, f"{name} with other sizes in its data descriptor")


def _check_agreement(listed: Listed, own: Own) -> None:
    there, here = listed.header, own.header
    left_open = here.flags & DESCRIPTOR_FOLLOWS
    pairs = (
        ("name", there.name, here.name, False),
        ("flags", there.flags, here.flags, False),
        ("method", there.method, here.method, False),
        ("checksum", there.crc, here.crc, left_open),
        ("packed size", there.compressed_bytes, here.compressed_bytes, left_open),
        ("size", there.size_bytes, here.size_bytes, left_open),
    )
    for what, in_directory, in_header, may_be_zero in pairs:
        if in_header != in_directory and not (may_be_zero and in_header == 0):
            found = f"{shown(there.name)} with the {what} {_value(in_header)}"
            raise refused(Rule.AGREE, f"{found}, in the directory {_value(in_directory)}")


def _value(value: int | bytes) -> str:
    return shown(value) if isinstance(value, bytes) else str(value)
