"""Files out of a Debian package, in memory: nothing is unpacked to disk, so no name or link in it leads anywhere."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from pixelproof.errors import EnvironmentFault, InputError

_MAGIC = b"!<arch>\n"
_HEADER = 60
_TOTAL_BYTES = 1 << 30
_MEMBER_BYTES = 64 << 20
_OPEN = {"": None, ".gz": gzip.open, ".xz": lzma.open, ".lzma": lzma.open, ".bz2": bz2.open}
_DAMAGE = (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError, ValueError)


def read_members(deb: Path, wanted: Collection[str]) -> dict[str, bytes]:
    """The contents of some regular files of a package, by path; what isn't there is left out.

    Args:
        deb: an ``ar`` archive with ``data.tar``, plain or packed by gzip, xz, lzma, bzip2 or (with dpkg-deb) zstd.
        wanted: paths below the root, without a slash at the beginning.

    Raises:
        InputError: no Debian package, damaged, or larger than a package of pictures is.
        EnvironmentFault: packed by zstd, where there is no dpkg-deb.
    """
    found: dict[str, bytes] = {}
    try:
        with _data(deb) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                if name not in wanted or not member.isreg():
                    continue
                if member.size > _MEMBER_BYTES:
                    raise _damaged(deb, f"{name} of {member.size} bytes")
                content = archive.extractfile(member)
                if content is not None:
                    found[name] = content.read()
    except _DAMAGE as error:
        raise _damaged(deb, str(error)) from error
    return found


@contextmanager
def _data(deb: Path) -> Iterator[IO[bytes]]:
    """The tar archive of a package's files, unpacked while it is read."""
    with deb.open("rb") as file:
        name, size = _find_data(file, deb)
        suffix = name.removeprefix("data.tar")
        if suffix in _OPEN:
            part = _Part(file, size)
            opener = _OPEN[suffix]
            yield cast("IO[bytes]", _Capped(part if opener is None else opener(cast("IO[bytes]", part))))
            return
    if suffix != ".zst":
        raise _damaged(deb, name)
    with _by_dpkg(deb) as stream:
        yield cast("IO[bytes]", _Capped(stream))


def _find_data(file: IO[bytes], deb: Path) -> tuple[str, int]:
    """Name and size of ``data.tar``; the file stands at its beginning afterwards."""
    if file.read(len(_MAGIC)) != _MAGIC:
        raise _damaged(deb, "no ar archive")
    while len(header := file.read(_HEADER)) == _HEADER and header.endswith(b"`\n"):
        name, size = header[:16].decode("ascii", "replace").rstrip(" /"), int(header[48:58])
        if name.startswith("data.tar"):
            return name, size
        file.seek(size + size % 2, io.SEEK_CUR)
    raise _damaged(deb, "no data.tar in it")


class _Part(io.RawIOBase):
    """A stretch of a file, from where it stands."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast("bytearray", buffer))
        data = self._file.read(min(len(view), self._left))
        view[: len(data)] = data
        self._left -= len(data)
        return len(data)


class _Capped:
    """A stream that refuses to become endless."""

    def __init__(self, stream: object) -> None:
        self._stream, self._left = cast("IO[bytes]", stream), _TOTAL_BYTES

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"more than {_TOTAL_BYTES >> 20} MiB of files")
        return data


@contextmanager
def _by_dpkg(deb: Path) -> Iterator[IO[bytes]]:
    program = shutil.which("dpkg-deb")
    if program is None:
        remedy = "Repack it with xz, or do this on a machine that has dpkg-deb."
        raise EnvironmentFault("A package packed by zstd needs dpkg-deb", found=str(deb), remedy=remedy)
    command = [program, "--fsys-tarfile", str(deb.absolute())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            yield cast("IO[bytes]", process.stdout)
        finally:
            process.kill()


def _damaged(deb: Path, found: str) -> InputError:
    remedy = "Download it again."
    return InputError("A package must be a whole Debian package", found=f"{deb}: {found}", remedy=remedy)
