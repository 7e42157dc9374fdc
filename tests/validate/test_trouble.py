"""Graphs that take the worker down, hang, or take too much memory: each is a verdict, and judging goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from pixelproof.challenge import PeakMemory, load_challenge
from pixelproof.errors import ModelFailed, WorkerStopped
from pixelproof.measure import worker_process
from pixelproof.measure.parity import probe_image
from pixelproof.measure.protocol import Array
from pixelproof.measure.sandbox.outer import Bubblewrap
from pixelproof.measure.worker import Worker
from pixelproof.report import Memory
from pixelproof.safety import SandboxLayer
from pixelproof.validate.contract_evidence import short
from pixelproof.validate.memory_evidence import MemoryOutcome, measure_memory
from pixelproof.validate.session import ModelSession

CAP = PeakMemory(total_rss_mib=3584, height=720, width=1280)


def session_of(path: Path, *, limit_mib: float = 3584, time_limit_s: float = 120) -> ModelSession:
    contract = load_challenge("pirm2018").track("B").contract
    return ModelSession(
        path,
        "pb",
        contract,
        threads=None,
        time_limit_s=time_limit_s,
        memory_limit_mib=limit_mib,
        exact_memory=True,
    )


def memory_of(path: Path) -> MemoryOutcome:
    with session_of(path) as session:
        return measure_memory(session, CAP, load_challenge("pirm2018").track("B").contract)


def test_a_known_gibibyte_is_measured_within_3_percent(graphs: Mapping[str, Path]) -> None:
    without, with_it = memory_of(graphs["gib_0"]).memory, memory_of(graphs["gib_1"]).memory
    assert with_it.peak_rss_mib - without.peak_rss_mib == pytest.approx(1024, rel=0.03)
    for memory in (without, with_it):
        assert memory.model_mib == pytest.approx(memory.peak_rss_mib - memory.baseline_rss_mib, abs=0.02)
        assert 100 < memory.baseline_rss_mib < 1500
    assert without.model_mib < 100
    assert (without.height, without.width, without.limit_mib, without.stopped) == (720, 1280, 3584, None)


def test_four_gibibytes_are_stopped_and_everything_else_is_judged(
    typed, graphs, rules, data, tmp_path
) -> None:
    answer = typed(
        graphs["gib_4"], "--challenge", rules, "--track", "B", "--data", data, "--json", "-",
        "--only", "memory,runtime,resolution,size",
    )  # fmt: skip
    assert answer.code == 1
    assert list(answer.checks("failed")) == ["memory"]
    assert answer.checks()["memory"]["found"].startswith("stopped at 3")
    assert answer.checks()["runtime"]["status"] == "not_run"
    assert answer.checks()["runtime"]["found"] == "not timed: it passed the memory limit"
    assert answer.checks()["resolution"]["found"] == "right at 67x101, 16x24, 150x85, 72x190"
    memory = answer.report["memory"]
    assert memory["peak_rss_mib"] > 3584
    assert "rising when it was stopped" in memory["stopped"]


def test_memory_that_the_runtime_alone_exceeds(graphs) -> None:
    with session_of(graphs["good"], limit_mib=60) as session:
        outcome = measure_memory(
            session, replace(CAP, total_rss_mib=60), load_challenge("pirm2018").track("B").contract
        )
    assert outcome.trial is None
    assert outcome.memory.stopped is not None
    assert outcome.memory.peak_rss_mib > 60


@pytest.fixture
def crashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's process crashes whenever it is to run a model, as under a fault of the runtime."""
    usual = Worker.run

    def crash(self: Worker, x: Array) -> Array:
        os.kill(self.pid, signal.SIGABRT)
        return usual(self, x)

    monkeypatch.setattr(Worker, "run", crash)


@pytest.mark.usefixtures("crashing")
def test_a_model_that_takes_its_process_down_is_judged_with_a_report(judged, graphs) -> None:
    answer = judged(graphs["good"], "--only", "range,size")
    assert answer.code == 1
    assert list(answer.checks("failed")) == ["runs"]
    assert "the worker ended with SIGABRT" in answer.checks()["runs"]["found"]
    assert answer.checks()["size"]["status"] == "passed"


def test_a_graph_that_never_answers_is_asked_once(judged, graphs) -> None:
    answer = judged(graphs["endless"], "--only", "contract,resolution", "--time-limit", "2")
    assert answer.code == 1
    assert answer.checks()["runs"]["found"] == "no answer after 2 s at 67x101"
    assert len(answer.report["measurements"]["size_trials"]) == 1
    assert {"runs", "resolution"} == set(answer.checks("failed"))


def test_a_graph_that_never_answers_fails_what_was_asked(judged, graphs) -> None:
    for group in ("fidelity", "memory", "runtime"):
        answer = judged(graphs["endless"], "--only", group, "--time-limit", "3")
        assert answer.code == 1
        assert list(answer.checks("failed")) == [group]
        assert "no answer after 3 s" in answer.checks()[group]["found"]


