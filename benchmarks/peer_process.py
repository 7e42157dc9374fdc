"""A peer in a process of its own, which answers lines: libraries that would disturb each other stay apart."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress


class PeerFailed(RuntimeError):
    """A peer that ended instead of answering; the message holds its last words."""


class PeerProcess:
    """Asks, and waits for one line."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed with the process)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, **environment},
        )

    def ask(self, line: str) -> list[float]:
        """The numbers that it answers.

        Raises:
            PeerFailed: it ended.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise PeerFailed("the peer has no pipes")
        try:
            stdin.write(line + "\n")
            stdin.flush()
            answer = stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise PeerFailed(f"exit {self._process.wait()} at {line!r}: {self._last_words()}")
        return [float(word) for word in answer.split()]

    def close(self) -> None:
        """End it."""
        with suppress(BrokenPipeError):
            self._process.communicate()
        self._errors.close()

    def _last_words(self) -> str:
        self._errors.seek(0)
        return "\n".join(self._errors.read().strip().splitlines()[-3:])


@contextmanager
def peer_process(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> Iterator[PeerProcess]:
    """A peer that ends with the block."""
    peer = PeerProcess(command, environment or {})
    try:
        yield peer
    finally:
        peer.close()
