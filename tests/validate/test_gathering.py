"""What is run for what was asked: no worker and no call of the model beyond that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pixelproof.challenge import load_challenge, parse_challenge
from pixelproof.data import DataSource
from pixelproof.errors import CallError, ChallengeError
from pixelproof.measure.runtime import paired_ratio
from pixelproof.report import Evidence
from pixelproof.validate.checks.base import GROUPS
from pixelproof.validate.gather import gather
from pixelproof.validate.job import needs_images
from pixelproof.validate.judgement import judge_contract
from pixelproof.validate.options import Options


def gathered(model: Path, rules: Path, data: Path, *groups: str, **options: object) -> Evidence:
    chosen = frozenset(group for group in GROUPS if group in groups)
    assert len(chosen) == len(groups)
    evidence, _ = gather(
        model,
        load_challenge(str(rules)).track("B"),
        DataSource(data, "given"),
        Options(groups=chosen, **options),  # type: ignore[arg-type]
        lambda stage, steps: lambda done, note: None,
    )
    return evidence


def sizes_run(asked: list[tuple[str, tuple[int, ...]]]) -> list[tuple[int, ...]]:
    return [shape for operation, shape in asked if operation == "run"]


def test_fidelity_alone_runs_nothing_but_the_pairs_in_one_worker(graphs, rules, data, lending) -> None:
    evidence = gathered(graphs["good"], rules, data, "fidelity")
    assert lending.started == 1
    assert {shape[1:] for shape in sizes_run(lending.asked)} == {(48, 64, 3)}
    # Two images alone and together, three batches of 40, one image of the first once more.
    assert sorted(shape[0] for shape in sizes_run(lending.asked)) == [1, 1, 1, 2, 8, 16, 16]
    assert evidence.size_trials is None
    assert evidence.clips_itself is None
    assert evidence.determinism_max_abs is None
    assert evidence.fidelity is not None
    assert [sample.source for sample in evidence.range_samples or ()] == ["40 images of the track"]


def test_size_alone_runs_nothing(graphs, rules, data, lending) -> None:
    evidence = gathered(graphs["good"], rules, data, "size")
    assert sizes_run(lending.asked) == []
    assert evidence.artifact.size_bytes == graphs["good"].stat().st_size


def test_resolution_alone_tries_sizes_and_the_large_one(graphs, rules, data, lending) -> None:
    evidence = gathered(graphs["good"], rules, data, "resolution")
    wanted = [(67, 101), (16, 24), (150, 85), (72, 190), (96, 128)]
    assert [shape[1:3] for shape in sizes_run(lending.asked)] == wanted
    assert evidence.range_samples is None


def test_range_alone_tries_one_size(graphs, rules, data, lending) -> None:
    evidence = gathered(graphs["good"], rules, data, "range")
    assert len(evidence.size_trials or ()) == 1
    assert len(evidence.range_samples or ()) == 6


def test_runtime_alone_takes_one_worker_for_the_model(graphs, rules, data, lending) -> None:
    evidence = gathered(graphs["good"], rules, data, "runtime", max_runs=3)
    assert lending.started == 1
    assert sizes_run(lending.asked) == []
    assert evidence.runtime is not None
    assert (evidence.runtime.height, evidence.runtime.width) == (96, 128)
    assert len(evidence.runtime.samples.solution_ms) == len(evidence.runtime.samples.baseline_ms) == 3
    assert not evidence.runtime.converged


def test_without_memory_the_large_size_is_still_tried_and_with_it_only_there(
    graphs, rules, data, lending
) -> None:
    both = gathered(graphs["good"], rules, data, "resolution", "memory")
    assert (96, 128) not in [shape[1:3] for shape in sizes_run(lending.asked)]
    assert [(t.height, t.width) for t in both.size_trials or ()][-1] == (96, 128)
    assert both.memory is not None


def test_fewer_images_and_how_many_there_are(graphs, rules, data, lending) -> None:
    evidence = gathered(graphs["good"], rules, data, "fidelity", images=3)
    assert evidence.fidelity is not None
    assert [image.name for image in evidence.fidelity.per_image] == ["0.png", "1.png", "2.png"]
    assert evidence.fidelity.images_available == 40


def test_a_size_multiple_is_kept_to(graphs, rules, data, lending) -> None:
    text = rules.read_text().replace(
        "any_resolution = true", "any_resolution = true\nsize_multiple = 16\nminimum_size = 32"
    )
    track = parse_challenge(text, label="multiple").track("B")
    options = Options(groups=frozenset({"range", "resolution"}))
    gather(
        graphs["good"],
        track,
        DataSource(data, "given"),
        options,
        lambda stage, steps: lambda done, note: None,
    )
    run = sizes_run(lending.asked)
    assert len(run) > 8
    assert all(side % 16 == 0 and side >= 32 for shape in run for side in shape[1:3])


def test_images_are_needed_only_where_something_looks_at_them() -> None:
    track = load_challenge("pirm2018").track("B")
    assert [group for group in GROUPS if needs_images(track, frozenset({group}))] == [
        "contract", "range", "fidelity", "runtime",
    ]  # fmt: skip


def test_a_track_of_other_than_rgb_images_can_only_be_judged_for_contract(
    graphs, rules, data, lending
) -> None:
    text = rules.read_text().replace("channels = [3, 3]", "channels = [4, 3]")
    raw = parse_challenge(text, label="raw").track("B")
    with pytest.raises(ChallengeError, match="RGB"):
        gather(
            graphs["four_channels"], raw, DataSource(data, "given"), Options(),
            lambda stage, steps: lambda done, note: None,
        )  # fmt: skip
    options = Options(groups=frozenset({"resolution"}))
    evidence, _ = gather(
        graphs["four_channels"],
        raw,
        DataSource(data, "given"),
        options,
        lambda stage, steps: lambda done, note: None,
    )
    assert evidence.stopped is None
    assert all(trial.output is not None for trial in evidence.size_trials or (None,))  # type: ignore[union-attr]


def test_a_baseline_must_be_there_load_and_have_the_models_format(
    graphs, rules, data, lending, tmp_path
) -> None:
    text = tmp_path / "text.pb"
    text.write_text("no graph")
    other = tmp_path / "m.tflite"
    other.write_bytes(b"\0\0\0\0TFL3" + bytes(20))
    cases = {tmp_path / "none.pb": "exist", other: "The baseline must be a pb, as the model is; found tflite"}
    for baseline, message in cases.items():
        with pytest.raises(CallError, match=message):
            gathered(graphs["good"], rules, data, "runtime", baseline=baseline)


def test_a_baseline_that_fails_is_not_the_models_fault(graphs, rules, data, lending) -> None:
    with pytest.raises(CallError, match=r"The baseline must run; found .*raising\.pb: InvalidArgumentError"):
        gathered(graphs["good"], rules, data, "runtime", baseline=graphs["raising"])


def test_the_ratio_is_that_of_the_samples_and_lies_in_its_interval(graphs, rules, data, lending) -> None:
    runtime = gathered(
        graphs["good"], rules, data, "runtime", baseline=graphs["clipped"], max_runs=12
    ).runtime
    assert runtime is not None
    ratio = paired_ratio(runtime.samples.solution_ms, runtime.samples.baseline_ms)
    assert (runtime.speedup, runtime.speedup_low, runtime.speedup_high) == (
        ratio.value,
        ratio.low,
        ratio.high,
    )
    assert runtime.speedup_low < runtime.speedup < runtime.speedup_high
    assert runtime.latency_ms.p50 == pytest.approx(np.median(runtime.samples.solution_ms))
    assert runtime.baseline_ms.p90 == pytest.approx(np.percentile(runtime.samples.baseline_ms, 90))
    assert runtime.threads >= 1


def test_the_contract_is_judged_without_any_images(graphs, lending, rules) -> None:
    results = {r.id: r.status for r in judge_contract(graphs["overshoot"], load_challenge(str(rules)), "B")}
    assert results == {
        "allowed": "passed", "loads": "passed", "names": "passed", "tensors": "passed", "runs": "passed",
        "finite": "passed",
        "range": "warning", "determinism": "passed", "resolution": "passed", "size": "passed",
    }  # fmt: skip
    failed = {
        r.id
        for r in judge_contract(graphs["wrong_names"], load_challenge(str(rules)), "B")
        if r.status == "failed"
    }
    assert failed == {"names"}
