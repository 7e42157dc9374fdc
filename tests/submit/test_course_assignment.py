"""``package-course assignment``: the SRCNN assignment's zip, and who hands it in."""

from __future__ import annotations

import importlib.util
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pixelproof.errors import CallError
from pixelproof.submit.course.identity import matriculation_number, name_in_file, student_number

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


def test_the_zip_has_the_courses_name_and_parts(desk: Any) -> None:
    answer = desk.assignment("--readme-field", "Set5 PSNR: 32.39 dB")
    assert answer.code == 0, answer.err
    assert desk.left() == ["1155123456_chan_tai-man.zip"] and "Warning" not in answer.out
    with zipfile.ZipFile(desk.out / "1155123456_chan_tai-man.zip") as archive:
        assert archive.namelist() == [
            "checkpoint.keras", "info.txt", "model.py", "train.py", "training/curves.png", "training/history.csv",
            "training/machine.json", "training/run.toml",
        ]  # fmt: skip
        info = archive.read("info.txt").decode()
        assert archive.read("checkpoint.keras") == (desk.run / "final.keras").read_bytes()
    for text in (
        "1155123456", "Chan", "Set5 PSNR", "32.39 dB", "best 26.50 dB (epoch 5)", "optimizer.learning_rate",
        "0.0001", f"{runs.PARAMETERS:,}", "train.py",
    ):  # fmt: skip
        assert text in info
    assert "/home/ada" not in info


@pytest.mark.parametrize("value", ["1155123456", "1155000000"])
def test_student_numbers(value: str) -> None:
    assert student_number(value) == value


@pytest.mark.parametrize(
    "value",
    [
        "115512345",
        "11551234567",
        "1156123456",
        "1155 12345",
        "１１５５１２３４５６",
        "",
        "1155123456\n",
        "../5512345",
    ],
)
def test_other_student_numbers_are_refused_with_the_way_out(value: str) -> None:
    with pytest.raises(CallError, match="1155"):
        student_number(value)


@pytest.mark.parametrize("value", ["A12345678B", "G2101234K"])
def test_matriculation_numbers(value: str) -> None:
    assert matriculation_number(value) == value


@pytest.mark.parametrize(("value", "name"), [("Chan", "chan"), ("Tai-Man", "tai-man"), ("LEE", "lee")])
def test_capitals_become_small(value: str, name: str) -> None:
    assert name_in_file(value, option="--last-name") == name


@pytest.mark.parametrize(
    "value",
    [
        "Müller",
        "陳",
        "Tai Man",
        "O'Neil",
        "a_b",
        "",
        "-a",
        "a-",
        "a--b",
        "İ",
        "../a",
        "\u212a",
        "ａｂ",
        "a\n",
    ],
)
def test_other_names_are_asked_for_and_not_changed(value: str) -> None:
    with pytest.raises(CallError, match="Write it yourself"):
        name_in_file(value, option="--last-name")


def test_everything_is_told_at_once(desk: Any) -> None:
    (desk.run / "final.keras").unlink()
    answer = desk.assignment("--code", "nowhere.py", student="12", last="Müller", first="李")
    assert answer.code == 2 and "found 5 faults" in answer.err
    for text in ("1155", "--last-name", "'ü'", "--first-name", "nowhere.py", "final.keras"):
        assert text in answer.err
    assert desk.left() == []


def test_no_run_and_no_code_are_named(desk: Any, call: Callable[..., Any]) -> None:
    who = ("--student", "1155123456", "--last-name", "Chan", "--first-name", "Siu")
    answer = call("package-course", "assignment", *who, "--out", str(desk.out))
    assert answer.code == 2 and "no --run" in answer.err and "no --code" in answer.err and desk.left() == []


def test_files_of_the_zips_own_names_are_refused(desk: Any) -> None:
    (desk.code / "Info.txt").write_text("mine")
    answer = desk.assignment()
    assert answer.code == 2 and "Info.txt in --code" in answer.err and desk.left() == []


def test_two_files_of_one_name_are_refused(desk: Any) -> None:
    (desk.folder / "other").mkdir()
    (desk.folder / "other" / "train.py").write_text("x")
    files = ("--code", str(desk.code / "train.py"), "--code", str(desk.folder / "other" / "train.py"))
    answer = desk.assignment(*files)
    assert answer.code == 2 and "must differ in name" in answer.err


def test_missing_parts_of_the_code_are_told(desk: Any) -> None:
    (desk.code / "train.py").rename(desk.code / "main.py")
    answer = desk.assignment()
    assert answer.code == 0 and "a training file" in answer.out and "a model file" not in answer.out


def test_several_folders_keep_their_names(desk: Any) -> None:
    (desk.folder / "more").mkdir()
    (desk.folder / "more" / "train.py").write_text("x")
    assert desk.assignment("--code", str(desk.folder / "more")).code == 0
    with zipfile.ZipFile(desk.out / "1155123456_chan_tai-man.zip") as archive:
        assert {"code/train.py", "code/model.py", "more/train.py"} <= set(archive.namelist())


def test_json(desk: Any) -> None:
    import json

    document = json.loads(desk.assignment("--json", "-").out)
    assert document["packed"] and document["path"].endswith("1155123456_chan_tai-man.zip")
    document = json.loads(desk.assignment("--json", "-", student="1").out)
    assert not document["packed"] and "1155" in document["refused"]["rule"]


@pytest.mark.parametrize("arguments", [(), ("results",), ("hand-in",), ("assignment",)])
def test_help(call: Callable[..., Any], arguments: tuple[str, ...]) -> None:
    answer = call("package-course", *arguments, "--help")
    assert answer.code == 0 and "docs/package-course.md" in answer.out
