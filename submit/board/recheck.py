"""Verdicts and scores made again by other rules, from the saved reports alone; the ledger stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from pixelproof.errors import InputError
from pixelproof.report import Report
from pixelproof.submit.board.build import Rules
from pixelproof.submit.ledger.records import Entry, failure_of, figures_of
from pixelproof.submit.ledger.store import report_in
from pixelproof.validate.judgement import rejudge

_NAMED = 20


@dataclass(frozen=True)
class Rechecked:
    """What became of the entries.

    Attributes:
        entries: by the new rules; those without a report as they were.
        left_out: (entry, why) of those whose report can't be judged by these rules.
    """

    entries: tuple[Entry, ...]
    left_out: tuple[tuple[Entry, str], ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """Those that were left out, by name."""
        if not self.left_out:
            return ()
        named = [f"{entry.ticket.name}: {why}" for entry, why in self.left_out[:_NAMED]]
        more = len(self.left_out) - len(named)
        told = f"{len(self.left_out)} can't be judged again and are left out"
        return (told, *named, *((f"and {more} more",) if more else ()))


def recheck(
    entries: Sequence[Entry],
    texts: Iterable[tuple[Entry, str]],
    rules: Rules,
    *,
    advance: Callable[[int, str], None] = lambda steps, note: None,
) -> Rechecked:
    """Judge saved reports by these rules.

    Args:
        entries: of one challenge, by whatever rules they were judged.
        texts: the reports of those that have one, as `Ledger.report_texts` gives them.
        advance: told of each report.
    """
    done = [entry for entry in entries if entry.outcome not in ("passed", "failed")]
    left_out: list[tuple[Entry, str]] = []
    known: dict[int | None, Entry | str] = {}
    for entry, text in texts:
        if entry.judgement_id not in known:
            known[entry.judgement_id] = _again(entry, text, rules)
            advance(1, entry.ticket.name)
        match known[entry.judgement_id]:
            case str(why):
                left_out.append((entry, why))
            case Entry() as judged:
                done.append(_with_verdict(entry, judged, rules))
    return Rechecked(tuple(done), tuple(left_out))


def report_again(entry: Entry, text: str, rules: Rules) -> Report:
    """The report by these rules.

    Raises:
        InputError: it can't be judged by them, or is of another schema.
        CallError: the rules have no such track.
    """
    return rejudge(report_in(text, entry), challenge_name=rules.name)


def _again(entry: Entry, text: str, rules: Rules) -> Entry | str:
    if entry.ticket.track not in rules.challenge.tracks:
        return f"no track {entry.ticket.track} in these rules"
    try:
        report = report_again(entry, text, rules)
    except InputError as error:
        return f"{error.rule}; found {error.found}" if error.found else error.rule
    rule, found = failure_of(report)
    return replace(
        entry,
        outcome="passed" if report.passed else "failed",
        passed=report.passed,
        figures=figures_of(report),
        scores=dict(report.scores or {}),
        rule=rule,
        found=found,
        remedy="",
    )


def _with_verdict(entry: Entry, judged: Entry, rules: Rules) -> Entry:
    return replace(
        entry,
        ticket=replace(entry.ticket, rules_sha256=rules.sha256),
        outcome=judged.outcome,
        passed=judged.passed,
        figures=judged.figures,
        scores=judged.scores,
        rule=judged.rule,
        found=judged.found,
        remedy=judged.remedy,
    )
