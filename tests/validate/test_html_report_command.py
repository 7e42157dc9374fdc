"""``pixelproof report`` and ``validate-pb --html --pictures`` as typed."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pixelproof.report import dump_json
from pixelproof.validate.picture_records import INDEX, read_pictures

Call = Callable[..., Any]


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("html_reports", Path(__file__).with_name("html_reports.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


made = _loaded()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "report.json"
    path.write_text(dump_json(made.full().to_json()), encoding="utf-8")
    return path


def test_a_page_beside_the_report(call: Call, saved: Path) -> None:
    answer = call("report", str(saved))
    assert answer.code == 0, answer.err
    assert answer.out == f"Page: {saved.with_suffix('.html')}\n"
    assert "<!doctype html>" in saved.with_suffix(".html").read_text(encoding="utf-8")


@pytest.mark.parametrize("option", ["--html", "--out"])
def test_a_page_with_pictures_elsewhere(call: Call, saved: Path, tmp_path: Path, option: str) -> None:
    made.save(tmp_path / "pictures", made.full())
    page = tmp_path / "new" / "page.html"
    answer = call("report", str(saved), option, str(page), "--pictures", str(tmp_path / "pictures"))
    assert answer.code == 0, answer.err
    assert page.read_text(encoding="utf-8").count("data:image/png") == 15


def test_a_failed_report_has_a_page_too(call: Call, saved: Path) -> None:
    saved.write_text(dump_json(made.refused().to_json()), encoding="utf-8")
    assert call("report", str(saved)).code == 0
    assert "Refused" in saved.with_suffix(".html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda text: text.replace('"schema_version": 1', '"schema_version": 2'),
            "schema version 1; found version 2",
        ),
        (lambda text: text[: len(text) // 2], "must be JSON"),
        (lambda text: "", "must be JSON"),
        (lambda text: "[]", "without schema_version"),
        (lambda text: text.replace('"psnr_db"', '"psnr"', 1), "is not a known key"),
        (lambda text: "\x00" + text, "must be JSON"),
    ],
)
def test_reports_that_are_none(call: Call, saved: Path, change: Callable[[str], str], told: str) -> None:
    saved.write_text(change(saved.read_text(encoding="utf-8")), encoding="utf-8")
    answer = call("report", str(saved))
    assert answer.code == 2 and told in answer.err, answer.err
    assert sorted(p.name for p in saved.parent.iterdir()) == ["report.json"]


def test_outputs_that_can_not_be(call: Call, saved: Path, tmp_path: Path) -> None:
    before = saved.read_bytes()
    page = tmp_path / "report.html"
    page.symlink_to(saved)
    for arguments in (["--html", str(saved)], ["--out", f"{tmp_path}/./report.json"], []):
        answer = call("report", str(saved), *arguments)
        assert answer.code == 2 and "another file than the report" in answer.err, answer.err
    page.unlink()
    answer = call("report", str(saved), "--html", str(tmp_path))
    assert answer.code == 2 and "found the folder" in answer.err
    answer = call("report", str(saved), "--html", str(saved / "page.html"))
    assert answer.code == 3 and "must be writable" in answer.err
    answer = call("report", str(saved), "--pictures", str(tmp_path / "absent"))
    assert answer.code == 2 and "found no folder" in answer.err
    answer = call("report", str(tmp_path / "absent.json"))
    assert answer.code == 2 and "No such file" in answer.err
    assert saved.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc, where nobody may make a file")
def test_a_place_where_nobody_may_write(call: Call, saved: Path) -> None:
    answer = call("report", str(saved), "--html", "/proc/page.html")
    assert answer.code == 3 and "must be writable" in answer.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_can_not_be_written(call: Call, saved: Path) -> None:
    shut = saved.parent / "shut"
    shut.mkdir(mode=0o500)
    answer = call("report", str(saved), "--html", str(shut / "page.html"))
    assert answer.code == 3 and "writable" in answer.err


def test_judged_with_page_and_pictures(
    judged: Call, graphs: Mapping[str, Path], tmp_path: Path, lending: Any
) -> None:
    page, pictures = tmp_path / "page.html", tmp_path / "pictures"
    chosen = ["--only", "contract,fidelity,complexity", "--html", page, "--pictures", pictures]
    answer = judged(graphs["overshoot"], *chosen)
    assert answer.report is not None, answer.err
    assert f"Page: {page}" in answer.err and f"Pictures: {pictures}" in answer.err
    read = read_pictures(pictures)
    assert read.artifact_sha256 == answer.report["artifact"]["sha256"]
    figures = sorted(item["psnr_db"] for item in answer.report["fidelity"]["per_image"])
    assert [item.psnr_db for item in read.images] == [
        figures[0],
        figures[(len(figures) - 1) // 2],
        figures[-1],
    ]
    assert any(item.above or item.below for item in read.images)
    assert page.read_text(encoding="utf-8").count("data:image/png") >= 12
    assert answer.report["measurements"]["complexity"]["params"] >= 0
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_a_page_alone_leaves_no_pictures(
    judged: Call, graphs: Mapping[str, Path], tmp_path: Path, lending: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    page = tmp_path / "page.html"
    answer = judged(graphs["good"], "--only", "fidelity", "--html", page)
    assert answer.report is not None, answer.err
    assert "Pictures" not in answer.err
    assert "data:image/png" in page.read_text(encoding="utf-8")
    assert [p.name for p in tmp_path.iterdir() if "pictures" in p.name] == []
    assert answer.report["measurements"]["complexity"] is None


def test_a_model_that_has_no_pictures(
    judged: Call, graphs: Mapping[str, Path], tmp_path: Path, lending: Any
) -> None:
    page, pictures = tmp_path / "page.html", tmp_path / "pictures"
    answer = judged(graphs["two_inputs"], "--only", "fidelity", "--html", page, "--pictures", pictures)
    assert answer.code == 1 and "No pictures: fidelity was not measured." in answer.err
    assert not pictures.exists() and "What is broken" in page.read_text(encoding="utf-8")


def test_calls_that_can_not_be(judged: Call, graphs: Mapping[str, Path], tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.tex").write_text("years of work")
    answer = judged(graphs["good"], "--pictures", full)
    assert answer.code == 2 and "found thesis.tex" in answer.err
    assert (full / "thesis.tex").read_text() == "years of work"
    answer = judged(graphs["good"], "--html", full)
    assert answer.code == 2 and "--html must be a file's name" in answer.err


def test_one_file_for_two_things(typed: Call, graphs: Mapping[str, Path], tmp_path: Path) -> None:
    one = tmp_path / "one"
    answer = typed(graphs["good"], "--track", "B", "--json", one, "--html", f"{tmp_path}/one")
    assert answer.code == 2 and "must be two files" in answer.err
    assert not one.exists()


def test_a_recheck_has_a_page_and_no_pictures(typed: Call, saved: Path, tmp_path: Path) -> None:
    answer = typed("--recheck", saved, "--pictures", tmp_path / "pictures")
    assert answer.code == 2 and "--recheck measures nothing; found --pictures" in answer.err


def test_a_rechecked_report_keeps_what_the_page_shows(
    typed: Call, judged: Call, rules: Path, graphs: Mapping[str, Path], tmp_path: Path
) -> None:
    answer = judged(graphs["good"], "--only", "memory,complexity", "--html", tmp_path / "first.html")
    assert answer.report is not None, answer.err
    trace = answer.report["memory"]["trace"]
    assert 0 < len(trace["rss_mib"]) <= 200 and len(trace["runs_ms"]) == 2
    assert max(trace["rss_mib"]) <= answer.report["memory"]["peak_rss_mib"] + 0.1
    assert trace["runs_ms"][0] < trace["runs_ms"][1]
    assert sum(
        layer["share"] for layer in answer.report["measurements"]["complexity"]["layers"]
    ) == pytest.approx(1)
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps(answer.report))
    again = typed("--recheck", kept, "--challenge", rules, "--html", tmp_path / "again.html", "--json", "-")
    assert again.report is not None, again.err
    assert again.report["memory"]["trace"] == trace
    for name in ("first.html", "again.html"):
        assert "Memory over time" in (tmp_path / name).read_text(encoding="utf-8")
    assert not (tmp_path / INDEX).exists()
