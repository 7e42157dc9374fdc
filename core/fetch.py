"""Bringing a challenge's official files: what is missing, from where, checked one by one."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from threading import Event
from typing import IO, Protocol
from urllib.parse import urlsplit

from pixelproof.download import BLOCK, PATIENCE, Advance, Patience, Stopped, download, part_of
from pixelproof.errors import CallError, EnvironmentFault, InputError
from pixelproof.file_list import FileList, ListedFile
from pixelproof.files import MIB, make_folder, replacing_file

PARALLEL = 8
_NAMED = 5
_SPARE_BYTES = 8 * MIB


class Source(Protocol):
    """Something that holds a challenge's files."""

    @property
    def label(self) -> str:
        """For people."""

    def lacking(self, files: Sequence[ListedFile]) -> list[str]:
        """Those of the files that are known not to be here."""

    def bring(self, file: ListedFile, target: Path, *, stopped: Event, advance: Advance) -> None:
        """Write one file, checked, whole or not at all."""


@dataclass(frozen=True)
class Mirror:
    """A folder on a web server."""

    base_url: str
    patience: Patience = PATIENCE

    @property
    def label(self) -> str:
        """The address."""
        return self.base_url

    def lacking(self, files: Sequence[ListedFile]) -> list[str]:
        """Nothing is known before asking."""
        return []

    def bring(self, file: ListedFile, target: Path, *, stopped: Event, advance: Advance) -> None:
        """Download one file; see `download`."""
        download(self.base_url, file, target, stopped=stopped, advance=advance, patience=self.patience)


@dataclass(frozen=True)
class LocalCopy:
    """A folder or zip archive: the names it holds, and how one is opened."""

    label: str
    names: frozenset[str]
    open_member: Callable[[str], IO[bytes]]

    def lacking(self, files: Sequence[ListedFile]) -> list[str]:
        """Names that this copy doesn't hold."""
        return [file.path for file in files if file.path not in self.names]

    def bring(self, file: ListedFile, target: Path, *, stopped: Event, advance: Advance) -> None:
        """Copy one file.

        Raises:
            InputError: the copy holds another file of this name, or can't be read.
            EnvironmentFault: the target can't be written.
        """
        digest = hashlib.sha256()
        with replacing_file(target) as temporary, temporary.open("wb") as sink:
            for block in self._blocks(file):
                if stopped.is_set():
                    raise Stopped
                digest.update(block)
                sink.write(block)
                advance(len(block))
            if digest.hexdigest() != file.sha256:
                found = f"{digest.hexdigest()} in {self.label}"
                remedy = "Fetch the challenge without --from, or from an unchanged copy."
                raise InputError(f"{file.path} must have sha256 {file.sha256}", found=found, remedy=remedy)

    def _blocks(self, file: ListedFile) -> Iterator[bytes]:
        try:
            with self.open_member(file.path) as stream:
                while block := stream.read(BLOCK):
                    yield block
        except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            found = f"{file.path} in {self.label}: {error}"
            raise InputError("A copied file must be readable", found=found) from error


@dataclass(frozen=True)
class Plan:
    """What is to be brought; ``already`` files were found right."""

    target: Path
    pending: tuple[ListedFile, ...]
    already: int

    @property
    def bytes(self) -> int:
        """Size of all that is to be brought."""
        return sum(file.bytes for file in self.pending)

    @property
    def parts(self) -> tuple[Path, ...]:
        """Half-downloaded files that wait."""
        paths = (part_of(self.target / file.path) for file in self.pending)
        return tuple(path for path in paths if path.exists())


def make_plan(listed: FileList, target: Path) -> Plan:
    """Compare a folder with the list."""
    pending = tuple(file for file in listed.files if not file.is_right(target / file.path))
    return Plan(target, pending, len(listed.files) - len(pending))