@pytest.mark.usefixtures("crashing")
def test_a_session_starts_afresh_after_a_crash(graphs) -> None:
    x = probe_image(20, 30, 3)
    with session_of(graphs["good"]) as session:
        for _ in range(2):
            with pytest.raises(WorkerStopped) as stopped:
                session.run(x)
            assert stopped.value.reason == "crashed"


def test_a_session_gives_the_graphs_output(graphs) -> None:
    with session_of(graphs["to_255"]) as session:
        x = probe_image(20, 30, 3)
        assert session.load().used_output == "output:0"
        assert session.run(x) == pytest.approx(x * 255)
        assert list(session.libraries) == ["tensorflow"]
        session.close()
        assert session.run(x).shape == x.shape


def test_tensorflows_wrapping_is_taken_off_a_message() -> None:
    told = (
        "InvalidArgumentError: Graph execution error:\n\nDetected at node 'Mul' defined at (most recent call last):\n"
        "Node: 'Mul'\nIncompatible shapes: [1,4] vs. [1,3]\n\t [[{{node Mul}}]]\n\nOriginal stack trace for 'Mul':\n"
    )
    error = ModelFailed("The runtime must be able to run the model", found=told)
    assert short(error) == "InvalidArgumentError: Incompatible shapes: [1,4] vs. [1,3]"
    assert short(ModelFailed("The rule")) == "The rule"
    assert len(short(ModelFailed("x", found="long " * 200))) <= 200


@pytest.mark.skipif(sys.platform == "win32", reason="a console's Ctrl-C is no signal there")
def test_ctrl_c_ends_the_worker_and_writes_nothing(graphs, rules, data, tmp_path) -> None:
    report = tmp_path / "report.json"
    program = "from pixelproof.cli import validate_pb; validate_pb()"
    options = ["--challenge", str(rules), "--track", "B", "--data", str(data), "--json", str(report)]
    judging = subprocess.Popen(
        [sys.executable, "-c", program, str(graphs["endless"]), *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert judging.stderr is not None
    assert "contract" in judging.stderr.readline()
    workers = psutil.Process(judging.pid).children(recursive=True)
    assert workers
    judging.send_signal(signal.SIGINT)
    _, said = judging.communicate(timeout=60)
    assert judging.returncode == 130
    assert said.strip() == "Stopped. Nothing half-written was left behind."
    psutil.wait_procs(workers, timeout=20)
    assert not any(worker.is_running() for worker in workers)
    assert list(tmp_path.iterdir()) == []


def test_memory_is_a_record_of_the_size_it_was_measured_at(graphs) -> None:
    outcome = memory_of(graphs["half_size"])
    assert isinstance(outcome.memory, Memory)
    assert outcome.trial is not None
    assert outcome.trial.output == (1, 360, 640, 3)


def test_no_call_is_begun_when_the_time_for_all_is_over(graphs) -> None:
    contract = load_challenge("pirm2018").track("B").contract
    x = probe_image(20, 30, 3)
    with ModelSession(
        graphs["good"],
        "pb",
        contract,
        threads=None,
        time_limit_s=120,
        memory_limit_mib=3584,
        deadline=time.monotonic() + 30,
    ) as session:
        assert session.run(x).shape == x.shape
        session._deadline = time.monotonic()
        with pytest.raises(WorkerStopped, match="A judgement must end within its time limit") as stopped:
            session.run(x)
    assert stopped.value.reason == "timed_out"


@pytest.fixture
def without_walls(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a system that has neither Landlock nor bubblewrap."""
    absent = (SandboxLayer("landlock", active=False, detail="old kernel"),)
    monkeypatch.setattr(worker_process, "bubblewrap", lambda: Bubblewrap(None, "not installed"))
    monkeypatch.setattr("pixelproof.measure.worker.greeting_from", lambda header: (header["pid"], absent))


@pytest.mark.usefixtures("without_walls")
def test_missing_walls_are_told_and_where_they_are_required_refused(judged, graphs) -> None:
    answer = judged(graphs["good"], "--only", "contract")
    assert answer.code == 0
    assert "without walls (no bubblewrap: not installed; no landlock: old kernel)" in answer.err
    walls = {layer["name"]: layer["active"] for layer in answer.report["environment"]["sandbox"]}
    assert walls["process"] and not walls["landlock"] and not walls["bubblewrap"]
    refused = judged(graphs["good"], "--only", "contract", "--require-sandbox")
    assert refused.code == 3 and refused.report is None
    assert "must run behind Landlock or bubblewrap" in refused.err


def test_the_next_step_keeps_the_walls_required(judged, graphs) -> None:
    answer = judged(graphs["good"], "--only", "contract", "--require-sandbox")
    assert answer.code == 0 and "--require-sandbox" in answer.err
    assert answer.report["environment"]["sandbox"]
