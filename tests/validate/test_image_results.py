"""``validate-images``: folders and zips of results, honest, careless and hostile."""

from __future__ import annotations

import json
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from pixelproof.challenge import Challenge, load_challenge, parse_challenge
from pixelproof.errors import CallError, ChallengeError, ImageError, SubmissionRefused
from pixelproof.images import read_rgb8, write_png
from pixelproof.report import Evidence
from pixelproof.validate.checks import all_checks
from pixelproof.validate.image_results import listing
from pixelproof.validate.image_results.expected import expected_from
from pixelproof.validate.image_results.image_report import ImageReport
from pixelproof.validate.image_results.judgement import judge_images
from pixelproof.validate.image_results.png_header import read_header

SIZE = (24, 32)
NAMES = ("1.png", "2.png", "10.png", "face.png")
RULES = """
id = "tiny"
title = "Tiny"
url = "https://example.org"
data_folder = "tiny"
[tracks.pictures]
title = "Pictures"
contract = { scale = 4 }
results = { count = 4, height = 24, width = 32, zip_mib = 1, folder_depth = 1 }
fidelity = { targets = "gt", inputs = "lq", psnr = { crop_border = 0, round_to_8_bit = true } }
"""

Judge = Callable[..., ImageReport]


def rules(*changes: tuple[str, str]) -> Challenge:
    text = RULES
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse_challenge(text, label="tiny.toml")


