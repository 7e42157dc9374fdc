"""What is found, whose it is, when it came, and what is judged next: nothing here runs a model."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pixelproof.challenge import parse_challenge
from pixelproof.errors import CallError, EnvironmentFault, InputError, SubmissionRefused
from pixelproof.submit import judge
from pixelproof.submit.judging import run
from pixelproof.submit.judging.choosing import choose_model
from pixelproof.submit.judging.commands import judge_submissions
from pixelproof.submit.judging.crew import Stage, shares_of, usual_jobs
from pixelproof.submit.judging.entering import Contest, manifest_of, receive
from pixelproof.submit.judging.events import event
from pixelproof.submit.judging.finding import Found, find_submissions
from pixelproof.submit.judging.live import View
from pixelproof.submit.judging.machine_lock import machine
from pixelproof.submit.judging.owners import is_gone, this_owner
from pixelproof.submit.judging.paper import plain_name
from pixelproof.submit.judging.plan import Plan
from pixelproof.submit.judging.teams import read_teams, sender_of
from pixelproof.submit.judging.terms import Wishes, hold_court
from pixelproof.submit.ledger.records import Entry, Ticket
from pixelproof.submit.manifest import Manifest, Team

_SPEC = importlib.util.spec_from_file_location("judging_arena", Path(__file__).with_name("judging_arena.py"))
assert _SPEC is not None and _SPEC.loader is not None
arena: Any = importlib.util.module_from_spec(_SPEC)
sys.modules["judging_arena"] = arena
_SPEC.loader.exec_module(arena)

CONTEST = Contest("tiny", "B", "0" * 64, "1" * 64, model_stem="model")


def names(folder: Path, **more: Any) -> list[str]:
    return [item.name for item in find_submissions([folder], **more).found]


def test_a_folder_is_searched_and_the_rest_is_named(tmp_path: Path) -> None:
    for name in (
        "b.zip",
        "a.pb",
        "sub/c.tflite",
        "sub/deep/d.onnx",
        "saved/saved_model.pb",
        "notes.txt",
        ".e.pb",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "link.zip").symlink_to(tmp_path / "b.zip")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.pb")
    search = find_submissions([tmp_path])
    assert [item.name for item in search.found] == [
        "a.pb",
        "b.zip",
        "saved",
        "sub/c.tflite",
        "sub/deep/d.onnx",
    ]
    assert [item.kind for item in search.found] == ["artifact", "zip", "artifact", "artifact", "artifact"]
    told = {item.path.name: item.why for item in search.skipped}
    assert told == {
        ".e.pb": "hidden",
        "link.zip": "a link",
        "loop": "a link",
        "notes.txt": "neither a zip nor an artifact",
        "pipe.pb": "a device or pipe",
    }


def test_a_folder_named_as_a_zip_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x.zip").mkdir()
    with pytest.raises(InputError, match="an empty folder"):
        find_submissions([tmp_path / "x.zip"])
    (tmp_path / "x.zip" / "model.pb").write_bytes(b"x")
    assert names(tmp_path) == ["x.zip/model.pb"]


@pytest.mark.parametrize("what", ["empty", "texts", "missing", "text"])
def test_nothing_to_judge_is_an_error_that_says_so(tmp_path: Path, what: str) -> None:
    path = tmp_path / what
    if what == "text":
        path.write_text("hello")
    elif what != "missing":
        path.mkdir()
    if what == "texts":
        (path / "a.txt").write_text("hello")
    with pytest.raises(InputError) as raised:
        find_submissions([path])
    assert str(path) in str(raised.value)


def test_equal_names_stay_apart(tmp_path: Path) -> None:
    for place in ("one/in", "two/in"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "a.zip").write_bytes(b"x")
    search = find_submissions([tmp_path / "one" / "in", tmp_path / "two" / "in", tmp_path / "one"])
    assert [item.name for item in search.found] == ["one/in/a.zip", "two/in/a.zip"]
    assert len({item.path for item in search.found}) == 2


def test_the_second_file_of_a_network_and_our_own_reports_are_no_submissions(tmp_path: Path) -> None:
    for name in ("model.tflite", "model_none.tflite", "reports/0001-a/model.pb"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = names(tmp_path, companion="model_none.tflite", passed_over=[tmp_path / "reports"])
    assert found == ["model.tflite"]


def test_the_list_of_teams_decides(tmp_path: Path) -> None:
    path = tmp_path / "teams.csv"
    path.write_text("﻿id,name\n42,Ada\n7,<script>\n")
    teams = read_teams(path)
    found = Found(tmp_path / "a.zip", "a.zip", "zip")
    known = sender_of(found, Team("42", "somebody else"), teams=teams, model_stem=None)
    assert (known.id, known.name, known.problem) == ("42", "Ada", "")
    unknown = sender_of(found, Team("43", "Bob"), teams=teams, model_stem=None)
    assert (unknown.id, unknown.name) == (None, "Bob")
    assert "43" in unknown.problem


def test_a_list_with_files_overrules_what_a_zip_claims(tmp_path: Path) -> None:
    path = tmp_path / "teams.csv"
    path.write_text("id,name,file,received_at\n42,Ada,a.zip,2026-05-01T23:59:59+02:00\n7,Bob,,\n")
    teams = read_teams(path)
    sender = sender_of(
        Found(tmp_path / "a.zip", "sub/a.zip", "zip"), Team("7", "Bob"), teams=teams, model_stem=None
    )
    assert (sender.id, sender.received_at) == ("42", datetime(2026, 5, 1, 21, 59, 59, tzinfo=UTC))
    other = sender_of(
        Found(tmp_path / "b.zip", "b.zip", "zip"), Team("7", "Bob"), teams=teams, model_stem=None
    )
    assert other.id is None
    assert "no line" in other.problem


@pytest.mark.parametrize(
    "text",
    [
        "",
        "id\n42\n",
        "id,name,colour\n42,Ada,red\n",
        "id,name\n42,Ada\n42,Bob\n",
        "id,name\n42\n",
        "id,name\n,Ada\n",
        "id,name,file\n42,Ada,a.zip\n7,Bob,a.zip\n",
        "id,name,file,received_at\n42,Ada,a.zip,yesterday\n",
        "id,name,received_at\n42,Ada,2026-01-01\n",
        'id,name\n42,"Ada\n',
        "id,name\n",
    ],
)
def test_a_bad_list_of_teams_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "teams.csv"
    path.write_text(text)
    with pytest.raises(InputError):
        read_teams(path)


def test_a_team_is_called_as_its_file_or_as_the_folder_of_a_file_that_all_call_alike(tmp_path: Path) -> None:
    called = {}
    for name, kind in (("team42.zip", "zip"), ("team7/model.pb", "artifact"), ("x/net.v2.pb", "artifact")):
        found = Found(tmp_path / name, name, kind)  # type: ignore[arg-type]
        called[name] = sender_of(found, None, teams=None, model_stem="model").id
    assert called == {"team42.zip": "team42", "team7/model.pb": "team7", "x/net.v2.pb": "net.v2"}


def test_a_ticket_has_the_manifests_team_and_the_files_time(tmp_path: Path) -> None:
    path = arena.packed(tmp_path / "a.zip", b"graph", team="42")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    ticket = receive(Found(path, "a.zip", "zip"), CONTEST, teams=None).ticket
    assert (ticket.team_id, ticket.team_name) == ("42", "Team 42")
    assert ticket.received_at == datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)


@pytest.mark.parametrize("seconds", [-(2**40), 2**40, 0])
def test_a_time_that_no_calendar_has_is_borne(tmp_path: Path, seconds: int) -> None:
    path = tmp_path / "a.pb"
    path.write_bytes(b"x")
    try:
        os.utime(path, (seconds, seconds))
    except OSError:
        pytest.skip("this file system doesn't keep such a time")
    assert receive(Found(path, "a.pb", "artifact"), CONTEST, teams=None).ticket.received_at.tzinfo is UTC


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b'{"schema_version": 1}', b"[" * 100_000])
def test_a_manifest_that_is_none_says_nothing_of_the_team(tmp_path: Path, data: bytes) -> None:
    path = arena.write_zip(tmp_path / "a.zip", {"model.pb": b"x", "manifest.json": data})
    assert manifest_of(Found(path, "a.zip", "zip")) is None


def test_a_companion_counts_for_what_is_judged(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"x")
    contest = replace(CONTEST, companion="second.tflite")
    found = Found(tmp_path / "model.tflite", "model.tflite", "artifact")
    seen = set()
    for second in (None, b"y", b"z"):
        if second is not None:
            (tmp_path / "second.tflite").write_bytes(second)
        seen.add(receive(found, contest, teams=None).ticket.judged_as)
    assert len(seen) == 3


def _chosen(folder: Path, members: dict[str, bytes], manifest: Manifest | None = None) -> str:
    for name, data in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    challenge = parse_challenge(arena.RULES, label="tiny")
    path = choose_model(folder, sorted(members), challenge=challenge, track_name="B", manifest=manifest)
    return path.relative_to(folder).as_posix()


@pytest.mark.parametrize(
    ("members", "chosen"),
    [
        ({"net.pb": b"x", "readme.txt": b"x"}, "net.pb"),
        ({"team/net.pb": b"x", "__MACOSX/._net.pb": b"x"}, "team/net.pb"),
        ({"model.pb": b"x", "old.pb": b"y"}, "model.pb"),
        ({"net.pb": b"x", "net.onnx": b"y"}, "net.pb"),
    ],
)
def test_the_model_is_found(tmp_path: Path, members: dict[str, bytes], chosen: str) -> None:
    assert _chosen(tmp_path, members) == chosen


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"readme.txt": b"x"}, "must hold a model; found readme.txt"),
        ({"empty.pb": b""}, "an empty file"),
        ({"a.pb": b"x", "b.pb": b"y"}, "one model; found a.pb, b.pb"),
        ({"net.onnx": b"x"}, "tiny takes pb; found onnx: net.onnx"),
    ],
)
def test_what_holds_not_one_model_is_refused(tmp_path: Path, members: dict[str, bytes], told: str) -> None:
    with pytest.raises(SubmissionRefused, match=told):
        _chosen(tmp_path, members)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"track": "A"}, "track 'A'"),
        ({"challenge": "pirm2018"}, "pirm2018"),
        ({"model": {"member": "../x.pb", "format": "pb", "size_bytes": 1, "sha256": "0"}}, "x.pb"),
        ({"model": {"member": "model.pb", "format": "pb", "size_bytes": 1, "sha256": "0"}}, "other bytes"),
    ],
)
def test_a_manifest_of_something_else_is_refused(tmp_path: Path, more: dict[str, Any], told: str) -> None:
    import json

    described = Manifest.from_json(json.loads(arena.manifest(b"x", team="1", **more)), label="m")
    with pytest.raises(SubmissionRefused, match=told):
        _chosen(tmp_path, {"model.pb": b"x", "b.pb": b"y"}, described)


def entry(number: int, *, team: str | None = None, hour: int = 0, sha256: str | None = None) -> Entry:
    received = datetime(2026, 5, 1, tzinfo=UTC) + timedelta(hours=hour)
    ticket = Ticket(sha256 or str(number), str(number), "", team, team, received, "tiny", "B", "", "")
    return Entry(number, ticket, "queued")


def taken(plan: Plan, *, not_now: set[int]) -> list[int]:
    numbers = []
    while True:
        claimed = plan.take(lambda e: e if e.id in not_now else replace(e, state="running"))
        if claimed is None:
            return numbers
        numbers.append(claimed.id)


def test_who_came_first_is_judged_first() -> None:
    plan = Plan([entry(1, hour=5), entry(2, hour=3), entry(3, hour=3)], quota=False)
    assert taken(plan, not_now=set()) == [2, 3, 1]
    assert len(plan) == 0


def test_a_teams_later_ones_of_the_day_wait_for_its_earlier_ones() -> None:
    entries = [
        entry(1, team="a"),
        entry(2, team="a", hour=1),
        entry(3, team="b", hour=2),
        entry(4, team="a", hour=30),
    ]
    plan = Plan(entries, quota=True)
    assert taken(plan, not_now={1}) == [3, 4]
    assert not plan.has_ready
    plan.finished(entry(9, team="b"))
    assert taken(plan, not_now=set()) == []
    plan.finished(entry(9, team="a"))
    assert taken(plan, not_now=set()) == [1, 2]


def test_equal_content_waits_for_the_one_that_is_judged() -> None:
    plan = Plan([entry(1, team="a", sha256="x"), entry(2, team="b", sha256="y")], quota=True)
    assert taken(plan, not_now={1}) == [2]
    plan.finished(entry(9, team="c", sha256="x"))
    assert taken(plan, not_now=set()) == [1]


def test_an_owner_is_gone_when_its_process_is() -> None:
    mine = this_owner()
    host, pid, started = mine.rsplit("/", 2)
    assert not is_gone(mine)
    assert is_gone(f"{host}/{pid}/{int(started) - 1}")
    assert is_gone(f"{host}/99999999/1")
    assert not is_gone("another-machine/1/1")
    assert not is_gone("anything")


def test_cores_are_shared_out_and_no_core_twice() -> None:
    assert shares_of([0, 1, 2, 3], 2, each=2) == [[0, 1], [2, 3]]
    assert shares_of([0, 1], 3, each=1) == [None, None, None]
    assert shares_of([0, 1], 2, each=None) == [None, None]
    assert usual_jobs(1e9, 1000.0) == 1


def test_runtime_has_the_machine_alone(tmp_path: Path) -> None:
    order: list[str] = []

    def hold(name: str, *, alone: bool, seconds: float) -> threading.Thread:
        def work() -> None:
            with machine(alone=alone):
                order.append(f"{name} in")
                time.sleep(seconds)
                order.append(f"{name} out")

        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(0.1)
        return thread

    threads = [hold("a", alone=False, seconds=0.4), hold("b", alone=False, seconds=0.4)]
    threads += [hold("timing", alone=True, seconds=0.2), hold("c", alone=False, seconds=0.1)]
    for thread in threads:
        thread.join()
    assert order[:2] == ["a in", "b in"]
    assert order[4:] == ["timing in", "timing out", "c in", "c out"]


@pytest.mark.parametrize(
    ("name", "plain"), [("a b/c.zip", "a_b_c.zip"), ("../..", "submission"), ("<script>", "script")]
)
def test_a_strangers_name_becomes_a_folders(name: str, plain: str) -> None:
    assert plain_name(name) == plain


def test_what_would_fail_every_submission_is_said_before_any(tmp_path: Path) -> None:
    rules, data = arena.write_contest(tmp_path)
    everything = Wishes()
    with pytest.raises(CallError, match="--data"):
        hold_court(str(rules), "B", data=tmp_path / "nowhere", wishes=everything)
    with pytest.raises(CallError, match="track"):
        hold_court(str(rules), "A", data=data, wishes=everything)
    with pytest.raises(CallError, match="gate"):
        hold_court(str(rules), "B", data=data, wishes=replace(everything, psnr_gate=20.0))
    before = hold_court(str(rules), None, data=data, wishes=everything)
    assert before == hold_court(str(rules), "B", data=data, wishes=everything)
    (data / "inputs" / "0.png").rename(data / "inputs" / "9.png")
    with pytest.raises(InputError, match="no partner"):
        hold_court(str(rules), "B", data=data, wishes=everything)


def test_other_images_are_another_judgement_and_more_jobs_are_not(tmp_path: Path) -> None:
    rules, data = arena.write_contest(tmp_path)
    first = hold_court(str(rules), "B", data=data, wishes=Wishes()).contest.judged_as
    assert hold_court(str(rules), "B", data=data, wishes=Wishes(threads=1)).contest.judged_as == first
    assert hold_court(str(rules), "B", data=data, wishes=Wishes(images=2)).contest.judged_as != first
    (data / "targets" / "0.png").write_bytes((data / "targets" / "1.png").read_bytes())
    assert hold_court(str(rules), "B", data=data, wishes=Wishes()).contest.judged_as != first


def test_a_lock_that_cannot_be_is_a_fault_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pixelproof.submit.judging.machine_lock._folder", lambda: tmp_path / "missing")
    with pytest.raises(EnvironmentFault, match="lock"), machine(alone=False):
        pass


class Printed:
    """Takes the lines of a view."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, text: str = "", *, style: str | None = None) -> None:
        self.lines.append(text)


