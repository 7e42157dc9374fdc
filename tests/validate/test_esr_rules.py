"""Rules of efficient super-resolution: a gate, inputs with a suffix, runtime as the mean over all images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.challenge import Fidelity, Gates, Psnr, Ranking, load_challenge, parse_challenge
from pixelproof.challenge_template import TEMPLATE
from pixelproof.errors import ChallengeError, ImageError
from pixelproof.evidence import Artifact, Evidence, ImageFidelity
from pixelproof.evidence import Fidelity as Measured
from pixelproof.images import write_png
from pixelproof.measure.device import CPU
from pixelproof.validate.checks import all_checks
from pixelproof.validate.judgement import verdicts
from pixelproof.validate.pairs import find_pairs
from pixelproof.validate.runtime_evidence import measure_each_image

TRACK = replace(load_challenge("pirm2018").track("A"), gates=Gates(psnr_db=29.0))


def judged(psnr_db: float) -> Any:
    evidence = Evidence(
        artifact=Artifact("m.pb", "pb", "0", 1),
        fidelity=Measured(psnr_db, None, (ImageFidelity("0", psnr_db, None),), 1),
    )
    return next(check for check in all_checks() if check.id == "psnr_gate").run(evidence, TRACK)


@pytest.mark.parametrize(
    ("psnr_db", "status"),
    [
        (29.0, "passed"),
        (28.9951, "passed"),
        (28.9949, "failed"),
        (float("nan"), "failed"),
        (float("inf"), "passed"),
    ],
)
def test_the_gate_is_judged_to_the_published_digits(psnr_db: float, status: str) -> None:
    result = judged(psnr_db)
    assert (result.status, result.expected) == (status, "at least 29.00 dB")
    assert bool(result.remedy) is (status == "failed")


def test_tracks_without_a_gate_never_hear_of_it() -> None:
    evidence = Evidence(artifact=Artifact("m.pb", "pb", "0", 1))
    for track, expected in ((TRACK, True), (replace(TRACK, gates=None), False)):
        ids = [check.id for check in verdicts(evidence, track, groups=["fidelity"])]
        assert ("psnr_gate" in ids) is expected


def test_inputs_bear_the_targets_names_with_a_suffix(tmp_path: Path) -> None:
    rules = Fidelity(targets="HR", inputs="LR", input_suffix="x4", psnr=Psnr())
    for folder, names in (("HR", ("0801", "0802")), ("LR", ("0801x4", "0802x4"))):
        (tmp_path / folder).mkdir()
        for name in names:
            write_png(tmp_path / folder / f"{name}.png", np.zeros((4, 4, 3), np.uint8))
    pairs = find_pairs(tmp_path, rules)
    assert [(pair.name, pair.input.name if pair.input else "") for pair in pairs] == [
        ("0801.png", "0801x4.png"), ("0802.png", "0802x4.png"),
    ]  # fmt: skip
    (tmp_path / "LR" / "0802x4.png").rename(tmp_path / "LR" / "0802.png")
    with pytest.raises(
        ImageError, match=r"targets' names with x4 behind; found no partner for 0802\.png, 0802\.png"
    ):
        find_pairs(tmp_path, rules)


def test_a_ranking_must_be_measured_and_weighed() -> None:
    def with_ranking(text: str, cost: str = "") -> str:
        return f"{TEMPLATE}\n[tracks.main.ranking]\n{text}\n{cost}"

    cost = '[tracks.main.complexity]\nconvention = "ntire2022"\n'
    track = parse_challenge(with_ranking('metrics = ["params", "runtime"]', cost), label="t").track("main")
    assert track.ranking == Ranking(("params", "runtime"))
    for text, more, said in (
        ("metrics = []", cost, "at least one metric"),
        ('metrics = ["flops"]', "", r"the track needs \[complexity\]"),
        ('metrics = ["speed"]', cost, "must be one of runtime, params"),
        ('metrics = ["flops"]\nmethod = "weighted"', cost, "one weight for each metric"),
        ('metrics = ["flops"]\nweights = { flops = 1.0 }', cost, "must go with method"),
        (
            'metrics = ["flops"]',
            '[tracks.main.complexity]\nconvention = "gmacs"\n',
            "must be one of ntire2022",
        ),
    ):
        with pytest.raises(ChallengeError, match=said):
            parse_challenge(with_ranking(text, more), label="t")


class Clock:
    """A session whose worker takes a time that its image decides."""

    def __init__(self) -> None:
        self.threads = 2
        self.device = CPU
        self.calls: list[tuple[int, ...]] = []
        self.shape: tuple[int, ...] = ()

    def worker(self) -> Clock:
        return self

    def __enter__(self) -> Clock:
        return self

    def __exit__(self, *reason: object) -> None:
        pass

    def put(self, slot: int, image: Any) -> None:
        self.shape = image.shape

    def time_ms(self, slot: int) -> float:
        self.calls.append(self.shape)
        return self.shape[1] * self.shape[2] * (1 + 0.001 * (len(self.calls) % 3))


def test_runtime_is_the_mean_over_images_of_their_own_sizes(tmp_path: Path) -> None:
    for number, size in enumerate([(4, 6), (10, 8), (2, 2)]):
        write_png(tmp_path / f"{number}.png", np.zeros((*size, 3), np.uint8))
    clock = Clock()
    notes: list[str] = []
    runtime = measure_each_image(
        clock,  # type: ignore[arg-type]
        sorted(tmp_path.iterdir()),
        max_runs=27,
        note=lambda done, text: notes.append(text),
    )
    assert runtime.mean_ms == pytest.approx((24 + 80 + 4) / 3, rel=0.003)
    assert (runtime.images, runtime.height, runtime.width) == (3, 10, 8)
    assert runtime.converged and runtime.interval_ms is not None
    assert runtime.interval_ms[0] <= runtime.mean_ms * 1.003 and runtime.speedup is None
    rounds = len(runtime.samples.solution_ms) // 3
    assert 4 <= rounds < 9
    assert len(clock.calls) == 3 * (rounds + 1)  # the first call of each image warms up
    assert notes[0] == "round 1, image 1 of 3" and len(notes) == 3 * rounds
