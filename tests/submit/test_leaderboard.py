"""``pixelproof leaderboard``: places, what counts, documents, bad input."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelproof.challenge import challenge_text, load_challenge, rules_sha256
from pixelproof.report import dump_json
from pixelproof.submit.board.build import rules_named
from pixelproof.submit.board.rankings import rank_entry, rankings_of
from pixelproof.submit.board.teams import current, teams_of
from pixelproof.submit.board.texts import harmless, markdown_text
from pixelproof.submit.ledger.records import Entry, figures_of
from pixelproof.submit.ledger.store import open_ledger
from pixelproof.validate.ranking import entry_of, shared_ranks

_spec = importlib.util.spec_from_file_location("ledger_desk", Path(__file__).with_name("ledger_desk.py"))
assert _spec is not None and _spec.loader is not None
desk = importlib.util.module_from_spec(_spec)
sys.modules["ledger_desk"] = desk
_spec.loader.exec_module(desk)
judged, report, ticket, verdict = desk.judged, desk.report, desk.ticket, desk.verdict

Call = Callable[..., Any]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a ledger can be."""
    return tmp_path / "ledger.sqlite"


def board(call: Call, path: Path, *options: str) -> Any:
    """The JSON document of one challenge."""
    answer = call("leaderboard", "--ledger", str(path), *options, "--json", "-")
    assert answer.code == 0, answer.err
    (only,) = json.loads(answer.out)["challenges"]
    return only


def places(found: Any, *, ranking: str = "A", track: str = "B") -> list[tuple[Any, ...]]:
    """(rank, team, value rounded) of one ranking."""
    (chosen,) = [t for t in found["tracks"] if t["track"] == track]
    (table,) = [r for r in chosen["rankings"] if r["id"] == ranking]
    return [
        (line["rank"], line["team_name"], None if line["value"] is None else round(line["value"], 6))
        for line in table["places"]
    ]


def pirm_a(psnr_db: float, ms_ssim: float = 0.92, speedup: float = 2.0) -> float:
    """Score A of track B, written out: README of aiff22/ai-challenge, section 6."""
    return round(4 * (psnr_db - 21) + 100 * (ms_ssim - 0.9) + 2 * min(speedup, 4), 6)


def test_each_score_ranks_for_itself_and_ties_share(call: Call, path: Path) -> None:
    with open_ledger(str(path), create=True) as ledger:
        for number, (team, figures) in enumerate(
            {
                "Sharp": {"psnr_db": 24.0, "ms_ssim": 0.90},
                "Like": {"psnr_db": 22.0, "ms_ssim": 0.93},
                "Alike": {"psnr_db": 22.0, "ms_ssim": 0.93},
                "Worst": {"psnr_db": 20.0, "ms_ssim": 0.91},
                "Broken": {"psnr_db": 30.0, "ms_ssim": 0.99, "failed": ("memory",)},
            }.items()
        ):
            given_in = ticket(team, team_id=str(number), team_name=team, hours=number)
            judged(ledger, given_in, verdict(report(**figures)))
    found = board(call, path)
    assert places(found) == [
        (1, "Sharp", pirm_a(24, 0.9)),
        (2, "Like", pirm_a(22, 0.93)),
        (2, "Alike", pirm_a(22, 0.93)),
        (4, "Worst", pirm_a(20, 0.91)),
        (None, "Broken", None),
    ]
    assert [line[:2] for line in places(found, ranking="B")[:3]] == [(1, "Like"), (1, "Alike"), (3, "Worst")]
    assert found["tracks"][1]["rankings"][0]["places"][-1]["remark"] == "nothing passed yet"
    assert found["tracks"][0]["teams"] == [] and found["tracks"][1]["outcomes"] == {"passed": 4, "failed": 1}


