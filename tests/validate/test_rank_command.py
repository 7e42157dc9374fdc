"""``pixelproof rank-reports``: real reports of a small contest, judged and ranked."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.images import write_png

RULES = """\
id = "tiny-esr"
title = "Tiny"
url = "https://example.org"
data_folder = "tiny"

[tracks.cost]
title = "Parameters and FLOPs"
contract = { channels = [3, 3], layouts = ["NHWC", "NCHW"] }
fidelity = { inputs = "in", targets = "out", psnr = { round_to_8_bit = true } }
runtime = { images = "in", every_image = true }
gates = { psnr_db = 5.0 }
complexity = { convention = "ntire2022", height = 32, width = 48 }
ranking = { metrics = ["params", "flops"] }

[tracks.unranked]
title = "Nothing"
contract = { channels = [3, 3] }
"""


@pytest.fixture(scope="module")
def contest(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(rules, data)."""
    root = tmp_path_factory.mktemp("contest")
    rng = np.random.default_rng(1)
    for number, size in enumerate([(24, 40), (32, 32)]):
        picture = rng.integers(3, 250, (*size, 3)).astype(np.uint8)
        write_png(root / "data" / "in" / f"{number}.png", picture)
        write_png(root / "data" / "out" / f"{number}.png", picture + np.uint8(3))
    (root / "rules.toml").write_text(RULES)
    return root / "rules.toml", root / "data"


@pytest.fixture(scope="module")
def models(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Frozen graphs of one convolution of 1x1, 3x3 and 5x5."""
    folder = tmp_path_factory.mktemp("models")
    made = {}
    for side in (1, 3, 5):
        with tf.Graph().as_default() as graph:
            x = tf.compat.v1.placeholder(tf.float32, (1, None, None, 3), name="input")
            kernel = np.zeros((side, side, 3, 3), np.float32)
            kernel[side // 2, side // 2] = np.eye(3)
            tf.identity(tf.nn.conv2d(x, tf.constant(kernel), 1, "SAME"), name="output")
        made[f"conv{side}"] = folder / f"conv{side}.pb"
        made[f"conv{side}"].write_bytes(graph.as_graph_def().SerializeToString())
    return made


Judge = Callable[..., Any]


def test_reports_are_judged_and_ranked(
    call: Judge, contest: tuple[Path, Path], models: Mapping[str, Path], tmp_path: Path
) -> None:
    rules, data = contest
    reports = []
    for name, model in models.items():
        report = tmp_path / name / "report.json"
        words = ["--challenge", str(rules), "--track", "cost", "--data", str(data), "--max-runs", "6"]
        done = call("validate-pb", str(model), *words, "--json", str(report))
        assert done.code == 0, done.out + done.err
        reports.append(str(report))
    assert "PSNR gate" in done.out and "convolutions" in done.out
    figures = json.loads(Path(reports[1]).read_text())
    cost = figures["measurements"]["complexity"]
    assert (cost["params"], cost["flops"], cost["activations"], cost["conv_layers"]) == (
        81, 81 * 32 * 48, 3 * 32 * 48, 1,
    )  # fmt: skip
    runtime = figures["runtime"]
    assert runtime["images"] == 2 and runtime["mean_ms"] > 0 and len(runtime["interval_ms"]) == 2

    files = [tmp_path / f"ranking.{kind}" for kind in ("csv", "md", "html", "json")]
    options = [word for path in files for word in (f"--{path.suffix[1:]}", str(path))]
    ranked = call("rank-reports", *reversed(reports), "--challenge", str(rules), *options)
    assert ranked.code == 0, ranked.err
    table = list(csv.DictReader(files[0].read_text().splitlines()))
    assert [(row["Place"], row["Name"]) for row in table] == [("1", "conv1"), ("2", "conv3"), ("3", "conv5")]
    assert [row["FLOPs [G]"][-3:] for row in table] == ["(1)", "(2)", "(3)"]
    assert "| 1 | conv1 |" in files[1].read_text() and "<td>conv5</td>" in files[2].read_text()
    assert json.loads(files[3].read_text())["ranking"][0]["total"] == 2

    again = ["--time", "--runs", "3", "--size", "32,48"]
    timed = call("rank-reports", *reports, "--challenge", str(rules), *again, "--json", str(files[3]))
    assert timed.code == 0, timed.err
    entries = [item["entry"] for item in json.loads(files[3].read_text())["ranking"]]
    assert all(low <= high for low, high in (entry["runtime_interval_ms"] for entry in entries))

    strict = call("validate-pb", "--recheck", reports[0], "--challenge", str(rules), "--psnr-gate", "60")
    assert strict.code == 1 and "PSNR gate" in strict.out

    for words, said in (
        (["--track", "unranked"], "must say how it ranks"),
        (["--track", "none"], "A track of tiny-esr must be named"),
        (["--time", "--size", "4"], "--size must be height,width"),
    ):
        wrong = call("rank-reports", *reports, "--challenge", str(rules), *words)
        assert (wrong.code, said in wrong.err) == (2, True), wrong.err
    models["conv1"].write_bytes(models["conv3"].read_bytes())
    changed = call("rank-reports", *reports, "--challenge", str(rules), "--time")
    assert changed.code == 2 and "another file" in changed.err


def test_what_is_no_report_or_of_other_rules_is_refused(
    call: Judge, contest: tuple[Path, Path], tmp_path: Path
) -> None:
    rules, _ = contest
    (tmp_path / "x.json").write_text("{}")
    assert call("rank-reports", str(tmp_path / "x.json"), "--challenge", str(rules)).code == 2
    assert call("rank-reports", str(tmp_path / "gone.json")).code == 2
    assert call("rank-reports").code == 2
