"""Challenge files: figures of pirm2018, and errors that name key and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixelproof.challenge import (
    ScoreWeights,
    challenge_text,
    known_challenges,
    load_challenge,
    parse_challenge,
)
from pixelproof.errors import CallError, ChallengeError

PIRM = challenge_text("pirm2018")[1]


def changed(old: str, new: str) -> tuple[str, int]:
    """pirm2018 with the first occurrence of a line's text changed, and that line's number."""
    assert old in PIRM
    return PIRM.replace(old, new, 1), PIRM[: PIRM.index(old)].count("\n") + 1


def test_only_rules_are_listed() -> None:
    assert "pirm2018" in known_challenges()
    assert all("." not in name for name in known_challenges())


@pytest.mark.parametrize("name", known_challenges())
def test_every_shipped_challenge_loads_under_its_own_id(name: str) -> None:
    assert load_challenge(name).id == name


@pytest.mark.parametrize(
    ("track", "psnr", "ssim", "weights"),
    [
        ("A", 26.5, 0.94, {"A": (4, 100, 1), "B": (1, 400, 1), "C": (2, 200, 1.5)}),
        ("B", 21.0, 0.9, {"A": (4, 100, 2), "B": (1, 400, 2), "C": (2, 200, 2.9)}),
    ],
)
def test_scores_of_pirm2018(
    track: str, psnr: float, ssim: float, weights: dict[str, tuple[float, float, float]]
) -> None:
    scores = load_challenge("pirm2018").track(track).scores
    assert scores is not None
    assert (scores.psnr_baseline, scores.ssim_baseline, scores.speedup_cap) == (psnr, ssim, 4.0)
    assert scores.weights == {name: ScoreWeights(*values) for name, values in weights.items()}
    assert scores.mos_may_replace_ms_ssim


@pytest.mark.parametrize("name", ["A", "B"])
def test_limits_and_contract_of_pirm2018(name: str) -> None:
    track = load_challenge("pirm2018").track(name)
    assert track.limits.model_mib == 100
    assert track.limits.peak_memory is not None
    assert track.limits.peak_memory.total_rss_mib == 3.5 * 1024
    assert (track.limits.peak_memory.height, track.limits.peak_memory.width) == (720, 1280)
    assert (track.contract.input, track.contract.output) == ("input:0", "output:0")
    assert (track.contract.warn_range, track.contract.fail_range) == ((0.0, 1.0), (-0.25, 1.25))
    assert (track.contract.channels, track.contract.scale, track.contract.any_resolution) == ((3, 3), 1, True)


def test_the_two_tracks_of_pirm2018_do_not_measure_alike() -> None:
    challenge = load_challenge("pirm2018")
    a, b = challenge.track("A").fidelity, challenge.track("B").fidelity
    assert a is not None and b is not None and a.ms_ssim is not None and b.ms_ssim is not None
    assert (a.psnr.crop_border, a.ms_ssim.crop_border, a.ms_ssim.variant, a.ms_ssim.clip) == (
        16,
        16,
        "tf",
        True,
    )
    assert (b.psnr.crop_border, b.ms_ssim.crop_border, b.ms_ssim.variant) == (0, 0, "scipy-fft")
    assert not b.ms_ssim.clip
    assert a.degrade is not None and a.degrade.factor == 4 and a.inputs is None
    assert (b.inputs, b.targets, b.degrade) == ("dped/patches/iphone", "dped/patches/canon", None)


def test_submission_of_pirm2018() -> None:
    submission = load_challenge("pirm2018").submission
    assert submission is not None and submission.mail is not None and submission.registration is not None
    assert submission.mail.subject == "[Track {track}] [{team_id}] [{team_name}] Submission"
    assert "{link}" in submission.mail.text
    assert submission.registration.subject == "AI Mobile Challenge Registration"
    assert (submission.per_day, submission.formats) == (2, ("pb",))


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        ("model_mib = 100", "modle_mib = 100", "tracks.A.limits.modle_mib", "Did you mean model_mib?"),
        ("scale = 1", 'scale = "1"', "tracks.A.contract.scale", "must be a whole number"),
        ("scale = 1", "scale = true", "tracks.A.contract.scale", "must be a whole number"),
        ("channels = [3, 3]", "channels = [3]", "tracks.A.contract.channels", "must be a list of 2"),
        ("channels = [3, 3]", "channels = 3", "tracks.A.contract.channels", "must be a list"),
        ("any_resolution = true", "any_resolution = 1", "tracks.A.contract.any_resolution", "true or false"),
        ('targets = "div2k/original"', "targets = 4", "tracks.A.fidelity.targets", "must be text"),
        ("fail_range = [-0.25, 1.25]", "fail_range = [0.1, 1.25]", "tracks.A.contract.fail_range", "enclose"),
        ('formula = "pirm"', 'formula = "prim"', "tracks.A.scores.formula", "must be one of pirm"),
        ('ms_ssim = { variant = "tf"', 'ms_ssim = { variant = "x"', "tracks.A.fidelity.ms_ssim.variant", ""),
        ("psnr = { crop_border = 16", "psnr = { border = 16", "tracks.A.fidelity.psnr.border", "not a known"),
        ("A = { alpha = 4, ", "A = { ", "tracks.A.scores.weights.A.alpha", "is required"),
        ('degrade = { factor = 4, ', 'inputs = "x"\ndegrade = { factor = 4, ', "tracks.A.fidelity", "either"),
        ('formats = ["pb"]', 'formats = ["pb", "pth"]', "submission.formats[1]", "found 'pth'"),
    ],
)  # fmt: skip
def test_an_error_names_key_and_line(old: str, new: str, key: str, says: str) -> None:
    text, line = changed(old, new)
    if key == "tracks.A.fidelity":
        line = PIRM[: PIRM.index("[tracks.A.fidelity]")].count("\n") + 1
    with pytest.raises(ChallengeError) as caught:
        parse_challenge(text, label="my.toml")
    assert f"my.toml, line {line}: {key} " in str(caught.value)
    assert says in str(caught.value)


def test_a_missing_key_is_named_with_its_table() -> None:
    text = PIRM.replace('targets = "div2k/original"\n', "", 1)
    line = text[: text.index("[tracks.A.fidelity]")].count("\n") + 1
    with pytest.raises(ChallengeError, match=rf"my.toml, line {line}: tracks.A.fidelity.targets is required"):
        parse_challenge(text, label="my.toml")


def test_a_missing_top_level_key_is_named() -> None:
    with pytest.raises(ChallengeError, match=r"my\.toml: title is required"):
        parse_challenge(PIRM.replace("title = ", "# title = ", 1), label="my.toml")


def test_bad_toml_is_named_with_its_line() -> None:
    text, line = changed("scale = 1", "scale = = 1")
    with pytest.raises(ChallengeError, match=rf"must be TOML; found my.toml: .*line {line}"):
        parse_challenge(text, label="my.toml")


def test_a_challenge_without_tracks_is_refused() -> None:
    text = 'id = "x"\ntitle = "x"\nurl = "x"\ndata_folder = "x"\ntracks = {}\n'
    with pytest.raises(ChallengeError, match="line 5: tracks must hold at least one track"):
        parse_challenge(text, label="my.toml")


def test_a_users_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(PIRM.replace('id = "pirm2018"', 'id = "mine"'))
    assert load_challenge(str(file)).id == "mine"


def test_unreadable_files_are_input_errors(tmp_path: Path) -> None:
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'id = "\xe9"\n')
    for file in (latin, tmp_path / "absent.toml", tmp_path):
        with pytest.raises(ChallengeError, match="readable UTF-8"):
            load_challenge(str(file))


def test_an_unknown_id_offers_the_nearest() -> None:
    with pytest.raises(CallError, match="Did you mean pirm2018"):
        load_challenge("pirm2081")


def test_an_unknown_track_lists_the_choices() -> None:
    with pytest.raises(CallError, match=r"found 'C'. .*Choices: A, B"):
        load_challenge("pirm2018").track("C")
