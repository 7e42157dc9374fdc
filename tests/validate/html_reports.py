"""Reports and pictures to make pages of; loaded by the tests by its path."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pixelproof.report import (
    Artifact,
    CheckResult,
    Companion,
    Complexity,
    Environment,
    Evidence,
    Fidelity,
    ImageFidelity,
    Interface,
    LayerCost,
    Memory,
    MemoryTrace,
    Percentiles,
    Report,
    Runtime,
    RuntimeSamples,
    TensorInfo,
)
from pixelproof.safety import Refusal, SandboxLayer, Scan
from pixelproof.validate.judgement import LEFT_OUT
from pixelproof.validate.pictures import save_pictures

SHA256 = "ab" * 32


def check(
    name: str, status: Any = "passed", *, found: str = "as it should be", remedy: str = ""
) -> CheckResult:
    """One check, its title made from its id."""
    return CheckResult(name, name.capitalize(), status, f"a rule of {name}", found, remedy)


def full(*, images: int = 12, path: str = "nowhere/model.pb") -> Report:
    """A report of a model that passed, with every part."""
    numbers = np.random.default_rng(7)
    per_image = tuple(
        ImageFidelity(f"{i}.png", float(numbers.normal(21, 3)), float(numbers.uniform(0.8, 1)))
        for i in range(images)
    )
    samples = tuple(float(v) for v in numbers.normal(900, 20, 30))
    runtime = Runtime(
        latency_ms=Percentiles(900.0, 940.0),
        baseline_ms=Percentiles(2100.0, 2150.0),
        speedup=2.333,
        speedup_low=2.311,
        speedup_high=2.355,
        converged=True,
        height=720,
        width=1280,
        threads=2,
        samples=RuntimeSamples(samples, tuple(2.33 * v for v in samples)),
    )
    trace = MemoryTrace(20.0, tuple(float(v) for v in numbers.uniform(400, 1500, 60)), (300.0, 700.0))
    layers = tuple(
        LayerCost(f"net/block_{i}/conv", "Conv2D", 100 * i, 10**6 * (i + 1), (i + 1) / 210) for i in range(20)
    )
    image = (1, None, None, 3)
    evidence = Evidence(
        artifact=Artifact(path, "pb", SHA256, 79041),
        scan=Scan("pb", 83, 0, {"Conv2D": 6, "Add": 2}, 68000),
        interface=Interface(
            (TensorInfo("input:0", "float32", image),), (TensorInfo("output:0", "float32", image),)
        ),
        fidelity=Fidelity(21.26, 0.9048, per_image, images, 16),
        runtime=runtime,
        memory=Memory(1500.0, 420.0, 1080.0, 3584.0, 720, 1280, "VmHWM", None, trace),
        complexity=Complexity("ntire2022", 720, 1280, 17139, 15_733_555_200, 76_492_800, 6, layers),
    )
    where = Environment(
        pixelproof="0.1.0",
        python="3.11.2",
        platform="Linux",
        cpu="a processor",
        cores=2,
        memory_mib=16000.0,
        libraries={"tensorflow": "2.21.0"},
        worker={"tensorflow": "2.21.0"},
        sandbox=(
            SandboxLayer("landlock", True, "closed"),
            SandboxLayer("bubblewrap", False, "not installed"),
        ),
    )
    return Report(
        challenge="pirm2018",
        track="B",
        data="patches",
        official_data=True,
        created="2018-06-01T12:00:00+00:00",
        evidence=evidence,
        checks=tuple(check(name) for name in ("allowed", "loads", "range", "memory", "fidelity", "runtime")),
        scores={"A": 3.709, "B": 4.371, "C": 4.665},
        environment=where,
        rules_sha256="12" * 32,
        measured_as_sha256="34" * 32,
    )


def with_check(report: Report, changed: CheckResult) -> Report:
    """The report with one check changed."""
    return replace(report, checks=tuple(changed if c.id == changed.id else c for c in report.checks))


def refused() -> Report:
    """A file that was not even loaded."""
    report = full()
    scan = Scan(
        "pb", 9, 0, {"ReadFile": 1}, 0, (Refusal("A graph works on tensors", "ReadFile", "Leave it out."),)
    )
    evidence = Evidence(
        artifact=report.evidence.artifact, scan=scan, load_error="refused by the scan of its file"
    )
    others = tuple(check(name, "not_run", found="not loaded") for name in ("loads", "range", "fidelity"))
    return replace(
        report,
        evidence=evidence,
        checks=(check("allowed", "failed", found="ReadFile", remedy="Leave it out."), *others),
        scores=None,
    )


def efficient() -> Report:
    """A track without scores and baseline, which counts complexity and has a gate; each image timed at its size."""
    report = full()
    runtime = report.evidence.runtime
    assert runtime is not None
    alone = replace(
        runtime,
        baseline_ms=None,
        speedup=None,
        speedup_low=None,
        speedup_high=None,
        converged=False,
        samples=RuntimeSamples(runtime.samples.solution_ms, ()),
        interval_ms=(310.0, 330.0),
        mean_ms=320.5,
        images=3,
    )
    fidelity = report.evidence.fidelity
    assert fidelity is not None
    plain = replace(
        fidelity, ms_ssim=None, per_image=tuple(replace(i, ms_ssim=None) for i in fidelity.per_image)
    )
    return replace(
        report,
        challenge="ntire2022-esr",
        track="runtime",
        evidence=replace(
            report.evidence,
            runtime=alone,
            fidelity=plain,
            memory=Memory(810.0, 404.0, 406.0, float("inf"), 339, 510, "VmHWM"),
        ),
        checks=(
            *report.checks,
            check("psnr_gate", "failed", found="25.25 dB"),
            check("complexity"),
            check("size", "not_run", found=LEFT_OUT),
        ),
        scores=None,
        official_data=False,
        psnr_gate=26.0,
    )


def phone() -> Report:
    """A TFLite file with its companion, one score, timed alone."""
    report = efficient()
    companion = Companion(
        "isp/model_none.tflite",
        Artifact("isp/model_none.tflite", "tflite", "cd" * 32, 5_000_000),
        max_abs=0.001,
    )
    return replace(
        report,
        challenge="mai2021-isp",
        track="isp",
        evidence=replace(
            report.evidence,
            artifact=Artifact("isp/model.tflite", "tflite", SHA256, 5_000_000),
            companion=companion,
        ),
        checks=(check("allowed"), check("companion"), check("range", "warning", found="-0.1 to 1.1")),
        scores={"total": 8.682},
        psnr_gate=None,
    )


def save(folder: Path, report: Report, *, side: int = 40, scale: int = 1) -> Path:
    """Pictures of a report: noise, and an output that leaves [0, 1]."""
    fidelity = report.evidence.fidelity
    assert fidelity is not None
    numbers = np.random.default_rng(3)

    def read(place: int) -> tuple[Any, Any]:
        size = (side // scale, side // scale, 3)
        source = numbers.integers(0, 256, size, dtype=np.uint8)
        return source, source.repeat(scale, axis=0).repeat(scale, axis=1)

    save_pictures(
        folder,
        run=lambda x: (x * 1.3 - 0.1).repeat(scale, axis=1).repeat(scale, axis=2),
        read=read,
        fidelity=fidelity,
        scale=scale,
        artifact_sha256=report.evidence.artifact.sha256,
    )
    return folder