def picture(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def near(image: np.ndarray[Any, Any], seed: int) -> np.ndarray[Any, Any]:
    noise = np.random.default_rng(seed).integers(-20, 21, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


@pytest.fixture
def targets(tmp_path: Path) -> Path:
    for seed, name in enumerate(NAMES):
        write_png(tmp_path / "gt" / name, picture(seed))
        write_png(tmp_path / "lq" / name, picture(seed, (6, 8)))
    return tmp_path / "gt"


@pytest.fixture
def results(tmp_path: Path, targets: Path) -> Path:
    """A submission as it should be; the tests spoil it. The pictures lie in ``res/out``."""
    for seed, name in enumerate(NAMES):
        write_png(tmp_path / "res" / "out" / name, near(read_rgb8(targets / name), seed))
    return tmp_path / "res"


@pytest.fixture
def judge(results: Path, targets: Path) -> Judge:
    def judged(challenge: Challenge | None = None, *, expected: Any = "targets", **given: Any) -> ImageReport:
        chosen = challenge or rules()
        track = chosen.track("pictures")
        assert track.results is not None
        if expected == "targets":
            expected = expected_from(targets, track.results, scale=4, are_targets=True)
        return judge_images(
            results, challenge=chosen, track_name="pictures", rules_sha256="0", expected=expected, **given
        )

    return judged


def verdicts(report: ImageReport, *statuses: str) -> dict[str, str]:
    return {check.id: check.found for check in report.checks if not statuses or check.status in statuses}


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(
    *, width: int, height: int, depth: int = 8, kind: int = 2, data: bytes = b"", extra: bytes = b""
) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + extra + body


def test_good_pictures_pass_with_the_psnr_that_scikit_image_finds(
    judge: Judge, results: Path, targets: Path
) -> None:
    report = judge()
    assert report.passed and {check.status for check in report.checks} == {"passed"}
    assert report.complete and report.pictures == 4 and report.fidelity is not None
    values = [
        peak_signal_noise_ratio(read_rgb8(targets / name), read_rgb8(results / "out" / name), data_range=255)
        for name in NAMES
    ]
    assert report.fidelity.psnr_db == pytest.approx(np.mean(values), abs=1e-9)
    assert [image.name for image in report.fidelity.per_image] == list(NAMES)
    assert all(not check.remedy for check in report.checks)


def test_the_border_and_ms_ssim_are_the_tracks(judge: Judge, results: Path, targets: Path) -> None:
    measure = 'psnr = { crop_border = 3 }, ms_ssim = { variant = "scipy-fft" }'
    report = judge(rules(("psnr = { crop_border = 0, round_to_8_bit = true }", measure)))
    assert report.fidelity is not None and report.fidelity.ms_ssim is not None
    inner = [
        [read_rgb8(folder / name)[3:-3, 3:-3] for folder in (targets, results / "out")] for name in NAMES
    ]
    values = [peak_signal_noise_ratio(a, b, data_range=255) for a, b in inner]
    assert report.fidelity.psnr_db == pytest.approx(np.mean(values), abs=1e-9)


def test_equal_pictures_are_infinite_and_json_says_so(judge: Judge, results: Path, targets: Path) -> None:
    for name in NAMES:
        (results / "out" / name).write_bytes((targets / name).read_bytes())
    report = judge()
    assert report.passed and report.fidelity is not None and math.isinf(report.fidelity.psnr_db)
    document = report.to_json()
    assert document["fidelity"]["psnr_db"] == "inf" and document["kind"] == "images" and document["passed"]
    json.dumps(document, allow_nan=False)


def test_a_missing_and_an_extra_picture_are_named(judge: Judge, results: Path) -> None:
    (results / "out" / "10.png").rename(results / "out" / "010.png")
    report = judge()
    assert verdicts(report, "failed") == {
        "picture_names": "1 missing: 10.png; 1 extra: 010.png",
        "fidelity": verdicts(report)["fidelity"],
    }
    assert "on 3 of 4 pictures, which is not the challenge's figure" in verdicts(report)["fidelity"]
    (results / "out" / "010.png").unlink()
    assert verdicts(judge(), "failed")["picture_count"] == "3"


def test_names_count_letter_by_letter(judge: Judge, results: Path) -> None:
    (results / "out" / "face.png").rename(results / "out" / "face.PNG")
    assert verdicts(judge(), "failed")["picture_names"] == "1 missing: face.png; 1 extra: face.PNG"


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("rgba", "RGB with transparency, not RGB"),
        ("grey", "grey, not RGB"),
        ("sixteen", "16 bit a channel, not 8"),
        ("jpeg", "JPEG under a PNG's name"),
        ("empty", "an empty file"),
        ("text", "no PNG"),
        ("head", "cut off"),
        ("cut", "damaged"),
        ("crc", "damaged"),
        ("headless", "a PNG without a proper header"),
        ("text bomb", "damaged"),
        ("padded", "a file far larger than its pixels"),
        ("clear palette", "transparency in a palette"),
    ],
)
def test_what_is_no_8_bit_rgb_png_is_told_and_not_measured(
    judge: Judge, results: Path, kind: str, found: str
) -> None:
    path = results / "out" / "2.png"
    good = path.read_bytes()
    height, width = SIZE
    image = Image.fromarray(read_rgb8(path))
    match kind:
        case "rgba":
            image.convert("RGBA").save(path)
        case "grey":
            image.convert("L").save(path)
        case "sixteen":
            rows = b"".join(b"\0" + bytes(6 * width) for _ in range(height))
            path.write_bytes(png(width=width, height=height, depth=16, data=rows))
        case "jpeg":
            image.save(path, "JPEG")
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("not a picture at all, this")
        case "head":
            path.write_bytes(good[:20])
        case "cut":
            path.write_bytes(good[: len(good) // 2])
        case "crc":
            path.write_bytes(good[:60] + bytes([good[60] ^ 255]) + good[61:])
        case "headless":
            path.write_bytes(good[:8] + chunk(b"tEXt", b"a\0b") + good[8:])
        case "text bomb":
            bomb = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(20_000_000), 9))
            path.write_bytes(png(width=width, height=height, data=bytes(97 * 24), extra=bomb))
        case "padded":
            path.write_bytes(good + bytes(1_200_000))
        case "clear palette":
            image.convert("P").save(path, transparency=0)
    report = judge()
    assert verdicts(report, "failed")["picture_format"] == f"1: 2.png ({found})"
    assert report.fidelity is not None and len(report.fidelity.per_image) == 3
    assert not report.passed


def test_a_palette_without_transparency_is_rgb(judge: Judge, results: Path) -> None:
    path = results / "out" / "2.png"
    Image.fromarray(read_rgb8(path)).convert("P").save(path)
    assert judge().passed


