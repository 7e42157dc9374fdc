"""The ledger's promises, held on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from pixelproof.errors import LedgerError, ReportError
from pixelproof.submit.ledger.store import Ledger, open_ledger

_spec = importlib.util.spec_from_file_location("ledger_desk", Path(__file__).with_name("ledger_desk.py"))
assert _spec is not None and _spec.loader is not None
desk = importlib.util.module_from_spec(_spec)
sys.modules["ledger_desk"] = desk
_spec.loader.exec_module(desk)
judged, report, ticket, verdict = desk.judged, desk.report, desk.ticket, desk.verdict


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A PostgreSQL server's URL, with DATABASE to replace."""
    if reason := desk.refusal():
        pytest.skip(reason)
    pytest.importorskip("psycopg", reason="needs the extra postgres")
    with desk.postgres_server() as url:
        yield url


_made = iter(range(1000))


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new ledger can be."""
    if request.param == "sqlite":
        return str(tmp_path / "ledger.sqlite")
    url = str(request.getfixturevalue("server"))
    name = f"ledger{next(_made)}"
    engine = create_engine(url.replace("DATABASE", "postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return url.replace("DATABASE", name)


@pytest.fixture
def ledger(where: str) -> Iterator[Ledger]:
    """A new ledger."""
    with open_ledger(where, create=True) as opened:
        yield opened


def run_sql(where: str, *statements: str) -> None:
    """Change a ledger behind its back."""
    engine = create_engine(where if "://" in where else f"sqlite:///{where}")
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def test_what_goes_in_comes_out(ledger: Ledger, where: str) -> None:
    given = ticket(received_at=datetime(2026, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=5))))
    entry = judged(ledger, given, verdict(report(psnr_db=22.5), pictures="/pictures/1"))
    assert replace(entry.ticket, received_at=given.received_at) == given
    assert entry.ticket.received_at == datetime(2026, 2, 28, 20, 30, tzinfo=UTC)
    assert (entry.state, entry.outcome, entry.passed) == ("judged", "passed", True)
    assert entry.figures["psnr_db"] == 22.5 and entry.figures["latency_low_ms"] == pytest.approx(49.95)
    assert entry.scores == report(psnr_db=22.5).scores
    assert (entry.judged_at, entry.pictures) == (desk.NOON + timedelta(minutes=3), "/pictures/1")
    with open_ledger(where) as again:
        assert again.entries() == ledger.entries() == (entry,)
        assert again.report(entry.id) == report(psnr_db=22.5)


def test_entering_twice_is_once(ledger: Ledger) -> None:
    first = ledger.enter(ticket())
    assert ledger.enter(ticket(path="/moved/net.zip", hours=5)) == first
    assert ledger.enter(ticket(name="other/net.zip")).id != first.id
    assert ledger.enter(ticket(judged_as="other data")).id != first.id
    assert len(ledger.entries()) == 3


def test_one_content_is_judged_once_and_a_copy_is_noted(ledger: Ledger) -> None:
    original = judged(ledger, ticket("net"))
    copy = ledger.enter(ticket("net", name="copy.zip", team_id="2", team_name="Two", hours=3))
    assert (copy.state, copy.judgement_id, copy.copy_of) == ("judged", original.judgement_id, original.id)
    again = ledger.enter(ticket("net", name="again.zip", hours=4))
    assert (again.state, again.copy_of) == ("judged", None)
    assert [entry.copy_of for entry in ledger.entries()] == [None, original.id, None]
    assert ledger.report(copy.id) == ledger.report(original.id) is not None


def test_the_original_is_what_was_received_first_not_what_was_entered_first(ledger: Ledger) -> None:
    early = ledger.enter(ticket("net", name="a.zip", team_id="9", hours=5))
    late = ledger.enter(ticket("net", name="z.zip", team_id="2", hours=-5))
    assert [(e.id, e.copy_of) for e in ledger.entries()] == [(late.id, None), (early.id, late.id)]
    assert ledger.claim(early.id, owner="x", per_day=None).copy_of == late.id


def test_a_content_that_waits_gets_the_verdict_of_its_twin(ledger: Ledger) -> None:
    first = ledger.enter(ticket("net"))
    second = ledger.enter(ticket("net", name="twin.zip", team_id="2"))
    assert ledger.claim(first.id, owner="a", per_day=2).state == "running"
    assert ledger.claim(second.id, owner="b", per_day=2).state == "queued"
    ledger.finish(first.id, verdict(), owner="a")
    assert ledger.claim(second.id, owner="b", per_day=2).state == "judged"


def test_other_rules_or_other_data_are_judged_again(ledger: Ledger) -> None:
    judged(ledger, ticket())
    for changed in (ticket(rules_sha256="0" * 64), ticket(judged_as="other"), ticket(track="A")):
        assert ledger.claim(ledger.enter(changed).id, owner="x", per_day=None).state == "running"


def test_a_refusal_is_not_passed_on_to_another_team(ledger: Ledger) -> None:
    refused = verdict(outcome="refused", rule="A team must be known", found="nobody", remedy="Register.")
    entry = judged(ledger, ticket(), refused)
    assert (entry.outcome, entry.rule, entry.found, entry.remedy) == (
        "refused", "A team must be known", "nobody", "Register.",
    )  # fmt: skip
    assert ledger.enter(ticket(name="same-team.zip")).state == "judged"
    assert ledger.enter(ticket(name="theirs.zip", team_id="2")).state == "queued"


def test_an_error_queues_again_with_its_reason(ledger: Ledger) -> None:
    entry = judged(ledger, ticket(), verdict(outcome="error", rule="The disk is full", found="0 MiB"))
    assert (entry.state, entry.outcome, entry.rule, entry.found) == (
        "queued",
        "error",
        "The disk is full",
        "0 MiB",
    )
    entry = judged(ledger, ticket())
    assert (entry.state, entry.outcome, entry.rule) == ("judged", "passed", "")


def test_a_failure_says_which_checks(ledger: Ledger) -> None:
    entry = judged(ledger, ticket(), verdict(report(failed=("memory", "fidelity"))))
    assert (entry.outcome, entry.found) == ("failed", "failed: Memory, Fidelity")


def test_one_owner_has_it_and_finishes_it_once(ledger: Ledger) -> None:
    entry = ledger.enter(ticket())
    assert ledger.claim(entry.id, owner="a", per_day=None).owner == "a"
    assert ledger.claim(entry.id, owner="a", per_day=None).state == "running"
    assert ledger.claim(entry.id, owner="b", per_day=None).state == "queued"
    with pytest.raises(LedgerError, match="finished once, by who claimed it"):
        ledger.finish(entry.id, verdict(), owner="b")
    ledger.finish(entry.id, verdict(), owner="a")
    with pytest.raises(LedgerError, match="is judged"):
        ledger.finish(entry.id, verdict(report(psnr_db=1)), owner="a")
    assert ledger.entries()[0].figures["psnr_db"] == 22


def test_released_claims_can_be_claimed_by_others(ledger: Ledger) -> None:
    ids = [ledger.enter(ticket(name)).id for name in ("n1", "n2", "n3")]
    for key, owner in zip(ids, ("a", "a", "b"), strict=True):
        ledger.claim(key, owner=owner, per_day=None)
    assert ledger.release(owner="a") == 2
    assert [entry.state for entry in ledger.entries()] == ["queued", "queued", "running"]
    assert ledger.claim(ids[0], owner="c", per_day=None).state == "running"
    assert ledger.release() == 2 and ledger.release() == 0


def test_only_passed_ones_use_up_the_day(ledger: Ledger) -> None:
    judged(ledger, ticket("n1"), verdict(report(failed=("memory",))), per_day=2)
    judged(ledger, ticket("n2"), verdict(outcome="refused", rule="no"), per_day=2)
    judged(ledger, ticket("n3"), verdict(outcome="error", rule="disk"), per_day=2)
    assert judged(ledger, ticket("n4"), per_day=2).passed
    assert judged(ledger, ticket("n5"), per_day=2).passed
    assert judged(ledger, ticket("n6"), per_day=2).state == "over_quota"
    assert judged(ledger, ticket("n7", hours=12), per_day=2).passed  # midnight: the next day
    assert judged(ledger, ticket("n8", team_id="2"), per_day=2).passed
    assert judged(ledger, ticket("n9", track="A"), verdict(report(track="A")), per_day=2).passed
    assert judged(ledger, ticket("n4", name="same.zip"), per_day=2).state == "judged"


def test_running_ones_may_use_up_the_day_yet(ledger: Ledger) -> None:
    one, two, three = (ledger.enter(ticket(name)).id for name in ("n1", "n2", "n3"))
    for key in (one, two):
        assert ledger.claim(key, owner="x", per_day=2).state == "running"
    assert ledger.claim(three, owner="x", per_day=2).state == "queued"
    ledger.finish(one, verdict(report(failed=("memory",))), owner="x")
    assert ledger.claim(three, owner="x", per_day=2).state == "running"
    ledger.finish(two, verdict(), owner="x")
    ledger.finish(three, verdict(), owner="x")
    assert ledger.claim(ledger.enter(ticket("n4")).id, owner="x", per_day=2).state == "over_quota"


def test_a_team_without_an_id_is_known_by_its_name(ledger: Ledger) -> None:
    for number in range(2):
        judged(ledger, ticket(f"n{number}", team_id=None), per_day=2)
    assert judged(ledger, ticket("n3", team_id=None), per_day=2).state == "over_quota"
    assert judged(ledger, ticket("n4", team_id=None, team_name=None), per_day=2).passed


def test_a_clock_that_goes_backwards_reorders_nothing(ledger: Ledger) -> None:
    late = verdict(started_at=desk.NOON, finished_at=desk.NOON - timedelta(days=400))
    ids = [judged(ledger, ticket(f"n{n}", hours=n), late if n == 1 else None).id for n in range(3)]
    same = [judged(ledger, ticket(f"s{n}", hours=9)).id for n in range(2)]
    assert [entry.id for entry in ledger.entries()] == [*ids, *same]


def test_two_zips_of_one_name_stay_apart(ledger: Ledger) -> None:
    judged(ledger, ticket("n1", name="submission.zip"))
    judged(ledger, ticket("n2", name="submission.zip"), verdict(report(failed=("memory",))))
    assert [entry.outcome for entry in ledger.entries()] == ["passed", "failed"]


def test_strange_text_is_kept_readable(ledger: Ledger) -> None:
    name = b"caf\xe9\x00\xff.zip".decode("utf-8", "surrogateescape")
    entry = ledger.enter(ticket(name=name, team_name="<script>\u202e 'x'; DROP TABLE submissions;--"))
    assert entry.ticket.name == "caf\\udce9\\x00\\udcff.zip"
    assert entry.ticket.team_name == "<script>\u202e 'x'; DROP TABLE submissions;--"
    assert ledger.enter(ticket(name=name, team_name=entry.ticket.team_name)) == entry


def test_figures_that_are_no_numbers(ledger: Ledger) -> None:
    entry = judged(ledger, ticket(), verdict(report(psnr_db=float("inf"), ms_ssim=float("nan"))))
    assert entry.figures["psnr_db"] == float("inf")
    assert "ms_ssim" not in entry.figures and entry.scores == {}
    kept = ledger.report(entry.id)
    assert kept is not None and kept.evidence.fidelity is not None
    assert kept.evidence.fidelity.psnr_db == float("inf")


def test_filters_and_reports(ledger: Ledger) -> None:
    judged(ledger, ticket("n1"))
    judged(ledger, ticket("n2", track="A"), verdict(report(track="A", psnr_db=25)))
    judged(ledger, ticket("n3"), verdict(outcome="refused", rule="no"))
    assert [e.ticket.track for e in ledger.entries(track="A")] == ["A"]
    assert ledger.entries(challenge="other") == ()
    assert [(e.ticket.track, r.track) for e, r in ledger.reports()] == [("B", "B"), ("A", "A")]
    assert ledger.report(ledger.entries()[2].id) is None
    with pytest.raises(LedgerError, match="no number 77"):
        ledger.report(77)


def test_a_time_without_its_zone_is_a_fault_of_the_caller(ledger: Ledger) -> None:
    with pytest.raises(Exception, match="a time without its zone"):
        ledger.enter(ticket(received_at=datetime(2026, 1, 1)))
    assert ledger.entries() == ()


def test_a_ledger_of_another_version(where: str, ledger: Ledger) -> None:
    ledger.close()
    for version, remedy in (("2", "Update pixelproof"), ("0", "pixelproof of its time")):
        run_sql(where, f"UPDATE meta SET value = '{version}' WHERE key = 'version'")
        for create in (True, False):
            with pytest.raises(LedgerError, match=f"must have version 1; found version {version}.*{remedy}"):
                open_ledger(where, create=create)


def test_a_database_of_somebody_else(where: str, ledger: Ledger) -> None:
    ledger.close()
    for statement in ("DELETE FROM meta WHERE key = 'kind'", "DROP TABLE meta"):
        run_sql(where, statement)
        for create in (True, False):
            with pytest.raises(LedgerError, match="must be pixelproof's database"):
                open_ledger(where, create=create)


def test_a_report_of_a_newer_schema(where: str, ledger: Ledger) -> None:
    entry = judged(ledger, ticket())
    run_sql(
        where,
        "UPDATE judgements SET report = replace(report, '\"schema_version\": 1', '\"schema_version\": 9')",
    )
    with pytest.raises(ReportError, match="must have schema version 1; found version 9 in submission 1, net"):
        ledger.report(entry.id)
    assert ledger.entries()[0].passed


def test_creating_again_changes_nothing(where: str, ledger: Ledger) -> None:
    judged(ledger, ticket())
    with open_ledger(where, create=True) as again:
        assert again.entries() == ledger.entries()


def test_postgresql_unreachable_or_refusing_says_no_password(
    server: str, call: Callable[..., object]
) -> None:
    wrong = server.replace("DATABASE", "postgres").replace("s3cret", "wr0ng")
    for url in (
        wrong,
        wrong.replace("/pixelproof-postgres-", "/nowhere-"),
        server.replace("DATABASE", "nothing"),
    ):
        answer = call("leaderboard", "--ledger", url)
        assert answer.code == 3, answer  # type: ignore[attr-defined]
        told = answer.out + answer.err  # type: ignore[attr-defined]
        assert (
            "postgres:***@" in told and "wr0ng" not in told and "s3cret" not in told and "signs" not in told
        )
