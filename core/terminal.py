"""rich's console, with an exit code of its own for a reader that went away (``| head``)."""

from __future__ import annotations

import os
import sys

from rich.console import Console as RichConsole

BROKEN_PIPE = 141
"""128 + SIGPIPE, as shells report it; 1 would say that a rule was broken."""


def drop_stdout() -> None:
    """Let nothing more be written to a pipe that nobody reads."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)


class Terminal(RichConsole):
    """Prints for people."""

    def on_broken_pipe(self) -> None:
        """End quietly."""
        self.quiet = True
        drop_stdout()
        raise SystemExit(BROKEN_PIPE)
