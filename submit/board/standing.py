"""A leaderboard as frozen records: tracks, their rankings, the teams and their histories."""

from __future__ import annotations

from dataclasses import dataclass, field

from pixelproof.submit.ledger.records import Entry
from pixelproof.validate.ranking import Ranked


@dataclass(frozen=True)
class Team:
    """One team in one track.

    Attributes:
        key: tells it from all others.
        id, name: as the latest submission has them; both None where nobody knows, then it is one submission.
        entries: all its submissions, by when they were received.
        eligible: those of them that passed and are within the daily limit.
    """

    key: tuple[str, str]
    id: str | None
    name: str | None
    entries: tuple[Entry, ...]
    eligible: tuple[Entry, ...]

    @property
    def label(self) -> str:
        """What people call it."""
        return self.name or self.id or self.entries[-1].ticket.name

    @property
    def passed(self) -> int:
        """How many of its submissions passed."""
        return sum(entry.passed for entry in self.entries)


@dataclass(frozen=True)
class Measure:
    """By what one submission is put before another of its team, and what a history shows.

    Attributes:
        name: of a score, or of one of `records.FIGURES`.
        is_score: whether it is a score.
        higher_is_better: the direction.
    """

    name: str
    title: str
    is_score: bool
    higher_is_better: bool

    def of(self, entry: Entry) -> float | None:
        """Its value for one submission."""
        return (entry.scores if self.is_score else entry.figures).get(self.name)


@dataclass(frozen=True)
class Line:
    """One team in a ranking.

    Attributes:
        place: 1 is best, ties share it; None where the team is not ranked.
        entry: the submission that counts.
        value: by which it is placed: a score, a rank, a sum of ranks.
        last, best: of the measure, over all eligible submissions.
        trend: the measure's values in their order.
        remark: why it is not ranked, or what else to know.
        ranked: the place as `validate.ranking` has it, in tracks that rank by figures.
    """

    place: int | None
    team: Team
    entry: Entry | None
    value: float | None
    last: float | None
    best: float | None
    trend: tuple[float, ...]
    remark: str = ""
    ranked: Ranked | None = None


@dataclass(frozen=True)
class Ranking:
    """One table of places.

    Attributes:
        id: short name inside the track: the score's, ``ranking``, or ``psnr_db``.
        by: sentence for people.
        measure: None where nothing ranks, and passing is all.
        by_figures: whether `validate.ranking` placed the lines.
    """

    id: str
    title: str
    by: str
    measure: Measure | None
    by_figures: bool
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class TrackBoard:
    """One track: its rankings, its teams, and how many submissions are where."""

    name: str
    title: str
    rankings: tuple[Ranking, ...]
    teams: tuple[Team, ...]
    outcomes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Board:
    """One challenge.

    Attributes:
        counts: which of a team's submissions is ranked.
        rechecked: whether the verdicts were made again from saved reports by these rules.
        notes: what else to know: submissions left out, and why.
    """

    challenge: str
    title: str
    url: str
    rules_sha256: str
    counts: str
    per_day: int | None
    rechecked: bool
    tracks: tuple[TrackBoard, ...]
    notes: tuple[str, ...] = ()
