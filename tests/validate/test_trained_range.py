"""A network made for 0..255, -1..1 or twice scaled is told from the evidence, and no other one is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.challenge import load_challenge
from pixelproof.errors import ModelFailed
from pixelproof.evidence import Artifact, Evidence, RangeSample, RangeTrial
from pixelproof.images import bicubic_resize_8bit, read_rgb8, write_png
from pixelproof.measure.parity import probe_image
from pixelproof.validate.checks.trained_range import BYTES, SIGNED, TWICE, UNIT, is_better, other_range
from pixelproof.validate.checks.values import Range
from pixelproof.validate.range_trials import Picture, range_trials

TRACK = load_challenge("pirm2018").track("B")
CONVERT = [sys.executable, "-c", "from pixelproof.cli import convert_model; convert_model()"]
Network = Callable[[Any], Any]


@pytest.fixture(autouse=True)
def _fast(lending: object) -> None:
    """All of these run in one worker."""


@pytest.mark.parametrize(
    ("name", "told", "remedy"),
    [
        ("of_255", "given and taken as 0..255: ", "multiply the input by 255 and divide the output by 255"),
        ("of_255_clipped", "given and taken as 0..255: ", "--data-range 255"),
        ("squashed_scaled", "given and taken as 0..1/255: ", "--data-range 1."),
        ("divides_itself", "given as 0..255 and taken as 0..1: ", "Rescaling(1 / 255)"),
        ("to_255", "given as 0..1 and taken as 0..255: ", "divide the output by 255 inside the graph"),
        ("to_minus_1", "given as 0..1 and taken as -1..1: ", "end the graph with y / 2 + 0.5"),
    ],
)
def test_a_network_of_another_range_fails_with_what_to_do(
    judged, graphs, name: str, told: str, remedy: str
) -> None:
    answer = judged(graphs[name], "--only", "contract,range")
    assert list(answer.checks("failed")) == ["range"]
    found = answer.checks()["range"]
    assert told in found["found"]
    assert " on 3 pictures of the track" in found["found"]
    assert remedy in found["remedy"]


@pytest.mark.parametrize(
    "name",
    ["good", "clipped", "overshoot", "identity", "mixing", "opposite", "of_255_scaled", "of_unit", "of_unit_clipped",
     "squashed", "without_biases", "random"],
)  # fmt: skip
def test_no_other_network_is_told_to_have_another_range(judged, graphs, name: str) -> None:
    answer = judged(graphs[name], "--only", "contract,range")
    range_check = answer.checks()["range"]
    assert range_check["status"] != "failed"
    assert "given" not in range_check["found"]
    assert answer.report["measurements"]["range_trials"]


def test_one_picture_is_enough_where_the_range_is_right_and_nothing_is_tried_without_the_group(
    judged, graphs, lending
) -> None:
    trials = judged(graphs["of_unit"], "--only", "range").report["measurements"]["range_trials"]
    assert {trial["images"] for trial in trials} == {1}
    asked = sum(operation == "run" for operation, _ in lending.asked)
    lending.asked.clear()
    answer = judged(graphs["of_unit"], "--only", "contract")
    assert answer.report["measurements"]["range_trials"] is None
    assert asked - sum(operation == "run" for operation, _ in lending.asked) == 3


def test_a_saved_report_gives_the_same_verdict(judged, typed, graphs, rules, tmp_path) -> None:
    first = judged(graphs["of_255_clipped"], "--only", "range")
    saved = tmp_path / "report.json"
    saved.write_text(first.out)
    again = typed("--recheck", saved, "--challenge", rules, "--json", "-")
    assert again.code == 1
    assert again.checks()["range"] == first.checks()["range"]


def photograph(seed: int, *, offset: float = 0.0) -> np.ndarray[Any, Any]:
    return np.asarray(probe_image(48, 64, 3, seed=seed) * 0.6 + 0.2 + offset, np.float32)


def tried(network: Network, wanted: Network | None = None, *, pictures: int = 3) -> tuple[RangeTrial, ...]:
    """Trials of a network of plain arithmetic; the target is what ``wanted`` makes of the picture."""
    looked_at = []
    for seed in range(pictures):
        x = photograph(seed)
        target = np.rint(np.clip((wanted or (lambda v: v))(x)[0], 0, 1) * 255).astype(np.uint8)
        looked_at.append(Picture(x, network(x), target))
    return range_trials(network, looked_at, crop_border=2)


def chosen(trials: tuple[RangeTrial, ...], *, left_range: bool = False) -> tuple[Any, Any] | None:
    evidence = Evidence(artifact=Artifact("m.pb", "pb", "0", 1), range_trials=trials)
    found = other_range(evidence, left_range=left_range)
    return None if found is None else (found.input_range, found.output_range)


def test_minus_one_to_one() -> None:
    brightened = lambda x: np.sqrt(np.maximum(x, 0))  # noqa: E731
    signed = lambda v: 2 * np.sqrt(np.maximum((v + 1) / 2, 0)) - 1  # noqa: E731
    assert chosen(tried(signed, brightened)) == (SIGNED, SIGNED)
    assert chosen(tried(brightened, brightened)) is None


@pytest.mark.parametrize("gain", [0.2, 0.6, 1.0, 1.4])
def test_without_biases_brightness_is_no_range(gain: float) -> None:
    for wanted in (lambda x: x, np.sqrt, lambda x: x * x):
        trials = tried(lambda v: gain * v, wanted)
        assert (SIGNED, SIGNED) not in [(trial.input_range, trial.output_range) for trial in trials]
        assert chosen(trials) is None


def test_a_network_that_blurs_too_much_is_not_taken_for_one_of_0_to_255() -> None:
    """In 0..255 its threshold counts for nothing, which is better; and beyond that it is as good."""

    def blurs(v: Any) -> Any:
        smooth = (v + np.roll(v, 1, 1) + np.roll(v, 1, 2) + np.roll(v, -1, 1) + np.roll(v, -1, 2)) / 5
        detail = v - smooth
        return smooth + np.sign(detail) * np.maximum(np.abs(detail) - 0.03, 0)

    noise = np.random.default_rng(0).normal(0, 0.02, (1, 48, 64, 3))
    trials = tried(blurs, lambda x: x + noise)
    found = {(trial.input_range, trial.output_range): trial for trial in trials}
    assert is_better(found[BYTES, BYTES])
    assert chosen(trials) is None


def test_the_output_alone_is_looked_at_only_where_it_leaves_its_range() -> None:
    half = lambda v: 2 * v - 1  # noqa: E731
    trials = tried(half)
    assert chosen(trials, left_range=True) == (UNIT, SIGNED)
    assert chosen(trials, left_range=False) is None


def test_flat_targets_and_outputs_of_another_size_tell_nothing() -> None:
    x = photograph(0)
    flat = np.full(x.shape[1:], 100, np.uint8)
    assert range_trials(lambda v: v, [Picture(x, x, flat)], crop_border=0) == ()
    assert range_trials(lambda v: v, [Picture(x, x[:, ::2], flat)], crop_border=0) == ()


def test_an_input_that_the_model_refuses_is_left_out_and_nan_too() -> None:
    def refuses(v: Any) -> Any:
        if v.max() > 1:
            raise ModelFailed("no")
        return v + np.float32(0.01)

    assert {trial.input_range for trial in tried(refuses)} == {UNIT, TWICE, SIGNED}
    nan = lambda v: np.where(v.max() > 1, np.nan, v + np.float32(0.01))  # noqa: E731
    assert BYTES not in {trial.input_range for trial in tried(nan)}


def test_noise_that_a_larger_input_hides_is_no_range() -> None:
    trial = RangeTrial(BYTES, BYTES, 3, 33.0, 3.0, 2.5, 0.98)
    assert is_better(trial)
    samples = (RangeSample("white", 0.1, 0.9, 0.0, 0),)
    for apart, status in ((0.0, "failed"), (0.03, "passed"), (float("nan"), "passed"), (None, "passed")):
        evidence = Evidence(
            artifact=Artifact("m.pb", "pb", "0", 1),
            range_samples=samples,
            range_trials=(trial,),
            determinism_max_abs=apart,
        )
        assert Range().run(evidence, TRACK).status == status


@pytest.mark.parametrize(
    ("gains", "alike"), [((1.9, 1.5), 0.9), ((5.0, 0.9), 0.9), ((5.0, 4.0), 0.6), ((5.0, 4.0), float("nan"))]
)
def test_what_is_not_clear_is_not_told(gains: tuple[float, float], alike: float) -> None:
    assert not is_better(RangeTrial(BYTES, BYTES, 3, 30.0, *gains, alike))


@pytest.fixture(scope="module")
def pairs(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photographs a quarter as large, cropped, beside themselves."""
    root = tmp_path_factory.mktemp("esr")
    for number in (0, 1):
        whole = read_rgb8(shared_data / "ai-challenge" / "div2k" / "original" / f"{number}.png")
        target = whole[300:684, 500:884]
        write_png(root / "DIV2K_valid_HR" / f"{number}.png", target)
        write_png(root / "DIV2K_valid_LR" / f"{number}x4.png", bicubic_resize_8bit(target, 96, 96))
    return root


