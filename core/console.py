"""The one place that prints; with ``--json -`` all but the document goes to standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from pixelproof.errors import EnvironmentFault
from pixelproof.files import write_text
from pixelproof.printable import printable
from pixelproof.report import dump_json

STATUS_STYLES = {"passed": "green", "warning": "yellow", "failed": "bold red", "not_run": "dim"}


class Console:
    """Lines, tables and progress for a command.

    Args:
        json_to: where the JSON document goes: None (nowhere), ``"-"`` (standard output) or a file's path.
    """

    def __init__(self, json_to: str | None = None) -> None:
        from pixelproof.terminal import Terminal

        self._json_to = json_to
        width = None if _is_terminal(sys.stdout) else 120
        self._out = Terminal(stderr=json_to == "-", highlight=False, soft_wrap=True, width=width)
        self._err = Terminal(stderr=True, highlight=False)

    def line(self, text: str = "", *, style: str | None = None) -> None:
        """One line of plain text; square brackets stay text."""
        self._out.print(printable(text), style=style, markup=False)

    def table(
        self,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        status_column: int | None = None,
    ) -> None:
        """A table; cells of ``status_column`` take the colour of their status."""
        from rich.table import Table
        from rich.text import Text

        table = Table(
            title=printable(title) or None, title_justify="left", title_style="bold", header_style="bold"
        )
        for column in columns:
            table.add_column(Text(printable(column)), overflow="fold")
        for row in rows:
            style = STATUS_STYLES.get(row[status_column], "") if status_column is not None else ""
            cells = [
                Text(
                    cell.replace("_", " ") if i == status_column else printable(cell),
                    style=style if i == status_column else "",
                )
                for i, cell in enumerate(row)
            ]
            table.add_row(*cells)
        self._out.print(table, soft_wrap=False)

    def next_step(self, command: str) -> None:
        """The command that a user would type next."""
        self.line(f"Next: {command}")

    def json(self, document: Any, *, what: str = "JSON") -> None:
        """The machine-readable document, if one was asked for; ``what`` names it to people."""
        if self._json_to == "-":
            if sys.stdout is None:
                raise EnvironmentFault("Output must be writable", found="a closed standard output")
            sys.stdout.write(dump_json(document))
            sys.stdout.flush()
        elif self._json_to is not None:
            write_text(Path(self._json_to), dump_json(document))
            self.line(f"{what}: {self._json_to}")

    @contextmanager
    def progress(self, title: str, *, total: int) -> Iterator[Callable[[int, str], None]]:
        """A bar with the time left, on standard error where that is a terminal.

        Yields:
            ``advance(steps, note)``.
        """
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )
        with Progress(
            *columns, console=self._err, transient=True, disable=not _is_terminal(sys.stderr)
        ) as bar:
            task = bar.add_task(title, total=total, note="")
            yield lambda steps, note: bar.update(task, advance=steps, note=printable(note))

    @contextmanager
    def stages(self) -> Iterator[Callable[[str, int], Callable[[int, str], None]]]:
        """Several bars, one after another; where there is no terminal, a line for each stage.

        Yields:
            ``stage(name, total)``, which gives the stage's ``advance(steps, note)``.
        """
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        shown = _is_terminal(sys.stderr)
        columns = (
            TextColumn("{task.description:<10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )
        with Progress(*columns, console=self._err, transient=True, disable=not shown) as bar:

            def stage(name: str, total: int) -> Callable[[int, str], None]:
                if not shown:
                    self._err.print(f"  {name} ...", markup=False)
                task = bar.add_task(name, total=total, note="")
                return lambda steps, note: bar.update(task, advance=steps, note=printable(note))

            yield stage


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()