@pytest.mark.parametrize(("counts", "expected"), [("last", 22.5), ("best", 24.0)])
def test_the_rules_say_which_submission_counts(
    call: Call, path: Path, challenge_file: Call, counts: str, expected: float
) -> None:
    mine = challenge_file(('per_day = 2\ncounts = "last"', f'per_day = 3\ncounts = "{counts}"'))
    with open_ledger(str(path), create=True) as ledger:
        for number, psnr_db in enumerate((22.0, 24.0, 22.5)):
            given_in = ticket(f"n{number}", challenge=mine, hours=number)
            ended = verdict(report(psnr_db=psnr_db, challenge=mine))
            judged(ledger, replace(given_in, challenge="mine"), ended)
        late = replace(ticket("n9", challenge=mine, hours=4), challenge="mine")
        judged(ledger, late, verdict(report(psnr_db=29, failed=("memory",), challenge=mine)))
    (line,) = board(call, path, "--challenge", mine)["tracks"][1]["rankings"][0]["places"]
    assert round(line["value"], 6) == pirm_a(expected)
    assert (line["entries"], line["passed"]) == (4, 3)
    assert (round(line["last"], 6), round(line["best"], 6)) == (pirm_a(22.5), pirm_a(24))


def test_a_copy_beyond_the_daily_limit_is_not_ranked(call: Call, path: Path) -> None:
    with open_ledger(str(path), create=True) as ledger:
        judged(ledger, ticket("best", team_id="2", team_name="Two", hours=-1), verdict(report(psnr_db=29)))
        for number in range(2):
            judged(ledger, ticket(f"n{number}", hours=number), per_day=2)
        assert judged(ledger, ticket("best", name="copy.zip", hours=3), per_day=2).passed
    found = board(call, path)
    assert places(found) == [(1, "Two", pirm_a(29)), (2, "One", pirm_a(22))]
    (one,) = [team for team in found["tracks"][1]["teams"] if team["team_name"] == "One"]
    assert [(e["counts"], e["copy_of"]) for e in one["history"]] == [(True, None), (True, None), (False, 1)]


def test_the_latest_verdict_on_a_submission_counts_once() -> None:
    old = Entry(1, ticket(judged_as="few images"), "judged", "passed", True, scores={"A": 9.0})
    new = Entry(2, ticket(judged_as="all images"), "judged", "failed")
    waiting = Entry(3, ticket(judged_as="other images"), "queued")
    assert current([waiting, new, old]) == (new,)
    assert current([old, waiting]) == (old,)
    assert current([waiting]) == (waiting,)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(-4, 4), st.booleans()), max_size=30))
def test_places_are_those_of_the_values(rows: list[tuple[int, int, bool]]) -> None:
    entries = [
        Entry(
            number,
            ticket(f"n{number}", team_id=str(team), hours=number * 25),
            "judged",
            "passed" if passed else "failed",
            passed,
            scores={"A": float(value), "B": -float(value), "C": 0.0},
        )
        for number, (team, value, passed) in enumerate(rows)
    ]
    track = load_challenge("pirm2018").track("B")
    for counts in ("last", "best"):
        first, second, third = rankings_of(track, teams_of(entries, per_day=2), counts=counts)  # type: ignore[arg-type]
        ranked = [line for line in first.lines if line.place is not None]
        values = [line.value or 0.0 for line in ranked]
        assert [line.place for line in ranked] == shared_ranks([-value for value in values])
        assert values == sorted(values, reverse=True)
        assert len(first.lines) == len({team for team, *_ in rows})
        assert {line.place for line in third.lines} <= {1, None}
        if counts == "best":
            assert all(line.value == line.best for line in (*ranked, *second.lines))
        else:
            assert all(line.value == line.last for line in (*ranked, *second.lines))


