"""Files that appear whole or not at all: written beside the target, synced, renamed."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pixelproof.errors import EnvironmentFault, InputError
from pixelproof.janitor import standing_aside, watched_path
from pixelproof.janitor_main import removed

MIB = 1024 * 1024
FULL = (errno.ENOSPC, errno.EDQUOT) if hasattr(errno, "EDQUOT") else (errno.ENOSPC,)
_NOT_WRITABLE = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG,
)  # fmt: skip


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, or of a folder's sorted relative names and contents (a SavedModel), as hex.

    Of a link inside a folder it is where it leads that counts, not what is there; other special files don't count.
    """
    digest = hashlib.sha256()
    if path.is_dir():
        for member in _members(path):
            digest.update(os.fsencode(member.relative_to(path).as_posix()) + b"\0")
            if member.is_symlink():
                digest.update(hashlib.sha256(b"link to " + os.fsencode(member.readlink())).digest())
            else:
                digest.update(bytes.fromhex(sha256_of(member)))
        return digest.hexdigest()
    with path.open("rb") as stream:
        while block := stream.read(MIB):
            digest.update(block)
    return digest.hexdigest()


def size_bytes(path: Path) -> int:
    """Size of a file, or of all files below a folder; links are not followed."""
    if path.is_dir():
        return sum(member.lstat().st_size for member in _members(path))
    return path.stat().st_size


def _members(folder: Path) -> list[Path]:
    """Files and links below a folder, sorted by name."""
    return sorted(p for p in folder.rglob("*") if p.is_symlink() or p.is_file())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all.

    A device or a pipe is written to as it is, not replaced.

    Raises:
        EnvironmentFault: the folder can't be written, or the disk is full.
    """
    if is_special(path):
        with disk_faults(path):
            path.write_bytes(data)
        return
    with replacing_file(path) as temporary:
        temporary.write_bytes(data)


def is_special(path: Path) -> bool:
    """Whether something stands there that is neither a file nor a folder: a device, a pipe, a socket."""
    return path.exists() and not path.is_file() and not path.is_dir()


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text whole or not at all."""
    write_bytes(path, text.encode())


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``; renamed to it when the block ends well, removed otherwise.

    Of a symbolic link it is the target that is replaced.

    Raises:
        EnvironmentFault: the folder can't be written, the disk is full, or ``path`` is a device or a pipe.
    """
    if is_special(path):
        remedy = "Choose a file's name."
        raise EnvironmentFault(
            "Output must be a regular file", found=f"a device or pipe: {path}", remedy=remedy
        )
    path = path.resolve() if path.is_symlink() else path
    temporary = _beside(path, ".part")
    with disk_faults(path), watched_path(temporary):
        make_folder(path.parent)
        _create(temporary)
        try:
            yield temporary
            _sync(temporary)
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside ``path``; takes its place when the block ends well, removed otherwise."""
    temporary = _beside(path, ".part")
    with disk_faults(path), watched_path(temporary):
        make_folder(path.parent)
        temporary.mkdir(mode=0o700)
        try:
            yield temporary
            for member in temporary.rglob("*"):
                if member.is_file():
                    _sync(member)
            temporary.chmod(0o777 & ~_umask())
            if path.is_dir() and not path.is_symlink():
                _exchange(temporary, path)
            else:
                temporary.replace(path)
        finally:
            removed(str(temporary))


def _exchange(made: Path, path: Path) -> None:
    """Move a folder in the place of another; if that fails or is interrupted, the old one stays."""
    old = _beside(path, ".old")
    with standing_aside(old, path):
        try:
            path.replace(old)
            made.replace(path)
        finally:
            if not path.exists():
                old.replace(path)
        removed(str(old))


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f".{path.name}.{os.urandom(8).hex()}{suffix}")


def _create(path: Path) -> None:
    """An empty file that nobody else may read yet."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileNotFoundError as error:  # as in make_folder
        raise PermissionError(errno.EPERM, "File can't be created", str(path)) from error


def make_folder(path: Path) -> None:
    """Create a folder and its parents.

    Raises:
        EnvironmentFault: it can't be created.
    """
    with disk_faults(path):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except FileNotFoundError as error:  # a file system that lets nobody create folders, such as /proc
            raise PermissionError(errno.EPERM, "Folder can't be created", str(path)) from error


def read_bytes(path: Path, *, what: str) -> bytes:
    """The bytes of an input file.

    Raises:
        InputError: the file is missing or unreadable; ``what`` names it in the message.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{what} must be a readable file", found=f"{path}: {error.strerror}") from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def disk_faults(path: Path) -> Iterator[None]:
    """Turns what a disk answers while ``path`` is written into an error that says the way out.

    Raises:
        EnvironmentFault: the disk or the quota is full, or ``path`` can't be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            remedy = "Free some space, or choose another folder."
            raise EnvironmentFault("The disk is full", found=f"no space for {path}", remedy=remedy) from error
        if error.errno in _NOT_WRITABLE:
            remedy = "Choose another folder, or make this one writable."
            found = f"{error.strerror} at {error.filename or path}"
            raise EnvironmentFault("Output must be writable", found=found, remedy=remedy) from error
        raise
