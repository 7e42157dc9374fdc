"""A folder of results: what is staged in it, moved in place together; what a killed run left, removed."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from pixelproof.files import make_folder, replacing_file, replacing_folder

STAGING = ".staging-"


@contextlib.contextmanager
def folder_for_results(path: Path) -> Iterator[None]:
    """A folder for the results; if the block fails, what was created for nothing is removed again."""
    missing = [p for p in (path, *path.parents) if not p.exists()]
    make_folder(path)
    try:
        yield
    except BaseException:
        for folder in missing:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def sweep(folder: Path) -> None:
    """Remove what conversions left in a folder when they were killed."""
    for left in folder.glob(f"{STAGING}*"):
        owner = left.name.removeprefix(STAGING).split("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(left, ignore_errors=True)


def deliver(staging: Path, names: Sequence[str], folder: Path) -> None:
    """Move the artifacts in place. They are on the same disk: from here on only a kill can interrupt."""
    for name in names:
        made, target = staging / name, folder / name
        if made.is_dir():
            if target.is_file():
                target.unlink()
            with replacing_folder(target) as temporary:
                for member in made.iterdir():
                    member.replace(temporary / member.name)
        else:
            with replacing_file(target) as temporary:
                made.replace(temporary)
