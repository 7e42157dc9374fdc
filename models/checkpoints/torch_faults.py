"""What can be wrong inside a PyTorch file. Whoever knows the file's name makes `CheckpointError` of it."""

from __future__ import annotations


class Damaged(Exception):
    """It ends early, or its parts don't fit together."""


class ForeignName(Exception):
    """It names something that a state dict doesn't need; nothing of that was imported or called.

    Args:
        name: as in the file, ``posix.system``.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)


class OtherFile(Exception):
    """It is whole, but not what can be read here.

    Args:
        what: it is.
        remedy: the way out, a full sentence.
    """

    def __init__(self, what: str, *, remedy: str) -> None:
        self.what = what
        self.remedy = remedy
        super().__init__(what)


def big_endian() -> OtherFile:
    """A file of a machine with the other order of bytes."""
    return OtherFile("numbers in big-endian order", remedy="Save it again on a little-endian machine.")
