"""The parent's end of the child that times operations: starts it behind the worker's walls, and believes nothing."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from pixelproof.errors import EnvironmentFault, ModelFailed, WorkerStopped
from pixelproof.measure import protocol
from pixelproof.measure.protocol import Array, ProtocolError
from pixelproof.measure.sandbox.lockdown import LockPlan
from pixelproof.measure.worker_answers import error_from, greeting_from
from pixelproof.measure.worker_process import WorkerProcess
from pixelproof.safety import SandboxLayer, missing_walls
from pixelproof.tflite.inspection.bench_child import MOST_RANK
from pixelproof.tflite.inspection.model import Model, Shape

T = TypeVar("T")

LIFETIME_S = 12 * 3600.0
_PROGRAM = "bench_child.py"


@dataclass(frozen=True)
class Whole:
    """Times of whole runs in milliseconds, and how many parts of the file XNNPACK runs."""

    ms: tuple[float, ...]
    partitions: int


@dataclass(frozen=True)
class Alone:
    """Times of one operation alone in milliseconds, and whether XNNPACK runs it."""

    ms: tuple[float, ...]
    xnnpack: bool


class Bench:
    """One locked child with one .tflite file. A context manager: leaving it ends the child.

    Args:
        threads: of the runtime.
        timeout_s: wall-clock limit of each request.
        require_sandbox: refuse to work where neither Landlock nor bubblewrap locks the child in.

    Raises:
        EnvironmentFault: the child doesn't start, or isn't locked in as required.
    """

    def __init__(self, *, threads: int, timeout_s: float, require_sandbox: bool) -> None:
        self._threads, self._timeout_s = threads, timeout_s
        self._process = _BenchProcess(threads=threads, lifetime_s=LIFETIME_S)
        try:
            self.layers = self._greeting()
            if require_sandbox and (missing := missing_walls(self.layers)):
                remedy = "Use Linux 5.13 or newer, install bubblewrap, or pass --no-require-sandbox."
                rule = "A stranger's model must run behind Landlock or bubblewrap"
                raise EnvironmentFault(rule, found=missing, remedy=remedy)
        except BaseException:
            self._process.close()
            raise

    def __enter__(self) -> Bench:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.close()

    def open(self, path: Path, model: Model, *, shape: Shape | None) -> dict[int, Shape]:
        """Scan the file once more, load it, and bind its shapes.

        Args:
            model: as it was read.
            shape: of its only input; None as the file states it.

        Returns:
            Shapes that hold when it runs, by the tensor's index.

        Raises:
            ArtifactError, GraphRefused: as `Worker.load`.
            ModelFailed: the runtime can't run it, or not at this shape.
            WorkerStopped: the child crashed, or took too long.
        """
        copy = self._process.inbox.copy_of(path.absolute())
        asked = None if shape is None else list(shape)
        request = {"op": "open", "path": str(copy), "threads": self._threads, "shape": asked}
        room = len(model.tensors) * (1 + MOST_RANK) * 4
        _, arrays = self._ask(request, max_payload=room)
        return self._believed(lambda: _shapes(arrays, count=len(model.tensors)))

    def time_whole(self, runs: int) -> Whole:
        """Time the whole file, after one run to warm up."""
        header, _ = self._ask({"op": "whole", "runs": runs})
        return self._believed(lambda: Whole(ms=_times(header, runs), partitions=_count(header)))

    def time_one(self, index: int, runs: int) -> Alone:
        """Time one operation alone, after one run to warm up."""
        header, _ = self._ask({"op": "one", "index": index, "runs": runs})
        return self._believed(lambda: Alone(ms=_times(header, runs), xnnpack=header.get("xnnpack") is True))

    def _greeting(self) -> tuple[SandboxLayer, ...]:
        try:
            header, _ = self._received(max_payload=0)
            pid, layers = greeting_from(header)
            self._process.greeted(pid)
        except (WorkerStopped, ModelFailed, ProtocolError, ProcessLookupError) as error:
            remedy = "pixelproof doctor says what is missing."
            rule = "The process that times operations must start"
            raise EnvironmentFault(rule, found=str(error), remedy=remedy) from error
        return (*self._process.layers, *layers)

    def _ask(self, request: dict[str, Any], *, max_payload: int = 0) -> tuple[dict[str, Any], list[Array]]:
        if self._process.stop is not None:
            raise self._process.stop
        try:
            protocol.send(self._process.write, request)
        except OSError as error:
            raise self._process.ended() from error
        return self._received(max_payload=max_payload)

    def _received(self, *, max_payload: int) -> tuple[dict[str, Any], list[Array]]:
        try:
            with self._process.limited(self._timeout_s):
                header, arrays = protocol.receive(self._process.read, max_payload=max_payload)
            if header.get("ok") is True:
                return header, arrays
            refusal = error_from(header.get("error"))
        except (EOFError, OSError) as error:
            raise self._process.ended() from error
        except ProtocolError as error:
            raise self._process.broken(str(error)) from error
        raise refusal

    def _believed(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except ProtocolError as error:
            raise self._process.broken(str(error)) from error


class _BenchProcess(WorkerProcess):
    """The worker's process with another program, which lies in its inbox: what the walls leave open holds none."""

    def _command(self, plan: LockPlan, inbox: Path) -> list[str]:
        program = inbox / _PROGRAM
        shutil.copyfile(Path(__file__).with_name(_PROGRAM), program)
        return [sys.executable, "-P", str(program), plan.to_argument()]


def _times(header: dict[str, Any], runs: int) -> tuple[float, ...]:
    times = header.get("ms")
    if not isinstance(times, list) or len(times) != runs:
        raise ProtocolError(f"times {times!r}"[:200])
    if not all(isinstance(ms, float) and math.isfinite(ms) and ms >= 0 for ms in times):
        raise ProtocolError(f"times {times!r}"[:200])
    return tuple(times)


def _count(header: dict[str, Any]) -> int:
    count = header.get("partitions")
    if type(count) is not int or count < 0:
        raise ProtocolError(f"{count!r} partitions"[:200])
    return count


def _shapes(arrays: list[Array], *, count: int) -> dict[int, Shape]:
    if len(arrays) != 1 or arrays[0].shape != (count, 1 + MOST_RANK) or arrays[0].dtype.name != "int32":
        raise ProtocolError("shapes that are no table")
    table = arrays[0].tolist()
    if not all(-1 <= row[0] <= MOST_RANK and min(row[1 : 1 + row[0]], default=0) >= 0 for row in table):
        raise ProtocolError("shapes that are none")
    return {index: tuple(row[1 : 1 + row[0]]) for index, row in enumerate(table) if row[0] >= 0}
