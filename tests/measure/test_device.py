"""A GPU's figures, read off traces made by hand and off a real one of the CPU; the real GPU where there is one."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from pixelproof.errors import ModelFailed
from pixelproof.measure.device import CPU, Device, names_gpu, visible_devices
from pixelproof.measure.device_trace import KERNELS, MEMORY, device_run, peak_mib, span_ms
from pixelproof.measure.gpu_runners import cuda_provider
from pixelproof.measure.gpu_worker import GpuWorker
from pixelproof.measure.protocol import ProtocolError
from pixelproof.measure.sandbox.environment import worker_environment
from pixelproof.measure.sandbox.profiles import profile_for
from pixelproof.measure.worker import Worker
from pixelproof.measure.worker_answers import device_run_from, gpu_from

MIB = 2**20
IMAGE = np.random.default_rng(0).uniform(0, 1, (1, 40, 56, 3)).astype(np.float32)
HOST = "/job:localhost/replica:0/task:0/device:CPU:0"
GPU = "/job:localhost/replica:0/task:0/device:GPU:0"


def trace(*devices: tuple[str, list[dict[str, Any]]]) -> Any:
    """StepStats of devices and their events: ``start`` and ``took`` in microseconds, ``memory`` by allocator."""
    from tensorflow.core.framework.step_stats_pb2 import StepStats

    made = StepStats()
    for name, events in devices:
        device = made.dev_stats.add(device=name)
        for event in events:
            node = device.node_stats.add(
                node_name=event.get("name", "n"),
                all_start_micros=event["start"],
                all_end_rel_micros=event["took"],
            )
            for allocator, (in_use, peak, live) in event.get("memory", {}).items():
                node.memory.add(
                    allocator_name=allocator,
                    allocator_bytes_in_use=in_use * MIB,
                    peak_bytes=peak * MIB,
                    live_bytes=live * MIB,
                )
    return made


def test_the_time_is_from_the_first_kernel_to_the_last_and_no_copy_counts() -> None:
    made = trace(
        (HOST, [{"start": 1_000, "took": 90_000}]),
        (GPU, [{"start": 1_500, "took": 50_000}]),
        ("/device:GPU:0/memcpy", [{"start": 1_900, "took": 100}, {"start": 9_000, "took": 5_000}]),
        ("/device:GPU:0/stream:13<MemcpyH2D>", [{"start": 1_900, "took": 100}]),
        ("/device:GPU:0/stream:7", [{"start": 2_000, "took": 300}, {"start": 5_000, "took": 250}]),
        ("/device:GPU:0/stream:all", [{"start": 5_000, "took": 250}, {"start": 2_000, "took": 300}]),
        ("/device:GPU:0/sync", [{"start": 2_000, "took": 9_000}]),
    )
    run = device_run(made)
    assert run is not None
    assert run.span_ms == pytest.approx(3.25)
    assert run.peak_mib is None


def test_a_kernel_that_overlaps_the_last_one_and_ends_later_counts() -> None:
    made = trace(("/device:GPU:0/stream:all", [{"start": 10, "took": 1_000}, {"start": 500, "took": 100}]))
    assert span_ms(made, devices=KERNELS) == pytest.approx(1.0)


def test_without_a_kernel_there_are_no_figures() -> None:
    assert device_run(trace()) is None
    assert device_run(trace((HOST, [{"start": 1, "took": 5}]), (GPU, []))) is None


def test_memory_is_what_was_given_out_before_with_what_a_node_took_at_most() -> None:
    made = trace(
        (
            GPU,
            [
                # 100 MiB of weights; the first keeps 40 of at most 60, the second 10 of at most 35.
                {"start": 1, "took": 1, "memory": {"GPU_0_bfc": (140, 60, 40)}},
                {
                    "start": 2,
                    "took": 1,
                    "memory": {"GPU_0_bfc": (150, 35, 10), "gpu_host_bfc": (9_999, 9_999, 0)},
                },
            ],
        ),
        (HOST, [{"start": 1, "took": 1, "memory": {"cpu": (5_000, 5_000, 0)}}]),
        ("/device:GPU:0/stream:all", [{"start": 1, "took": 1}]),
    )
    run = device_run(made)
    assert run is not None
    assert run.peak_mib == pytest.approx(175)


def test_a_real_trace_is_read(tf: Any, blur: Path) -> None:
    """On the CPU: its own operations, by the same functions."""
    from pixelproof.measure.graph_runner import GraphRunner

    runner = GraphRunner(str(blur), threads=1, input_name="input:0", output_name="output:0")
    image = np.random.default_rng(1).uniform(0, 1, (1, 256, 384, 3)).astype(np.float32)
    output, made = runner.run_traced(image)
    np.testing.assert_array_equal(output, runner(image))
    nodes = {node.node_name for device in made.dev_stats for node in device.node_stats}
    assert nodes  # an operation of the graph, and no empty trace
    span = span_ms(made, devices=re.compile(r"device:CPU:0$"))
    assert span is not None and 0 < span < 10_000
    taken = peak_mib(made, allocators=re.compile("cpu", re.IGNORECASE))
    # The allocator is the process's, with whatever the tests before this one have left in it.
    resident_mib = psutil.Process().memory_info().rss / MIB
    assert taken is not None and output.nbytes / MIB <= taken < resident_mib
    assert device_run(made) is None
    assert peak_mib(made, allocators=MEMORY) is None


def test_a_limit_is_a_virtual_device_of_that_size(tf: Any) -> None:
    from pixelproof.measure.device_session import name_in, session_config

    plain = session_config(threads=3)
    assert (plain.intra_op_parallelism_threads, plain.inter_op_parallelism_threads) == (3, 3)
    assert not plain.HasField("gpu_options") and not plain.allow_soft_placement
    limited = session_config(threads=1, device=Device("gpu", memory_mib=3584.0))
    (virtual,) = limited.gpu_options.experimental.virtual_devices
    assert list(virtual.memory_limit_mb) == [3584.0]
    assert limited.allow_soft_placement and not limited.gpu_options.allow_growth
    whole = session_config(threads=1, device=Device("gpu"))
    assert whole.gpu_options.allow_growth and not whole.gpu_options.experimental.virtual_devices
    told = "device: 0, name: NVIDIA X 3000, pci bus id: 0000:01:00.0, compute capability: 9.0"
    assert (name_in(told), name_in("")) == ("NVIDIA X 3000", "GPU")
    assert cuda_provider(Device("gpu", memory_mib=3584))[1]["gpu_mem_limit"] == str(3584 * MIB)
    assert "gpu_mem_limit" not in cuda_provider(Device("gpu"))[1]


@pytest.mark.parametrize(
    ("device", "chosen", "visible"),
    [
        (None, None, "-1"), (None, "2,3", "2,3"), (None, "", ""),
        (CPU, "2,3", "-1"), (CPU, None, "-1"),
        (Device("gpu"), "2,3", "2"), (Device("gpu"), None, "0"), (Device("gpu"), "-1", "0"), (Device("gpu"), "", "0"),
    ],
)  # fmt: skip
def test_a_worker_sees_no_gpu_or_exactly_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, device: Device | None, chosen: str | None, visible: str
) -> None:
    environment = {} if chosen is None else {"CUDA_VISIBLE_DEVICES": chosen}
    assert visible_devices(device, environment) == visible
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    made = worker_environment(tmp_path, threads=1, device=device)
    assert made["CUDA_VISIBLE_DEVICES"] == visible
    assert profile_for(made) == ("cpu" if visible in ("", "-1") else "gpu")
    assert names_gpu(made) is (visible not in ("", "-1"))


def test_a_device_tells_its_limit() -> None:
    assert (str(CPU), str(Device("gpu", name="X"))) == ("cpu", "X")
    assert str(Device("gpu", memory_mib=3584.0, name="X")) == "X, limited to 3584 MiB"


@pytest.mark.parametrize("peak", [-1.0, float("nan"), float("inf"), "9", True])
def test_a_worker_that_tells_nonsense_of_a_gpu_is_not_believed(peak: Any) -> None:
    assert device_run_from({"ms": 2.0, "shape": [1], "peak_mib": 9}) == (2.0, (1,), 9.0)
    assert device_run_from({"ms": 2.0, "shape": [1], "peak_mib": None})[2] is None
    with pytest.raises(ProtocolError):
        device_run_from({"ms": 2.0, "shape": [1], "peak_mib": peak})
    with pytest.raises(ProtocolError):
        device_run_from({"ms": -2.0, "shape": [1], "peak_mib": 9})
    with pytest.raises(ProtocolError):
        gpu_from({"gpu": 7})
    assert (gpu_from({}), gpu_from({"gpu": "x" * 999})) == (None, "x" * 200)


def _has_gpu() -> bool:
    program = shutil.which("nvidia-smi")
    return (
        program is not None
        and subprocess.run([program, "-L"], capture_output=True, check=False).returncode == 0
    )


@pytest.mark.skipif(_has_gpu(), reason="there is a GPU")
def test_without_a_gpu_none_is_found_and_nothing_is_timed_on_the_cpu_in_its_name(
    blurs: dict[str, Path],
) -> None:
    with GpuWorker(Device("gpu", memory_mib=512.0), threads=1) as worker:
        assert [worker.find(kind) for kind in ("pb", "onnx", "tflite")] == [None, None, None]
        worker.load(blurs["pb"], "pb")
        worker.put(0, IMAGE)
        with pytest.raises(ModelFailed, match="must run there; found no kernel on a GPU"):
            worker.timed(0)
        with pytest.raises(ModelFailed, match="onnxruntime went back to CPUExecutionProvider"):
            worker.load(blurs["onnx"], "onnx")
        with pytest.raises(ModelFailed, match="found tflite"):
            worker.load(blurs["tflite"], "tflite")
        assert worker.device_peak_mib is None


def test_a_saved_model_for_a_gpu_is_the_frozen_graph_of_its_signature(blurs: dict[str, Path]) -> None:
    with Worker(device=Device("gpu"), threads=1) as worker:
        worker.load(blurs["savedmodel"], "savedmodel")
        frozen = worker.run(IMAGE)
        worker.load(blurs["pb"], "pb")
        np.testing.assert_allclose(worker.run(IMAGE), frozen, atol=1e-5)


@pytest.fixture(scope="module")
def gpu() -> str:
    """The name of a GPU that TensorFlow can use."""
    if not _has_gpu():
        pytest.skip("needs a GPU: nvidia-smi lists none")
    with GpuWorker(Device("gpu")) as worker:
        name = worker.find("pb")
    if name is None:
        pytest.skip("needs a GPU that TensorFlow can use: pip install tensorflow[and-cuda]")
    return name


def test_a_model_is_timed_and_weighed_on_a_gpu(gpu: str, blur: Path) -> None:
    large = np.zeros((1, 1024, 1024, 3), np.float32)
    with GpuWorker(Device("gpu", name=gpu)) as worker, Worker(device=CPU) as beside:
        for one in (worker, beside):
            one.load(blur, "pb")
            one.put(0, large)
        worker.timed(0)
        ms, shape = worker.timed(0)
        assert shape == large.shape and 0 < ms < 10_000
        assert worker.device_peak_mib is not None and worker.device_peak_mib >= 2 * large.nbytes / MIB
        np.testing.assert_allclose(worker.run(IMAGE), beside.run(IMAGE), atol=1e-3)


def test_a_gpu_of_less_memory_runs_out_of_it(gpu: str, blur: Path) -> None:
    with GpuWorker(Device("gpu", memory_mib=64.0, name=gpu)) as worker:
        worker.load(blur, "pb")
        worker.put(0, np.zeros((1, 4096, 4096, 3), np.float32))
        with pytest.raises(ModelFailed):
            worker.timed(0)
