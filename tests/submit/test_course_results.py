"""``package-course results``: the zip for the ranking, and everything that may be wrong with it."""

from __future__ import annotations

import importlib.util
import io
import json
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelproof.images import read_rgb8, write_png
from pixelproof.submit.unpack import unpack_submission

_SPEC = importlib.util.spec_from_file_location("course_runs", Path(__file__).with_name("course_runs.py"))
assert _SPEC is not None and _SPEC.loader is not None
runs = importlib.util.module_from_spec(_SPEC)
sys.modules["course_runs"] = runs
_SPEC.loader.exec_module(runs)


@pytest.fixture(scope="module")
def keras(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    data = runs.keras_file(tmp_path_factory.mktemp("keras"))
    assert isinstance(data, bytes)
    return data


@pytest.fixture
def desk(tmp_path: Path, keras: bytes, call: Callable[..., Any]) -> Any:
    return runs.Desk(tmp_path, keras, runs.write_run(tmp_path / "run", keras), call)


def refused(desk: Any, *more: str, code: int, says: tuple[str, ...]) -> str:
    """The command refuses with this exit code and these words, and leaves nothing behind."""
    answer = desk.pack_results(*more)
    assert answer.code == code, answer.err
    for text in says:
        assert text in answer.err
    assert desk.left() == []
    return str(answer.err)


def test_the_zip_holds_results_readme_and_report(desk: Any) -> None:
    answer = desk.pack_results("--readme-field", "Team: Two pixels", "--how-to-run", "python restore.py")
    assert answer.code == 0, answer.err
    with zipfile.ZipFile(desk.out / "results.zip") as archive:
        names = archive.namelist()
        readme = archive.read("Readme.txt").decode()
        report = archive.read("report/report.txt").decode()
        for name in runs.NAMES:
            assert archive.read(f"results/{name}") == (desk.results / name).read_bytes()
        assert archive.read("report/history.csv") == (desk.run / "history.csv").read_bytes()
    reports = ("curves.png", "history.csv", "machine.json", "report.txt", "run.toml")
    assert names == sorted(
        [*(f"results/{n}" for n in runs.NAMES), *(f"report/{n}" for n in reports), "Readme.txt"]
    )
    for text in (
        "Ada Lovelace", "A12345678B", "CodaLab user", "Team", "Two pixels", "tensorflow  2.21.0", "python restore.py",
        f"{runs.PARAMETERS:,}, fewer than 2,276,356", "I kept this rule: No external data.", "results/", "Python",
    ):  # fmt: skip
        assert text in readme
    for text in (
        "1 l1 + 0.1 ssim",
        "best 26.50 dB (epoch 5)",
        "A Processor",
        "1 h 02 min",
        "optimizer.learning_rate",
    ):
        assert text in report
    assert "/home/ada" not in readme + report
    assert ".../photographs" in report


def test_the_zip_is_one_that_unpack_submission_and_validate_images_take(desk: Any) -> None:
    assert desk.pack_results().code == 0
    unpacked = unpack_submission(desk.out / "results.zip", desk.folder / "unpacked")
    assert len(unpacked.members) == 10
    rules = ("--challenge", str(desk.challenge), "--inputs", str(desk.inputs))
    assert desk.call("validate-images", str(desk.out / "results.zip"), *rules).code == 0


def test_the_same_contents_give_the_same_bytes(desk: Any, tmp_path: Path) -> None:
    assert desk.pack_results().code == 0
    first = (desk.out / "results.zip").read_bytes()
    for path in (desk.run / "history.csv", desk.results / runs.NAMES[0]):
        path.touch()
        path.chmod(0o600)
    moved = tmp_path / "elsewhere"
    shutil.copytree(desk.run, moved)
    desk.run = moved
    assert desk.pack_results().code == 0
    assert (desk.out / "results.zip").read_bytes() == first


def test_json_tells_what_was_packed_and_why_not(desk: Any) -> None:
    document = json.loads(desk.pack_results("--json", "-").out)
    assert document["packed"] and document["schema_version"] == 1
    assert {m["name"] for m in document["members"]} >= {"Readme.txt", "results/face.png"}
    (desk.results / "face.png").unlink()
    document = json.loads(desk.pack_results("--json", "-").out)
    assert not document["packed"] and "face.png" in document["refused"]["remedy"]


def test_missing_and_extra_pictures_are_named(desk: Any) -> None:
    (desk.results / "face.png").rename(desk.results / "Face.png")
    said = refused(desk, code=1, says=("1 missing: face.png", "1 extra: Face.png"))
    assert "Number of pictures" not in said
    (desk.results / "Face.png").unlink()
    refused(desk, code=1, says=("found 2 faults", "4 .png files; found 3", "1 missing: face.png"))


def test_odd_sizes_16_bit_and_transparency_are_named_together(desk: Any) -> None:
    write_png(desk.results / "00001.png", runs.picture(1, 24, 31))
    grey = Image.fromarray(np.full((24, 32), 40000, np.uint16))
    grey.save(desk.results / "00002.png")
    Image.fromarray(np.zeros((24, 32, 4), np.uint8), "RGBA").save(desk.results / "00010.png")
    refused(
        desk,
        code=1,
        says=("00001.png (24x31 instead of 24x32)", "00002.png (grey", "00010.png (RGB with transparency"),
    )


def test_too_heavy_a_zip_says_how_large_it_is_and_which_pictures_are_largest(desk: Any) -> None:
    desk.rules(zip_mib=0.005)
    write_png(desk.results / "face.png", np.zeros((24, 32, 3), np.uint8))
    said = refused(
        desk, code=1, says=("at most 0.005 MiB", "found 0.01 MiB", "00001.png 2.3 KiB", "--recompress")
    )
    assert said.index("00010.png") < said.index("face.png")


def test_the_whole_zip_counts_and_not_the_pictures_alone(desk: Any) -> None:
    pictures = sum((desk.results / name).stat().st_size for name in runs.NAMES)
    desk.rules(zip_mib=(pictures + 500) / 1024**2)
    refused(desk, code=1, says=("The zip must weigh at most",))


def test_recompressing_keeps_every_pixel(desk: Any) -> None:
    smooth = np.repeat(np.arange(24, dtype=np.uint8)[:, None, None] * 5, 32, 1).repeat(3, 2)
    for name in runs.NAMES:
        Image.fromarray(smooth).save(desk.results / name, compress_level=0)
    size = sum((desk.results / name).stat().st_size for name in runs.NAMES)
    assert desk.pack_results("--recompress").code == 0
    with zipfile.ZipFile(desk.out / "results.zip") as archive:
        packed = [archive.read(f"results/{name}") for name in runs.NAMES]
    assert sum(map(len, packed)) < size / 4
    for name, data in zip(runs.NAMES, packed, strict=True):
        assert np.array_equal(np.array(Image.open(io.BytesIO(data))), read_rgb8(desk.results / name))


def test_parameters_are_strictly_fewer(desk: Any) -> None:
    desk.rules(parameters_below=runs.PARAMETERS + 1)
    assert desk.pack_results().code == 0
    shutil.rmtree(desk.out)
    desk.rules(parameters_below=runs.PARAMETERS)
    refused(desk, code=1, says=(f"fewer than {runs.PARAMETERS:,} parameters; found {runs.PARAMETERS:,}",))


def test_a_run_for_another_scale_is_refused(desk: Any) -> None:
    text = (desk.run / "run.toml").read_text()
    (desk.run / "run.toml").write_text(text.replace("scale = 4", "scale = 3"))
    refused(desk, code=1, says=("trained for scale 4; found 3 in",))


def test_the_honour_rule_must_be_stated(desk: Any, call: Callable[..., Any]) -> None:
    answer = call(
        "package-course", "results", str(desk.results), "--inputs", str(desk.inputs), "--run", str(desk.run),
        "--matric", "A12345678B", "--name", "A", "--codalab-user", "a", "--challenge", str(desk.challenge),
        "--out", str(desk.out / "r.zip"),
    )  # fmt: skip
    assert answer.code == 1 and "No external data" in answer.err and "--no-external-data" in answer.err
    assert desk.left() == []


def test_a_run_that_began_from_weights_is_warned_of(desk: Any, keras: bytes, tmp_path: Path) -> None:
    desk.run = runs.write_run(tmp_path / "fine-tuned", keras, start="other.keras")
    answer = desk.pack_results()
    assert answer.code == 0 and "began from weights" in answer.out
    desk.run = runs.write_run(tmp_path / "computed", keras, start="near-identity")
    answer = desk.pack_results()
    assert answer.code == 0 and "began from weights" not in answer.out


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--matric", "a12345678b", "in capitals"),
        ("--matric", "../../etc", "--matric must be a letter"),
        ("--matric", "A12345678B\n", "--matric must be a letter"),
        ("--codalab-user", "a b", "without spaces"),
        ("--name", "Ada\nLovelace", "one line"),
        ("--readme-field", "no colon", "Title: text"),
        ("--how-to-run", "a\x1b[31m", "one line"),
        ("--out", "results.tar", ".zip"),
    ],
)
def test_bad_options_exit_2(desk: Any, option: str, value: str, says: str) -> None:
    refused(desk, option, value, code=2, says=(says,))


