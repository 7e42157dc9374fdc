"""The process that does jobs: a line of JSON in is a job, lines out are its stages and at last its result.

It stays for the next job, with its imports done. Of a submission nothing stays: models run in processes of their own,
and files lie in a folder that goes. When its input ends, the one who started it has ended, and so does it.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TextIO

STAGE_EVERY_S = 0.5
IDLE_S = 1800.0
"""Without a job for so long it ends; the next job has another one."""


def main() -> None:
    """Do jobs until the input ends, or none comes."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
    from pixelproof.schema import to_jsonable
    from pixelproof.submit.judging.job import Job
    from pixelproof.submit.judging.machine_lock import machine
    from pixelproof.submit.judging.perform import perform

    every_core = _affinity()
    _say(answers, {"ready": True})
    while True:
        try:
            request = json.loads(jobs.get(timeout=IDLE_S))
        except queue.Empty:
            return
        job = Job.from_json(request["job"])
        _keep_to(request["cores"] or every_core)
        with machine(alone=job.alone):
            _say(answers, {"begun": True})
            result = perform(job, _told(answers))
        _say(answers, {"result": to_jsonable(result)})


def _listen(jobs: queue.SimpleQueue[str]) -> None:
    """Pass on what comes, and end at its end, in the middle of a job too."""
    for line in sys.stdin:
        jobs.put(line)
    os._exit(0)


def _told(answers: TextIO) -> Callable[[str, int], Callable[[int, str], None]]:
    """The `Progress` that writes stages as lines, few of them."""

    def stage(name: str, total: int) -> Callable[[int, str], None]:
        done, last = 0, time.monotonic()
        _say(answers, {"stage": name, "done": 0, "total": total})

        def advance(steps: int, note: str) -> None:
            nonlocal done, last
            done += steps
            if time.monotonic() - last >= STAGE_EVERY_S:
                last = time.monotonic()
                _say(answers, {"stage": name, "done": done, "total": total})

        return advance

    return stage


def _say(answers: TextIO, document: dict[str, Any]) -> None:
    answers.write(json.dumps(document, allow_nan=False) + "\n")
    answers.flush()


def _affinity() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def _keep_to(cores: list[int]) -> None:
    """Confine this process, and what it starts from now on, to some cores, where the system can do that."""
    if cores and hasattr(os, "sched_setaffinity"):
        for thread in _threads():
            os.sched_setaffinity(thread, cores)


def _threads() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc/self/task")]  # noqa: PTH208
    except OSError:
        return [0]


if __name__ == "__main__":
    main()
