"""Every check on evidence made by hand: passed, warning, failed, not run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pixelproof.challenge import Limits, PeakMemory, Track, load_challenge
from pixelproof.contract import Contract
from pixelproof.report import (
    Artifact,
    CheckResult,
    Evidence,
    Fidelity,
    ImageFidelity,
    Interface,
    Memory,
    Percentiles,
    RangeSample,
    Runtime,
    RuntimeSamples,
    SizeTrial,
    TensorInfo,
)
from pixelproof.safety import Refusal, Scan
from pixelproof.validate.checks import all_checks
from pixelproof.validate.checks.base import GROUPS
from pixelproof.validate.judgement import LEFT_OUT, verdicts

TRACK = load_challenge("pirm2018").track("B")
OPEN = (1, None, None, 3)
MIB = 2**20


def tensor(name: str, shape: tuple[int | None, ...] | None = OPEN, dtype: str = "float32") -> TensorInfo:
    return TensorInfo(name, dtype, shape)


def interface(*ends: TensorInfo, outputs: tuple[TensorInfo, ...] = (tensor("output:0"),)) -> Interface:
    return Interface(ends or (tensor("input:0"),), outputs)


def sample(source: str = "white", low: float = 0.1, high: float = 0.9, **more: Any) -> RangeSample:
    return RangeSample(source, low, high, more.get("share_outside", 0.0), more.get("non_finite", 0))


GOOD = Evidence(
    scan=Scan("pb", 27, 0, {"Conv2D": 3, "Const": 24}, 4096),
    artifact=Artifact("model.pb", "pb", "0" * 64, 5 * MIB),
    interface=interface(),
    used_input="input:0",
    used_output="output:0",
    size_trials=(SizeTrial(67, 101, (1, 67, 101, 3)), SizeTrial(16, 24, (1, 16, 24, 3))),
    range_samples=(sample("black"), sample("white")),
    clips_itself=False,
    determinism_max_abs=0.0,
    fidelity=Fidelity(21.5, 0.91, (ImageFidelity("0.jpg", 21.5, 0.91),), 1),
    runtime=Runtime(
        Percentiles(50, 55),
        Percentiles(100, 110),
        2.0,
        1.99,
        2.01,
        True,
        720,
        1280,
        2,
        RuntimeSamples((50.0,), (100.0,)),
    ),
    memory=Memory(900, 300, 600, 3584, 720, 1280, "VmHWM"),
)


def verdict(check_id: str, evidence: Evidence, track: Track = TRACK) -> CheckResult:
    return next(check for check in all_checks() if check.id == check_id).run(evidence, track)


def test_ids_are_stable_unique_and_in_order() -> None:
    assert [check.id for check in all_checks()] == [
        "allowed", "loads", "names", "tensors", "runs", "finite", "range", "determinism", "resolution",
        "companion", "size", "memory", "fidelity", "psnr_gate", "runtime", "complexity",
        "parameters",
    ]  # fmt: skip
    assert {check.group for check in all_checks()} == set(GROUPS)
    assert all(check.title and check.__doc__ for check in all_checks())


def test_the_challenge_asks_for_checks_that_exist() -> None:
    submission = load_challenge("pirm2018").submission
    assert submission is not None
    assert set(submission.required_checks) <= {check.id for check in all_checks()}


def test_good_evidence_passes_everything_without_a_remedy() -> None:
    results = verdicts(GOOD, TRACK, groups=GROUPS)
    assert {result.status for result in results} == {"passed"}
    assert all(result.found and result.expected and not result.remedy for result in results)


def test_no_evidence_is_not_run_and_never_passed() -> None:
    nothing = Evidence(artifact=GOOD.artifact)
    for result in verdicts(nothing, TRACK, groups=GROUPS):
        assert result.status == ("passed" if result.id == "size" else "not_run")
        assert result.found


def test_what_was_left_out_is_not_run_but_loading_and_running_always_count() -> None:
    results = {r.id: r for r in verdicts(GOOD, TRACK, groups={"size"})}
    assert {r.id for r in results.values() if r.status != "not_run"} == {"allowed", "loads", "runs", "size"}
    assert {r.found for r in results.values() if r.status == "not_run"} == {LEFT_OUT}
    broken = replace(GOOD, stopped="it has 2 inputs")
    assert [r.id for r in verdicts(broken, TRACK, groups={"size"}) if r.status == "failed"] == ["runs"]


def test_allowed() -> None:
    refusals = tuple(Refusal(f"rule {n // 2}", f"thing {n}", f"way {n}") for n in range(5))
    refused = replace(GOOD, scan=Scan("pb", 9, 0, {"ReadFile": 1}, 0, refusals), interface=None)
    result = verdict("allowed", refused)
    assert result.status == "failed"
    assert result.found == "rule 0: thing 0; thing 1; rule 1: thing 2; and 2 more"
    assert result.remedy == "way 0"
    assert verdict("loads", refused).status == "not_run"
    assert verdict("allowed", GOOD).found == "27 nodes of 2 operations"


def test_loads() -> None:
    failed = verdict("loads", Evidence(artifact=GOOD.artifact, load_error="Op type not registered 'Custom'"))
    assert (failed.status, failed.found) == ("failed", "Op type not registered 'Custom'")
    folder = replace(GOOD, artifact=replace(GOOD.artifact, format="savedmodel"))
    assert verdict("loads", folder).expected == "a SavedModel that its runtime loads"


@pytest.mark.parametrize(
    ("inputs", "outputs", "status"),
    [
        (["input:0"], ["output:0"], "passed"),
        (["input:0"], ["output:0", "extra:0"], "warning"),
        (["input:0"], ["other:0"], "failed"),
        (["x:0"], ["output:0"], "failed"),
        (["input:0", "x:0"], ["output:0"], "failed"),
        ([], ["output:0"], "failed"),
        (["input:0"], [], "failed"),
    ],
)
def test_names_of_a_graph(inputs: list[str], outputs: list[str], status: str) -> None:
    ends = Interface(tuple(map(tensor, inputs)), tuple(map(tensor, outputs)))
    result = verdict("names", replace(GOOD, interface=ends))
    assert result.status == status
    assert bool(result.remedy) == (status != "passed")


@pytest.mark.parametrize("kind", ["tflite", "onnx", "savedmodel"])
def test_other_formats_may_name_their_ends_as_they_like_but_have_one_each(kind: str) -> None:
    other = replace(GOOD, artifact=replace(GOOD.artifact, format=kind))
    free = replace(other, interface=interface(tensor("serving_0"), outputs=(tensor("call:0"),)))
    assert verdict("names", free).status == "passed"
    two = replace(other, interface=interface(outputs=(tensor("a"), tensor("b"))))
    assert verdict("names", two).status == "failed"


@pytest.mark.parametrize(
    ("source", "result", "remedy"),
    [
        (
            tensor("input:0", (1, None, None, 4)),
            tensor("output:0"),
            "The input must have 3 channels; found 4.",
        ),
        (
            tensor("input:0", (2, None, None, 3)),
            tensor("output:0"),
            "The input's batch must be 1 or open; found 2.",
        ),
        (tensor("input:0", dtype="uint8"), tensor("output:0"), "The input must be float32; found uint8."),
        (tensor("input:0", (None, 3)), tensor("output:0"), "The input must have four dimensions; found 2."),
        (
            tensor("input:0"),
            tensor("output:0", (1, None, None, 1)),
            "The output must have 3 channels; found 1.",
        ),
        (
            tensor("input:0"),
            tensor("output:0", dtype="float16"),
            "The output must be float32; found float16.",
        ),
        (tensor("input:0"), tensor("output:0", None), ""),
        (tensor("input:0", None), tensor("output:0", (None, None, None, None)), ""),
        (tensor("input:0", (None, None, None, 3)), tensor("output:0"), ""),
    ],
)
def test_tensors(source: TensorInfo, result: TensorInfo, remedy: str) -> None:
    found = verdict("tensors", replace(GOOD, interface=interface(source, outputs=(result,))))
    assert found.status == ("failed" if remedy else "passed")
    assert found.remedy.startswith(remedy)
    assert ("docs/convert.md#bayer" in found.remedy) == (source.shape == (1, None, None, 4))


def test_channels_that_the_file_leaves_open_are_read_off_an_output() -> None:
    unknown = replace(GOOD, interface=interface(outputs=(tensor("output:0", None),)))
    assert verdict("tensors", unknown).status == "passed"
    grey = replace(unknown, size_trials=(SizeTrial(67, 101, (1, 67, 101, 1)),))
    result = verdict("tensors", grey)
    assert (result.status, result.remedy) == (
        "failed", "The output must be 1 x height x width x 3; found 1x67x101x1.",
    )  # fmt: skip


def test_bayer_is_not_mentioned_on_a_track_of_four_channels() -> None:
    raw = replace(TRACK, contract=Contract(channels=(4, 3)))
    packed = replace(GOOD, interface=interface(tensor("input:0", (1, None, None, 4))))
    assert verdict("tensors", packed, raw).status == "passed"
    assert "bayer" not in verdict("tensors", GOOD, raw).remedy.lower()


def test_finite() -> None:
    bad = verdict(
        "finite", replace(GOOD, range_samples=(sample(), *[sample(f"{n}", non_finite=3) for n in range(5)]))
    )
    assert bad.status == "failed"
    assert bad.found == "NaN or infinity: 3 values on 0, 3 values on 1, 3 values on 2 and on 2 more"


@pytest.mark.parametrize(
    ("low", "high", "status"),
    [
        (0.0, 1.0, "passed"),
        (-0.09, 1.18, "warning"),
        (-0.25, 1.25, "warning"),
        (-0.26, 1.0, "failed"),
        (0.0, 1.26, "failed"),
        (0.0, 255.0, "failed"),
        (math.nan, math.nan, "failed"),
    ],
)
def test_range(low: float, high: float, status: str) -> None:
    result = verdict("range", replace(GOOD, range_samples=(sample("white", low, high, share_outside=0.25),)))
    assert result.status == status
    if status == "warning":
        assert result.found.endswith("most outside on white: 25.00%")
    if status == "failed" and not math.isnan(low):
        assert "white" in result.remedy


def test_white_noise_warns_and_fails_nobody() -> None:
    noise = sample("noise", -0.63, 1.6, share_outside=0.1)
    for samples in ((sample("white", -0.09, 1.0), noise), (sample("white"), noise), (noise,)):
        result = verdict("range", replace(GOOD, range_samples=samples))
        assert result.status == "warning"
        assert "-0.6300 to 1.6000" in result.found
    result = verdict("range", replace(GOOD, range_samples=(sample("0.png", -0.3, 1.0), noise)))
    assert result.status == "failed"


def test_range_of_a_track_of_its_own() -> None:
    wide = replace(TRACK, contract=Contract(warn_range=(-1.0, 2.0), fail_range=(-2.0, 3.0)))
    evidence = replace(GOOD, range_samples=(sample(low=-1.5, high=1.0),))
    assert verdict("range", evidence, wide).status == "warning"
    assert verdict("range", evidence).status == "failed"


@pytest.mark.parametrize(
    ("apart", "status"),
    [(0.0, "passed"), (9e-6, "passed"), (2e-5, "failed"), (math.inf, "failed"), (math.nan, "failed")],
)
def test_determinism(apart: float, status: str) -> None:
    assert verdict("determinism", replace(GOOD, determinism_max_abs=apart)).status == status


def test_resolution() -> None:
    scaled = replace(TRACK, contract=Contract(scale=4))
    right = replace(GOOD, size_trials=(SizeTrial(10, 20, (1, 40, 80, 3)),))
    assert verdict("resolution", right, scaled).status == "passed"
    assert verdict("resolution", right).status == "failed"
    for output in ((1, 10, 20), (), (2, 10, 20, 3), (10, 20, 3)):
        assert (
            verdict("resolution", replace(GOOD, size_trials=(SizeTrial(10, 20, output),))).status == "failed"
        )
    refused = verdict(
        "resolution", replace(GOOD, size_trials=(SizeTrial(10, 20, None, "no"), *(GOOD.size_trials or ())))
    )
    assert refused.found == "refused at 10x20: no; right at 67x101, 16x24"
    assert "Leave height and width open" in refused.remedy
    at_none = verdict("resolution", replace(GOOD, size_trials=(SizeTrial(10, 20, None, "no"),)))
    assert at_none.remedy == "The model ran at no size at all: mend that first."


def test_a_stated_size_that_had_to_be_resized_is_a_warning() -> None:
    fixed = replace(GOOD, interface=interface(tensor("input", (1, 720, 1280, 3))))
    assert verdict("resolution", fixed).status == "warning"
    assert (
        verdict("resolution", fixed, replace(TRACK, contract=Contract(any_resolution=False))).status
        == "passed"
    )


@pytest.mark.parametrize(("size_bytes", "status"), [(100 * MIB, "passed"), (100 * MIB + 1, "failed")])
def test_size(size_bytes: int, status: str) -> None:
    evidence = replace(GOOD, artifact=replace(GOOD.artifact, size_bytes=size_bytes))
    assert verdict("size", evidence).status == status
    assert verdict("size", evidence, replace(TRACK, limits=Limits())).status == "not_run"


def with_memory(**changes: Any) -> Evidence:
    assert GOOD.memory is not None
    return replace(GOOD, memory=replace(GOOD.memory, **changes))


def test_memory() -> None:
    assert verdict("memory", GOOD).found == "900 MiB: 300 the runtime's own, 600 the model's"
    assert verdict("memory", with_memory(peak_rss_mib=3584.0)).status == "passed"
    assert verdict("memory", with_memory(peak_rss_mib=3584.1)).status == "failed"
    stopped = verdict("memory", with_memory(peak_rss_mib=3600.0, stopped="3600 MiB and rising"))
    assert stopped.status == "failed"
    assert stopped.found.startswith("stopped at 3600 MiB")
    assert verdict("memory", replace(GOOD, memory=None, memory_error="it raised")).status == "failed"
    assert verdict("memory", GOOD, replace(TRACK, limits=Limits())).status == "not_run"


def test_memory_under_another_cap_than_it_was_measured_for() -> None:
    tighter = replace(TRACK, limits=Limits(peak_memory=PeakMemory(800, 720, 1280)))
    assert verdict("memory", GOOD, tighter).status == "failed"
    elsewhere = replace(TRACK, limits=Limits(peak_memory=PeakMemory(3584, 1080, 1920)))
    assert (verdict("memory", GOOD, elsewhere).status, verdict("memory", GOOD, elsewhere).found) == (
        "not_run", "measured at 720x1280",
    )  # fmt: skip
    looser = replace(TRACK, limits=Limits(peak_memory=PeakMemory(8000, 720, 1280)))
    assert verdict("memory", with_memory(peak_rss_mib=3600.0, stopped="rising"), looser).status == "not_run"


def with_figures(*figures: tuple[float, float | None], available: int) -> Evidence:
    images = tuple(ImageFidelity(f"{n}.jpg", *pair) for n, pair in enumerate(figures))
    return replace(GOOD, fidelity=Fidelity(figures[0][0], figures[0][1], images, available))


@pytest.mark.parametrize(
    ("evidence", "status", "found"),
    [
        (with_figures((21.5, 0.91), available=1), "passed", "21.5000 dB, MS-SSIM 0.91000 over 1 image"),
        (with_figures((21.5, None), available=1), "passed", "21.5000 dB over 1 image"),
        (with_figures((math.inf, 1.0), available=1), "passed", "inf dB, MS-SSIM 1.00000 over 1 image"),
        (
            with_figures((21.5, 0.91), available=300),
            "warning",
            "21.5000 dB, MS-SSIM 0.91000 over 1 of 300 images",
        ),
        (with_figures((21.5, 0.9), (math.nan, 0.9), available=2), "failed", "not a number on 1.jpg"),
        (with_figures((21.5, 0.9), (21.0, math.nan), available=2), "failed", "not a number on 1.jpg"),
        (replace(GOOD, fidelity=None, fidelity_error="it raised"), "failed", "it raised"),
        (replace(GOOD, fidelity=None), "not_run", "not measured"),
    ],
)
def test_fidelity(evidence: Evidence, status: str, found: str) -> None:
    result = verdict("fidelity", evidence)
    assert (result.status, result.found) == (status, found)


def test_runtime() -> None:
    assert GOOD.runtime is not None
    assert verdict("runtime", GOOD).found == (
        "2.000x the baseline's speed, 1.990 to 2.010; 50.0 ms against 100.0 ms (1 pairs)"
    )
    wide = verdict("runtime", replace(GOOD, runtime=replace(GOOD.runtime, converged=False)))
    assert (wide.status, "--max-runs" in wide.remedy) == ("warning", True)
    assert verdict("runtime", replace(GOOD, runtime=None, runtime_error="it raised")).status == "failed"
    assert verdict("runtime", replace(GOOD, runtime=None)).found == "not timed"


@pytest.mark.parametrize(("check", "part"), [("fidelity", "fidelity"), ("runtime", "runtime")])
def test_a_track_without_a_part_does_not_judge_it(check: str, part: str) -> None:
    without = replace(TRACK, **{part: None})
    assert (verdict(check, GOOD, without).status, verdict(check, GOOD, without).found) == (
        "not_run", "not measured in this track",
    )  # fmt: skip


@pytest.mark.parametrize("change", [lambda e: replace(e, stopped="on black: it raised")])
def test_a_model_that_was_stopped_fails(change: Callable[[Evidence], Evidence]) -> None:
    result = verdict("runs", change(GOOD))
    assert (result.status, result.found) == ("failed", "on black: it raised")
