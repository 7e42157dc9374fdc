"""A run's folder: what is where in it, and whose it is."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pixelproof.errors import CallError
from pixelproof.files import disk_faults, make_folder

_CHECKPOINT = re.compile(r"epoch-(\d{4,})\.keras$")


@dataclass(frozen=True)
class RunFolder:
    """The places in a run's folder."""

    path: Path

    @property
    def recipe(self) -> Path:
        """The recipe, with all that was chosen on the command line."""
        return self.path / "run.toml"

    @property
    def history(self) -> Path:
        """A row of figures an epoch."""
        return self.path / "history.csv"

    @property
    def curves(self) -> Path:
        """Loss and PSNR over epochs."""
        return self.path / "curves.png"

    @property
    def machine(self) -> Path:
        """Where it was trained."""
        return self.path / "machine.json"

    @property
    def final(self) -> Path:
        """The last epoch's checkpoint."""
        return self.path / "final.keras"

    @property
    def samples(self) -> Path:
        """Pictures made on the way."""
        return self.path / "samples"

    @property
    def logs(self) -> Path:
        """TensorBoard's events, and a line of text an epoch."""
        return self.path / "logs"

    @property
    def checkpoints(self) -> Path:
        """The checkpoints."""
        return self.path / "checkpoints"

    def checkpoint(self, epoch: int) -> Path:
        """The checkpoint after so many epochs."""
        return self.checkpoints / f"epoch-{epoch:04d}.keras"

    def saved(self) -> tuple[tuple[int, Path], ...]:
        """The checkpoints that are there, with their epochs, the newest first."""
        if not self.checkpoints.is_dir():
            return ()
        found = ((_CHECKPOINT.match(path.name), path) for path in self.checkpoints.iterdir())
        return tuple(sorted(((int(match[1]), path) for match, path in found if match), reverse=True))


def is_run(path: Path) -> bool:
    """Whether a folder is that of a run."""
    return path.is_dir() and (RunFolder(path).recipe.is_file() or RunFolder(path).checkpoints.is_dir())


def run_of(checkpoint: Path) -> RunFolder | None:
    """The run that a checkpoint lies in, if any."""
    for folder in (checkpoint.absolute().parent, checkpoint.absolute().parent.parent):
        if is_run(folder):
            return RunFolder(folder)
    return None


def new_run(path: Path) -> RunFolder:
    """A folder for a new run.

    Raises:
        CallError: something is there.
        EnvironmentFault: it can't be made.
    """
    if path.exists() and not path.is_dir():
        raise CallError("--out must be a folder", found=f"a file: {path}")
    if path.is_dir() and any(not member.name.startswith(".") for member in path.iterdir()):
        remedy = "Choose a new folder."
        if RunFolder(path).saved():
            remedy = f"Go on with that run: train-model resume {path}. Or choose a new folder."
        elif is_run(path):
            remedy = "Nothing was saved in that run: remove it, or choose a new folder."
        raise CallError(
            "--out must be new or empty", found=f"a folder that holds files: {path}", remedy=remedy
        )
    make_folder(path)
    return RunFolder(path)


def prune(run: RunFolder, *, keep: int) -> None:
    """Remove all checkpoints but the newest ones.

    Args:
        keep: how many stay; 0 for all.
    """
    for _, path in run.saved()[keep:] if keep else ():
        path.unlink(missing_ok=True)


@contextmanager
def held(run: RunFolder) -> Iterator[None]:
    """Keep others from training in the folder for the length of a block.

    Raises:
        CallError: somebody does so now.
        EnvironmentFault: the folder can't be written.
    """
    lock = run.path / ".lock"
    with disk_faults(lock):
        descriptor = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            remedy = "Wait for it, or train into another folder."
            raise CallError(
                "A run must be trained by one process at a time",
                found=f"another at work in {run.path}",
                remedy=remedy,
            ) from error
        yield
    finally:
        os.close(descriptor)