@pytest.mark.parametrize("track", ["runtime", "complexity", "overall"])
def test_tracks_that_rank_by_figures(call: Call, path: Path, track: str) -> None:
    """As rank-reports places the same reports."""
    made = {
        name: report(
            challenge="ntire2022-esr",
            track=track,
            speedup=speed,
            peak_mib=peak,
            cost={"params": params, "flops": flops, "activations": 5, "conv_layers": 3},
        )
        for name, speed, peak, params, flops in (
            ("Imdn", 2.0, 900.0, 700_000, 40),
            ("Rlfn", 4.0, 800.0, 300_000, 60),
            ("Rfdn", 3.0, 850.0, 300_000, 50),
        )
    }
    with open_ledger(str(path), create=True) as ledger:
        for name, one in made.items():
            judged(
                ledger,
                ticket(name, team_id=name, team_name=name, track=track, challenge="ntire2022-esr"),
                verdict(one),
            )
    reports = []
    for name, one in made.items():
        file = path.with_name(f"{name}.json")
        file.write_text(dump_json(one.to_json()))
        reports.append(str(file))
    answer = call("rank-reports", *reports, "--json", "-")
    expected = [(r["place"], r["entry"]["name"], r["total"]) for r in json.loads(answer.out)["ranking"]]
    found = board(call, path)
    assert places(found, ranking="ranking", track=track) == expected
    assert call("leaderboard", "--ledger", str(path), "--md", "-").code == 0
    with open_ledger(str(path)) as ledger:
        for entry, one in ledger.reports():
            assert rank_entry(entry, name="x") == entry_of(one, name="x")
            assert entry.figures == figures_of(one)


def test_a_weighted_ranking_needs_a_baseline(call: Call, path: Path) -> None:
    cost = {"params": 300_000, "flops": 60, "activations": 5, "conv_layers": 3}
    with open_ledger(str(path), create=True) as ledger:
        for name, speed in (("Slow", 2.0), ("Fast", 4.0)):
            one = report(challenge="ntire2024-esr", track="overall", speedup=speed, cost=cost)
            given_in = ticket(name, team_id=name, team_name=name, track="overall", challenge="ntire2024-esr")
            judged(ledger, given_in, verdict(one))
    answer = call("leaderboard", "--ledger", str(path))
    assert answer.code == 2 and "--baseline REPORT.json" in answer.err
    baseline = path.with_name("baseline.json")
    baseline.write_text(dump_json(one.to_json()))
    found = board(call, path, "--baseline", str(baseline))
    assert [line[:2] for line in places(found, ranking="ranking", track="overall")] == [
        (1, "Fast"),
        (2, "Slow"),
    ]


def stricter(tmp_path: Path) -> str:
    """pirm2018 with a lower cap of memory and another formula."""
    text = challenge_text("pirm2018")[1].replace("total_rss_mib = 3584", "total_rss_mib = 1000")
    file = tmp_path / "stricter.toml"
    score = "A = { alpha = 4, beta = 100, gamma = 2.0 }"
    assert score in text
    file.write_text(text.replace(score, "A = { alpha = 1, beta = 0, gamma = 0 }"))
    return str(file)


def test_recheck_ranks_by_other_rules_from_the_reports_alone(call: Call, path: Path, tmp_path: Path) -> None:
    with open_ledger(str(path), create=True) as ledger:
        for name, psnr_db, ms_ssim, peak in (
            ("One", 22.0, 0.96, 900.0),
            ("Two", 23.0, 0.91, 999.0),
            ("Three", 25.0, 0.96, 1001.0),
        ):
            one = report(psnr_db=psnr_db, ms_ssim=ms_ssim, peak_mib=peak)
            judged(ledger, ticket(name, team_id=name, team_name=name), verdict(one))
        other = replace(report(psnr_db=40), measured_as_sha256="0" * 64)
        judged(ledger, ticket("Four", team_id="4", team_name="Four"), verdict(other))
        judged(ledger, ticket("Five", team_id="5", team_name="Five"), verdict(outcome="refused", rule="no"))
    before = path.read_bytes()
    assert [line[1] for line in places(board(call, path))] == ["Four", "Three", "One", "Two", "Five"]
    rules = stricter(tmp_path)
    found = board(call, path, "--recheck", "--challenge", rules)
    assert places(found) == [(1, "Two", 2.0), (2, "One", 1.0), (None, "Five", None), (None, "Three", None)]
    assert found["rules_sha256"] == rules_sha256(rules) and found["rechecked"] is True
    assert found["notes"] == [
        "1 can't be judged again and are left out",
        "Four.zip: The rules must measure as the report did; found other measurements",
    ]
    (three,) = [t for t in found["tracks"][1]["teams"] if t["team_name"] == "Three"]
    assert three["history"][0]["outcome"] == "failed" and "emory" in three["history"][0]["found"]
    assert path.read_bytes() == before
    answer = call("leaderboard", "--ledger", str(path), "--challenge", rules)
    assert answer.code == 2 and "5 by other rules, none by" in answer.err and "--recheck" in answer.err