def carry_out(plan: Plan, source: Source, *, advance: Advance, parallel: int = PARALLEL) -> None:
    """Bring all pending files, several at a time; on an error or Ctrl-C partial downloads stay.

    Args:
        advance: told, from several threads, how many bytes have come.

    Raises:
        InputError: the source lacks files, or holds other ones.
        EnvironmentFault: no network, no space, or a folder that can't be written.
    """
    _check_names(plan, source)
    make_folder(plan.target)
    _check_space(plan)
    stopped = Event()
    with ThreadPoolExecutor(parallel) as pool:
        futures = [
            pool.submit(source.bring, file, plan.target / file.path, stopped=stopped, advance=advance)
            for file in plan.pending
        ]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            stopped.set()
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def open_source(given: str | None, listed: FileList) -> Iterator[Source]:
    """Where the files come from: the list's own address, another one, a folder or a zip archive.

    A local copy may have the files at its top or one folder deeper, as in GitHub's archives.

    Args:
        given: what the user named; None for the list's own address.

    Raises:
        CallError: ``given`` is none of these.
        InputError: a damaged archive.
    """
    if given is None:
        yield Mirror(listed.base_url)
    elif "://" in given:
        yield Mirror(_checked_url(given))
    elif Path(given).is_dir():
        yield _folder(Path(given), listed)
    elif Path(given).is_file():
        with _opened_zip(Path(given)) as archive:
            yield _archive(archive, given, listed)
    else:
        remedy = "Name a folder, a zip archive of the repository, or the address of a mirror."
        raise CallError("--from must exist", found=given, remedy=remedy)


def _checked_url(given: str) -> str:
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CallError("--from takes addresses of http and https", found=given)
    if parts.path.endswith((".zip", ".tar.gz")):
        remedy = "Download it with a browser, and name the file."
        raise CallError("--from takes the address of a folder, not of an archive", found=given, remedy=remedy)
    return given


def _folder(root: Path, listed: FileList) -> LocalCopy:
    try:
        candidates = [root, *sorted(child for child in root.iterdir() if child.is_dir())]
    except OSError as error:
        raise InputError("--from must be a readable folder", found=f"{root}: {error.strerror}") from error
    held = {top: frozenset(f.path for f in listed.files if _is_file(top / f.path)) for top in candidates}
    best = max(candidates, key=lambda top: len(held[top]))
    return LocalCopy(str(best), held[best], lambda name: (best / name).open("rb"))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder that may not be entered holds nothing for us
        return False


@contextmanager
def _opened_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        remedy = "Name a folder, or the zip archive of the repository."
        raise InputError(
            "--from must be a folder or a zip archive", found=f"{path}: {error}", remedy=remedy
        ) from error
    with archive:
        yield archive


def _archive(archive: zipfile.ZipFile, label: str, listed: FileList) -> LocalCopy:
    members = set(archive.namelist())
    tops = ["", *sorted({PurePosixPath(name).parts[0] + "/" for name in members if "/" in name})]
    held = {top: frozenset(f.path for f in listed.files if top + f.path in members) for top in tops}
    best = max(tops, key=lambda top: len(held[top]))
    return LocalCopy(label, held[best], lambda name: archive.open(best + name))


def _check_names(plan: Plan, source: Source) -> None:
    lacking = source.lacking(plan.pending)
    if lacking:
        found = f"{len(lacking)} of {len(plan.pending)} missing: {_some(lacking)}"
        remedy = "Name a complete copy, or fetch the challenge without --from: files already there are kept."
        raise InputError(
            f"{source.label} must hold every file that is still needed", found=found, remedy=remedy
        )


def _check_space(plan: Plan) -> None:
    waiting = sum(path.stat().st_size for path in plan.parts)
    needed, free = plan.bytes - waiting + _SPARE_BYTES, shutil.disk_usage(plan.target).free
    if plan.pending and free < needed:
        remedy = "Free some space, or choose another folder with --to."
        raise EnvironmentFault(
            f"{plan.target} must have {needed / MIB:.0f} MiB free",
            found=f"{free / MIB:.0f} MiB",
            remedy=remedy,
        )


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    rest = len(listed) - _NAMED
    return ", ".join(listed[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
