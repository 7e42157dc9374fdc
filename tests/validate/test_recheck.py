"""A saved report judged again: other verdicts from the same figures, no model, no TensorFlow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, graphs, rules, data) -> Path:
    """A full report of a graph that goes a little out of range."""
    path = tmp_path_factory.mktemp("saved") / "report.json"
    command = [
        "--challenge",
        str(rules),
        "--track",
        "B",
        "--data",
        str(data),
        "--max-runs",
        "3",
        "--json",
        str(path),
    ]
    program = [
        sys.executable,
        "-c",
        "from pixelproof.cli import validate_pb; validate_pb()",
        str(graphs["overshoot"]),
    ]
    done = subprocess.run([*program, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return path


def changed(rules: Path, folder: Path, *pieces: tuple[str, str]) -> Path:
    text = rules.read_text()
    for old, new in pieces:
        assert old in text
        text = text.replace(old, new)
    path = folder / "stricter.toml"
    path.write_text(text)
    return path


def statuses(report: dict[str, Any]) -> dict[str, str]:
    return {check["id"]: check["status"] for check in report["checks"]}


def test_the_same_rules_give_the_same_document(typed, saved: Path, rules: Path) -> None:
    answer = typed("--recheck", saved, "--challenge", rules, "--json", "-")
    assert answer.code == 0
    assert answer.report == json.loads(saved.read_text())


def test_stricter_rules_give_other_verdicts_in_the_same_format(
    typed, saved: Path, rules: Path, tmp_path: Path
) -> None:
    stricter = changed(
        rules,
        tmp_path,
        ("fail_range = [-0.25, 1.25]", "fail_range = [-0.01, 1.01]"),
        ("model_mib = 100", "model_mib = 0.0001"),
        ("total_rss_mib = 3584", "total_rss_mib = 50"),
        ("psnr_baseline = 21.0", "psnr_baseline = 20.0"),
    )
    before = json.loads(saved.read_text())
    answer = typed("--recheck", saved, "--challenge", stricter, "--json", "-")
    assert answer.code == 1
    assert {check for check, status in statuses(answer.report).items() if status == "failed"} == {
        "range", "size", "memory",
    }  # fmt: skip
    assert set(answer.report) == set(before)
    for part in ("artifact", "fidelity", "runtime", "memory", "measurements", "environment", "created"):
        assert answer.report[part] == before[part]
    assert answer.report["scores"]["A"] == pytest.approx(before["scores"]["A"] + 4)
    assert answer.report["rules_sha256"] != before["rules_sha256"]
    assert answer.report["passed"] is False


def test_shares_that_were_counted_by_other_rules_are_not_repeated(
    typed, saved: Path, rules: Path, tmp_path: Path
) -> None:
    other = changed(rules, tmp_path, ("warn_range = [0.0, 1.0]", "warn_range = [0.0, 1.01]"))
    answer = typed("--recheck", saved, "--challenge", other, "--json", "-")
    assert answer.checks()["range"]["found"] == "-0.0591 to 1.0591"
    wide = changed(rules, tmp_path, ("warn_range = [0.0, 1.0]", "warn_range = [-0.2, 1.2]"))
    assert (
        typed("--recheck", saved, "--challenge", wide, "--json", "-").checks()["range"]["status"] == "passed"
    )


def test_a_mean_opinion_score_changes_the_scores_alone(typed, saved: Path, rules: Path) -> None:
    before = json.loads(saved.read_text())
    answer = typed("--recheck", saved, "--challenge", rules, "--mos", "0.5", "--json", "-")
    assert answer.report["mos"] == 0.5
    assert answer.report["scores"] != before["scores"]
    assert answer.report["checks"] == before["checks"]
    again = typed("--recheck", saved, "--challenge", rules, "--json", "-", "--mos", "6")
    assert (again.code, "--mos must be between" in again.err) == (2, True)


def test_groups_can_be_left_out_of_a_recheck(typed, saved: Path, rules: Path) -> None:
    answer = typed("--recheck", saved, "--challenge", rules, "--only", "size", "--json", "-")
    assert set(answer.checks("passed")) == {"allowed", "loads", "runs", "size"}
    assert len(answer.checks("not_run")) == 9


def test_what_was_left_out_is_not_judged_from_scraps(
    typed, judged, graphs, rules, lending, tmp_path: Path
) -> None:
    path = tmp_path / "partial.json"
    path.write_text(judged(graphs["good"], "--only", "range").out)
    answer = typed("--recheck", path, "--challenge", rules, "--json", "-")
    assert answer.checks()["resolution"]["status"] == "not_run"
    assert set(answer.checks("passed")) == {"allowed", "loads", "runs", "range"}


def test_it_needs_neither_model_nor_tensorflow(saved: Path, rules: Path, tmp_path: Path) -> None:
    report = json.loads(saved.read_text())
    report["artifact"]["path"] = str(tmp_path / "gone.pb")
    moved = tmp_path / "moved.json"
    moved.write_text(json.dumps(report))
    program = (
        "import sys, subprocess\n"
        "subprocess.Popen = None\n"
        "sys.modules['tensorflow'] = None\n"
        "import platform; platform.processor = lambda: ''\n"
        "from pixelproof.cli import validate_pb; validate_pb()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--recheck", str(moved), "--challenge", str(rules), "--json", "-"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONWARNINGS": "error"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["artifact"]["path"].endswith("gone.pb")


def test_a_report_of_another_challenge_track_or_version(
    typed, saved: Path, rules: Path, tmp_path: Path
) -> None:
    other_track = typed("--recheck", saved, "--challenge", rules, "--track", "A")
    assert other_track.code == 2
    assert "The report must be of pirm2018, track A; found pirm2018, track B" in other_track.err
    other = changed(rules, tmp_path, ('id = "pirm2018"', 'id = "mine"'))
    answer = typed("--recheck", saved, "--challenge", other)
    assert answer.code == 2
    assert "a copied TOML file keeps the id" in answer.err
    for version, text in ((99, "version 99"), (None, "schema_version")):
        report = json.loads(saved.read_text())
        report["schema_version"] = version
        if version is None:
            del report["schema_version"]
        path = tmp_path / "other.json"
        path.write_text(json.dumps(report))
        answer = typed("--recheck", path, "--challenge", rules)
        assert answer.code == 2
        assert text in answer.err


def test_a_report_with_a_key_that_is_not_ours_names_it(
    typed, saved: Path, rules: Path, tmp_path: Path
) -> None:
    report = json.loads(saved.read_text())
    report["fidelity"]["psnr"] = 3
    path = tmp_path / "strange.json"
    path.write_text(json.dumps(report))
    answer = typed("--recheck", path, "--challenge", rules)
    assert answer.code == 2
    assert "evidence.fidelity.psnr is not a known key" in answer.err


def test_rules_that_measure_otherwise_are_refused(typed, saved: Path, rules: Path, tmp_path: Path) -> None:
    other = changed(
        rules, tmp_path, ('variant = "scipy-fft", clip = false', 'variant = "scipy-fft", clip = true')
    )
    answer = typed("--recheck", saved, "--challenge", other)
    assert answer.code == 2
    assert "The rules must measure as the report did" in answer.err
