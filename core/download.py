"""One file over HTTP: resumed where it stopped, tried again when the line fails, checked at the end."""

from __future__ import annotations

import hashlib
import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import quote

from pixelproof.errors import EnvironmentFault, InputError, PixelproofError
from pixelproof.file_list import ListedFile
from pixelproof.files import disk_faults, make_folder, replacing_file

BLOCK = 64 * 1024
Advance = Callable[[int], None]
"""Told how many bytes have come; a negative number where bad bytes were dropped."""


class Stopped(Exception):
    """The download was asked to stop; what has come stays in the ``.part`` file."""


@dataclass(frozen=True)
class Patience:
    """How long a line may fail: tries without a byte in between, first pause (doubled each time), silence."""

    tries: int = 5
    first_pause_s: float = 0.5
    silence_s: float = 20.0


PATIENCE = Patience()


class _Interrupted(Exception):
    def __init__(self, fault: PixelproofError) -> None:
        self.fault = fault
        super().__init__(str(fault))


def part_of(target: Path) -> Path:
    """Where the bytes of an unfinished download wait."""
    return target.with_name(target.name + ".part")


def download(
    base_url: str,
    file: ListedFile,
    target: Path,
    *,
    stopped: Event,
    advance: Advance,
    patience: Patience = PATIENCE,
) -> None:
    """Bring one file; bytes that came in an earlier run are kept and continued.

    Args:
        base_url: the folder's address; the file's path is appended.
        stopped: when set, `Stopped` is raised at the next block.
        advance: told of the bytes that came.

    Raises:
        InputError: the server has no such file, or another one (SHA-256).
        EnvironmentFault: no network, a server that keeps failing, or a disk that can't be written.
    """
    url = base_url.rstrip("/") + "/" + quote(file.path)
    part = part_of(target)
    advance(_size(part))
    failures = 0
    restarted = False
    while True:
        before = _size(part)
        try:
            if before < file.bytes or file.bytes == 0:
                _continue(url, file, part, stopped=stopped, advance=advance, silence_s=patience.silence_s)
            found = _finish(file, part, target)
            if found is None:
                return
            advance(-_drop(part))
            if restarted or not before:
                raise _wrong(file, url, found)
            restarted = True
        except _Interrupted as interruption:
            failures = failures + 1 if _size(part) <= before else 1
            if failures >= patience.tries:
                raise interruption.fault from interruption
            if stopped.wait(patience.first_pause_s * 2 ** (failures - 1)):
                raise Stopped from None


def _finish(file: ListedFile, part: Path, target: Path) -> str | None:
    """Move a complete, right file to its place; else say what was found."""
    size = _size(part)
    if size != file.bytes:
        return f"{size} bytes" if size < file.bytes else f"more than {file.bytes} bytes"
    with disk_faults(part), part.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    if sha256 != file.sha256:
        return sha256
    with replacing_file(target) as temporary:
        part.replace(temporary)
    return None


def _continue(
    url: str, file: ListedFile, part: Path, *, stopped: Event, advance: Advance, silence_s: float
) -> None:
    if stopped.is_set():
        raise Stopped
    offset = _size(part)
    headers = {"User-Agent": "pixelproof"} | ({"Range": f"bytes={offset}-"} if offset else {})
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=silence_s
        ) as response:
            if offset and not _starts_at(response, offset):
                advance(-_drop(part))
            _receive(response, file, part, stopped=stopped, advance=advance)
    except urllib.error.HTTPError as error:
        with error:
            _judge_status(error, url, part, advance)
    except urllib.error.URLError as error:
        raise _no_network(url, error.reason) from error
    except (http.client.HTTPException, OSError) as error:
        raise _no_network(url, error) from error


def _receive(response: Any, file: ListedFile, part: Path, *, stopped: Event, advance: Advance) -> None:
    announced = response.headers.get("Content-Length", "")
    missing = int(announced) if announced.isdigit() else None
    make_folder(part.parent)
    with disk_faults(part):
        stream = part.open("ab")
    with stream:
        while block := response.read1(BLOCK):
            if stopped.is_set():
                raise Stopped
            with disk_faults(part):
                stream.write(block)
                stream.flush()
            advance(len(block))
            missing = None if missing is None else missing - len(block)
            if stream.tell() > file.bytes:
                return
    if missing:
        raise ConnectionError(f"the line broke {missing} bytes before the end")


def _judge_status(error: urllib.error.HTTPError, url: str, part: Path, advance: Advance) -> None:
    if error.code == 416:
        advance(-_drop(part))
        return
    if error.code == 429 or error.code >= 500:
        remedy = "Try again later, or name a mirror or a local copy with --from."
        fault = EnvironmentFault(
            "The server must answer", found=f"HTTP {error.code} for {url}", remedy=remedy
        )
        raise _Interrupted(fault) from error
    remedy = "Name a mirror or a local copy with --from."
    raise InputError(
        "The server must have the file", found=f"HTTP {error.code} for {url}", remedy=remedy
    ) from error


def _no_network(url: str, reason: Any) -> Exception:
    remedy = (
        "Check the connection and run the same command again: it goes on where it stopped. Without a network,"
        " name a local copy with --from: a clone, or the zip archive of the repository."
    )
    fault = EnvironmentFault("The server must be reachable", found=f"{reason} for {url}", remedy=remedy)
    return fault if isinstance(reason, ssl.SSLCertVerificationError) else _Interrupted(fault)


def _wrong(file: ListedFile, url: str, found: str) -> InputError:
    remedy = "The file at that address is another one: name a mirror or a local copy with --from."
    return InputError(f"{file.path} must have sha256 {file.sha256}", found=f"{found} at {url}", remedy=remedy)


def _starts_at(response: Any, offset: int) -> bool:
    given = str(response.headers.get("Content-Range", ""))
    return bool(response.status == 206 and given.startswith(f"bytes {offset}-"))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _drop(path: Path) -> int:
    size = _size(path)
    with disk_faults(path):
        path.unlink(missing_ok=True)
    return size