def test_a_view_tells_the_ends_and_draws_what_is_going_on() -> None:
    printed, drawn = Printed(), []
    view = View(printed, drawn.append)
    about = {"id": 1, "name": "a.zip", "team": "42"}
    view.event(event("skipped", path="b.txt", why="no zip"))
    view.event(event("entered", **about, state="queued", sha256=""))
    view.event(event("started", **about, phase="checks", host="here"))
    view.stage(Stage(1, "fidelity", 3, 9))
    table = drawn[-1]
    view.event(event("refused", **about, rule="A rule", found="something", remedy=""))
    view.event(event("over_quota", id=2, name="c", team=None, per_day=2))
    assert printed.lines == [
        "1 file or folder is no submission: b.txt (no zip)",
        "a.zip of 42: refused: A rule; found something",
        "c: over the limit of 2 a day",
    ]
    assert "0 of 1 done" in str(table.title)
    assert table.row_count == 1


DOCS = Path(__file__).resolve().parents[2] / "docs" / "judge-submissions.md"


@pytest.mark.skipif(not DOCS.is_file(), reason="the pages are in the checkout only")
def test_the_page_names_every_option_and_every_event() -> None:
    text = DOCS.read_text(encoding="utf-8")
    options = [
        name
        for p in judge_submissions.params
        for name in (*p.opts, *p.secondary_opts)
        if name.startswith("--")
    ]
    assert [name for name in options if f"`{name}" not in text] == []
    source = (
        "".join(p.read_text() for p in Path(run.__file__).parent.glob("*.py"))
        + Path(judge.__file__).read_text()
    )
    kinds = set(re.findall(r'(?:_say|event)\(\s*"(\w+)"', source)) | {"refused", "error"}
    assert len(kinds) > 8
    assert [kind for kind in kinds if f"`{kind}`" not in text] == []
