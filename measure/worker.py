"""The parent's end of the worker: starts the child, asks, waits no longer than agreed, and ends it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from pixelproof import errors
from pixelproof.environment import usable_cores
from pixelproof.measure import memory, protocol
from pixelproof.measure.formats import Kind
from pixelproof.measure.protocol import Array
from pixelproof.measure.sandbox.environment import worker_command, worker_environment
from pixelproof.report import Interface
from pixelproof.schema import build

DEFAULT_TIMEOUT_S = 600.0
WATCH_INTERVAL_S = 0.01


@dataclass(frozen=True)
class Loaded:
    """What a worker has loaded: the declared interface, and the tensors that `Worker.run` will use.

    ``global_statistics`` says that each output value depends on all of the image (instance normalisation).
    """

    interface: Interface
    used_input: str | None
    used_output: str | None
    global_statistics: bool = False


class Worker:
    """One child process that holds at most one model. A context manager: leaving it ends the child.

    Args:
        threads: of the child's runtime; all usable cores by default.
        timeout_s: wall-clock limit of each request.
        memory_limit_mib: the child is stopped when its resident size passes this.
    """

    def __init__(
        self,
        *,
        threads: int | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        memory_limit_mib: float | None = None,
    ) -> None:
        self.threads = threads or usable_cores()
        self.libraries: dict[str, str] = {}
        self._timeout_s = timeout_s
        self._limit_mib = memory_limit_mib
        self._stop: errors.WorkerStopped | None = None
        self._largest_mib = 0.0
        self._deadline: float | None = None
        self._closing = threading.Event()
        self._pending = 0
        self._kind: Kind | None = None
        self._scratch = Path(tempfile.mkdtemp(prefix="pixelproof-worker-"))
        self._log = (self._scratch / ".log").open("w+b")
        self._process = subprocess.Popen(
            worker_command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=self._scratch,
            env=worker_environment(self._scratch, threads=self.threads),
            start_new_session=True,
            bufsize=0,
        )
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        self._pending += 1  # its greeting

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._process.pid

    def prepare(self, kind: Kind) -> None:
        """Let the child import what this format needs; returns at once, the next request waits for it."""
        self._kind = kind
        self._send({"op": "prepare", "format": kind})

    def ready(self) -> None:
        """Wait until the imports of `prepare` are done."""
        self._collect()

    def load(
        self, path: Path, kind: Kind, *, input_name: str | None = None, output_name: str | None = None
    ) -> Loaded:
        """Load an artifact.

        Args:
            input_name, output_name: tensors to use; for None, or where they lack, the artifact's only ones.

        Raises:
            ArtifactError: the file is no artifact of this format.
            ModelFailed: the runtime refuses the model.
            WorkerStopped: the child crashed, or passed a limit.
        """
        if self._kind != kind:
            self.prepare(kind)
        request = {"op": "load", "path": str(path.absolute()), "format": kind, "threads": self.threads}
        header, _ = self._ask({**request, "input": input_name, "output": output_name})

        def fail(where: str, rule: str, found: str, remedy: str) -> protocol.ProtocolError:
            return protocol.ProtocolError(f"{where} {rule}; found {found}")

        used_input, used_output = header["used"]
        interface = build(Interface, header["interface"], fail=fail)
        return Loaded(
            interface=interface,
            used_input=used_input,
            used_output=used_output,
            global_statistics=header.get("global_statistics") is True,
        )

    def run(self, x: Array) -> Array:
        """The model's output for an input (batch, height, width, channels)."""
        return self._one_array({"op": "run"}, x)

    def run_float64(self, x: Array) -> Array:
        """The same computation with every float32 of the graph widened to float64 (frozen graphs only)."""
        return self._one_array({"op": "run_float64"}, x)

    def put(self, slot: int, x: Array) -> None:
        """Keep an input in the child, for `time_ms`."""
        self._ask({"op": "put", "slot": slot}, [x])

    def time_ms(self, slot: int) -> float:
        """Wall-clock time of one call of the model on a kept input, in milliseconds."""
        header, _ = self._ask({"op": "time", "slot": slot})
        return float(header["ms"])

    def reset_peak(self) -> None:
        """Let the peak of resident memory start again."""
        memory.reset_peak(self.pid)
        self._largest_mib = 0.0

    def resident_mib(self) -> float:
        """Resident size of the child now."""
        return memory.resident_mib(self.pid)

    def peak_mib(self) -> float:
        """Largest resident size since `reset_peak`."""
        return max(memory.peak_resident_mib(self.pid), self._largest_mib)

    def close(self) -> None:
        """End the child and remove its scratch folder."""
        self._closing.set()
        self._kill()
        self._process.wait()
        self._watcher.join()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _one_array(self, request: dict[str, Any], x: Array) -> Array:
        _, arrays = self._ask(request, [x])
        if len(arrays) != 1:
            raise self._broken(f"{len(arrays)} arrays in an answer")
        return arrays[0]

    def _ask(
        self, request: dict[str, Any], arrays: Sequence[Array] = ()
    ) -> tuple[dict[str, Any], list[Array]]:
        self._collect()
        self._send(request, arrays)
        return self._receive()

    def _collect(self) -> None:
        while self._pending:
            header, _ = self._receive()
            self.libraries.update(header.get("libraries", {}))

    def _send(self, request: dict[str, Any], arrays: Sequence[Array] = ()) -> None:
        stdin = self._process.stdin
        assert stdin is not None

        def write(data: bytes | memoryview) -> None:
            view = memoryview(data)
            while view:
                view = view[stdin.write(view) :]

        self._deadline = time.monotonic() + self._timeout_s
        self._pending += 1
        try:
            protocol.send(write, request, arrays)
        except (BrokenPipeError, ValueError) as error:
            raise self._ended() from error

    def _receive(self) -> tuple[dict[str, Any], list[Array]]:
        stdout = self._process.stdout
        assert stdout is not None

        def read(count: int) -> bytearray:
            data = bytearray(count)
            view = memoryview(data)
            while view:
                got = stdout.readinto(view)  # type: ignore[attr-defined]
                if not got:
                    raise EOFError
                view = view[got:]
            return data

        self._deadline = time.monotonic() + self._timeout_s
        try:
            header, arrays = protocol.receive(read)
        except (EOFError, OSError, ValueError) as error:
            raise self._ended() from error
        except protocol.ProtocolError as error:
            raise self._broken(str(error)) from error
        self._pending -= 1
        if not self._pending:
            self._deadline = None
        if header.get("ok") is not True:
            raise _error_of(header.get("error"))
        return header, arrays

    def _watch(self) -> None:
        interval = WATCH_INTERVAL_S if self._limit_mib else 0.1
        while not self._closing.wait(interval):
            if self._process.poll() is not None:
                return
            deadline = self._deadline
            if deadline is not None and time.monotonic() > deadline:
                found = f"no answer after {self._timeout_s:g} s"
                self._stop = errors.WorkerStopped(
                    "A model must answer within the time limit", reason="timed_out", found=found
                )
                self._kill()
                return
            if self._limit_mib:
                self._watch_memory(self._limit_mib)

    def _watch_memory(self, limit_mib: float) -> None:
        try:
            resident = memory.resident_mib(self.pid)
        except ProcessLookupError:
            return
        self._largest_mib = max(self._largest_mib, resident)
        if resident > limit_mib:
            self._stop = errors.WorkerStopped(
                f"A model must stay below {limit_mib:g} MiB of memory",
                reason="out_of_memory",
                found=f"{resident:.0f} MiB and rising when it was stopped",
                peak_rss_mib=resident,
            )
            self._kill()

    def _kill(self) -> None:
        if self._process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def _ended(self) -> errors.WorkerStopped:
        self._kill()
        code = self._process.wait()
        if self._stop is not None:
            return self._stop
        name = signal.Signals(-code).name if code < 0 and -code in set(signal.Signals) else f"code {code}"
        last = self._last_words()
        found = f"the worker ended with {name}" + (f": {last}" if last else "")
        return errors.WorkerStopped("A model must run to its end", reason="crashed", found=found)

    def _broken(self, what: str) -> errors.WorkerStopped:
        self._kill()
        return errors.WorkerStopped("A worker must keep to the protocol", reason="crashed", found=what)

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read()[-4000:].decode(errors="replace").strip().splitlines()
        return lines[-1].strip()[:400] if lines else ""


def _error_of(described: Any) -> errors.PixelproofError:
    if not isinstance(described, dict):
        return errors.WorkerStopped(
            "A worker must keep to the protocol", reason="crashed", found=repr(described)
        )
    rule = str(described.get("rule", ""))
    found, remedy = str(described.get("found", "")), str(described.get("remedy", ""))
    if described.get("type") == "ArtifactError":
        return errors.ArtifactError(rule, found=found, remedy=remedy)
    if described.get("type") == "model":
        return errors.ModelFailed("The runtime must be able to run the model", found=rule)
    return errors.ModelFailed(rule, found=found, remedy=remedy)
