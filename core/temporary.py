"""Temporary folders that don't outlive this process, however it ends."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pixelproof.errors import EnvironmentFault
from pixelproof.files import MIB, disk_faults
from pixelproof.janitor import forget_path, watch_path
from pixelproof.janitor_main import remove_folder


def make_temporary(prefix: str, *, parent: Path | None = None, mode: int = 0o700) -> Path:
    """A new folder; `remove_temporary` removes it.

    Args:
        prefix: begins with ``pixelproof-`` or ``.staging-``.
        parent: the folder that it stands in; the system's for temporaries where it is None.
        mode: who may enter it; by default nobody else.

    Raises:
        EnvironmentFault: the disk is full, or the parent can't be written.
    """
    within = Path(tempfile.gettempdir()) if parent is None else parent
    path = within.absolute() / f"{prefix}{os.urandom(8).hex()}"
    with disk_faults(path):
        watch_path(path)
        try:
            path.mkdir(mode=mode)
        except OSError:
            forget_path(path)
            raise
    return path


def remove_temporary(path: Path) -> None:
    """Remove a folder of `make_temporary`; what can't be removed yet goes when this process ends."""
    with suppress(OSError):
        remove_folder(str(path))
    if not os.path.lexists(path):
        forget_path(path)


@contextmanager
def temporary_folder(prefix: str, *, parent: Path | None = None, room_bytes: int = 0) -> Iterator[Path]:
    """`make_temporary` for the length of a block.

    Args:
        room_bytes: what must be free there, for a library that can't bear a full disk.

    Raises:
        EnvironmentFault: the disk is full, or the parent can't be written.
    """
    path = make_temporary(prefix, parent=parent)
    try:
        with disk_faults(path):
            free = shutil.disk_usage(path).free
            if free < room_bytes:
                found = f"{free / MIB:.2f} MiB free for {room_bytes / MIB:.2f} MiB in {path.parent}"
                remedy = "Free some space, or name another folder in TMPDIR."
                raise EnvironmentFault("The disk is full", found=found, remedy=remedy)
            yield path
    finally:
        remove_temporary(path)


@contextmanager
def private_tempdir() -> Iterator[None]:
    """Let what libraries write to ``tempfile``'s folder meanwhile stand in one of ours.

    TensorFlow keeps generated code there until the interpreter's regular end, and the TFLite converter its work.
    """
    with temporary_folder("pixelproof-libraries-") as folder:
        folder.chmod(0o711)  # a worker of another user has its own folder in it
        usual, tempfile.tempdir = tempfile.tempdir, str(folder)
        try:
            yield
        finally:
            tempfile.tempdir = usual
