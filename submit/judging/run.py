"""The loop: claims what is next, hands it over, and keeps each verdict in the ledger as soon as it is there."""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pixelproof.errors import EnvironmentFault, LedgerError
from pixelproof.submit.judging.crew import Done, Hands, News, Stage, Started, Tell
from pixelproof.submit.judging.entering import Receipt
from pixelproof.submit.judging.events import OnEvent, event
from pixelproof.submit.judging.job import Job, Terms
from pixelproof.submit.judging.paper import Paper
from pixelproof.submit.judging.plan import Plan
from pixelproof.submit.judging.teams import UNKNOWN
from pixelproof.submit.judging.work import Work, first_job, next_step
from pixelproof.submit.ledger.records import Entry, Verdict
from pixelproof.submit.ledger.store import Ledger

LOOK_EVERY_S = 0.5


@dataclass(frozen=True)
class Counts:
    """How many submissions ended how in one call.

    Attributes:
        known: had their verdict before, or have one as the same content.
        held: another call has claimed them.
    """

    passed: int = 0
    failed: int = 0
    refused: int = 0
    over_quota: int = 0
    error: int = 0
    known: int = 0
    held: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return (
            self.passed + self.failed + self.refused + self.over_quota + self.error + self.known + self.held
        )


class Run:
    """One call's judging.

    Args:
        receipts: of the entries to be judged, by their number.
        terms: how.
        per_day: of one team and track.
        owner: in whose name entries are claimed.
        hire: makes who does the jobs; given where its news go.
        on_event: told of each event.
        on_stage: told how far jobs are.
        on_idle: called now and then, for a display.
    """

    def __init__(
        self,
        ledger: Ledger,
        entries: Mapping[int, Entry],
        receipts: Mapping[int, Receipt],
        *,
        terms: Terms,
        per_day: int | None,
        owner: str,
        hire: Callable[[Tell], Hands],
        paper: Paper | None,
        on_event: OnEvent,
        on_stage: Callable[[Stage], None],
        on_idle: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._receipts = receipts
        self._terms = terms
        self._per_day = per_day
        self._owner = owner
        self._hire = hire
        self._paper = paper
        self._on_event = on_event
        self._on_stage = on_stage
        self._on_idle = on_idle
        self._plan = Plan(entries.values(), quota=per_day is not None)
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._running: dict[int, Work] = {}
        self._alone: deque[Work] = deque()
        self._unwritten: list[Entry] | None = None
        self.counts = Counts()

    def run(self) -> Counts:
        """Judge until nothing is left that can be.

        Raises:
            EnvironmentFault: nobody to do it, or the ledger can't be reached.
        """
        hands = self._hire(self._news.put)
        if hands.waits_itself:
            self._unwritten = []  # since runtime may be measured here at any moment
        try:
            while True:
                self._fill(hands)
                if not self._running:
                    break
                self._hear(hands)
        finally:
            hands.close()
            with suppress(EnvironmentFault, LedgerError):
                self._ledger.release(owner=self._owner)
        for entry in self._unwritten or ():
            self._write(entry)
        for entry in self._plan.left():
            self._count("held")
            self._say("held", entry, owner=entry.owner)
        return self.counts

    def _fill(self, hands: Hands) -> None:
        """Hand over as much as may be done now."""
        most = 2 * hands.slots if hands.waits_itself else hands.slots
        while True:
            is_waiting = self._is_time_for_alone(hands)
            if is_waiting and hands.waits_itself:
                while self._alone:
                    self._start(hands, self._alone.popleft())
            elif is_waiting:
                if not self._running:
                    self._start(hands, self._alone.popleft())
                return
            if self._has_the_machine(hands) or len(self._running) >= most:
                return
            if not self._start_next(hands) and not self._is_time_for_alone(hands):
                return

    def _is_time_for_alone(self, hands: Hands) -> bool:
        """Jobs that need a quiet machine are done several in a row: each time the others have to end first."""
        return bool(self._alone) and (len(self._alone) >= max(4 * hands.slots, 8) or not self._plan.has_ready)

    def _has_the_machine(self, hands: Hands) -> bool:
        return not hands.waits_itself and any(work.job.alone for work in self._running.values())

    def _start_next(self, hands: Hands) -> bool:
        """Begin with the next entry, or settle it at once; whether there was one."""
        entry = self._plan.take(lambda e: self._ledger.claim(e.id, owner=self._owner, per_day=self._limit(e)))
        if entry is None:
            return False
        receipt = self._receipts[entry.id]
        if entry.state == "judged":
            self._known(entry)
        elif entry.state == "over_quota":
            self._count("over_quota")
            self._say("over_quota", entry, per_day=self._per_day)
            self._plan.finished(entry)
        elif receipt.problem:
            now = datetime.now(UTC)
            remedy = "Add the team to the list, or the file to its column file, and start again."
            self._keep(
                entry, Verdict("refused", now, now, rule=UNKNOWN, found=receipt.problem, remedy=remedy)
            )
        else:
            work = Work(entry, self._job(entry, receipt))
            if work.job.alone:
                self._alone.append(work)
            else:
                self._start(hands, work)
        return True

    def _limit(self, entry: Entry) -> int | None:
        return None if self._receipts[entry.id].problem else self._per_day

    def _job(self, entry: Entry, receipt: Receipt) -> Job:
        pictures = None if self._paper is None else self._paper.pictures(entry)
        return first_job(
            entry,
            self._terms,
            path=receipt.found.path,
            kind=receipt.found.kind,
            companion=receipt.companion,
            pictures=pictures,
        )

    def _start(self, hands: Hands, work: Work) -> None:
        self._running[work.entry.id] = work
        hands.start(work.job)

    def _hear(self, hands: Hands) -> None:
        """Wait for news, or for the display's next turn."""
        try:
            news = self._news.get(timeout=LOOK_EVERY_S)
        except queue.Empty:
            self._on_idle()
            return
        work = self._running.get(news.number)
        if work is None:
            return
        if isinstance(news, Started):
            self._say("started", work.entry, phase=work.job.phase, host=news.host)
        elif isinstance(news, Stage):
            self._on_stage(news)
        else:
            del self._running[news.number]
            self._go_on(work, news, hands)
        self._on_idle()

    def _go_on(self, work: Work, news: Done, hands: Hands) -> None:
        following = next_step(work, news.result, news.fault)
        self._say("ended", work.entry, phase=work.job.phase)
        if isinstance(following, Verdict):
            self._keep(work.entry, following, seconds=time.monotonic() - work.begun)
        elif following.job.alone:
            self._alone.append(following)
        else:
            self._start(hands, following)

    def _keep(self, entry: Entry, verdict: Verdict, *, seconds: float = 0.0) -> None:
        """Into the ledger, then told."""
        try:
            self._ledger.finish(entry.id, verdict, owner=self._owner)
        except LedgerError as error:  # somebody else took it over meanwhile
            verdict = replace(
                verdict, outcome="error", report=None, rule=error.rule, found=error.found, remedy=error.remedy
            )
        self._plan.finished(entry)
        self._count(verdict.outcome)
        if verdict.outcome in ("refused", "error"):
            told = {"rule": verdict.rule, "found": verdict.found, "remedy": verdict.remedy}
            self._say(verdict.outcome, entry, **told)
            return
        assert verdict.report is not None
        scores = dict(verdict.report.scores or {})
        failed = [check.id for check in verdict.report.checks if check.status == "failed"]
        fields = {"outcome": verdict.outcome, "passed": verdict.report.passed, "scores": scores}
        self._say("judged", entry, **fields, failed=failed, seconds=round(seconds, 3), host=verdict.host)
        self._put_on_paper(entry)

    def _known(self, entry: Entry) -> None:
        self._plan.finished(entry)
        self._count("known")
        self._say("known", entry, outcome=entry.outcome)
        if self._paper is not None and entry.outcome in ("passed", "failed") and not self._paper.has(entry):
            self._put_on_paper(entry)

    def _put_on_paper(self, entry: Entry) -> None:
        if self._paper is not None and self._unwritten is not None:
            self._unwritten.append(entry)
        elif self._paper is not None:
            self._write(entry)

    def _write(self, entry: Entry) -> None:
        report = self._ledger.report(entry.id)
        if self._paper is not None and report is not None:
            self._paper.write(entry, report)

    def _count(self, name: str) -> None:
        self.counts = replace(self.counts, **{name: getattr(self.counts, name) + 1})

    def _say(self, name: str, entry: Entry, **fields: object) -> None:
        self._on_event(event(name, id=entry.id, name=entry.ticket.name, team=entry.ticket.team_id, **fields))
