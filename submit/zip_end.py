"""The end record of a zip: where its directory lies and how much it claims to hold, before any of it is read.

Sections are those of PKWARE's APPNOTE.TXT 6.3.10.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

from pixelproof.errors import InputError
from pixelproof.submit.zip_rules import Limits, Rule, refused

_END = struct.Struct("<4s4H2LH")
_SIGNATURE = b"PK\x05\x06"
_LOCATOR, _LOCATOR_BYTES = b"PK\x06\x07", 20
_LONGEST_COMMENT = 0xFFFF
_STARTS = (b"PK\x03\x04", b"PK\x01\x02", b"PK\x07\x08")
MAX_16, MAX_32 = 0xFFFF, 0xFFFFFFFF


@dataclass(frozen=True)
class End:
    """How many members the zip claims, and its directory's place and bytes; the end record comes right behind."""

    members: int
    directory_offset: int
    directory_bytes: int


def read_at(stream: BinaryIO, offset: int, length: int) -> bytes:
    """Exactly ``length`` bytes.

    Raises:
        SubmissionRefused: the file ends before.
        InputError: the file can't be read.
    """
    try:
        stream.seek(offset)
        data = stream.read(length)
    except OSError as error:
        raise InputError("A submission must be readable", found=f"{stream.name}: {error.strerror}") from error
    if len(data) != length:
        raise refused(Rule.COMPLETE, f"its end at byte {offset + len(data)}, before it should")
    return data


def read_end(stream: BinaryIO, *, limits: Limits) -> End:
    """Find the end record and check what it claims (4.3.16).

    A comment is fine; a second record that could be taken for the end is not, since readers differ in which.

    Raises:
        InputError: no zip at all.
        SubmissionRefused: cut off, followed by other data, in several parts, too large, or ambiguous.
    """
    size = os.fstat(stream.fileno()).st_size
    start = max(0, size - _END.size - _LONGEST_COMMENT)
    tail = read_at(stream, start, size - start)
    last = tail.rfind(_SIGNATURE)
    if last < 0 or len(tail) - last < _END.size:
        if read_at(stream, 0, min(4, size)) in (*_STARTS, _SIGNATURE):
            raise refused(Rule.COMPLETE, "no whole end record", remedy="Send it again, or pack it again.")
        found = f"{stream.name}, {'an empty file' if not size else 'no zip'}"
        raise InputError("A submission must be a zip", found=found, remedy="Ask for a plain .zip.")
    missing = last + _comment_end(tail, last) - len(tail)
    if missing > 0:
        raise refused(Rule.COMPLETE, f"{missing} bytes of its comment missing")
    if missing < 0:
        raise refused(Rule.END, f"{-missing} bytes behind it")
    if _earlier_end(tail, last):
        raise refused(Rule.END, "two that could be it")
    if start + last >= _LOCATOR_BYTES:
        behind_directory = read_at(stream, start + last - _LOCATOR_BYTES, len(_LOCATOR))
        if behind_directory == _LOCATOR:
            raise refused(Rule.ZIP64_END, "one")
    return _checked(_END.unpack_from(tail, last), position=start + last, limits=limits)


def _comment_end(tail: bytes, at: int) -> int:
    """Bytes from an end record's start to its comment's end."""
    return _END.size + int.from_bytes(tail[at + 20 : at + 22], "little")


def _earlier_end(tail: bytes, last: int) -> bool:
    at = tail.find(_SIGNATURE)
    while at < last:
        if at + _comment_end(tail, at) == len(tail):
            return True
        at = tail.find(_SIGNATURE, at + 1)
    return False


def _checked(fields: tuple[int, ...], *, position: int, limits: Limits) -> End:
    _, disk, directory_disk, here, members, directory_bytes, directory_offset, _ = fields
    if MAX_16 in (disk, directory_disk, here, members) or MAX_32 in (directory_bytes, directory_offset):
        raise refused(Rule.ZIP64_END, "an end record that refers to one")
    if (disk, directory_disk) != (0, 0) or here != members:
        raise refused(Rule.ONE_FILE, f"part {disk + 1}, with {here} of {members} members")
    if not 0 < members <= limits.members:
        raise refused(Rule.MEMBERS, f"{members} members where 1 to {limits.members} are allowed")
    if directory_bytes > limits.directory_bytes:
        found = f"{directory_bytes} bytes of directory where at most {limits.directory_bytes} are allowed"
        raise refused(Rule.DIRECTORY, found)
    if directory_offset + directory_bytes != position:
        found = f"a directory from byte {directory_offset} to {directory_offset + directory_bytes}"
        raise refused(Rule.DIRECTORY, f"{found}, the end record at {position}")
    return End(members, directory_offset, directory_bytes)
