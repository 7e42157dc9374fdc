"""What is judged next: by when it was received, a team's submissions of one day in that order. Pure."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable

from pixelproof.submit.ledger.quota import day_of
from pixelproof.submit.ledger.records import Entry, team_key

Key = Hashable


class Plan:
    """Entries that wait for their judgement.

    What the ledger can't give away yet is set aside, and with it all later ones of the same team and day; it comes
    back when one of them, or one of the same content, is finished.

    Args:
        quota: whether a team may have only so many a day.
    """

    def __init__(self, entries: Iterable[Entry], *, quota: bool) -> None:
        self._quota = quota
        self._entries: dict[int, Entry] = {}
        self._ready: list[tuple[float, int]] = []
        self._aside: dict[Key, list[int]] = defaultdict(list)
        self._blocked: set[Key] = set()
        for entry in entries:
            self.add(entry)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def has_ready(self) -> bool:
        """Whether there is one that was not set aside."""
        return bool(self._ready)

    def add(self, entry: Entry) -> None:
        """One more, or one again."""
        self._entries[entry.id] = entry
        heapq.heappush(self._ready, (entry.ticket.received_at.timestamp(), entry.id))

    def take(self, claim: Callable[[Entry], Entry]) -> Entry | None:
        """The next one that can be claimed; it is no longer in the plan.

        Args:
            claim: asks the ledger, and gives the entry as it is then: ``queued`` where it says: not now.

        Returns:
            As claimed; None where there is none.
        """
        while self._ready:
            _, number = heapq.heappop(self._ready)
            entry = self._entries.get(number)
            if entry is None:  # it was there twice
                continue
            keys = self._keys(entry)
            if not keys & self._blocked:
                claimed = claim(entry)
                if claimed.state != "queued":
                    del self._entries[number]
                    return claimed
            self._blocked |= keys
            for key in keys:
                self._aside[key].append(number)
        return None

    def finished(self, entry: Entry) -> None:
        """One has its verdict: what may have waited for it is tried again."""
        for key in self._keys(entry):
            self._blocked.discard(key)
            for number in self._aside.pop(key, ()):
                if number in self._entries:
                    again = self._entries[number]
                    self._blocked -= self._keys(again)
                    heapq.heappush(self._ready, (again.ticket.received_at.timestamp(), number))

    def left(self) -> tuple[Entry, ...]:
        """All that are still waiting."""
        return tuple(self._entries.values())

    def _keys(self, entry: Entry) -> set[Key]:
        ticket = entry.ticket
        team = team_key(ticket)
        keys: set[Key] = {ticket.sha256}
        if self._quota and team is not None:
            keys.add((team, day_of(ticket.received_at)))
        return keys
