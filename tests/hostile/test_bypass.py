"""The scan is left out, and each wall is shown to hold on its own, with graphs that TensorFlow really runs.

First of all they are run without any wall, where they do what they are made for: a graph that is harmless by mistake
would prove nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import hostile_graphs as graphs
import hostile_saved_models as saved_models
import numpy as np
import pytest
from hostile_arena import Arena

from pixelproof.errors import ModelFailed, WorkerStopped
from pixelproof.measure.formats import detect_kind
from pixelproof.measure.sandbox import landlock, outer, system_calls
from pixelproof.measure.sandbox.environment import worker_environment
from pixelproof.measure.sandbox.limits import Limits
from pixelproof.measure.sandbox.lockdown import LockPlan
from pixelproof.measure.worker import Worker

SCRIPT = Path(__file__).with_name("unguarded.py")
ENDS_WITHIN_S = 90
RINGS_FOR_S = 3.0
"""So long a graph that is to call somebody is left alone once it is loaded; without walls it calls at once."""

pytestmark = pytest.mark.skipif(system_calls.machine() is None, reason="needs Linux on x86_64 or aarch64")
needs_landlock = pytest.mark.skipif(landlock.version() == 0, reason="this kernel has no Landlock")
knows_tcp = pytest.mark.skipif(landlock.version() < 4, reason="this kernel's Landlock doesn't know TCP")
needs_bubblewrap = pytest.mark.skipif(
    outer.bubblewrap().program is None, reason=outer.bubblewrap().reason or "bwrap works"
)

FILES = ("read_file", "write_file", "matching_files", "debug_to_file", "save", "restore", "print_to_file")
SAVED = ("initialiser_of_an_object", "initialiser_of_the_graph", "reading")
PYTHON = {
    "read": "open({secret!r}).read()",
    "write": "open({outside!r} + '/by_python', 'w').write('x')",
    "list": "__import__('os').listdir({outside!r})",
    "fork": "__import__('os').fork() or __import__('os')._exit(0)",
    "program": "__import__('subprocess').run(['/bin/true'])",
    "socket": "__import__('socket').socket().close()",
    "connection": "__import__('socket').create_connection(('127.0.0.1', {port}), 2).close()",
}


class Den:
    """An arena with hostile files in its box, and a program that runs them unscanned."""

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        self.reach = graphs.Reach(arena.secret, arena.outside, arena.port)
        self.own = arena.tmp / "own"
        self.own.mkdir()
        shutil.copy(SCRIPT, arena.box)  # where bubblewrap shows it too

    def write(self, *names: str) -> list[Path]:
        """Files of this name, as frozen graphs or SavedModels."""
        made = []
        for name in names:
            path = self.arena.box / f"{name}.pb"
            if name in SAVED:
                path = self.arena.box / name
                saved_models.BUILDERS[name](path, self.arena.secret, self.arena.outside)
            else:
                path.write_bytes(graphs.REFUSED[name](self.reach))
            made.append(path)
        return made

    def python(self) -> dict[str, str]:
        """What Python code inside a graph tries."""
        reach = {
            "secret": str(self.arena.secret),
            "outside": str(self.arena.outside),
            "port": self.arena.port,
        }
        return {name: text.format(**reach) for name, text in PYTHON.items()}

    @contextlib.contextmanager
    def running(
        self, walls: str, files: Sequence[Path] = (), trials: Mapping[str, str] | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        """The program at work; it is killed at the end."""
        inbox, own = str(self.arena.box), str(self.own)
        inside = "none" if walls == "bubblewrap" else walls
        described = {
            "walls": inside, "inbox": inbox, "own": own, "files": list(map(str, files)), "trials": trials or {}
        }  # fmt: skip
        command = [sys.executable, "-P", str(self.arena.box / SCRIPT.name), json.dumps(described)]
        if walls == "bubblewrap":
            plan = LockPlan("cpu", Limits(data_mib=None, cpu_s=ENDS_WITHIN_S), inbox, own)
            program = outer.bubblewrap().program
            assert program is not None
            command = outer.wrapped(command, plan, program=program)
        with (self.own / "log").open("w") as log:
            process = subprocess.Popen(
                command, cwd=self.own, env=worker_environment(self.own, threads=2), stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
            )  # fmt: skip
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            process.communicate()

    def outcomes(
        self, walls: str, files: Sequence[Path] = (), trials: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """What became of each file and trial."""
        with self.running(walls, files, trials) as process:
            printed, _ = process.communicate(timeout=ENDS_WITHIN_S)
        assert process.returncode == 0, (self.own / "log").read_text()
        return {str(name): str(told) for name, told in map(json.loads, printed.splitlines())}

    def calls_somebody(self, walls: str, file: Path) -> bool:
        """Whether the listener hears of a graph that hangs while it tries to reach it."""
        with self.running(walls, [file]) as process:
            assert process.stdout is not None
            ready, _, _ = select.select([process.stdout], [], [], ENDS_WITHIN_S)
            assert ready and json.loads(process.stdout.readline()) == [file.stem, "loaded"]
            deadline = time.monotonic() + RINGS_FOR_S
            while time.monotonic() < deadline:
                if self.arena.was_called():
                    return True
                time.sleep(0.05)
        return self.arena.was_called()


@pytest.fixture
def den(arena: Arena, tf: Any) -> Den:
    """An arena for bypassing the scan, with a checkpoint beside the secret."""
    tf.raw_ops.SaveV2(
        prefix=str(arena.secret.with_name("checkpoint")),
        tensor_names=["x"], shape_and_slices=[""], tensors=[tf.constant([0.25])],
    )  # fmt: skip
    return Den(arena)


def outside(arena: Arena) -> set[str]:
    return {path.name for path in arena.outside.iterdir()}


def denied(told: str) -> bool:
    return told.startswith("PermissionDeniedError") or "PermissionError" in told


# Files


def test_without_walls_these_graphs_do_harm(den: Den) -> None:
    arena = den.arena
    files, before = den.write(*FILES), outside(den.arena)
    found = den.outcomes("none", files)
    brighter = sum(map(ord, arena.token)) / len(arena.token) / 255
    assert float(found["read_file"].removeprefix("ran ")) == pytest.approx(brighter, abs=1e-5)
    assert found["matching_files"] == f"ran {len(before) + 1}.000000"  # what write_file wrote
    assert found["restore"] == "ran 0.250000"
    assert all(told.startswith("ran") for told in found.values()), found
    written = {"written", "debug", "saved.index", "saved.data-00000-of-00001", "printed"}
    assert outside(arena) - before == written


@needs_landlock
@pytest.mark.parametrize("walls", ["landlock", "lock_down"])
def test_landlock_keeps_files_from_graphs(walls: str, den: Den) -> None:
    files = den.write(*FILES)
    before = den.arena.state()
    den.arena.seen()
    found = den.outcomes(walls, files)
    assert den.arena.seen() == []
    assert den.arena.state() == before
    assert found.pop("matching_files") == "ran 0.000000"
    assert "Failed to create directory" in found.pop("debug_to_file")
    assert [name for name, told in found.items() if not denied(told)] == []


@needs_bubblewrap
def test_bubblewrap_alone_keeps_files_and_network_from_graphs(den: Den) -> None:
    reading, writing = den.write("read_file", "restore"), den.write("write_file", "save", "print_to_file")
    passwd = {"passwd": "open('/etc/passwd').read()"}
    before = den.arena.state()
    den.arena.seen()
    found = den.outcomes("bubblewrap", reading, {**den.python(), **passwd})
    den.outcomes(
        "bubblewrap", writing
    )  # they write into what bubblewrap shows them instead, which goes with it
    assert den.arena.seen() == []
    assert den.arena.state() == before
    assert not den.arena.was_called()
    for name in ("read", "write", "list", "passwd"):
        assert "FileNotFoundError" in found[name], name
    assert "ConnectionRefusedError" in found["connection"]
    assert found["read_file"].startswith("NotFoundError")
    assert found["restore"].startswith("NotFoundError")


# SavedModels, which act when they are loaded


def test_without_walls_loading_these_models_does_harm(den: Den) -> None:
    files = den.write(*SAVED)
    before = outside(den.arena)
    den.arena.seen()
    found = den.outcomes("none", files)
    seen = " ".join(den.arena.seen())
    assert all(told.startswith("ran") for told in found.values()), found
    assert outside(den.arena) - before == {"initialised"}
    assert "outside/initialised made" in seen
    assert "outside/secret.txt opened" in seen


@needs_landlock
def test_landlock_alone_keeps_files_from_what_loads(den: Den) -> None:
    files = den.write(*SAVED)
    before = den.arena.state()
    den.arena.seen()
    found = den.outcomes("landlock", files)
    assert den.arena.seen() == []
    assert den.arena.state() == before
    assert "Permission denied" in found["reading"]
    for name in ("initialiser_of_an_object", "initialiser_of_the_graph"):
        assert found[name].startswith("ArtifactError: A SavedModel must be complete"), found[name]


# Processes and the network


def test_without_walls_python_in_a_graph_may_do_anything(den: Den) -> None:
    found = den.outcomes("none", trials=den.python())
    assert set(found.values()) == {"ran 1.000000"}
    assert den.arena.was_called()
    assert "by_python" in outside(den.arena)


WALLS_BY_TRIAL = {
    "landlock": {"read", "write", "list", "program", "connection"},
    "seccomp": {"fork", "program", "socket", "connection"},
    "lock_down": set(PYTHON),
}


@needs_landlock
@knows_tcp
@pytest.mark.parametrize("walls", WALLS_BY_TRIAL)
def test_python_in_a_graph_meets_each_wall(walls: str, den: Den) -> None:
    found = den.outcomes(walls, trials=den.python())
    assert {name for name, told in found.items() if denied(told)} == WALLS_BY_TRIAL[walls]
    assert not den.arena.was_called()
    assert ("by_python" in outside(den.arena)) is ("write" not in WALLS_BY_TRIAL[walls])


def test_without_walls_a_graph_calls_somebody(den: Den) -> None:
    assert den.calls_somebody("none", *den.write("debug_to_network"))


@pytest.mark.parametrize(
    "walls",
    [
        pytest.param("landlock", marks=knows_tcp),
        "seccomp",
        pytest.param("bubblewrap", marks=needs_bubblewrap),
    ],
)
def test_each_wall_keeps_a_graph_from_calling(walls: str, den: Den) -> None:
    assert not den.calls_somebody(walls, *den.write("debug_to_network"))


# The worker itself, all walls up, the scan alone left out

UNSCANNED = """
import sys
from pixelproof.measure import worker_main
lock_down = worker_main.lock_down
def locked(plan):
    layers = lock_down(plan)
    from pixelproof.measure import graph_scan, runners
    graph_scan.require_clean = runners.require_clean = lambda scan, *, label: None
    return layers
