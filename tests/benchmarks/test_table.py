"""The table of all rows, as text, Markdown and JSON."""

from __future__ import annotations

import json

import pytest

from benchmarks.machine import Machine
from benchmarks.row import Row, Skip, failed
from benchmarks.table import QUICK, Part, Table, cells, figure, markdown, print_table
from pixelproof.console import Console

MACHINE = Machine("a processor", 4, 15.6, "Linux", "3.11.9", 0.2, {"numpy": "2.4.6"}, {"torch": "2.13.0"})
PARTS = (
    Part("speed", (Row("a|b", 2.0, "peer", 4.0, 0.7, note="3 rounds"), Row("c", 1.0, "peer", 0.5, 1.1)), 3.2),
    Part("size", (Row("d", 5.0, target=9.0, bound="ours <=", unit="MB"), Skip("e needs data")), 0.4),
    Part("broken", (failed("bench_broken", "exit 1: no"),), 0.1),
    Part("absent", (Skip("needs PyTorch"),), 0.1),
    Part("plain", (Row("f", 1.0, "peer", 3.0, unit="ms"),), 0.1),
)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.123456, "s", "0.1235 s"),
        (1849.7, "ms", "1850 ms"),
        (2.887e-15, "", "2.887e-15"),
        (None, "s", "-"),
        (0.0, "s", "0 s"),
    ],
)
def test_figures(value: float | None, unit: str, text: str) -> None:
    assert figure(value, unit) == text


def test_cells_of_a_row() -> None:
    assert cells(PARTS[0].rows[0]) == [
        "a|b", "2 s", "peer", "4 s", "0.500", "ratio <= 0.7", "yes", "3 rounds"
    ]  # fmt: skip
    assert cells(PARTS[1].rows[0])[1:7] == ["5 MB", "-", "-", "-", "ours <= 9", "yes"]


def test_summary_counts_every_row_and_skip() -> None:
    expected = "2 targets met, 1 not met, 1 failed, 1 without a target, 2 skipped"
    assert Table(MACHINE, PARTS).summary() == expected


def test_markdown_has_a_line_for_each_row_and_keeps_its_columns() -> None:
    text = markdown(Table(MACHINE, PARTS))
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 5
    assert {line.replace(r"\|", "").count("|") for line in lines} == {10}
    assert "| speed | a\\|b | 2 s |" in text
    assert "- size: e needs data" in text
    assert "- absent: needs PyTorch" in text
    assert "a processor, 4 cores, 16 GiB, load 0.2" in text
    assert "torch 2.13.0" in text
    assert "quick" not in text
    assert QUICK in markdown(Table(MACHINE, PARTS, quick=True))


def test_text_has_everything(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(Table(MACHINE, PARTS, quick=True), Console())
    printed = " ".join(capsys.readouterr().out.split())
    for word in (
        "speed: a|b",
        "3 rounds",
        "exit 1: no",
        "e needs data",
        "numpy 2.4.6",
        "no figures to quote",
    ):
        assert word in printed
    assert "busy" not in printed


def test_json_document() -> None:
    document = json.loads(json.dumps(Table(MACHINE, PARTS, quick=True).to_json()))
    assert document["quick"] is True
    assert [row["bench"] for row in document["rows"]] == ["speed", "speed", "size", "broken", "plain"]
    assert [row["met"] for row in document["rows"]] == ["yes", "no", "yes", "failed", "no target"]
    assert document["skipped"][1] == {"bench": "absent", "reason": "needs PyTorch"}
    assert document["machine"]["torch_libraries"] == {"torch": "2.13.0"}
    assert document["machine"]["busy"] is False


@pytest.mark.parametrize(("load", "busy"), [(1.9, False), (2.1, True), (None, False)])
def test_a_busy_machine_is_named(load: float | None, busy: bool) -> None:
    machine = Machine("a processor", 4, 15.6, "Linux", "3.11.9", load)
    assert machine.busy is busy
    assert ("busy" in "\n".join(machine.lines())) is busy
