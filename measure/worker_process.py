"""The worker as a process: its pipes, its scratch folder, its limits, and its end."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from pixelproof import janitor
from pixelproof.environment import usable_cores
from pixelproof.errors import WorkerStopped
from pixelproof.measure import memory
from pixelproof.measure.device import Device
from pixelproof.measure.inbox import Inbox
from pixelproof.measure.interrupts import interrupts_deferred
from pixelproof.measure.memory_trace import Recorder
from pixelproof.measure.sandbox.environment import parent_layers, worker_command, worker_environment
from pixelproof.measure.sandbox.limits import limits_for
from pixelproof.measure.sandbox.lockdown import LockPlan
from pixelproof.measure.sandbox.outer import bubblewrap, wrapped
from pixelproof.measure.sandbox.profiles import ProfileName, profile_for
from pixelproof.temporary import make_temporary, remove_temporary

WATCH_INTERVAL_S = 0.01
IDLE_INTERVAL_S = 0.1
GRACE_S = 5.0
LOG_TAIL_BYTES = 4000
FATAL = re.compile(r"^F\d{4} |Check failed|terminate called|what\(\):|Assertion .* failed")
NO_GPU = "failed call to cuInit"
SCRATCH = "pixelproof-worker-"


class WorkerProcess:
    """One child with its pipes; a thread of ours stops it when it passes a limit.

    Args:
        threads: of the child's runtime.
        lifetime_s: longer than the child may be busy in all.
        memory_limit_mib: the child is stopped when its resident size passes this.
        exact_memory, device: see `worker_environment`.
    """

    def __init__(
        self,
        *,
        threads: int,
        lifetime_s: float,
        memory_limit_mib: float | None = None,
        exact_memory: bool = False,
        device: Device | None = None,
    ) -> None:
        self._environment = partial(
            worker_environment, threads=threads, exact_memory=exact_memory, device=device
        )
        self._limit_mib = memory_limit_mib
        self._lifetime_s, self._threads = lifetime_s, threads
        self._largest_mib = 0.0
        self.recorder = Recorder()
        self._deadline: tuple[float, float] | None = None
        self._guard = threading.Lock()
        self._closing = threading.Event()
        self._pid: int | None = None
        self.stop: WorkerStopped | None = None
        with interrupts_deferred():
            self._start()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def _start(self) -> None:
        self._scratch = make_temporary(SCRATCH, mode=0o711)  # passable for a worker that gave up root
        try:
            own, inbox = self._scratch / "own", self._scratch / "in"
            own.mkdir()
            inbox.mkdir()
            self.inbox = Inbox(inbox)
            with (self._scratch / ".log").open("wb") as log:
                self._process = self._started(own, inbox, log)
            self._log = (self._scratch / ".log").open("rb")
        except BaseException:
            remove_temporary(self._scratch)
            raise
        self._log_start = 0
        janitor.watch_group(self._process.pid)

    def _started(self, own: Path, inbox: Path, log: BinaryIO) -> subprocess.Popen[bytes]:
        environment = self._environment(own)
        plan, outer = self._plan(own, inbox, profile_for(environment)), bubblewrap()
        command = self._command(plan, inbox)
        self._is_wrapped = outer.program is not None
        self.layers = parent_layers(memory_limit_mib=self._limit_mib, outer=outer)
        return subprocess.Popen(
            command if outer.program is None else wrapped(command, plan, program=outer.program),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=own,
            env=environment,
            start_new_session=True,
            bufsize=0,
        )

    def _command(self, plan: LockPlan, inbox: Path) -> list[str]:
        return worker_command(plan)

    def _plan(self, own: Path, inbox: Path, profile: ProfileName) -> LockPlan:
        limits = limits_for(
            memory_limit_mib=self._limit_mib,
            cores=usable_cores(),
            lifetime_s=self._lifetime_s,
            threads=self._threads,
        )
        return LockPlan(profile=profile, limits=limits, inbox=str(inbox), own=str(own))

    def greeted(self, pid: int) -> None:
        """The child has said its process id, which inside bubblewrap is one of its own counting."""
        started = self._process.pid
        self._pid = started if pid == started else memory.descendant_named(started, pid)

    @property
    def pid(self) -> int:
        """Process id of the child; before its greeting, of what starts it."""
        return self._process.pid if self._pid is None else self._pid

    @property
    def largest_mib(self) -> float:
        """Largest resident size that the watcher has seen since `forget_largest`; 0 without a memory limit."""
        return self._largest_mib

    def forget_largest(self) -> None:
        """Let `largest_mib` and the recorder start again."""
        self._largest_mib = 0.0
        self.recorder = Recorder()

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
            self.stop = _crash(self._signal_of(code), self._last_words())
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
        janitor.forget_group(self._process.pid)
        self._process.wait()
        self._await_inner_end()
        self._watcher.join()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        remove_temporary(self._scratch)

    def _await_inner_end(self) -> None:
        """bubblewrap is gone a moment before what it wrapped, whose memory the next worker may need."""
        patience = time.monotonic() + GRACE_S
        while self._is_wrapped and self._pid is not None and time.monotonic() < patience:
            if not memory.is_alive(self._pid):
                return
            time.sleep(WATCH_INTERVAL_S / 5)

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
        if self._pid is None:
            return
        try:
            resident = memory.resident_mib(self._pid)
        except ProcessLookupError:
            return
        self._largest_mib = max(self._largest_mib, resident)
        self.recorder.add(resident)
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

    def _signal_of(self, code: int) -> int:
        """The exit code as of the child itself: bubblewrap tells its end by a signal as 128 and more."""
        return 128 - code if self._is_wrapped and code > 128 else code

    def _last_words(self) -> str:
        """What the child wrote last since it was asked; what a runtime says at its start is no reason."""
        end = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(self._log_start, end - LOG_TAIL_BYTES))
        return last_words(self._log.read().decode(errors="replace"))


def last_words(log: str) -> str:
    """The line of a log that says why a process ended: a fatal one, else the last."""
    lines = [line.strip() for line in log.strip().splitlines() if NO_GPU not in line]
    fatal = [line for line in lines if FATAL.search(line)]
    return (fatal or lines or [""])[-1][:400]


def _crash(code: int, last_words: str) -> WorkerStopped:
    name = signal.Signals(-code).name if code < 0 and -code in set(signal.Signals) else f"code {code}"
    remedy = ""
    if name == "SIGXCPU":
        found = "more processor time than the limit has room for"
        return WorkerStopped("A model must answer within the time limit", reason="timed_out", found=found)
    if name == "SIGKILL":
        remedy = "It was killed from outside; where memory runs out, the system does that."
    found = f"the worker ended with {name}" + (f": {last_words}" if last_words else "")
    return WorkerStopped("A model must run to its end", reason="crashed", found=found, remedy=remedy)
