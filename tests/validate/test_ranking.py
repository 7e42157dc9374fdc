"""Ranks, ties, gates, weighted scores, and the tables that are made of them."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelproof.challenge import Ranking
from pixelproof.errors import CallError
from pixelproof.validate.rank_table import as_csv, as_html, as_markdown, headings, rows
from pixelproof.validate.ranking import Entry, rank, shared_ranks

ALL = Ranking(metrics=("runtime", "params", "flops", "activations", "memory"))


def entry(
    name: str, *figures: float | None, interval: tuple[float, float] | None = None, out: str = ""
) -> Entry:
    runtime, params, flops, activations, memory = figures
    return Entry(
        name,
        29.0,
        {"runtime": runtime, "params": params, "flops": flops, "activations": activations, "memory": memory},
        39,
        interval,
        out,
    )


# Invented, of the size that such networks have: runtime, parameters, FLOPs, activations, memory.
ONE = entry("one", 27.11, 0.317e6, 19.70e9, 80.05e6, 377.91)
TWO = entry("two", 28.07, 0.272e6, 16.86e9, 79.59e6, 575.99)
THREE = entry("three", 34.10, 0.273e6, 16.76e9, 65.10e6, 295.84)


def places(*entries: Entry, rules: Ranking) -> dict[str, int | None]:
    return {item.entry.name: item.place for item in rank(entries, rules)}


def test_each_track_orders_by_its_own_metrics() -> None:
    assert places(TWO, THREE, ONE, rules=Ranking(("runtime",))) == {"one": 1, "two": 2, "three": 3}
    assert places(ONE, TWO, THREE, rules=Ranking(("params", "flops"))) == {"two": 1, "three": 1, "one": 3}
    assert places(ONE, TWO, THREE, rules=ALL) == {"three": 1, "two": 2, "one": 3}
    (best, *_) = rank([ONE, TWO, THREE], ALL)
    assert best.total == 3 + 2 + 1 + 1 + 1
    assert best.ranks == {"runtime": 3, "params": 2, "flops": 1, "activations": 1, "memory": 1}


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12))
def test_ties_share_the_better_rank_and_the_next_counts_on(values: list[int]) -> None:
    ranks = shared_ranks(values)
    for value, found in zip(values, ranks, strict=True):
        assert found == 1 + sum(other < value for other in values)


def test_what_failed_or_was_not_measured_has_no_place_and_moves_nobody() -> None:
    failed = replace(ONE, name="failed", out="failed: PSNR gate", figures={**ONE.figures, "runtime": 1.0})
    unmeasured = replace(TWO, name="unmeasured", figures={**TWO.figures, "flops": None})
    ranked = rank([failed, unmeasured, ONE, THREE], ALL)
    assert [(item.entry.name, item.place) for item in ranked] == [
        ("three", 1), ("one", 2), ("failed", None), ("unmeasured", None),
    ]  # fmt: skip
    assert ranked[2].entry.out == "failed: PSNR gate"
    assert ranked[3].entry.out == "not measured: flops"
    assert ranked[1].ranks["runtime"] == 1
    nan = replace(ONE, name="nan", figures={**ONE.figures, "runtime": math.nan})
    assert rank([nan], Ranking(("runtime",)))[0].place is None


def test_a_metric_that_one_entry_lacks_still_orders_by_the_others() -> None:
    without_memory = replace(TWO, figures={**TWO.figures, "memory": None})
    ranked = rank([ONE, without_memory], Ranking(("runtime",)))
    assert [item.place for item in ranked] == [1, 2] and "memory" not in ranked[0].ranks


def test_the_weighted_score_is_the_published_formula() -> None:
    rules = Ranking(
        ("runtime", "flops", "params"), "weighted", {"runtime": 0.7, "flops": 0.15, "params": 0.15}
    )
    ranked = rank([ONE, TWO], rules, baseline=ONE)
    by_name = {item.entry.name: item.total for item in ranked}
    assert by_name["one"] == pytest.approx(math.exp(2))
    expected = (
        0.7 * math.exp(2 * 28.07 / 27.11)
        + 0.15 * math.exp(2 * 16.86 / 19.70)
        + 0.15 * math.exp(2 * 272 / 317)
    )
    assert by_name["two"] == pytest.approx(expected)
    with pytest.raises(CallError, match="baseline's figures"):
        rank([ONE], rules)
    with pytest.raises(CallError, match="must have every figure"):
        rank([ONE], rules, baseline=replace(ONE, figures={**ONE.figures, "flops": None}))


def test_overlapping_runtimes_are_marked() -> None:
    near = replace(ONE, runtime_interval_ms=(26.0, 28.0)), replace(TWO, runtime_interval_ms=(27.9, 29.0))
    far = replace(THREE, runtime_interval_ms=(34.0, 34.2))
    ranked = rank([*near, far], Ranking(("runtime",)))
    assert [item.unseparated for item in ranked] == [(2,), (1,), ()]
    assert rows(ranked)[0][-1] == "runtime not separable from place 2"


def test_the_table_has_each_rank_behind_its_figure() -> None:
    table = [dict(zip(headings(), row, strict=True)) for row in rows(rank([ONE, TWO, THREE], ALL))]
    assert [row["Name"] for row in table] == ["three", "two", "one"]
    assert (table[2]["Runtime [ms]"], table[2]["Params [M]"], table[2]["FLOPs [G]"]) == (
        "27.11(1)", "0.317(3)", "19.70(3)",
    )  # fmt: skip
    assert (table[2]["Acts [M]"], table[2]["Mem [MiB]"], table[2]["Total"]) == ("80.05(3)", "377.9(2)", "12")


def test_names_stay_text_in_every_format() -> None:
    names = ["<script>alert(1)</script>", "=1+1", "a|b", "-2"]
    ranked = rank([replace(ONE, name=name) for name in names], ALL)
    html = as_html(ranked, title="<T>")
    assert "<script>" not in html and "&lt;script&gt;" in html and "<title>&lt;T&gt;</title>" in html
    assert "http" not in html.replace("http-equiv", "")
    read = list(csv.reader(io.StringIO(as_csv(ranked))))
    assert read[0] == headings() and len(read) == 5
    assert {row[1] for row in read[1:]} == {names[0], "'=1+1", "a|b", "'-2"}
    markdown = as_markdown(ranked).splitlines()
    assert len(markdown) == 6
    assert all(line.replace("\\|", "").count("|") == len(headings()) + 1 for line in markdown)