def test_submissions_by_earlier_rules_are_named_and_left_out(call: Call, path: Path) -> None:
    with open_ledger(str(path), create=True) as ledger:
        judged(ledger, ticket("old", rules_sha256="0" * 64, team_id="2", team_name="Two"))
        judged(ledger, ticket("new"))
    found = board(call, path)
    assert places(found) == [(1, "One", pirm_a(22))]
    assert found["notes"] == ["1 submissions were judged by other rules of pirm2018 and are left out"]


HOSTILE = [
    '=HYPERLINK("http://evil","x")', "+1+1", "-2+3", "@SUM(A1)", "\t=1", "<script>alert(1)</script>",
    "| a | [x](javascript:1) `c` *b*", "two\nlines", "\u202egnp.exe", "\x1b[31mred", "[bold]", ":smile:",
]  # fmt: skip


def test_what_strangers_wrote_stays_text(call: Call, path: Path) -> None:
    with open_ledger(str(path), create=True) as ledger:
        for number, name in enumerate(HOSTILE):
            judged(ledger, ticket(f"n{number}", team_id=str(number), team_name=name, name=name))
    answer = call("leaderboard", "--ledger", str(path), "--csv", "-")
    rows = list(csv.DictReader(io.StringIO(answer.out)))
    assert len(rows) == 3 * len(HOSTILE)
    for row in rows:
        assert not any(
            row[key][:1] in "=+-@\t\r" for key in ("team_name", "submission", "remark") if row[key]
        )
        assert float(row["value"]) and float(row["psnr_db"]) == 22
    answer = call("leaderboard", "--ledger", str(path), "--md", "-")
    tables = [line for line in answer.out.splitlines() if line.startswith("|")]
    assert len(tables) == 3 * (len(HOSTILE) + 2)
    assert len({line.replace("\\|", "").count("|") for line in tables}) == 1
    assert "<script" not in answer.out.replace("\\<", "") and "](" not in answer.out.replace("\\]", "")
    answer = call("leaderboard", "--ledger", str(path))
    assert answer.code == 0 and "\x1b" not in answer.out and "\u202e" not in answer.out


@given(st.text())
def test_no_cell_begins_as_a_formula(text: str) -> None:
    assert harmless(text)[:1] not in {"=", "+", "-", "@", "\t", "\r"} and harmless(text).endswith(text)


@given(st.text())
def test_markdown_keeps_a_cell_in_one_line_and_one_cell(text: str) -> None:
    shown = markdown_text(text)
    assert "\n" not in shown and "|" not in shown.replace("\\|", "") and "<" not in shown.replace("\\<", "")


def test_an_empty_ledger(call: Call, path: Path) -> None:
    open_ledger(str(path), create=True).close()
    answer = call("leaderboard", "--ledger", str(path))
    assert (answer.code, answer.out) == (0, "The ledger holds no submission yet.\n")
    answer = call("leaderboard", "--ledger", str(path), "--json", "-")
    assert json.loads(answer.out) == {"schema_version": 1, "challenges": []}
    assert call("leaderboard", "--ledger", str(path), "--md", "-").out == "No submissions.\n"
    assert call("leaderboard", "--ledger", str(path), "--csv", "-").out.count("\n") == 1
    assert [t["teams"] for t in board(call, path, "--challenge", "pirm2018")["tracks"]] == [[], []]


