"""Memory figures are true ones: known allocations show, and the peak can start again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from pixelproof.measure import memory
from pixelproof.measure.worker import Worker

SaveGraph = Callable[..., Path]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="VmHWM is Linux's")


@pytest.fixture
def allocator() -> Iterator[Callable[[str], None]]:
    """``run(code)`` runs code in a child and waits for its end; ``run.pid`` is the child's."""
    loop = "import mmap, sys\nfor line in sys.stdin:\n    exec(line)\n    print(flush=True)\n"
    with subprocess.Popen(
        [sys.executable, "-c", loop], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:

        def run(code: str) -> None:
            assert child.stdin is not None and child.stdout is not None
            child.stdin.write(code + "\n")
            child.stdin.flush()
            assert child.stdout.readline()

        run.pid = child.pid  # type: ignore[attr-defined]
        yield run
        child.kill()


def test_peak_and_present_size_of_another_process(allocator: Any) -> None:
    allocator("pass")
    start = memory.resident_mib(allocator.pid)
    assert start == pytest.approx(psutil.Process(allocator.pid).memory_info().rss / 2**20, abs=2)
    allocator(
        "def take(n): global m; m = mmap.mmap(-1, n << 20); [m.write(b'x' * 4096) for _ in range(n << 8)]"
    )
    allocator("take(200)")
    assert memory.resident_mib(allocator.pid) - start == pytest.approx(200, rel=0.03)
    allocator("m.close()")
    assert memory.resident_mib(allocator.pid) - start < 50
    assert memory.peak_resident_mib(allocator.pid) - start == pytest.approx(200, rel=0.03)
    memory.reset_peak(allocator.pid)
    assert memory.peak_resident_mib(allocator.pid) - start < 50
    allocator("take(64); m.close()")
    assert memory.peak_resident_mib(allocator.pid) - start == pytest.approx(64, abs=8)


def test_a_process_that_is_gone_is_said_to_be_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    for read in (memory.resident_mib, memory.peak_resident_mib):
        with pytest.raises(ProcessLookupError):
            read(child.pid)


def test_the_peak_is_the_childs_own_and_not_its_parents() -> None:
    ballast = np.ones(400 << 17)  # 400 MiB in this process
    with Worker() as worker:
        worker.ready()
        assert memory.peak_resident_mib(os.getpid()) > 400
        assert worker.peak_mib() < 200
    assert ballast[-1] == 1


@pytest.mark.parametrize(("exact", "expected"), [(True, 1024), (False, 1024 * 33 / 32)])
def test_a_known_intermediate_shows(tf: Any, save_graph: SaveGraph, exact: bool, expected: float) -> None:
    """One tensor of 2**28 floats exists for a moment; its sum is all that is kept.

    oneDNN's allocator keeps 8 bytes for each 256 that it gives away.
    """

    def with_intermediate(count: int) -> Path:
        def build(x: Any) -> Any:
            return x + 1e-30 * tf.reduce_sum(tf.fill([count], x[0, 0, 0, 0]))

        return save_graph(build)

    with_it, without = (_peak_above_runtime(with_intermediate(1 << n), exact=exact) for n in (28, 8))
    assert with_it - without == pytest.approx(expected, rel=0.01)
    assert without < 40


def _peak_above_runtime(model: Path, *, exact: bool) -> float:
    with Worker(threads=2, exact_memory=exact) as worker:
        worker.prepare("pb")
        worker.ready()
        before = worker.resident_mib()
        worker.reset_peak()
        assert worker.peak_mib() == pytest.approx(before, abs=8)
        worker.load(model, "pb")
        worker.run(np.ones((1, 8, 8, 3), np.float32))
        return worker.peak_mib() - before