@pytest.mark.official
@pytest.mark.parametrize(
    ("model", "weights", "wrong", "told"),
    [("rlfn", "team04_rlfn", 1, "given and taken as 0..255"), ("imdn", "imdn_baseline", 255, "0..1/255")],
)
def test_official_weights_converted_for_the_wrong_range(
    typed, shared_data: Path, pairs: Path, tmp_path, model: str, weights: str, wrong: int, told: str
) -> None:
    checkpoint = shared_data / "ntire2022_esr" / "model_zoo" / f"{weights}.pth"
    verdicts: dict[int, Mapping[str, Any]] = {}
    for data_range in (1, 255) if model == "rlfn" else (wrong,):
        out = tmp_path / str(data_range)
        arguments = ["--model", model, "--ckpt", checkpoint, "--format", "pb", "--out", out]
        command = [*CONVERT, *map(str, arguments), "--data-range", str(data_range)]
        subprocess.run(command, check=True, capture_output=True)
        how = ("--challenge", "ntire2022-esr", "--track", "runtime", "--data", pairs, "--only", "range")
        verdicts[data_range] = typed(out / "model.pb", *how, "--json", "-").checks()["range"]
    right = 256 - wrong
    assert verdicts[wrong]["status"] == "failed"
    assert told in verdicts[wrong]["found"]
    assert f"--data-range {right}" in verdicts[wrong]["remedy"]
    if right in verdicts:
        assert verdicts[right]["status"] != "failed"
        assert "given" not in verdicts[right]["found"]