def test_inputs_of_another_number_are_not_the_challenges(desk: Any) -> None:
    (desk.inputs / "face.png").unlink()
    refused(desk, code=2, says=("inputs must be as many as the rules say, 4", "found 3"))


def test_the_zip_may_not_lie_among_what_it_holds(desk: Any) -> None:
    refused(desk, "--out", str(desk.results / "r.zip"), code=2, says=("outside what goes into it",))
    assert not (desk.results / "r.zip").exists()


def test_a_full_disk_leaves_an_older_zip_as_it_was(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert desk.pack_results().code == 0
    before = (desk.out / "results.zip").read_bytes()
    from pixelproof.submit.course import proven_zip

    def full(*given: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(proven_zip, "write_zip", full)
    answer = desk.pack_results()
    assert answer.code == 3 and "disk is full" in answer.err
    assert desk.left() == ["results.zip"] and (desk.out / "results.zip").read_bytes() == before


def test_a_picture_that_changes_meanwhile_is_found(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from pixelproof.submit.course import proven_zip

    real = proven_zip.write_zip

    def changing(path: Path, contents: Any) -> None:
        write_png(desk.results / "face.png", runs.picture(99, 24, 32))
        real(path, contents)

    monkeypatch.setattr(proven_zip, "write_zip", changing)
    refused(desk, code=1, says=("must read back as it was packed", "results/face.png"))