def test_a_ledger_with_only_refused_and_waiting_entries(call: Call, path: Path) -> None:
    with open_ledger(str(path), create=True) as ledger:
        judged(
            ledger, ticket("n1"), verdict(outcome="refused", rule="A zip must hold model.pb", found="a.txt")
        )
        ledger.enter(ticket("n2", team_id="2", team_name="Two"))
        judged(ledger, ticket("n3", team_id="3", team_name="Three"), verdict(outcome="error", rule="disk"))
    found = board(call, path)
    assert places(found) == [(None, "One", None), (None, "Three", None), (None, "Two", None)]
    assert found["tracks"][1]["outcomes"] == {"refused": 1, "error": 1, "queued": 1}
    assert call("leaderboard", "--ledger", str(path), "--track", "B").code == 0


def test_one_team_alone_keeps_its_place(call: Call, path: Path) -> None:
    with open_ledger(str(path), create=True) as ledger:
        for number in range(4):
            name = f"Team {number}"
            one = report(psnr_db=25 - number)
            judged(ledger, ticket(name, team_id=f"id{number}", team_name=name), verdict(one))
    assert places(board(call, path, "--team", "Team 2")) == [(3, "Team 2", pirm_a(23))]
    answer = call("leaderboard", "--ledger", str(path), "--team", "id3")
    assert answer.code == 0 and "Submissions of Team 3" in answer.out and "Team 2" not in answer.out
    answer = call("leaderboard", "--ledger", str(path), "--team", "Team 9")
    assert answer.code == 2 and "Did you mean Team" in answer.err


def several(tmp_path: Path) -> str:
    """A ledger of two challenges, and one that only a file knows."""
    path = tmp_path / "several.sqlite"
    with open_ledger(str(path), create=True) as ledger:
        judged(ledger, ticket("n1"))
        judged(
            ledger,
            ticket("n2", challenge="ntire2022-esr", track="runtime"),
            verdict(outcome="refused", rule="x"),
        )
    return str(path)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--challenge", "mai2021-isp"], "must hold the challenge; found mai2021-isp"),
        (["--challenge", "nonsense"], "A challenge is named by its id"),
        (["--challenge", "pirm2018", "--track", "Z"], "A track of pirm2018 must be named; found 'Z'"),
        (["--track", "B"], "--track needs --challenge"),
        (["--json", "-", "--csv", "-"], "Standard output takes one document; found 2 times -"),
        (["--no-pages"], "--no-pages goes with --html"),
        (["--team", "One", "--html", "site"], "--html shows all teams"),
        (["--baseline", "none.json"], "A report must be a readable file"),
        (["--csv", "/proc/nowhere/board.csv"], "Output must be writable"),
    ],
)
def test_calls_that_are_wrong(call: Call, tmp_path: Path, options: Sequence[str], says: str) -> None:
    answer = call("leaderboard", "--ledger", several(tmp_path), *options)
    assert answer.code == (3 if "writable" in says else 2) and says in answer.err
    assert "Traceback" not in answer.err


def test_rules_that_nobody_knows_must_be_named(call: Call, path: Path) -> None:
    with open_ledger(str(path), create=True) as ledger:
        ledger.enter(replace(ticket(), challenge="mine"))
    answer = call("leaderboard", "--ledger", str(path))
    assert answer.code == 2 and "rules must be known; found mine. Name the file" in answer.err


def test_a_ledger_that_is_none(call: Call, tmp_path: Path) -> None:
    answer = call("leaderboard", "--ledger", str(tmp_path / "none.sqlite"))
    assert answer.code == 2 and "judge-submissions --ledger makes one" in answer.err
    assert call("leaderboard").code == 2


def test_received_order_decides_not_the_clock_of_the_judge(call: Call, path: Path) -> None:
    with open_ledger(str(path), create=True) as ledger:
        later = verdict(report(psnr_db=24), finished_at=desk.NOON - timedelta(days=99))
        judged(ledger, ticket("n2", hours=2), later)
        judged(ledger, ticket("n1", hours=1), verdict(report(psnr_db=23)))
    assert places(board(call, path)) == [(1, "One", pirm_a(24))]


def test_shipped_pirm_counts_the_last() -> None:
    assert rules_named("pirm2018").counts == "last" and rules_named("pirm2018").per_day == 2
