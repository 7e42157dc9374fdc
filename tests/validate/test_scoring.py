"""PIRM 2018's totals, by the table of the challenge's README."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from pixelproof.challenge import load_challenge
from pixelproof.errors import CallError
from pixelproof.report import (
    Artifact,
    Evidence,
    Fidelity,
    ImageFidelity,
    Percentiles,
    Runtime,
    RuntimeSamples,
)
from pixelproof.validate.judgement import check_mos, scores
from pixelproof.validate.scoring import pirm_total

# track, score, P0, S0, alpha, beta, gamma
TABLE = [
    ("A", "A", 26.5, 0.94, 4, 100, 1.0),
    ("A", "B", 26.5, 0.94, 1, 400, 1.0),
    ("A", "C", 26.5, 0.94, 2, 200, 1.5),
    ("B", "A", 21.0, 0.90, 4, 100, 2.0),
    ("B", "B", 21.0, 0.90, 1, 400, 2.0),
    ("B", "C", 21.0, 0.90, 2, 200, 2.9),
]


def evidence(*, psnr_db: float, ms_ssim: float | None, speedup: float) -> Evidence:
    image = ImageFidelity("0.jpg", psnr_db, ms_ssim)
    ms = Percentiles(10.0, 11.0)
    return Evidence(
        artifact=Artifact("m.pb", "pb", "0" * 64, 1),
        fidelity=Fidelity(psnr_db, ms_ssim, (image,), 1),
        runtime=Runtime(
            ms, ms, speedup, speedup, speedup, True, 720, 1280, 2, RuntimeSamples((10.0,), (10.0 * speedup,))
        ),
    )


@pytest.mark.parametrize(("track", "score", "p0", "s0", "alpha", "beta", "gamma"), TABLE)
@pytest.mark.parametrize(
    ("psnr_db", "ms_ssim", "speedup"), [(28.01, 0.9123, 0.7), (20.0, 0.88, 3.99), (22.5, 0.95, 4.0)]
)
def test_every_score_of_the_table(
    track, score, p0, s0, alpha, beta, gamma, psnr_db, ms_ssim, speedup
) -> None:
    rules = load_challenge("pirm2018").track(track).scores
    assert rules is not None
    found = pirm_total(psnr_db=psnr_db, ms_ssim=ms_ssim, speedup=speedup, rules=rules)
    expected = alpha * (psnr_db - p0) + beta * (ms_ssim - s0) + gamma * speedup
    assert set(found) == {"A", "B", "C"}
    assert found[score] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("track", "score", "p0", "s0", "alpha", "beta", "gamma"), TABLE)
def test_speed_counts_up_to_four(track, score, p0, s0, alpha, beta, gamma) -> None:
    rules = load_challenge("pirm2018").track(track).scores
    assert rules is not None
    found = pirm_total(psnr_db=p0, ms_ssim=s0, speedup=57.0, rules=rules)
    assert found[score] == pytest.approx(4 * gamma)


def test_a_baseline_scores_the_speed_alone() -> None:
    track = load_challenge("pirm2018").track("B")
    found = scores(evidence(psnr_db=21.0, ms_ssim=0.9, speedup=1.0), track, mos=None)
    assert found == pytest.approx({"A": 2.0, "B": 2.0, "C": 2.9})


def test_a_mos_replaces_ms_ssim() -> None:
    track = load_challenge("pirm2018").track("B")
    measured = evidence(psnr_db=21.0, ms_ssim=0.5, speedup=1.0)
    assert scores(measured, track, mos=0.95) == pytest.approx({"A": 7.0, "B": 22.0, "C": 12.9})
    assert scores(evidence(psnr_db=21.0, ms_ssim=math.nan, speedup=1.0), track, mos=0.9) is not None


def test_no_score_from_half_the_figures() -> None:
    track = load_challenge("pirm2018").track("B")
    whole = evidence(psnr_db=21.0, ms_ssim=0.9, speedup=1.0)
    assert scores(replace(whole, runtime=None), track, mos=None) is None
    assert scores(replace(whole, fidelity=None), track, mos=None) is None
    assert scores(whole, replace(track, scores=None), mos=None) is None
    assert scores(evidence(psnr_db=21.0, ms_ssim=math.nan, speedup=1.0), track, mos=None) is None
    assert scores(evidence(psnr_db=math.nan, ms_ssim=0.9, speedup=1.0), track, mos=None) is None
    assert scores(evidence(psnr_db=21.0, ms_ssim=None, speedup=1.0), track, mos=None) is None


@pytest.mark.parametrize("mos", [-0.1, 5.01, math.nan])
def test_a_mos_is_a_number_from_0_to_5(mos: float) -> None:
    with pytest.raises(CallError):
        check_mos(mos, load_challenge("pirm2018").track("B"))


def test_a_mos_on_a_track_without_scores_is_refused() -> None:
    track = load_challenge("pirm2018").track("B")
    check_mos(None, replace(track, scores=None))
    with pytest.raises(CallError, match="no scores with MS-SSIM in this track"):
        check_mos(3.0, replace(track, scores=None))
