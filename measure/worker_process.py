"""The worker as a process: its pipes, its scratch folder, its limits, and its end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from pixelproof.errors import WorkerStopped
from pixelproof.measure import memory
from pixelproof.measure.interrupts import interrupts_deferred
from pixelproof.measure.sandbox.environment import worker_command, worker_environment

WATCH_INTERVAL_S = 0.01
IDLE_INTERVAL_S = 0.1
GRACE_S = 5.0
LOG_TAIL_BYTES = 4000


class WorkerProcess:
    """One child with its pipes; a thread of ours stops it when it passes a limit.

    Args:
        threads: of the child's runtime.
        memory_limit_mib: the child is stopped when its resident size passes this.
        exact_memory: see `worker_environment`.
    """

    def __init__(
        self, *, threads: int, memory_limit_mib: float | None = None, exact_memory: bool = False
    ) -> None:
        self._limit_mib = memory_limit_mib
        self._largest_mib = 0.0
        self._deadline: tuple[float, float] | None = None
        self._guard = threading.Lock()
        self._closing = threading.Event()
        self.stop: WorkerStopped | None = None
        with interrupts_deferred():
            self._start(threads, exact_memory)
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def _start(self, threads: int, exact_memory: bool) -> None:
        self._scratch = Path(tempfile.mkdtemp(prefix="pixelproof-worker-"))
        self._log = (self._scratch / ".log").open("w+b")
        self._log_start = 0
        try:
            self._process = subprocess.Popen(
                worker_command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                cwd=self._scratch,
                env=worker_environment(self._scratch, threads=threads, exact_memory=exact_memory),
                start_new_session=True,
                bufsize=0,
            )
        except BaseException:
            self._log.close()
            shutil.rmtree(self._scratch, ignore_errors=True)
            raise

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._process.pid

    @property
    def largest_mib(self) -> float:
        """Largest resident size that the watcher has seen since `forget_largest`; 0 without a memory limit."""
        return self._largest_mib

    def forget_largest(self) -> None:
        """Let `largest_mib` start again."""
        self._largest_mib = 0.0

    @contextlib.contextmanager
    def limited(self, seconds: float) -> Iterator[None]:
        """Stop the child when the block takes longer."""
        self._log_start = os.fstat(self._log.fileno()).st_size
        with self._guard:
            self._deadline = time.monotonic() + seconds, seconds
        try:
            yield
        finally:
            with self._guard:
                self._deadline = None

    def write(self, data: bytes | memoryview) -> None:
        """Write all of it.

        Raises:
            BrokenPipeError: the child is gone.
        """
        stdin = self._process.stdin
        assert stdin is not None
        view = memoryview(data)
        while view:
            view = view[stdin.write(view) :]

    def read(self, count: int) -> bytearray:
        """Exactly so many bytes.

        Raises:
            EOFError: the child is gone.
        """
        stdout = self._process.stdout
        assert stdout is not None
        data = bytearray(count)
        view = memoryview(data)
        while view:
            got = stdout.readinto(view)  # type: ignore[attr-defined]
            if not got:
                raise EOFError
            view = view[got:]
        return data

    def kill(self) -> None:
        """End the child and what it started; returns at once."""
        if self._process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def ended(self) -> WorkerStopped:
        """Why the child is gone; for use when a pipe has broken."""
        try:
            code = self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._process.wait()
        if self.stop is None:
            self.stop = _crash(code, self._last_words())
        return self.stop

    def broken(self, what: str) -> WorkerStopped:
        """The child sent something that is no answer; it is ended."""
        self.kill()
        if self.stop is None:
            self.stop = WorkerStopped("A worker must keep to the protocol", reason="crashed", found=what)
        return self.stop

    def close(self) -> None:
        """End the child and remove its scratch folder; a second call does nothing."""
        self._closing.set()
        self.kill()
        self._process.wait()
        self._watcher.join()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _watch(self) -> None:
        interval = WATCH_INTERVAL_S if self._limit_mib else IDLE_INTERVAL_S
        while not self._closing.wait(interval):
            if self._process.poll() is not None:
                return
            if self._limit_mib:
                self._watch_memory(self._limit_mib)
            with self._guard:
                if self._deadline is not None and time.monotonic() > self._deadline[0]:
                    found = f"no answer after {self._deadline[1]:g} s"
                    self._stop_it(
                        WorkerStopped(
                            "A model must answer within the time limit", reason="timed_out", found=found
                        )
                    )

    def _watch_memory(self, limit_mib: float) -> None:
        try:
            resident = memory.resident_mib(self.pid)
        except ProcessLookupError:
            return
        self._largest_mib = max(self._largest_mib, resident)
        if resident > limit_mib:
            self._stop_it(
                WorkerStopped(
                    f"A model must stay below {limit_mib:g} MiB of memory",
                    reason="out_of_memory",
                    found=f"{resident:.0f} MiB and rising when it was stopped",
                    peak_rss_mib=resident,
                )
            )

    def _stop_it(self, why: WorkerStopped) -> None:
        if self.stop is None:
            self.stop = why
        self.kill()

    def _last_words(self) -> str:
        """The last line that the child wrote since it was asked; what a runtime says at its start is no reason."""
        end = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(self._log_start, end - LOG_TAIL_BYTES))
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1].strip()[:400] if lines else ""


def _crash(code: int, last_words: str) -> WorkerStopped:
    name = signal.Signals(-code).name if code < 0 and -code in set(signal.Signals) else f"code {code}"
    remedy = ""
    if name == "SIGKILL":
        remedy = "It was killed from outside; where memory runs out, the system does that."
    found = f"the worker ended with {name}" + (f": {last_words}" if last_words else "")
    return WorkerStopped("A model must run to its end", reason="crashed", found=found, remedy=remedy)
