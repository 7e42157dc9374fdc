"""What a submission zip must keep to: the rules as users read them, the limits, and the refusal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pixelproof.errors import SubmissionRefused
from pixelproof.files import MIB

REPACK = "Pack it again with package-submission or an ordinary zip program."
RENAME = "Rename it and pack again."
_SHOWN = 80


class Rule(StrEnum):
    """Every reason for refusing a zip; the value is the rule's sentence."""

    COMPLETE = "A submission zip must be complete"
    END = "A submission zip must end with its one end record"
    ONE_FILE = "A submission zip must be one file, not a part of several"
    ZIP64_END = "A submission zip must do without a zip64 end record"
    DIRECTORY = "A submission zip's directory must be as its end record says"
    MEMBERS = "A submission zip must hold files, and no more members than the limit"
    TOTAL = "A submission zip must not unpack to more bytes than the limit"
    RATIO = "A member must not be compressed further than the limit"
    NAME_TEXT = "A member's name must be printable UTF-8"
    NAME_PATH = "A member's name must be a plain relative path"
    NAME_PORTABLE = "A member's name must be good on every system"
    NAME_LENGTH = "A member's name must keep to the limits of length"
    UNIQUE = "A member's name must be its own, in any spelling"
    PLAIN = "A member must be a plain file or folder"
    UNENCRYPTED = "A member must not be encrypted"
    METHOD = "A member must be stored or deflated"
    FLAGS = "A member must use no flags but those of ordinary zips"
    EXTRA = "A member's extra fields must be well formed"
    AGREE = "A member's own header must agree with the directory"
    OVERLAP = "Members must not overlap"
    HIDDEN = "A submission zip must hold nothing beside its members"
    NESTED = "A member must not be an archive itself"
    SIZE = "A member must be as large as the directory says"
    CHECKSUM = "A member's bytes must match their checksum"
    INTACT = "A member's compressed data must be intact"


@dataclass(frozen=True)
class Limits:
    """How much a submission zip may hold.

    Args:
        members: files and folders that the zip lists.
        total_bytes: all files together, unpacked.
        ratio: unpacked to packed bytes of one member. Members share no bytes, so all together keep to it too.
        name_bytes: a whole name, in UTF-8.
        part_bytes: one folder's or file's name, in UTF-8; most file systems end at 255.
        depth: parts of a name.
        directory_bytes: the zip's list of its members, which is read at once.
    """

    members: int = 200
    total_bytes: int = 1024 * MIB
    ratio: int = 200
    name_bytes: int = 512
    part_bytes: int = 255
    depth: int = 32
    directory_bytes: int = MIB


def refused(rule: Rule, found: str, *, remedy: str = REPACK) -> SubmissionRefused:
    """The error for a broken rule."""
    return SubmissionRefused(rule.value, found=found, remedy=remedy)


def shown(name: str | bytes) -> str:
    """A stranger's name as one may print it: escaped where it holds more than text, and cut."""
    text = name if isinstance(name, str) else name.decode(errors="backslashreplace")
    if not text.isprintable() or text.strip() != text or not text:
        text = ascii(text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