@pytest.mark.parametrize("shape", [(25, 32), (24, 8), (65000, 65000), (1, 1)])
def test_an_odd_size_is_told_before_anything_is_decoded(
    judge: Judge, results: Path, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = results / "out" / "1.png"
    path.write_bytes(png(height=shape[0], width=shape[1], data=bytes(1000)))
    opened: list[str] = []
    real = Image.open
    monkeypatch.setattr(Image, "open", lambda file, **more: opened.append(str(file)) or real(file, **more))
    found = verdicts(judge(), "failed")["picture_size"]
    assert found == f"1: 1.png ({shape[0]}x{shape[1]} instead of 24x32)"
    assert str(path) not in opened and opened


def test_without_a_size_in_the_rules_each_has_its_targets(judge: Judge, results: Path, targets: Path) -> None:
    free = rules(("height = 24, width = 32, ", ""))
    write_png(targets / "1.png", picture(5, (40, 20)))
    assert verdicts(judge(free), "failed")["picture_size"] == "1: 1.png (24x32 instead of 40x20)"
    write_png(results / "out" / "1.png", picture(6, (40, 20)))
    assert judge(free).passed


def test_with_inputs_alone_names_and_sizes_are_judged(judge: Judge, results: Path, targets: Path) -> None:
    free = rules(("height = 24, width = 32, ", ""))
    track = free.track("pictures")
    assert track.results is not None
    lq = expected_from(targets.parent / "lq", track.results, scale=4, are_targets=False)
    report = judge(free, expected=lq)
    assert report.passed and not report.complete and report.fidelity is None
    assert verdicts(report, "not_run") == {"fidelity": "no targets to compare with"}
    write_png(results / "out" / "1.png", picture(6, (40, 20)))
    assert "40x20 instead of 24x32" in verdicts(judge(free, expected=lq), "failed")["picture_size"]


def test_with_nothing_to_compare_names_and_fidelity_are_not_judged(judge: Judge) -> None:
    report = judge(expected=None)
    assert report.passed and set(verdicts(report, "not_run")) == {"picture_names", "fidelity"}


def test_what_is_no_result_is_told_and_left_alone(judge: Judge, results: Path) -> None:
    (results / "Readme.txt").write_text("hello")
    (results / "__MACOSX" / "out").mkdir(parents=True)
    for name in NAMES:
        (results / "__MACOSX" / "out" / f"._{name}").write_bytes(b"mac")
    (results / "out" / ".DS_Store").write_bytes(b"mac")
    write_png(results / "report" / "curves.png", picture(9))
    report = judge()
    assert report.passed and report.pictures == 4
    assert verdicts(report)["layout"] == "in out/; not looked at: Readme.txt, report/curves.png"


def test_an_outer_folder_too_many_is_named(judge: Judge, results: Path) -> None:
    (results / "my work").mkdir()
    (results / "out").rename(results / "my work" / "out")
    report = judge()
    assert verdicts(report, "failed") == {"layout": "pictures 2 deep, in my work/out"}
    assert next(c.remedy for c in report.checks if c.id == "layout").startswith("Zip the folder out itself")


def test_two_sets_of_pictures_are_refused(judge: Judge, results: Path, targets: Path) -> None:
    (results / "b").mkdir()
    (results / "b" / "1.png").write_bytes((targets / "1.png").read_bytes())
    assert verdicts(judge(), "failed") == {"layout": "pictures of these names outside out/: b/1.png"}


def test_links_and_pipes_are_never_opened(judge: Judge, results: Path, targets: Path) -> None:
    (results / "out" / "1.png").unlink()
    (results / "out" / "1.png").symlink_to(targets / "1.png")
    os.mkfifo(results / "out" / "pipe.png")
    (results / "loop").symlink_to(results, target_is_directory=True)
    report = judge()
    assert verdicts(report, "failed")["layout"] == "links or devices: loop, out/1.png, out/pipe.png"
    assert verdicts(report, "failed")["picture_names"] == "1 missing: 1.png"


def test_a_folder_of_an_unusual_size_is_refused(
    judge: Judge, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = results
    for _ in range(listing.MOST_LEVELS + 1):
        deep = deep / "d"
    deep.mkdir(parents=True)
    with pytest.raises(SubmissionRefused, match="folders more than 32 deep"):
        judge()
    monkeypatch.setattr(listing, "MOST_FILES", 3)
    with pytest.raises(SubmissionRefused, match="more than 3 files"):
        judge()
    monkeypatch.undo()
    monkeypatch.setattr(listing, "MOST_LEVELS", 99)
    monkeypatch.setattr(listing, "MOST_BYTES", 10)
    with pytest.raises(SubmissionRefused, match="bytes"):
        judge()


def test_an_empty_folder_lacks_everything(judge: Judge, results: Path) -> None:
    for path in (results / "out").iterdir():
        path.unlink()
    report = judge()
    assert set(verdicts(report, "failed")) == {"picture_count", "picture_names", "fidelity"}
    assert set(verdicts(report, "not_run")) == {"picture_format", "picture_size"}


def test_the_zip_must_keep_to_its_limit(judge: Judge, tmp_path: Path) -> None:
    packed = tmp_path / "big.zip"
    packed.write_bytes(bytes(2**20 + 1))
    assert verdicts(judge(zip_path=packed), "failed") == {"zip_size": "1.00 MiB"}
    packed.write_bytes(bytes(2**20))
    assert judge(zip_path=packed).complete
    light = rules(("zip_mib = 1", "zip_mib = 0.001"))
    assert "a folder is not the zip" in verdicts(judge(light), "warning")["zip_size"]


def test_a_gate_judges_the_mean(judge: Judge) -> None:
    gate = "[tracks.pictures]\ngates = { psnr_db = %d }"
    assert set(verdicts(judge(rules(("[tracks.pictures]", gate % 60))), "failed")) == {"psnr_gate"}
    assert judge(rules(("[tracks.pictures]", gate % 5))).complete


def test_targets_must_fit_the_rules(judge: Judge, targets: Path) -> None:
    write_png(targets / "1.png", picture(1, (8, 8)))
    with pytest.raises(
        ImageError, match=r"A target must be of the results' size, 24x32; found 8x8 for 1\.png"
    ):
        judge()
    Image.fromarray(picture(1)).save(targets / "2.bmp")
    with pytest.raises(ImageError, match="must differ in more than their suffix"):
        judge()
    (targets / "2.bmp").rename(targets / "5.bmp")
    with pytest.raises(ImageError, match="as many as the rules say, 4; found 5"):
        judge()


def test_a_track_of_models_is_no_track_of_pictures() -> None:
    with pytest.raises(CallError, match=r"Tracks of pictures: results\."):
        judge_images(
            Path(),
            challenge=load_challenge("ai6126-face"),
            track_name="model",
            rules_sha256="",
            expected=None,
        )


def test_ai6126_is_as_its_course_says() -> None:
    challenge = load_challenge("ai6126-face")
    pictures, model = challenge.track("results"), challenge.track("model")
    assert pictures.results is not None and pictures.fidelity is not None and challenge.submission is not None
    assert (pictures.results.count, pictures.results.height, pictures.results.width) == (400, 512, 512)
    assert (pictures.results.zip_mib, pictures.results.folder_depth) == (30, 1)
    assert pictures.fidelity.psnr.crop_border == 0 and pictures.fidelity.psnr.round_to_8_bit
    assert model.contract.scale == 4 and model.limits.parameters_below == 2_276_356
    assert (challenge.submission.per_day, challenge.submission.counts) == (10, "last")
    assert set(challenge.submission.required_checks) <= {check.id for check in all_checks()}


@pytest.mark.parametrize(
    ("params", "status"), [(2_276_355, "passed"), (2_276_356, "failed"), (None, "not_run")]
)
def test_fewer_parameters_is_strict(params: int | None, status: str) -> None:
    from pixelproof.report import Artifact, Complexity

    cost = None if params is None else Complexity("fvcore", 128, 128, params, 1, 1, 1)
    evidence = Evidence(Artifact("m.pb", "pb", 1, "0"), complexity=cost)
    check = next(check for check in all_checks() if check.id == "parameters")
    result = check.run(evidence, load_challenge("ai6126-face").track("model"))
    assert result.status == status and result.expected == "fewer than 2,276,356"
    assert not check.applies(load_challenge("pirm2018").track("A"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("count = 4", "count = 0", "results.count must be above 0"),
        ("height = 24, ", "", "must have both height and width"),
        ("folder_depth = 1", "folder_depth = -1", "folder_depth must be 0 or more"),
        ("zip_mib = 1", "zip_mib = 0", "results.zip_mib must be above 0"),
        ("count = 4", 'count = 4, extension = ".jpg"', "extension must be one of .png"),
        (
            "[tracks.pictures]",
            "[tracks.pictures]\nruntime = {}",
            "without what is asked of a model; found runtime",
        ),
        ("[tracks.pictures]", "[tracks.pictures]\nlimits = { model_mib = 1 }", "found limits"),
        (
            "results = {",
            "limits = { parameters_below = 9 }\nx = {",
            r"the track needs \[complexity\]|known key",
        ),
    ],
)
def test_a_track_of_pictures_has_nothing_of_a_model(old: str, new: str, message: str) -> None:
    assert old in RULES
    with pytest.raises(ChallengeError, match=message):
        parse_challenge(RULES.replace(old, new, 1), label="tiny.toml")


def test_parameters_must_be_counted_to_be_limited() -> None:
    text = RULES.replace("results = {", "limits = { parameters_below = 9 } #")
    with pytest.raises(
        ChallengeError, match=r"parameters_below must be counted: the track needs \[complexity\]"
    ):
        parse_challenge(text, label="tiny.toml")


def test_a_header_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(width=3, height=5, depth=4, kind=3))
    header = read_header(path)
    assert not isinstance(header, str) and (header.height, header.width, header.problem) == (5, 3, "")
    path.write_bytes(png(width=0, height=5))
    assert read_header(path) == "a PNG without a proper header"
    assert read_header(tmp_path) == "Is a directory"


# The command.


def zipped(folder: Path, out: Path) -> Path:
    with zipfile.ZipFile(out, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return out


@pytest.fixture
def toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("PIXELPROOF_DATA", raising=False)
    (tmp_path / "tiny.toml").write_text(RULES)
    return str(tmp_path / "tiny.toml")


def test_a_zip_is_judged_like_its_folder(
    call: Any, results: Path, targets: Path, tmp_path: Path, toml: str
) -> None:
    packed = zipped(results, tmp_path / "results.zip")
    words = ("--challenge", toml, "--targets", str(targets))
    done = call("validate-images", str(packed), *words, "--json", str(tmp_path / "report.json"))
    assert done.code == 0, done.out + done.err
    assert "PASSED" in done.out and "Next: hand the zip in" in done.out and "sha256" not in done.out.lower()
    document = json.loads((tmp_path / "report.json").read_text())
    folder = json.loads(call("validate-images", str(results), *words, "--json", "-").out)
    assert document["fidelity"] == folder["fidelity"] and document["path"] == str(packed)
    assert (
        [c["status"] for c in document["checks"]] == [c["status"] for c in folder["checks"]] == ["passed"] * 7
    )


def test_broken_results_exit_1_with_a_report(call: Any, results: Path, targets: Path, toml: str) -> None:
    (results / "out" / "1.png").unlink()
    done = call(
        "validate-images", str(results), "--challenge", toml, "--targets", str(targets), "--json", "-"
    )
    assert done.code == 1
    assert json.loads(done.out)["passed"] is False
    assert "1 missing: 1.png" in done.err and "FAILED: Number of pictures, Names, Fidelity" in done.err


@pytest.mark.parametrize("name", ["../out.png", "/etc/x.png", "a\\b.png", "CON.png"])
def test_a_hostile_zip_is_refused_whole(call: Any, tmp_path: Path, toml: str, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr(name, b"x")
    before = sorted(p.name for p in tmp_path.iterdir())
    done = call("validate-images", str(tmp_path / "bad.zip"), "--challenge", toml)
    assert done.code == 1 and "Error: A member's name must be" in done.err
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_a_zip_with_a_link_or_a_bomb_is_refused(call: Any, tmp_path: Path, toml: str) -> None:
    link = zipfile.ZipInfo("1.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    done = call("validate-images", str(tmp_path / "bad.zip"), "--challenge", toml)
    assert done.code == 1 and "plain file" in done.err
    with zipfile.ZipFile(tmp_path / "bad.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.png", bytes(50_000_000))
    done = call("validate-images", str(tmp_path / "bad.zip"), "--challenge", toml)
    assert done.code == 1 and "compressed" in done.err


def test_names_of_strangers_are_escaped(call: Any, results: Path, targets: Path, toml: str) -> None:
    (results / "out" / "a\x1b[2J\u202e<b>.png").write_bytes(b"x")
    done = call("validate-images", str(results), "--challenge", toml, "--targets", str(targets))
    assert done.code == 1 and "\x1b[2J" not in done.out and "\u202e" not in done.out
    assert "\\x1b[2J\\u202e<b>.png" in done.out


def test_wrong_calls_exit_2(call: Any, results: Path, targets: Path, tmp_path: Path, toml: str) -> None:
    words = ("--challenge", toml)
    assert call("validate-images", str(tmp_path / "nowhere"), *words).code == 2
    assert "neither" in call("validate-images", toml, *words).err
    both = call("validate-images", str(results), *words, "--targets", str(targets), "--inputs", str(targets))
    assert both.code == 2 and "Drop --inputs" in both.err
    assert call("validate-images", str(results), *words, "--targets", str(tmp_path / "nowhere")).code == 2
    assert (
        "takes models"
        in call("validate-images", str(results), "--challenge", "ai6126-face", "--track", "model").err
    )
    assert "validate-pb" in call("validate-images", str(results), "--challenge", "pirm2018").err
    (tmp_path / "no.zip").write_text("no zip")
    assert call("validate-images", str(tmp_path / "no.zip"), *words).code == 2


def test_the_targets_are_found_in_the_data(
    call: Any, results: Path, targets: Path, tmp_path: Path, toml: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data" / "tiny").mkdir(parents=True)
    targets.rename(tmp_path / "data" / "tiny" / "gt")
    monkeypatch.setenv("PIXELPROOF_DATA", str(tmp_path / "data"))
    done = call("validate-images", str(results), "--challenge", toml)
    assert done.code == 0 and "PSNR" in done.out
