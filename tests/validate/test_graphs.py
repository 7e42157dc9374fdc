"""Each kind of graph that breaks a rule, judged by the command from beginning to end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

CONTRACT = ("--only", "contract,range,resolution,size")
NOT_RUN_WHEN_BLOCKED = {"finite", "range", "determinism", "resolution"}


@pytest.fixture(autouse=True)
def _fast(lending: object) -> None:
    """All of these run in one worker."""


def test_a_good_graph_passes_everything_asked(judged, graphs: Mapping[str, Path]) -> None:
    answer = judged(graphs["good"], *CONTRACT)
    assert answer.code == 0
    assert set(answer.checks("passed")) == {
        "allowed", "loads", "names", "tensors", "runs", "finite", "range", "determinism", "resolution", "size",
    }  # fmt: skip
    assert set(answer.checks("not_run")) == {"memory", "fidelity", "runtime"}
    assert answer.checks()["resolution"]["found"] == "right at 67x101, 16x24, 150x85, 72x190, 96x128"
    assert answer.checks()["determinism"]["found"] == "bit-equal"
    seen = [sample["source"] for sample in answer.report["measurements"]["range_samples"]]
    assert seen == ["black", "white", "noise", "0.png", "1.png", "2.png"]


@pytest.mark.parametrize(
    ("name", "failed", "found", "remedy"),
    [
        ("wrong_names", "names", "Placeholder:0 in; output_l0:0 out", "Name the nodes input and output"),
        ("half_size", "resolution", "67x101 became 34x51", "crop or pad"),
        ("nan", "finite", "NaN or infinity: 20301 values on black", "division"),
        ("nan_on_black", "finite", "NaN or infinity: 20301 values on black", "division"),
        ("to_255", "range", "0.0000 to 255", "0..255"),
        ("to_minus_1", "range", "-1.0000 to 1.0000", "-1..1"),
        ("random", "determinism", "apart", "random noise"),
        ("one_channel_out", "tensors", "float32 1x?x?x1 out", "The output must have 3 channels; found 1."),
        ("float64_output", "tensors", "float64 1x?x?x3 out", "The output must be float32; found float64."),
    ],
)
def test_a_broken_rule_fails_its_check(
    judged, graphs, name: str, failed: str, found: str, remedy: str
) -> None:
    answer = judged(graphs[name], *CONTRACT)
    assert answer.code == 1
    assert failed in answer.checks("failed")
    assert found in answer.checks()[failed]["found"]
    assert remedy in answer.checks()[failed]["remedy"]
    if name != "nan":  # all is NaN: its range can't be told either
        assert list(answer.checks("failed")) == [failed]


@pytest.mark.parametrize(
    ("name", "failed", "reason", "remedy"),
    [
        ("two_inputs", "names", "it has 2 inputs", "freeze it for inference"),
        ("two_unnamed_outputs", "names", "it has 2 outputs, and none is output:0", "Name the nodes"),
        (
            "four_channels",
            "tensors",
            "its input has 4 channels, the track's images have 3",
            "docs/convert.md#bayer",
        ),
        (
            "batch_of_two",
            "tensors",
            "takes 2 images at a time",
            "The input's batch must be 1 or open; found 2.",
        ),
        ("uint8_input", "tensors", "its input is uint8", "The input must be float32; found uint8."),
    ],
)
def test_a_graph_that_takes_no_image_is_not_run(
    judged, graphs, name: str, failed: str, reason: str, remedy: str
) -> None:
    answer = judged(graphs[name], *CONTRACT)
    assert answer.code == 1
    assert set(answer.checks("failed")) == {failed, "runs"}
    assert reason in answer.checks()["runs"]["found"]
    assert remedy in answer.checks()[failed]["remedy"]
    assert set(answer.checks("not_run")) >= NOT_RUN_WHEN_BLOCKED
    assert answer.checks()["size"]["status"] == "passed"


def test_what_blocks_a_graph_fails_it_whatever_was_asked(judged, graphs) -> None:
    for group in ("fidelity", "range", "resolution"):
        answer = judged(graphs["four_channels"], "--only", group)
        assert answer.code == 1
        assert list(answer.checks("failed")) == ["runs"]
        assert "docs/convert.md#bayer" in answer.checks()["runs"]["remedy"]


def test_a_second_final_node_is_a_warning(judged, graphs) -> None:
    answer = judged(graphs["two_outputs"], *CONTRACT)
    assert answer.code == 0
    assert list(answer.checks("warning")) == ["names"]
    assert answer.checks()["names"]["found"] == "input:0 in; output:0, attention:0 out"


def test_a_little_outside_is_a_warning_with_its_figures(judged, graphs) -> None:
    answer = judged(graphs["overshoot"], *CONTRACT)
    assert answer.code == 0
    assert list(answer.checks("warning")) == ["range"]
    assert answer.checks()["range"]["found"] == "-0.0591 to 1.0591; most outside on black: 100.00%"
    assert answer.report["measurements"]["clips_itself"] is False


def test_a_clip_inside_the_graph_is_found(judged, graphs) -> None:
    answer = judged(graphs["clipped"], *CONTRACT)
    assert answer.report["measurements"]["clips_itself"] is True
    assert answer.checks()["range"]["found"] == "0.0000 to 1.0000; the graph clips by itself"
    assert judged(graphs["good"], "--only", "range").report["measurements"]["clips_itself"] is False


def test_a_fixed_size_fails_and_its_values_are_still_judged_at_that_size(judged, graphs) -> None:
    answer = judged(graphs["fixed_size"], *CONTRACT)
    assert list(answer.checks("failed")) == ["resolution"]
    found = answer.checks()["resolution"]
    assert found["found"].startswith("refused at 67x101, 16x24, 150x85, 72x190, 96x128: ValueError")
    assert found["found"].endswith("right at 64x96")
    assert "Leave height and width open" in found["remedy"]
    assert {"finite", "range", "determinism"} <= set(answer.checks("passed"))


def test_a_fixed_size_is_no_fault_where_the_track_asks_for_no_other(
    judged, graphs, rules, data, typed, tmp_path
) -> None:
    text = rules.read_text().replace("any_resolution = true", "any_resolution = false")
    own = tmp_path / "fixed.toml"
    own.write_text(text.replace("height = 96, width = 128", "height = 64, width = 96"))
    answer = typed(
        graphs["fixed_size"], "--challenge", own, "--track", "B", "--data", data, "--json", "-", *CONTRACT
    )
    assert answer.code == 0
    assert answer.checks()["resolution"]["found"] == "right at 64x96"


def test_a_file_above_the_limit(judged, graphs) -> None:
    answer = judged(graphs["heavy"], "--only", "size")
    assert answer.code == 1
    assert answer.checks()["size"]["found"] == "105.00 MiB"
    assert answer.checks()["size"]["expected"] == "at most 100 MiB"
    assert judged(graphs["heavy"], "--only", "contract").code == 0


def test_a_graph_that_raises(judged, graphs) -> None:
    answer = judged(graphs["raising"], *CONTRACT)
    assert answer.code == 1
    assert set(answer.checks("failed")) == {"runs", "resolution"}
    assert answer.checks()["runs"]["found"] == (
        "it ran at no size: InvalidArgumentError: indices[2] = 7 is not in [0, 3)"
    )
    assert judged(graphs["raising"], "--only", "range").code == 1


def test_a_batch_that_mixes_its_images_is_run_one_by_one(judged, graphs) -> None:
    mixing = judged(graphs["mixing"], "--only", "fidelity").report["fidelity"]
    assert mixing["batch"] == 1
    alone = judged(graphs["identity"], "--only", "fidelity").report[
        "fidelity"
    ]  # what mixing does with one image
    assert alone["batch"] == 16
    assert [image["name"] for image in mixing["per_image"]] == [f"{n}.png" for n in range(40)]
    for one, other in zip(mixing["per_image"], alone["per_image"], strict=True):
        assert one["name"] == other["name"]
        assert one["psnr_db"] == pytest.approx(other["psnr_db"], abs=1e-9)
        assert one["ms_ssim"] == pytest.approx(other["ms_ssim"], abs=1e-9)


def test_an_output_opposed_to_its_target_has_no_ms_ssim(judged, graphs) -> None:
    answer = judged(graphs["opposite"], "--only", "fidelity")
    assert answer.code == 1
    assert answer.checks()["fidelity"]["found"].startswith("not a number on 0.png, 1.png, 2.png and ")
    assert answer.report["fidelity"]["ms_ssim"] == "nan"


@pytest.mark.parametrize(("name", "shape"), [("half_size", "24x32x3"), ("one_channel_out", "48x64x1")])
def test_an_output_of_another_size_than_its_target_fails_fidelity(
    judged, graphs, name: str, shape: str
) -> None:
    answer = judged(graphs[name], "--only", "fidelity")
    assert answer.code == 1
    assert answer.checks()["fidelity"]["found"] == f"{shape} instead of 48x64x3 for 0.png"


def test_nan_fails_fidelity_and_leaves_no_score(judged, graphs) -> None:
    answer = judged(graphs["nan"], "--only", "fidelity")
    assert list(answer.checks("failed")) == ["fidelity"]
    assert answer.report["scores"] is None
