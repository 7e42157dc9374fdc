"""--device: what runtime and memory are measured on, and what a report of a GPU says and ranks by."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pixelproof.challenge import load_challenge
from pixelproof.errors import CallError
from pixelproof.evidence import Artifact, Evidence, Memory, Percentiles, Runtime, RuntimeSamples
from pixelproof.measure.device import CPU, Device
from pixelproof.report import Report
from pixelproof.validate.checks.measured import PeakMemory, RuntimeMeasured
from pixelproof.validate.device_choice import chosen_device
from pixelproof.validate.options import Options
from pixelproof.validate.ranking import entry_of

ESR = load_challenge("ntire2022-esr").track("runtime")
GPU_TEXT = "NVIDIA X, limited to 3584 MiB"
NONE: dict[str, str] = {}
FIRST = {"CUDA_VISIBLE_DEVICES": "0"}


def asking(name: str | None) -> Any:
    """A search that finds this GPU, and what was asked."""
    asked: list[Device] = []

    def find(device: Device, kind: str) -> str | None:
        asked.append(device)
        return name

    return find, asked


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        (Options(), NONE),
        (Options(), {"CUDA_VISIBLE_DEVICES": "-1"}),
        (Options(device="cpu"), FIRST),
    ],
)
def test_nothing_is_looked_for_where_no_gpu_is_wanted(options: Options, environment: dict[str, str]) -> None:
    find, asked = asking("NVIDIA X")
    assert chosen_device("pb", options, find, environment=environment) == CPU
    assert asked == []


def test_a_gpu_is_taken_with_its_limit_and_name() -> None:
    for options, environment in ((Options(device="gpu"), NONE), (Options(), FIRST)):
        find, _ = asking("NVIDIA X")
        assert chosen_device("pb", options, find, environment=environment) == Device("gpu", name="NVIDIA X")
    find, asked = asking("NVIDIA X")
    limited = chosen_device("onnx", Options(device="gpu", device_memory_mib=3584), find, environment=NONE)
    assert str(limited) == GPU_TEXT
    assert asked == [Device("gpu", memory_mib=3584)]


def test_a_gpu_that_only_the_environment_names_may_be_missing() -> None:
    assert chosen_device("pb", Options(), asking(None)[0], environment=FIRST) == CPU
    assert chosen_device("tflite", Options(), asking("NVIDIA X")[0], environment=FIRST) == CPU


@pytest.mark.parametrize(
    ("kind", "options", "environment", "message"),
    [
        (
            "pb",
            Options(device="gpu"),
            NONE,
            "--device gpu needs a GPU .*none that TensorFlow can use.*and-cuda",
        ),
        ("onnx", Options(device="gpu"), NONE, "none that onnxruntime can use.*onnxruntime-gpu"),
        ("tflite", Options(device="gpu"), NONE, "a .tflite, which runs on the CPU here"),
        (
            "pb",
            Options(device_memory_mib=3584),
            NONE,
            "--device-memory-gb limits a GPU; found no --device gpu",
        ),
        ("pb", Options(device="cpu", device_memory_mib=3584), FIRST, "limits a GPU; found --device cpu"),
        ("pb", Options(device_memory_mib=3584), FIRST, "--device-memory-gb needs a GPU"),
    ],
)
def test_what_can_not_be_honoured_is_an_error(
    kind: Any, options: Options, environment: dict[str, str], message: str
) -> None:
    with pytest.raises(CallError, match=message):
        chosen_device(kind, options, asking(None)[0], environment=environment)


@pytest.mark.parametrize("arguments", [("--device", "gpu"), ("--device-memory-gb", "3.5")])
def test_the_command_refuses_before_it_measures(
    judged, graphs, monkeypatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("pixelproof.validate.gather.found_gpu", lambda *asked, **how: None)
    answer = judged(graphs["good"], "--only", "contract", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert "GPU" in answer.err


def test_a_recheck_takes_no_device(typed, tmp_path) -> None:
    answer = typed("--recheck", tmp_path / "r.json", "--device", "cpu")
    assert answer.code == 2
    assert "--recheck measures nothing; found --device" in answer.err


def test_on_the_cpu_the_report_says_so(judged, graphs, lending) -> None:
    report = judged(graphs["good"], "--only", "memory,runtime", "--device", "cpu", "--max-runs", "3").report
    assert report is not None
    assert (report["runtime"]["device"], report["runtime"]["clock"]) == ("cpu", "wall")
    assert (report["memory"]["device"], report["memory"]["device_peak_mib"]) == ("cpu", None)


def runtime(**more: Any) -> Runtime:
    return Runtime(
        latency_ms=Percentiles(9, 10), baseline_ms=None, speedup=None, speedup_low=None, speedup_high=None,
        converged=True, height=339, width=510, threads=2, samples=RuntimeSamples((9.0, 9.0, 9.0), ()),
        interval_ms=(8.9, 9.1), mean_ms=9.0, images=1, **more,
    )  # fmt: skip


def memory(**more: Any) -> Memory:
    return Memory(900, 300, 600, float("inf"), 339, 510, "VmHWM", **more)


ON_GPU = Evidence(
    artifact=Artifact("m.pb", "pb", "0", 1),
    runtime=runtime(device=GPU_TEXT, clock="device events"),
    memory=memory(device=GPU_TEXT, device_peak_mib=377.25),
)


def test_the_checks_name_the_gpu_and_its_clock() -> None:
    assert RuntimeMeasured().run(ON_GPU, ESR).found == (
        f"9.00 ms an image, the mean over 1 images, on {GPU_TEXT}, by its own events (3 runs)"
    )
    wall = replace(ON_GPU, runtime=runtime(device="CUDA"))
    assert "on CUDA, by the wall clock" in RuntimeMeasured().run(wall, ESR).found
    assert PeakMemory().run(ON_GPU, ESR).found.endswith(f"600 the model's; 377 MiB of {GPU_TEXT}")


def report_of(evidence: Evidence, template: dict[str, Any], path: Path) -> Path:
    whole = Report.from_json(template, label="template")
    path.write_text(json.dumps(replace(whole, evidence=evidence).to_json()))
    return path


def test_ranks_go_by_the_gpus_memory_and_never_across_devices(
    judged, graphs, lending, call, tmp_path
) -> None:
    how = ("--challenge", "ntire2022-esr", "--track", "runtime", "--only", "size")
    template = judged(graphs["good"], *how).report
    assert template is not None
    whole = Report.from_json(template, label="template")
    figures = entry_of(replace(whole, evidence=ON_GPU), name="m").figures
    assert (figures["runtime"], figures["memory"]) == (9.0, 377.25)
    on_cpu = replace(ON_GPU, runtime=runtime(), memory=memory())
    assert entry_of(replace(whole, evidence=on_cpu), name="m").figures["memory"] == 600
    first = report_of(ON_GPU, template, tmp_path / "a.json")
    second = report_of(on_cpu, template, tmp_path / "b.json")
    answer = call("rank-reports", str(first), str(second))
    assert answer.code == 2
    assert f"must be measured on one device; found {GPU_TEXT} and cpu" in answer.err
    assert call("rank-reports", str(first)).code == 0