worker_main.lock_down = locked
worker_main.main()
"""
PICTURE = np.random.default_rng(3).random((1, 8, 8, 3), np.float32)
ENDS = {
    "read_file": "ModelFailed",
    "write_file": "ModelFailed",
    "matching_files": "unchanged",
    "debug_to_file": "ModelFailed",
    "debug_to_network": "timed_out",
    "save": "ModelFailed",
    "restore": "ModelFailed",
    "print_to_file": "ModelFailed",
    "print_frames": "unchanged",
    "python_function": "ModelFailed",
    "abort": "crashed",
    "leave": "crashed",
    "on_another_machine": "ModelFailed",
    "hidden_in_a_function": "changed",
    "waiting_for_nobody": "timed_out",
    "initialiser_of_an_object": "ArtifactError",
    "initialiser_of_the_graph": "ArtifactError",
    "reading": "ModelFailed",
}


@pytest.fixture
def unscanned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that load whatever they are given."""
    monkeypatch.setattr(
        "pixelproof.measure.worker_process.worker_command",
        lambda plan: [sys.executable, "-P", "-c", UNSCANNED, plan.to_argument()],
    )


def end_of(worker: Worker, path: Path) -> str:
    """How a worker ends that loads and runs a file."""
    try:
        worker.load(path, detect_kind(path), input_name="input:0", output_name="output:0", thorough=False)
        output = worker.run(PICTURE)
    except WorkerStopped as stop:
        return stop.reason
    except Exception as error:  # noqa: BLE001 - compared by name
        return type(error).__name__
    return "unchanged" if np.array_equal(output, PICTURE) else "changed"


