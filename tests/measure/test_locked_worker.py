"""The worker as it is started: which walls it tells of, and what happens where they are missing."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pixelproof.errors import EnvironmentFault, GraphRefused, ModelFailed, WorkerStopped
from pixelproof.measure import memory, worker_process
from pixelproof.measure.sandbox import landlock, outer
from pixelproof.measure.sandbox.outer import Bubblewrap, bubblewrap
from pixelproof.measure.worker import Worker
from pixelproof.measure.worker_answers import largest_output
from pixelproof.safety import SandboxLayer, missing_walls

Call = Callable[..., object]
NAMES = [
    "process", "clock", "memory_watch", "bubblewrap", "no_new_privs", "rlimits", "setuid", "capabilities", "landlock",
    "seccomp",
]  # fmt: skip
IMAGE = np.random.default_rng(0).random((1, 21, 34, 3), np.float32)


@pytest.fixture
def no_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers start without it."""
    monkeypatch.setattr(worker_process, "bubblewrap", lambda: Bubblewrap(None, "switched off"))


def test_every_wall_is_told_in_its_order() -> None:
    with Worker(memory_limit_mib=3000) as worker:
        worker.ready()
    assert [layer.name for layer in worker.sandbox] == NAMES
    assert all(layer.active or layer.detail for layer in worker.sandbox)
    told = {layer.name: layer for layer in worker.sandbox}
    assert told["memory_watch"] == SandboxLayer("memory_watch", active=True, detail="stopped at 3000 MiB")
    with Worker(memory_limit_mib=math.inf) as unwatched:
        unwatched.ready()
    assert not unwatched.sandbox[NAMES.index("memory_watch")].active


@pytest.mark.skipif(landlock.version() == 0, reason="this kernel has no Landlock (docs/security.md)")
@pytest.mark.usefixtures("no_bubblewrap")
def test_landlock_is_wall_enough(blur: Path) -> None:
    with Worker(require_sandbox=True) as worker:
        worker.load(blur, "pb")
        assert worker.run(IMAGE).shape == IMAGE.shape
    assert missing_walls(worker.sandbox) == ""


@pytest.mark.usefixtures("no_bubblewrap")
def test_without_walls_nothing_is_judged_where_they_are_required(
    monkeypatch: pytest.MonkeyPatch, blur: Path
) -> None:
    monkeypatch.setattr(
        "pixelproof.measure.worker.greeting_from", lambda header: (header["pid"], NO_LANDLOCK)
    )
    with Worker(require_sandbox=True) as worker:
        with pytest.raises(EnvironmentFault, match="no bubblewrap: switched off; no landlock: old kernel"):
            worker.load(blur, "pb")
        with pytest.raises((EnvironmentFault, WorkerStopped)):
            worker.run(IMAGE)
    with Worker() as worker:
        worker.load(blur, "pb")
        assert missing_walls(worker.sandbox) == "no bubblewrap: switched off; no landlock: old kernel"


NO_LANDLOCK = (SandboxLayer("landlock", active=False, detail="old kernel"),)


@pytest.mark.skipif(bubblewrap().program is None, reason=f"no outer wall: {bubblewrap().reason}")
def test_inside_bubblewrap_the_worker_is_found_measured_and_ended(blur: Path) -> None:
    with Worker(memory_limit_mib=3000) as worker:
        worker.load(blur, "pb")
        worker.reset_peak()
        worker.run(IMAGE)
        assert 100 < worker.peak_mib() < 2000
        namespaces = Path(f"/proc/{worker.pid}/ns")
        for kind in ("mnt", "pid", "net", "ipc"):
            assert (namespaces / kind).readlink() != Path(f"/proc/self/ns/{kind}").readlink()
        assert "worker_main" in Path(f"/proc/{worker.pid}/cmdline").read_text()
    assert not memory.is_alive(worker.pid)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (None, "not installed"),
        ("/bin/false", "may not make namespaces here: code 1"),
        ("/no/such", "doesn't start"),
    ],
)
def test_a_bubblewrap_that_does_not_work_is_left_out(
    monkeypatch: pytest.MonkeyPatch, program: str | None, reason: str
) -> None:
    monkeypatch.setattr(outer.shutil, "which", lambda name: program)
    found = outer.bubblewrap.__wrapped__()
    assert found.program is None and reason in found.reason


def test_a_scan_loads_nothing_and_a_load_scans(blur: Path, tmp_path: Path) -> None:
    broken = tmp_path / "reads.pb"
    broken.write_bytes(blur.read_bytes().replace(b"Relu", b"Asin"))
    evil = tmp_path / "evil.pb"
    evil.write_bytes(b"\n\x12\n\x01r\x12\x08ReadFile*\x00\x1a\x01a" + blur.read_bytes())
    with Worker() as worker:
        found = worker.scan(blur, "pb")
        assert found.refusals == () and found.operations["Conv2D"] == 1 and found.nodes > 3
        with pytest.raises(ModelFailed, match="nothing is loaded"):
            worker.run(IMAGE)
        assert worker.scan(broken, "pb").operations["Asin"] == 1
        with pytest.raises(GraphRefused):
            worker.load(evil, "pb")
        with pytest.raises(ModelFailed, match="nothing is loaded"):
            worker.run(IMAGE)
        worker.load(blur, "pb")
        assert worker.run(IMAGE).shape == IMAGE.shape


def test_an_output_far_larger_than_its_input_is_not_taken(
    tf: object, save_graph: Callable[..., Path]
) -> None:
    def build(x: object) -> object:
        return tf.tile(x, [1, 40, 40, 1])  # type: ignore[attr-defined]

    graph = save_graph(build)
    with Worker() as worker:
        worker.load(graph, "pb")
        with pytest.raises(ModelFailed, match=r"far larger than its input; found 13 MiB where \d+ would do"):
            worker.run(IMAGE)
        assert worker.run(IMAGE[:, :2, :2]).shape == (1, 80, 80, 3)
    assert largest_output(IMAGE) > 16 * 2 * IMAGE.nbytes


def test_a_worker_sees_no_other_file_of_the_users(blur: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.pb"
    model.write_bytes(blur.read_bytes())
    (tmp_path / "secret").write_text("hush")
    start = time.monotonic()
    with Worker() as worker:
        worker.load(model, "pb")
        model.unlink()
        assert worker.run(IMAGE).shape == IMAGE.shape
        opened = [link.readlink() for link in Path(f"/proc/{worker.pid}/fd").iterdir()]
    assert not [path for path in opened if path.is_relative_to(tmp_path)]
    assert time.monotonic() - start < 300
