"""The benchmarks of this folder, each run in a process of its own, whatever becomes of the one before."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.row import Row, Skip, failed, from_json
from benchmarks.table import Part

PREFIX = "bench_"
FOLDER = Path(__file__).parent
GRACE_S = 10


class UnknownBenchmark(ValueError):
    """A name that no file of the folder has."""


def found(folder: Path = FOLDER) -> tuple[str, ...]:
    """Names of all benchmarks: a file ``bench_NAME.py`` is one, so that a newcomer is one new file."""
    return tuple(sorted(path.stem.removeprefix(PREFIX) for path in folder.glob(f"{PREFIX}*.py")))


def chosen(names: Sequence[str], only: str | None) -> tuple[str, ...]:
    """Those that ``--only a,b`` names, in that order; all without it.

    Raises:
        UnknownBenchmark: one of them doesn't exist, or none was named.
    """
    if only is None:
        return tuple(names)
    asked = [name.strip().removeprefix(PREFIX) for name in only.split(",") if name.strip()]
    unknown = [name for name in asked if name not in names]
    if unknown or not asked:
        raise UnknownBenchmark(f"--only must name benchmarks; found {only!r}. There are: {', '.join(names)}.")
    return tuple(dict.fromkeys(asked))


def command_of(name: str, rows: Path, *, quick: bool) -> list[str]:
    """The child that runs one benchmark and writes what it says, line by line."""
    return [sys.executable, "-m", "benchmarks.one", name, str(rows), *(["--quick"] if quick else [])]


def run(
    name: str,
    command: Sequence[str],
    rows: Path,
    log: Path,
    *,
    limit_s: float,
    root: Path = FOLDER.parent,
) -> Part:
    """Run one benchmark; an error, or more time than the limit, is a row beside those that it had by then.

    Args:
        rows: the file that the child writes.
        log: takes what it prints.
        root: the checkout that it is started in.
    """
    start = time.perf_counter()
    fault = _fault(command, log, limit_s=limit_s, root=root)
    said = read_rows(rows)
    if fault:
        said = (*said, failed(f"{PREFIX}{name}", fault))
    elif not said:
        said = (failed(f"{PREFIX}{name}", "it ended without a row"),)
    return Part(name, said, time.perf_counter() - start)


def read_rows(path: Path) -> tuple[Row | Skip, ...]:
    """What a child wrote; a last line that it didn't finish is left out."""
    if not path.exists():
        return ()
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return tuple(from_json(json.loads(line)) for line in lines if line.endswith("\n"))


def last_line(log: Path) -> str:
    """The last words of a log: of a traceback, the error."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "nothing was printed"


def _fault(command: Sequence[str], log: Path, *, limit_s: float, root: Path) -> str:
    with log.open("wb") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd=root
        )
        try:
            code = child.wait(limit_s)
        except subprocess.TimeoutExpired:
            return f"stopped after {limit_s:g} s"
        finally:
            _end(child)
    return "" if code == 0 else f"exit {code}: {last_line(log)}"


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is not None:
        return
    os.killpg(child.pid, signal.SIGTERM)
    try:
        child.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
