"""Daily limits and which submission counts, for any history."""

from __future__ import annotations

import importlib.util
import sys
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelproof.submit.ledger.quota import counted, day_bounds, day_of, in_order, room, within_quota
from pixelproof.submit.ledger.records import Entry, team_key

_spec = importlib.util.spec_from_file_location("ledger_desk", Path(__file__).with_name("ledger_desk.py"))
assert _spec is not None and _spec.loader is not None
desk = importlib.util.module_from_spec(_spec)
sys.modules["ledger_desk"] = desk
_spec.loader.exec_module(desk)

LIMITS = st.one_of(st.none(), st.integers(1, 4))


@st.composite
def histories(draw: st.DrawFn) -> list[Entry]:
    """Submissions of few teams on few days, in any order."""
    count = draw(st.integers(0, 25))
    made = []
    for number in range(1, count + 1):
        ticket = desk.ticket(
            draw(st.sampled_from("abcdefgh")),
            hours=draw(st.floats(-30, 30, allow_nan=False)),
            team_id=draw(st.sampled_from(["1", "2", None])),
            team_name=draw(st.sampled_from(["One", None])),
            track=draw(st.sampled_from("AB")),
        )
        passed = draw(st.booleans())
        score = {"A": draw(st.integers(-5, 5)) * 1.0}
        made.append(Entry(number, ticket, "judged", "passed" if passed else "failed", passed, scores=score))
    return draw(st.permutations(made))


@given(histories(), LIMITS)
def test_no_team_counts_more_than_its_limit_a_day(entries: list[Entry], per_day: int | None) -> None:
    contents: dict[object, set[str]] = defaultdict(set)
    for entry in within_quota(entries, per_day=per_day):
        ticket = entry.ticket
        contents[team_key(ticket), ticket.track, day_of(ticket.received_at)].add(ticket.sha256)
    for (team, *_), found in contents.items():  # type: ignore[misc]
        assert per_day is None or team is None or len(found) <= per_day


@given(histories(), LIMITS)
def test_what_is_left_out_has_a_full_day_before_it(entries: list[Entry], per_day: int | None) -> None:
    kept = within_quota(entries, per_day=per_day)
    assert list(kept) == in_order(kept) and all(entry.passed for entry in kept)
    for entry in entries:
        if not entry.passed or entry in kept:
            continue
        before = {
            other.ticket.sha256
            for other in kept
            if team_key(other.ticket) == team_key(entry.ticket)
            and other.ticket.track == entry.ticket.track
            and day_of(other.ticket.received_at) == day_of(entry.ticket.received_at)
            and in_order([other, entry])[0] is other
        }
        assert per_day is not None and team_key(entry.ticket) is not None
        assert len(before) == per_day and entry.ticket.sha256 not in before


@given(histories(), LIMITS)
def test_failed_ones_change_nothing(entries: list[Entry], per_day: int | None) -> None:
    passed = [entry for entry in entries if entry.passed]
    assert within_quota(entries, per_day=per_day) == within_quota(passed, per_day=per_day)


@given(histories())
def test_the_order_of_the_rows_changes_nothing(entries: list[Entry]) -> None:
    assert within_quota(entries, per_day=2) == within_quota(sorted(entries, key=lambda e: e.id), per_day=2)


@given(histories())
def test_last_is_the_latest_passed_and_best_is_asked(entries: list[Entry]) -> None:
    def better(some: list[Entry]) -> Entry:
        return max(some, key=lambda entry: entry.scores["A"])

    passed = [entry for entry in entries if entry.passed]
    last, best = (counted(entries, counts=rule, better=better) for rule in ("last", "best"))  # type: ignore[arg-type]
    if not passed:
        assert last is None and best is None
        return
    assert last is not None and best is not None
    assert all((e.ticket.received_at, e.id) <= (last.ticket.received_at, last.id) for e in passed)
    assert best.scores["A"] == max(entry.scores["A"] for entry in passed)


@given(st.integers(0, 6), st.integers(0, 6), LIMITS)
def test_room(passed: int, running: int, per_day: int | None) -> None:
    found = room(passed=passed, running=running, per_day=per_day)
    if per_day is None or passed + running < per_day:
        assert found == "free"
    else:
        assert found == ("full" if passed >= per_day else "wait")


@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.timezones()))
def test_a_moment_lies_in_its_own_day(moment: datetime) -> None:
    first, behind = day_bounds(moment)
    assert first <= moment < behind and behind - first == timedelta(days=1) and first.tzinfo is UTC


@pytest.mark.parametrize(("hour", "day"), [(11.99, 1), (12, 2)])
def test_the_day_changes_at_midnight_utc(hour: float, day: int) -> None:
    assert day_of(desk.ticket(hours=hour).received_at).day == day
