"""What a person sees meanwhile: a table that stays up to date on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from pixelproof.console import Console
from pixelproof.printable import printable
from pixelproof.submit.judging.crew import Stage
from pixelproof.submit.judging.events import Event

if TYPE_CHECKING:
    from rich.console import RenderableType

ENDS = ("judged", "refused", "over_quota", "error", "known", "held")
MOST_SKIPPED = 5
REDRAW_S = 0.5
REDRAW_ALONE_S = 5.0
"""While runtime is measured, drawing keeps still."""


class Line(Protocol):
    """Prints a line."""

    def __call__(self, text: str = "", *, style: str | None = None) -> None:
        """Of plain text."""


@dataclass
class Running:
    """A submission that is being judged."""

    name: str
    team: str
    phase: str
    host: str
    begun: float = field(default_factory=time.monotonic)
    stage: str = ""
    done: int = 0
    total: int = 0


class View:
    """Follows the events, and shows them.

    Args:
        line: prints one, in a style.
        live: redraws the table; None where there is no terminal.
    """

    def __init__(self, line: Line, live: Callable[[RenderableType], None] | None = None) -> None:
        self._line = line
        self._live = live
        self._entered = 0
        self._ends: Counter[str] = Counter()
        self._skipped: list[Event] = []
        self._running: dict[int, Running] = {}
        self._begun = time.monotonic()
        self._judged_here = 0
        self._drawn = 0.0

    def event(self, happened: Event) -> None:
        """Note an event, and print it where it is one to print."""
        name = str(happened["event"])
        if name == "skipped":
            self._skipped.append(happened)
        elif name == "entered":
            self._entered += 1
        elif name == "started":
            self._tell_skipped()
            self._start(happened)
        elif name in ENDS:
            self._tell_skipped()
            self._end(name, happened)
        elif name == "finished":
            self._tell_skipped()
        self.redraw()

    def stage(self, news: Stage) -> None:
        """Note how far a job is."""
        running = self._running.get(news.number)
        if running is not None:
            running.stage, running.done, running.total = news.stage, news.done, news.total

    def redraw(self) -> None:
        """Draw the table again if it is time."""
        if self._live is None or not self._running:
            return
        is_timing = any(running.phase == "runtime" for running in self._running.values())
        now = time.monotonic()
        if now - self._drawn >= (REDRAW_ALONE_S if is_timing else REDRAW_S):
            self._drawn = now
            self._live(self._table())

    def _start(self, happened: Event) -> None:
        number, name = int(happened["id"]), str(happened["name"])
        phase = str(happened["phase"])
        self._running[number] = Running(
            name, str(happened.get("team") or ""), phase, str(happened.get("host", ""))
        )
        if self._live is None:
            what = "runtime, alone on its machine" if phase == "runtime" else "all but runtime"
            self._line(f"{name}: {what} ...")

    def _end(self, name: str, happened: Event) -> None:
        self._running.pop(int(happened["id"]), None)
        self._ends[str(happened["outcome"]) if name == "judged" else name] += 1
        self._judged_here += name == "judged"
        who = f"{happened['name']}" + (f" of {happened['team']}" if happened.get("team") else "")
        text, style = _told(name, happened)
        self._line(f"{who}: {text}", style=style)

    def _tell_skipped(self) -> None:
        skipped, self._skipped = self._skipped, []
        if not skipped:
            return
        files = "1 file or folder is" if len(skipped) == 1 else f"{len(skipped)} files and folders are"
        named = "; ".join(f"{happened['path']} ({happened['why']})" for happened in skipped[:MOST_SKIPPED])
        more = f"; and {len(skipped) - MOST_SKIPPED} more" if len(skipped) > MOST_SKIPPED else ""
        self._line(f"{files} no submission: {named}{more}", style="yellow")

    def _table(self) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        done = sum(self._ends.values())
        ends = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(self._ends.items()))
        title = f"{done} of {self._entered} done" + (f" ({ends})" if ends else "") + self._time_left(done)
        table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", expand=True)
        for column in ("submission", "team", "doing", "steps", "host", "seconds"):
            table.add_column(column, overflow="ellipsis", no_wrap=True)
        for running in list(self._running.values()):
            steps = f"{running.done}/{running.total}" if running.total else ""
            seconds = f"{time.monotonic() - running.begun:.0f}"
            cells = (running.name, running.team, running.stage or running.phase, steps, running.host, seconds)
            table.add_row(*(Text(printable(cell)) for cell in cells))
        return table

    def _time_left(self, done: int) -> str:
        if not self._judged_here or done >= self._entered:
            return ""
        seconds = (time.monotonic() - self._begun) / self._judged_here * (self._entered - done)
        hours, rest = divmod(round(seconds), 3600)
        return f", about {hours}:{rest // 60:02d}:{rest % 60:02d} left"


@contextmanager
def view(console: Console, *, plain: bool = False) -> Iterator[View]:
    """A view for the length of a block: with a table where standard error is a terminal.

    Args:
        plain: no table anywhere.
    """
    if plain or sys.stderr is None or not sys.stderr.isatty():
        yield View(console.line)
        return
    from rich.live import Live

    from pixelproof.terminal import Terminal

    terminal = Terminal(stderr=True, highlight=False)
    settings: dict[str, Any] = {"auto_refresh": False, "transient": True}
    with Live(console=terminal, redirect_stdout=False, redirect_stderr=False, **settings) as live:

        def draw(table: Any) -> None:
            live.update(table, refresh=True)

        def above(text: str = "", *, style: str | None = None) -> None:
            terminal.print(printable(text), style=style, markup=False, soft_wrap=True)

        shares_the_terminal = sys.stdout is not None and sys.stdout.isatty()
        yield View(above if shares_the_terminal else console.line, draw)


def _told(name: str, happened: Event) -> tuple[str, str | None]:
    """(an end in words, its style)."""
    if name == "judged":
        scores = ", ".join(f"{key} {value:.3f}" for key, value in happened["scores"].items())
        if happened["passed"]:
            return "passed" + (f" ({scores})" if scores else ""), "green"
        return f"failed: {', '.join(happened['failed'])}", "bold red"
    if name in ("refused", "error"):
        told = (
            f"{happened['rule']}; found {happened['found']}" if happened["found"] else str(happened["rule"])
        )
        return f"{'refused' if name == 'refused' else 'not judged'}: {told}", "bold red"
    if name == "over_quota":
        return f"over the limit of {happened['per_day']} a day", "yellow"
    if name == "held":
        return f"left to the call that has claimed it ({happened['owner'] or 'unknown'})", "yellow"
    return f"has its verdict already: {happened['outcome']}", None
