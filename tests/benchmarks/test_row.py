"""Verdicts of rows, and their way through JSON."""

from __future__ import annotations

import json
import math

import pytest

from benchmarks.row import Row, Skip, failed, from_json, to_json


@pytest.mark.parametrize(
    ("row", "ratio", "met"),
    [
        (Row("a", 2.0, "peer", 4.0, 0.7), 0.5, "yes"),
        (Row("a", 2.8, "peer", 4.0, 0.7), 0.7, "yes"),
        (Row("a", 3.0, "peer", 4.0, 0.7), 0.75, "no"),
        (Row("a", 3.0, "peer", 4.0, 0.7, paired=0.6), 0.6, "yes"),
        (Row("a", 3.0, "peer", 4.0), 0.75, "no target"),
        (Row("a", 9.0, "peer", 4.0, 1.45, bound="ratio >="), 2.25, "yes"),
        (Row("a", 5.0, "peer", 4.0, 1.45, bound="ratio >="), 1.25, "no"),
        (Row("a", 0.04, target=0.05, bound="ours <="), None, "yes"),
        (Row("a", 0.06, target=0.05, bound="ours <="), None, "no"),
        (Row("a", 0.06, "peer", 10.0, 0.05, bound="ours <="), 0.006, "no"),
        (Row("a", 30.0, target=20.0, bound="ours >="), None, "yes"),
        (failed("a", "exit 1"), None, "failed"),
    ],
)
def test_verdicts(row: Row, ratio: float | None, met: str) -> None:
    assert row.ratio == pytest.approx(ratio)
    assert row.met == met


@pytest.mark.parametrize("row", [Row("a", math.nan, "peer", 4.0, 0.7), Row("a", 1.0, "peer", math.nan, 0.7)])
def test_what_is_no_number_meets_no_target(row: Row) -> None:
    assert row.met == "no"


def test_a_target_of_a_ratio_without_a_peer_is_not_met() -> None:
    assert Row("a", 1.0, target=0.7).met == "no"
    assert Row("a", 1.0, "peer", 0.0, target=0.7).met == "no"


@pytest.mark.parametrize(
    "said",
    [
        Row("a", 2.0, "peer", 4.0, 0.7, bound="ratio >=", unit="MiB", paired=0.4, note="|x|"),
        failed("b", "exit 1"),
        Skip("needs data"),
    ],
)
def test_json_gives_the_same_back(said: Row | Skip) -> None:
    assert from_json(json.loads(json.dumps(to_json(said)))) == said


def test_json_has_ratio_and_verdict() -> None:
    found = to_json(Row("a", 3.0, "peer", 4.0, 0.7))
    assert (found["ratio"], found["met"]) == (0.75, "no")
