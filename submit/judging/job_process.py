"""The one who starts a process for jobs: asks, listens, and ends it when it takes too long or too much memory."""

from __future__ import annotations

import json
import math
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any

from pixelproof.errors import EnvironmentFault
from pixelproof.janitor import watched_group
from pixelproof.submit.judging.job import Job, Result
from pixelproof.temporary import temporary_folder

START_S = 120.0
LOOK_EVERY_S = 0.5
GRACE_S = 600.0
LOG_TAIL_BYTES = 2000
OnStage = Callable[[str, int, int], None]
"""Told (stage, steps done, steps in all)."""


class JobProcess:
    """One process that does one job at a time; started when it is needed, and again when it has ended.

    Args:
        cores: that jobs keep to; a job that has the machine alone takes all. None for all.
        memory_limit_mib: its own resident size, without the models that it judges; None for no limit.
    """

    def __init__(self, *, cores: Sequence[int] | None = None, memory_limit_mib: float | None = None) -> None:
        self._cores = list(cores or ())
        self._memory_limit_mib = memory_limit_mib
        self._process: subprocess.Popen[bytes] | None = None
        self._closing = ExitStack()
        self._log: Path | None = None
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._is_closed = False

    def perform(self, job: Job, *, on_begun: Callable[[], None], on_stage: OnStage) -> Result:
        """Do a job.

        Args:
            on_begun: told when its turn on the machine has come.

        Raises:
            EnvironmentFault: the process ended, hung, or took too much memory.
        """
        try:
            if self._process is not None and self._process.poll() is not None:  # it was idle for long
                self.stop()
            if self._process is None:
                self._start()
            self._send({"job": job.to_json(), "cores": [] if job.alone else self._cores})
            deadline = math.inf  # while it waits for its turn on the machine
            while True:
                answer = self._answer(deadline)
                if "result" in answer:
                    return Result.from_document(answer["result"])
                if "begun" in answer:
                    deadline = time.monotonic() + _most_s(job)
                    on_begun()
                else:
                    on_stage(answer["stage"], answer["done"], answer["total"])
        except BaseException:
            self.stop()
            raise

    def close(self) -> None:
        """End the process for good, from any thread: a job that is being done raises."""
        self._is_closed = True
        self._kill()

    def stop(self) -> None:
        """End the process, and clean up after it; the next job starts another."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(OSError):
                process.kill()
        self._closing.close()
        if process is not None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)

    def _kill(self) -> None:
        process = self._process
        if process is not None:
            with suppress(OSError):
                process.kill()

    def _start(self) -> None:
        if self._is_closed:
            raise EnvironmentFault("A judging process must be there", found="the end of the call")
        folder = self._closing.enter_context(temporary_folder("pixelproof-jobs-"))
        self._log = folder / "log"
        with self._log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "pixelproof.submit.judging.job_main"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                bufsize=0,
            )
        self._process = process
        assert process.stdin is not None and process.stdout is not None
        self._closing.enter_context(process.stdout)
        self._closing.enter_context(process.stdin)
        self._closing.enter_context(watched_group(process))
        self._lines = queue.SimpleQueue()
        threading.Thread(target=_listen, args=(process.stdout, self._lines), daemon=True).start()
        if self._is_closed:
            self._kill()
        self._answer(time.monotonic() + START_S)

    def _send(self, document: dict[str, Any]) -> None:
        process = self._process
        assert process is not None and process.stdin is not None
        try:
            process.stdin.write(json.dumps(document).encode() + b"\n")
        except OSError as error:
            raise self._ended(_how(process)) from error

    def _answer(self, deadline: float) -> dict[str, Any]:
        """The next line.

        Raises:
            EnvironmentFault: there is none.
        """
        process = self._process
        assert process is not None
        while True:
            with suppress(queue.Empty):
                line = self._lines.get(timeout=LOOK_EVERY_S)
                break
            if time.monotonic() > deadline:
                raise self._ended("no answer within the time limit")
            self._watch_memory(process.pid)
        if not line:
            raise self._ended("it was stopped" if self._is_closed else _how(process))
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer

    def _watch_memory(self, pid: int) -> None:
        if self._memory_limit_mib is None:
            return
        import psutil

        with suppress(psutil.Error):
            resident = psutil.Process(pid).memory_info().rss / 2**20
            if resident > self._memory_limit_mib:
                raise self._ended(
                    f"{resident:.0f} MiB, more than the {self._memory_limit_mib:.0f} MiB it may have"
                )

    def _ended(self, why: str) -> EnvironmentFault:
        words = ""
        if self._log is not None:
            with suppress(OSError):
                lines = self._log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip().splitlines()
                words = f": {lines[-1]}" if lines else ""
        remedy = "The submission is queued again; start the command again."
        return EnvironmentFault(
            "A judging process must come to its end", found=f"{why}{words}", remedy=remedy
        )


def _most_s(job: Job) -> float:
    """Longer than judging takes, whatever the model does."""
    return job.terms.total_time_limit_s + 2 * job.terms.time_limit_s + GRACE_S


def _listen(stream: IO[bytes], lines: queue.SimpleQueue[bytes]) -> None:
    """Pass on lines; an empty one at the end."""
    with suppress(OSError, ValueError):  # closed, since the process was stopped
        for line in stream:
            lines.put(line)
    lines.put(b"")


def _how(process: subprocess.Popen[bytes]) -> str:
    with suppress(subprocess.TimeoutExpired):
        code = process.wait(5)
        if code < 0 and -code in set(signal.Signals):
            return f"the process ended with {signal.Signals(-code).name}"
        return f"the process ended with code {code}"
    return "the process closed its output"