def ends_of(files: Mapping[str, Path], *, timeout_s: float) -> dict[str, str]:
    """How a worker ends with each file; one that was stopped is followed by another."""
    found: dict[str, str] = {}
    waiting = list(files)
    while waiting:
        with Worker(timeout_s=timeout_s, threads=1) as worker:
            end = ""
            while waiting and end not in ("crashed", "timed_out"):
                name = waiting.pop(0)
                end = found[name] = end_of(worker, files[name])
    return found


@needs_landlock
@pytest.mark.parametrize("bubblewrap", ["with", "without"])
def test_a_worker_that_scans_nothing_lets_nothing_out(
    bubblewrap: str, den: Den, unscanned: None, request: pytest.FixtureRequest
) -> None:
    names = tuple(ENDS)
    if bubblewrap == "without":
        request.getfixturevalue("without_bubblewrap")
        names = ("read_file", "write_file", "debug_to_network", "abort", "initialiser_of_the_graph")
    files = dict(zip(names, den.write(*names), strict=True))
    before, left = den.arena.state(), den.arena.leftovers()
    den.arena.seen()
    hanging = {name: path for name, path in files.items() if ENDS[name] == "timed_out"}
    others = {name: path for name, path in files.items() if name not in hanging}
    found = {**ends_of(others, timeout_s=60), **ends_of(hanging, timeout_s=3)}
    assert found == {name: ENDS[name] for name in names}
    assert den.arena.seen() == []
    assert den.arena.state() == before
    assert not den.arena.was_called()
    assert den.arena.settled(left) == left


def test_abort_is_told_as_a_crash(den: Den, unscanned: None) -> None:
    (path,) = den.write("abort")
    with Worker(timeout_s=60, threads=1) as worker:
        worker.load(path, "pb")
        with pytest.raises(WorkerStopped, match="SIGABRT") as stopped:
            worker.run(PICTURE)
        assert stopped.value.reason == "crashed"
    with Worker(timeout_s=60, threads=1) as worker, pytest.raises(ModelFailed):
        worker.load(*den.write("python_function"), "pb")
        worker.run(PICTURE)
