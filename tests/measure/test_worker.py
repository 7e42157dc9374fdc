"""The child answers, fails, crashes, hangs and grows; the parent lives on and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from pixelproof.errors import ArtifactError, CallError, EnvironmentFault, ModelFailed, WorkerStopped
from pixelproof.measure import worker as worker_module
from pixelproof.measure import worker_process
from pixelproof.measure.sandbox.environment import import_root
from pixelproof.measure.sandbox.outer import Bubblewrap
from pixelproof.measure.worker import Worker

SaveGraph = Callable[..., Path]

IMAGE = np.random.default_rng(0).random((1, 21, 34, 3), np.float32)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which workers of this test may leave something."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def _is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def _wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it never happened")


def test_a_graph_runs_and_tells_its_interface(shared_worker: Worker, blur: Path) -> None:
    loaded = shared_worker.load(blur, "pb", input_name="input:0", output_name="output:0")
    assert [(t.name, t.dtype, t.shape) for t in loaded.interface.inputs] == [
        ("input:0", "float32", (1, None, None, 3))
    ]
    assert [(t.name, t.dtype) for t in loaded.interface.outputs] == [("output:0", "float32")]
    assert (loaded.used_input, loaded.used_output) == ("input:0", "output:0")
    assert "tensorflow" in shared_worker.libraries
    padded = np.pad(IMAGE.sum(-1)[0], 2)
    box = sum(padded[y : y + 21, x : x + 34] for y in range(5) for x in range(5)) / 75
    for image in (IMAGE, IMAGE.astype(">f4"), np.asfortranarray(IMAGE)):
        np.testing.assert_allclose(
            shared_worker.run(image), np.repeat(box[None, ..., None], 3, -1), atol=1e-5
        )
    batch = np.concatenate([IMAGE, IMAGE[:, ::-1]])
    np.testing.assert_allclose(shared_worker.run(batch)[1], shared_worker.run(batch[1:])[0], atol=1e-6)


def test_kept_inputs_are_timed_without_sending_the_output(shared_worker: Worker, blur: Path) -> None:
    shared_worker.load(blur, "pb")
    shared_worker.put(3, IMAGE)
    ms, shape = shared_worker.timed(3)
    assert shape == (1, 21, 34, 3)
    assert ms > 0 and shared_worker.time_ms(3) > 0


def test_a_model_that_fails_leaves_the_worker_usable(shared_worker: Worker, blur: Path) -> None:
    shared_worker.load(blur, "pb")
    with pytest.raises(ModelFailed, match=r"must be able to run the model; found .*shape"):
        shared_worker.run(IMAGE[..., :2])
    with pytest.raises(CallError, match="array that the worker takes"):
        shared_worker.run(np.array([["text"]]))
    assert shared_worker.run(IMAGE).shape == IMAGE.shape


def test_an_output_that_is_no_number_is_the_models_fault(
    shared_worker: Worker, tf: Any, save_graph: SaveGraph
) -> None:
    shared_worker.load(save_graph(lambda x: tf.complex(x, x)), "pb")
    with pytest.raises(ModelFailed, match="array of numbers"):
        shared_worker.run(IMAGE)
    shared_worker.load(save_graph(lambda x: tf.reduce_max(x)), "pb")
    assert shared_worker.run(IMAGE).shape == ()


def test_pb_and_saved_model_in_one_worker(shared_worker: Worker, tf: Any, blur: Path, tmp_path: Path) -> None:
    module = tf.Module()
    spec = tf.TensorSpec((1, None, None, 3), tf.float32, name="input")
    module.serve = tf.function(lambda x: {"output": x * 2}, input_signature=[spec])
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures={"serving_default": module.serve})
    for _ in range(2):
        shared_worker.load(blur, "pb")
        shared_worker.run(IMAGE)
        shared_worker.load(tmp_path / "saved", "savedmodel")
        np.testing.assert_array_equal(shared_worker.run(IMAGE), IMAGE * 2)
    with pytest.raises(ModelFailed, match="float64 needs a frozen graph"):
        shared_worker.run_float64(IMAGE)


def test_two_workers_at_once(blur: Path, tf: Any, save_graph: SaveGraph) -> None:
    negative = save_graph(lambda x: -x)
    with Worker(timeout_s=60) as one, Worker(timeout_s=60) as other:
        one.prepare("pb")
        other.prepare("pb")
        one.load(blur, "pb")
        other.load(negative, "pb")
        assert one.pid != other.pid
        assert one.run(IMAGE).min() >= 0 > other.run(IMAGE).max()
        assert one.run(IMAGE).min() >= 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_child_that_is_killed_is_a_verdict(scratch: Path, endless: Path, number: signal.Signals) -> None:
    with Worker(timeout_s=120) as worker:
        worker.load(endless, "pb", output_name="output")
        killer = threading.Timer(0.5, os.kill, (worker.pid, number))
        killer.start()
        with pytest.raises(WorkerStopped, match=f"ended with {number.name}") as stopped:
            worker.run(IMAGE)
        assert stopped.value.reason == "crashed"
        killer.join()
        for again in (lambda: worker.run(IMAGE), worker.peak_mib, worker.resident_mib, worker.reset_peak):
            with pytest.raises(WorkerStopped, match=f"ended with {number.name}"):
                again()
    assert _is_gone(worker.pid)
    assert list(scratch.iterdir()) == []


def test_a_model_without_end_is_stopped(scratch: Path, endless: Path) -> None:
    with Worker(timeout_s=1.5) as worker:
        worker.load(endless, "pb", output_name="output")
        with pytest.raises(WorkerStopped, match=r"time limit; found no answer after 1\.5 s") as stopped:
            worker.run(IMAGE)
        assert stopped.value.reason == "timed_out"
    assert _is_gone(worker.pid)
    assert list(scratch.iterdir()) == []


def test_the_time_limit_counts_only_while_the_parent_waits(blur: Path) -> None:
    with Worker(timeout_s=1.0) as worker:
        worker.prepare("pb")  # takes longer than a second, and says nothing about the model
        worker.load(blur, "pb")
        time.sleep(1.5)
        assert worker.run(IMAGE).shape == IMAGE.shape


def test_a_model_that_grows_past_its_limit_is_stopped(scratch: Path, tf: Any, save_graph: SaveGraph) -> None:
    grow = save_graph(lambda x: x + 1e-20 * tf.reduce_sum(tf.fill([1 << 30], x[0, 0, 0, 0])))
    with Worker(timeout_s=120, memory_limit_mib=1200) as worker:
        worker.load(grow, "pb")
        with pytest.raises(WorkerStopped, match=r"below 1200 MiB of memory; found \d+ MiB") as stopped:
            worker.run(IMAGE)
    assert stopped.value.reason == "out_of_memory"
    assert stopped.value.peak_rss_mib is not None
    assert 1200 < stopped.value.peak_rss_mib < 3000
    assert list(scratch.iterdir()) == []


def test_nothing_is_left_after_an_exception(scratch: Path, endless: Path) -> None:
    with pytest.raises(ZeroDivisionError), Worker() as worker:
        assert len(list(scratch.iterdir())) == 1
        worker.load(endless, "pb", output_name="output")
        raise ZeroDivisionError
    worker.close()  # once more does no harm
    assert _is_gone(worker.pid)
    assert list(scratch.iterdir()) == []


def test_another_thread_can_end_a_busy_worker(endless: Path) -> None:
    with Worker(timeout_s=120) as worker:
        worker.load(endless, "pb", output_name="output")
        threading.Timer(0.5, worker.abort).start()
        with pytest.raises(WorkerStopped, match="SIGKILL"):
            worker.run(IMAGE)


@pytest.mark.parametrize("with_janitor", [True, False])
def test_a_worker_does_not_outlive_a_parent_that_is_killed(
    tmp_path: Path, endless: Path, with_janitor: bool
) -> None:
    script = (
        "import sys, numpy, tempfile; tempfile.tempdir = sys.argv[1]\n"
        "from pathlib import Path; from pixelproof import janitor; from pixelproof.measure.worker import Worker\n"
        "with Worker() as idle, Worker() as busy:\n"
        "    idle.prepare('pb'); busy.prepare('pb'); idle.ready()\n"
        "    busy.load(Path(sys.argv[2]), 'pb', output_name='output')\n"
        "    print(idle.pid, busy.pid, janitor._janitor().pid, flush=True)\n"
        "    busy.run(numpy.zeros((1, 4, 4, 3), 'float32'))\n"
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = [sys.executable, "-c", script, str(scratch), str(endless)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 3 and not any(map(_is_gone, pids))
        if not with_janitor:
            os.kill(pids[2], signal.SIGKILL)
        time.sleep(0.5)  # the busy one is at its endless loop
        parent.kill()
    _wait_for(lambda: all(map(_is_gone, pids)))
    if with_janitor:
        _wait_for(lambda: list(scratch.iterdir()) == [])


def test_a_worker_outlives_the_thread_that_started_it(blur: Path) -> None:
    started: list[Worker] = []

    def start() -> None:
        started.append(Worker())
        started[0].ready()

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    time.sleep(0.5)
    with started[0] as worker:
        worker.load(blur, "pb")
        assert worker.run(IMAGE).shape == IMAGE.shape


GARBAGE = {
    "nothing": ("", "ended with code 0"),
    "a crash at once": ("raise SystemExit('no such library')", "no such library"),
    "log lines": ("print('2024-01-01 I tensorflow/core: hello', flush=True); input()", "magic"),
    "deep JSON": ("send(b'[' * 100_000)", "not JSON"),
    "silence, then the end": ("import os; os.close(1)", "ended with"),
}


@pytest.mark.parametrize(("script", "said"), GARBAGE.values(), ids=GARBAGE)
def test_a_child_that_never_speaks_the_protocol_is_no_verdict_on_a_model(
    scratch: Path, hostile: Callable[[str], None], blur: Path, script: str, said: str
) -> None:
    hostile(script)
    with Worker() as worker, pytest.raises(EnvironmentFault, match=said):
        worker.load(blur, "pb")
    assert list(scratch.iterdir()) == []


ANSWERS = {
    "garbage": "out.write(b'x' * 100)",
    "a text for an error": "answer({'ok': False, 'error': 'boo'})",
    "no interface": "answer({'ok': True})",
    "an interface of the wrong kind": "answer({'ok': True, 'used': ['a', 'b'], 'interface': {'inputs': 3}})",
    "used tensors that are none": "answer({'ok': True, 'used': [1, 2], 'interface': {'inputs': [], 'outputs': []}})",
    "huge": "out.write(struct.pack('>4sIQ', b'pxpf', 2, 1 << 60) + b'{}')",
    "half a frame": "out.write(b'pxpf'); out.flush(); raise SystemExit(3)",
    "an error that lists": "answer({'ok': False, 'error': [1]})",
}


@pytest.mark.parametrize("script", ANSWERS.values(), ids=ANSWERS)
def test_garbage_in_an_answer_stops_the_worker(
    scratch: Path, hostile: Callable[[str], None], blur: Path, script: str
) -> None:
    hostile(f"greet(); answer({{'ok': True}}); ask(); ask()\n{script}\nout.flush(); ask()")
    with Worker() as worker, pytest.raises(WorkerStopped) as stopped:
        worker.load(blur, "pb")
    assert stopped.value.reason == "crashed"
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("ms", ["nan", "-1", "'fast'", "None", "True"])
def test_a_time_that_is_none_stops_the_worker(hostile: Callable[[str], None], ms: str) -> None:
    hostile(
        f"greet(); ask(); answer({{'ok': True, 'ms': {ms}, 'shape': [1]}}); ask()".replace(
            "nan", "float('nan')"
        )
    )
    with Worker() as worker, pytest.raises(WorkerStopped, match="a time of"):
        worker.timed(0)


def test_what_a_child_says_about_an_error_is_only_text(hostile: Callable[[str], None], blur: Path) -> None:
    error = {"type": "EnvironmentFault", "rule": "R" * 10, "found": 3, "remedy": None}
    hostile(
        f"greet(); answer({{'ok': True}}); ask(); ask(); answer({{'ok': False, 'error': {error}}}); ask()"
    )
    with Worker() as worker, pytest.raises(ModelFailed, match="RRRR"):
        worker.load(blur, "pb")


def test_chatter_of_a_library_does_not_reach_the_protocol() -> None:
    script = (
        "import os\n"
        "from pixelproof.measure.sandbox.lockdown import take_protocol_streams\n"
        "requests, answers = take_protocol_streams()\n"
        "os.write(1, b'pxpf chatter'); print('more', flush=True)\n"
        "assert os.read(0, 9) == b''\n"
        "answers.write(b'answer to ' + requests.read(8))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], input=b"question", capture_output=True, check=True)
    assert done.stdout == b"answer to question"
    assert done.stderr == b"pxpf chattermore\n"


def test_the_environment_is_scrubbed(monkeypatch: pytest.MonkeyPatch, blur: Path) -> None:
    monkeypatch.setenv("SECRET_OF_THE_USER", "hush")
    monkeypatch.setenv("PYTHONPATH", "/somewhere/else")
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    with Worker(threads=2) as worker:
        worker.load(blur, "pb")
        lines = Path(f"/proc/{worker.pid}/environ").read_bytes().split(b"\0")
        cwd = Path(f"/proc/{worker.pid}/cwd").readlink()
    variables = dict(line.decode().split("=", 1) for line in lines if line)
    assert "hush" not in variables.values()
    assert not {"SECRET_OF_THE_USER", "TF_ENABLE_ONEDNN_OPTS"} & variables.keys()
    assert variables["PYTHONPATH"] == str(import_root())
    assert variables["HOME"] == variables["TMPDIR"] == str(cwd)
    assert variables["OMP_NUM_THREADS"] == "2"


@pytest.mark.parametrize("where", ["current folder", "PYTHONPATH", "beside the model"])
def test_a_module_of_the_users_is_not_picked_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, blur: Path, where: str
) -> None:
    for name in ("tensorflow", "numpy", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong one')\n")
    if where == "current folder":
        monkeypatch.chdir(tmp_path)
    elif where == "PYTHONPATH":
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    model = tmp_path / "model.pb"
    model.write_bytes(blur.read_bytes())
    with Worker() as worker:
        worker.load(model, "pb")
        assert worker.run(IMAGE).shape == IMAGE.shape


def test_a_runtime_that_is_not_there_is_no_verdict_on_the_model(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, blur: Path
) -> None:
    packages = tmp_path / "site-packages"
    packages.mkdir()
    (packages / "onnxruntime.py").write_text("raise ImportError('libonnx.so is missing')\n")
    (tmp_path / "model.onnx").write_bytes(b"anything")
    monkeypatch.setattr(worker_process, "bubblewrap", lambda: Bubblewrap(None, "the module lies outside"))
    usual = worker_process.worker_environment

    def with_broken_runtime(scratch: Path, **options: Any) -> dict[str, str]:
        variables = usual(scratch, **options)
        return {**variables, "PYTHONPATH": f"{packages}{os.pathsep}{variables['PYTHONPATH']}"}

    monkeypatch.setattr(worker_process, "worker_environment", with_broken_runtime)
    with Worker() as worker:
        with pytest.raises(EnvironmentFault, match=r"libonnx\.so is missing"):
            worker.load(tmp_path / "model.onnx", "onnx")
        worker.load(blur, "pb")  # the other runtime is there


def test_a_folder_with_an_odd_name(tmp_path: Path, blur: Path, shared_worker: Worker) -> None:
    folder = tmp_path / "Ünï [x]* 'q'\n"
    folder.mkdir()
    (folder / "m.pb").write_bytes(blur.read_bytes())
    shared_worker.load(folder / "m.pb", "pb")
    with pytest.raises(ArtifactError):
        shared_worker.load(tmp_path / "m.pb", "pb")


def test_no_process_is_left_when_the_child_can_not_start(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_process, "bubblewrap", lambda: Bubblewrap(None, "it would start"))
    monkeypatch.setattr(worker_process, "worker_command", lambda plan: ["/no/such/python"])
    with pytest.raises(OSError, match="no/such"):
        Worker()
    assert list(scratch.iterdir()) == []


def test_a_child_that_never_gets_ready_is_given_up(
    monkeypatch: pytest.MonkeyPatch, hostile: Callable[[str], None]
) -> None:
    monkeypatch.setattr(worker_module, "START_TIMEOUT_S", 1.0)
    hostile("import time; time.sleep(1000)")
    with Worker() as worker, pytest.raises(EnvironmentFault, match="no answer after 1 s"):
        worker.ready()


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """``hostile(script)``: workers are processes that run this script in the worker's place."""
    helpers = (
        "import json, os, struct, sys\n"
        "out = sys.stdout.buffer\n"
        "def send(text):\n"
        "    out.write(struct.pack('>4sIQ', b'pxpf', len(text), 0) + text); out.flush()\n"
        "def answer(header): send(json.dumps({'arrays': [], **header}).encode())\n"
        "def greet(): answer({'ok': True, 'pid': os.getpid(), 'layers': []})\n"
        "def ask():\n"
        "    head = sys.stdin.buffer.read(16)\n"
        "    if len(head) < 16: raise SystemExit\n"
        "    _, header, payload = struct.unpack('>4sIQ', head)\n"
        "    return sys.stdin.buffer.read(header + payload)\n"
    )
    path = tmp_path_factory.mktemp("hostile") / "worker.py"
    monkeypatch.setattr(worker_process, "bubblewrap", lambda: Bubblewrap(None, "the script lies outside"))
    monkeypatch.setattr(worker_process, "worker_command", lambda plan: [sys.executable, str(path)])
    yield lambda script: path.write_text(helpers + script)


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("", ""),
        ("one\nlast\n", "last"),
        ("E1 failed call to cuInit: UNKNOWN\n", ""),
        (
            "F0000 00:00:1.2 7 tensor.cc:9] Check failed: n > 0\n*** stack ***\n  @ 0x7f12 (unknown)\n",
            "Check failed: n > 0",
        ),
        ("terminate called after throwing\n  what():  bad\nAborted\n", "what():  bad"),
    ],
)
def test_the_reason_is_told_and_not_the_stack(log: str, said: str) -> None:
    assert worker_process.last_words(log).endswith(said)
    assert bool(worker_process.last_words(log)) == bool(said)
