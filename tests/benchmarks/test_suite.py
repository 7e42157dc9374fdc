"""Benchmarks run one after another, whatever becomes of each."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from benchmarks import suite
from benchmarks.row import Row, Skip, failed
from benchmarks.setting import TORCH_VARIABLE, Setting, setting_of

ROOT = Path(__file__).resolve().parents[2]
FAKE = {
    "good": 'yield Row("fine", 1.0, "peer", 2.0, 0.7, note=str(setting.quick))',
    "skips": 'yield Skip("needs a moon")\n    yield Row("half", 1.0)',
    "breaks": 'yield Row("before", 1.0)\n    raise ValueError("no such luck")',
    "dies": "yield Row('before', 1.0)\n    os.kill(os.getpid(), 9)",
    "hangs": "yield Row('before', 1.0)\n    subprocess.Popen(['sleep', '611.25'])\n    time.sleep(600)",
    "silent": "yield from ()",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout whose benchmarks are made up."""
    made = tmp_path / "benchmarks"
    made.mkdir()
    for name in ("__init__", "row", "setting", "timing", "machine", "table", "suite", "one", "__main__"):
        (made / f"{name}.py").write_text((ROOT / "benchmarks" / f"{name}.py").read_text())
    for name, body in FAKE.items():
        (made / f"bench_{name}.py").write_text(
            "import os, subprocess, time\nfrom benchmarks.row import Row, Skip\n\n"
            f"def rows(setting):\n    {body}\n"
        )
    (made / "bench_typo.py").write_text("def rows(setting:\n")
    (made / "bench_old.py").write_text(textwrap.dedent("def main():\n    pass\n"))
    return made


def run(folder: Path, name: str, *, quick: bool = False, limit_s: float = 60) -> suite.Part:
    rows, log = folder / f"{name}.jsonl", folder / f"{name}.log"
    command = suite.command_of(name, rows, quick=quick)
    return suite.run(name, command, rows, log, limit_s=limit_s, root=folder.parent)


def test_every_file_is_a_benchmark(folder: Path) -> None:
    assert suite.found(folder) == tuple(sorted([*FAKE, "old", "typo"]))
    assert {"convert", "metrics", "startup", "restore", "roofline"} < set(suite.found())


def test_only_chooses_in_its_order() -> None:
    assert suite.chosen(("a", "b", "c"), None) == ("a", "b", "c")
    assert suite.chosen(("a", "b", "c"), "c, bench_a,c") == ("c", "a")
    with pytest.raises(suite.UnknownBenchmark, match=r"found 'a,x'\. There are: a, b, c\."):
        suite.chosen(("a", "b", "c"), "a,x")
    with pytest.raises(suite.UnknownBenchmark):
        suite.chosen(("a", "b", "c"), ",")


@pytest.mark.parametrize("quick", [True, False])
def test_rows_come_back_with_the_setting_that_was_asked_for(folder: Path, quick: bool) -> None:
    part = run(folder, "good", quick=quick)
    assert part.said == (Row("fine", 1.0, "peer", 2.0, 0.7, note=str(quick)),)
    assert not part.failed


def test_what_is_missing_is_no_failure(folder: Path) -> None:
    part = run(folder, "skips")
    assert part.said == (Skip("needs a moon"), Row("half", 1.0))
    assert not part.failed


@pytest.mark.parametrize(
    ("name", "words", "before"),
    [
        ("breaks", "exit 1: ValueError: no such luck", 1),
        ("dies", "exit -9: ", 1),
        ("silent", "it ended without a row", 0),
        ("typo", "exit 1: SyntaxError", 0),
    ],
)
def test_a_failure_is_a_row_beside_those_before_it(folder: Path, name: str, words: str, before: int) -> None:
    part = run(folder, name)
    *rows, last = part.said
    assert rows == [Row("before", 1.0)] * before
    assert isinstance(last, Row)
    assert last.what == f"bench_{name}"
    assert last.note.startswith(words)
    assert part.failed


def test_too_long_is_a_failure_and_leaves_no_process(folder: Path) -> None:
    import psutil

    begun = time.perf_counter()
    part = run(folder, "hangs", limit_s=4)
    assert time.perf_counter() - begun < 30
    assert part.said == (Row("before", 1.0), failed("bench_hangs", "stopped after 4 s"))
    left = [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "611.25"]]
    assert not left


def test_a_benchmark_without_rows_is_skipped(folder: Path) -> None:
    assert run(folder, "old").skipped == ["it has no rows(setting), only a command line of its own"]


def test_a_half_written_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"skipped": "needs a moon"}\n{"what": "cut')
    assert suite.read_rows(path) == (Skip("needs a moon"),)
    assert suite.read_rows(tmp_path / "absent") == ()


@pytest.mark.parametrize(
    ("only", "code", "words"),
    [
        ("breaks,good", 1, ("[1/2] breaks", "FAILED", "no such luck", "fine", "1 targets met")),
        ("good,skips", 0, ("needs a moon", "fine", "0 failed")),
        ("moon", 2, ("--only must name benchmarks", "There are: breaks, dies")),
    ],
)
def test_the_command(folder: Path, only: str, code: int, words: tuple[str, ...]) -> None:
    target = folder / "table.md"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--only", only, "--md", str(target)],
        cwd=folder.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    for word in words:
        assert word in done.stdout + done.stderr
    assert target.exists() is (code != 2)


def test_json_on_standard_output_is_one_document(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--only", "good", "--quick", "--json", "-"],
        cwd=folder.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    document = json.loads(done.stdout)
    assert document["quick"] is True
    assert [row["what"] for row in document["rows"]] == ["fine"]
    assert "1 targets met" in done.stderr


def test_setting_reads_the_environment(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    found = setting_of({"PIXELPROOF_DATA": str(tmp_path), TORCH_VARIABLE: "/p"}, quick=True)
    assert found == Setting(True, tmp_path, "/p")
    assert found.folder("here") == tmp_path / "here"
    assert found.folder("there") == Skip("needs there in PIXELPROOF_DATA")
    bare = setting_of({"PIXELPROOF_DATA": "", TORCH_VARIABLE: ""})
    assert bare == Setting()
    assert isinstance(bare.folder("here"), Skip)
