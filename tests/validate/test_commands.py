"""validate-pb as typed: options, exit codes, JSON, what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pixelproof.errors import CallError
from pixelproof.validate.checks.base import GROUPS
from pixelproof.validate.selection import parse_groups


def test_groups() -> None:
    assert parse_groups(None, None) == frozenset(GROUPS)
    assert parse_groups("size, range", None) == {"size", "range"}
    assert parse_groups(None, "memory,runtime") == frozenset(GROUPS) - {"memory", "runtime"}


@pytest.mark.parametrize(
    ("only", "skip", "message"),
    [
        ("size", "range", "exclude each other"),
        ("sise", None, "found 'sise'. Did you mean size?"),
        (None, "memmory", "--skip takes groups"),
        ("", None, "found ''"),
        ("size,", None, "found ''"),
        (None, ",".join(GROUPS), "Something must be left to judge"),
    ],
)
def test_groups_that_can_not_be(only: str | None, skip: str | None, message: str) -> None:
    with pytest.raises(CallError) as refused:
        parse_groups(only, skip)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "validate-pb needs a model"),
        (["m.pb"], "--track must be given; found none. Tracks of pirm2018: A (Image super-resolution"),
        (["m.pb", "--track", "C"], "A track of pirm2018 must be named; found 'C'. Choices: A, B."),
        (["m.pb", "--track", "B", "--challenge", "pirm2019"], "Did you mean pirm2018?"),
        (["m.pb", "--track", "B", "--only", "speed"], "found 'speed'"),
        (["m.pb", "--track", "B", "--data", "nowhere"], "--data must be a folder; found nowhere"),
        (["m.pb", "--track", "B", "--mos", "5.5"], "--mos must be between 0 and 5"),
        (["m.pb", "--recheck", "r.json"], "found a model as well"),
        (["--recheck", "r.json", "--data", ".", "--max-runs", "20"], "measures nothing; found --data, --max-runs"),
        (["--recheck", "r.json"], "A report must be a readable file"),
        (["nothere.pb", "--track", "B", "--only", "size"], "The artifact must exist; found no file nothere.pb"),
        (["m.pb", "--track", "B", "--images", "0"], "--images"),
        (["m.pb", "--challenge", "ai6126-face", "--track", "results"], "pixelproof validate-images judges pictures"),
    ],
)  # fmt: skip
def test_a_wrong_call_is_exit_2_with_the_way_out(
    typed, monkeypatch, tmp_path, arguments, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PIXELPROOF_DATA", raising=False)
    (tmp_path / "m.pb").write_bytes(b"not looked at")
    answer = typed(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("text.pb", b"this is no graph, it is text", "A .pb must be a frozen TensorFlow graph"),
        ("empty.pb", b"", "an empty file"),
        ("weights.h5", b"x", "a Keras HDF5 file"),
        ("model.keras", b"x", "a Keras file"),
        ("net.pth", b"x", "a PyTorch file"),
        ("net.tflite", b"junk, and more junk", "TFL3"),
        ("net.onnx", b"junk, and more junk", "must hold an ONNX model"),
    ],
)
def test_a_file_that_is_no_artifact_is_exit_2(
    judged, lending, tmp_path, name: str, content: bytes, message: str
) -> None:
    model = tmp_path / name
    model.write_bytes(content)
    answer = judged(model, "--only", "size")
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err


def test_a_cut_off_graph_and_a_folder_are_exit_2(judged, graphs, lending, tmp_path) -> None:
    cut = tmp_path / "cut.pb"
    cut.write_bytes(graphs["good"].read_bytes()[:-100])
    assert judged(cut, "--only", "size").code == 2
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "model.pb").write_bytes(graphs["good"].read_bytes())
    answer = judged(tmp_path / "folder", "--only", "size")
    assert answer.code == 2
    assert "a folder without saved_model.pb. In it: model.pb." in answer.err


def test_a_broken_rule_is_exit_1_and_the_report_is_written(
    typed, graphs, rules, data, lending, tmp_path
) -> None:
    path = tmp_path / "new" / "report.json"
    answer = typed(
        graphs["to_255"],
        "--challenge",
        rules,
        "--track",
        "B",
        "--data",
        data,
        "--only",
        "range",
        "--json",
        path,
    )
    assert answer.code == 1
    report = json.loads(path.read_text())
    assert report["passed"] is False
    assert report["schema_version"] == 1
    assert "FAILED: Value range" in answer.out
    assert f"Report: {path}" in answer.out


def test_json_on_standard_output_is_one_document_and_the_rest_goes_to_standard_error(
    judged, graphs, lending
) -> None:
    answer = judged(graphs["good"], "--only", "range")
    document = json.loads(answer.out)
    assert answer.out == json.dumps(document, indent=2) + "\n"
    assert set(document) == {
        "artifact", "challenge", "checks", "created", "data", "environment", "fidelity", "measured_as_sha256",
        "measurements", "memory", "mos", "official_data", "passed", "psnr_gate", "rules_sha256", "runtime",
        "schema_version", "scores", "track",
    }  # fmt: skip
    assert "tensorflow" in document["environment"]["worker"]
    assert "PASSED" in answer.err
    assert "Value range" in answer.err


def test_a_report_that_can_not_be_written_is_told_before_minutes_are_spent(
    judged, typed, graphs, lending
) -> None:
    for place, code in (("/proc/none/report.json", 3), (graphs["good"].parent, 2)):
        answer = typed(graphs["good"], "--track", "B", "--json", place)
        assert answer.code == code
    assert lending.started == 0


def test_samples_are_the_default_and_it_is_said(typed, graphs, lending, monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("PIXELPROOF_DATA", raising=False)
    answer = typed(graphs["good"], "--track", "B", "--only", "fidelity", "--json", tmp_path / "r.json")
    assert answer.code == 0
    assert "bundled samples (a demonstration" in answer.out
    assert (
        "These figures are of the bundled samples, a demonstration; not the challenge's figures."
        in answer.out
    )
    assert json.loads((tmp_path / "r.json").read_text())["official_data"] is False


def test_given_data_is_not_called_a_sample(judged, graphs, lending) -> None:
    answer = judged(graphs["good"], "--only", "fidelity")
    assert answer.report["official_data"] is True
    assert "sample" not in answer.err


def test_the_environments_data_must_hold_the_challenges_folder(
    typed, graphs, lending, monkeypatch, tmp_path
) -> None:
    monkeypatch.setenv("PIXELPROOF_DATA", str(tmp_path))
    answer = typed(graphs["good"], "--track", "B")
    assert answer.code == 2
    assert "PIXELPROOF_DATA must hold ai-challenge" in answer.err


def test_no_images_are_asked_for_where_none_are_used(typed, graphs, lending, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PIXELPROOF_DATA", str(tmp_path))
    answer = typed(graphs["good"], "--track", "B", "--only", "size", "--json", "-")
    assert answer.code == 0
    assert answer.report["data"] == "no images used"


def test_a_challenge_file_with_an_unknown_key_names_key_and_line(typed, rules, tmp_path) -> None:
    lines = rules.read_text().splitlines()
    place = lines.index("[tracks.B.limits]") + 1
    lines.insert(place, "model_mb = 100")
    path = tmp_path / "mine.toml"
    path.write_text("\n".join(lines))
    answer = typed("m.pb", "--challenge", path, "--track", "B")
    assert answer.code == 2
    assert f"mine.toml, line {place + 1}: tracks.B.limits.model_mb is not a known key" in answer.err


def test_a_mos_counts_in_place_of_ms_ssim(judged, graphs, rules, typed, data, tmp_path, lending) -> None:
    options = ("--only", "fidelity,runtime", "--max-runs", "2")
    plain = judged(graphs["good"], *options).report
    rated = judged(graphs["good"], *options, "--mos", "0.95").report
    assert rated["mos"] == 0.95
    runtime = min(rated["runtime"]["speedup"], 4)
    expected = 4 * (rated["fidelity"]["psnr_db"] - 21) + 100 * (0.95 - 0.9) + 2 * runtime
    assert rated["scores"]["A"] == pytest.approx(expected)
    assert plain["mos"] is None
    without = tmp_path / "without.toml"
    without.write_text(
        rules.read_text().replace("mos_may_replace_ms_ssim = true", "mos_may_replace_ms_ssim = false")
    )
    refused = typed(graphs["good"], "--challenge", without, "--track", "B", "--data", data, "--mos", "0.95")
    assert refused.code == 2
    assert "--mos must be foreseen by the rules" in refused.err


def test_the_parent_imports_no_tensorflow_and_no_format_library(graphs, rules, data, tmp_path: Path) -> None:
    program = (
        "import sys, atexit\n"
        "heavy = {'tensorflow', 'keras', 'onnx', 'onnxruntime', 'ai_edge_litert', 'tf2onnx', 'google.protobuf'}\n"
        "atexit.register(lambda: print('heavy:', sorted(heavy & set(sys.modules)), file=sys.stderr))\n"
        "from pixelproof.cli import validate_pb\n"
        "validate_pb()\n"
    )
    report = tmp_path / "report.json"
    command = [
        str(graphs["good"]),
        "--challenge",
        str(rules),
        "--track",
        "B",
        "--data",
        str(data),
        "--max-runs",
        "2",
    ]
    done = subprocess.run(
        [sys.executable, "-c", program, *command, "--json", str(report)],
        capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "160"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip().endswith("heavy: []")
    checks = json.loads(report.read_text())["checks"]
    assert {check["status"] for check in checks} <= {"passed", "warning"}
    assert "Next: package-submission --model" in done.stdout


def test_help_tells_groups_and_exit_codes(typed) -> None:
    answer = typed("--help")
    assert answer.code == 0
    assert " ".join(GROUPS) in " ".join(answer.out.split())
    assert "Exit codes: 0" in answer.out
