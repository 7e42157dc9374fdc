"""Pairs decoded ahead of their use, while the worker imports its runtime or runs the model."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Condition, Thread

from pixelproof.images import Rgb8
from pixelproof.validate.pairs import Image, Pair

AHEAD_BYTES = 128 * 1024 * 1024


@dataclass(frozen=True)
class Decoded:
    """A pair with its pixels, as `read_pair` gives them."""

    pair: Pair
    input: Image
    target: Rgb8


class ReadAhead:
    """Iterates over pairs in their order; a thread decodes them, as many ahead as a budget of memory allows.

    A context manager: leaving it ends the thread.

    Args:
        read: (input, target) of a pair; what it raises is raised where its pair's turn comes.
        ahead_bytes: decoded and not yet taken; one pair is always allowed.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        read: Callable[[Pair], tuple[Image, Rgb8]],
        *,
        ahead_bytes: int = AHEAD_BYTES,
    ) -> None:
        self._pairs = pairs
        self._read = read
        self._ahead_bytes = ahead_bytes
        self._ready: deque[Decoded | Exception] = deque()
        self._held_bytes = 0
        self._is_closed = False
        self._changed = Condition()
        self._thread = Thread(target=self._decode, daemon=True)
        self._thread.start()

    def __enter__(self) -> ReadAhead:
        return self

    def __exit__(self, *reason: object) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join()

    def __iter__(self) -> Iterator[Decoded]:
        for _ in self._pairs:
            with self._changed:
                self._changed.wait_for(lambda: self._ready)
                item = self._ready.popleft()
                if isinstance(item, Exception):
                    raise item
                self._held_bytes -= _bytes(item)
                self._changed.notify_all()
            yield item

    def _decode(self) -> None:
        for pair in self._pairs:
            item = self._decoded(pair)
            with self._changed:
                if not isinstance(item, Exception):
                    self._held_bytes += _bytes(item)
                self._ready.append(item)
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._is_closed or self._held_bytes < self._ahead_bytes)
                if self._is_closed or isinstance(item, Exception):
                    return

    def _decoded(self, pair: Pair) -> Decoded | Exception:
        try:
            return Decoded(pair, *self._read(pair))
        except Exception as error:  # noqa: BLE001 - it is raised again in the thread that iterates
            return error


def _bytes(item: Decoded) -> int:
    return item.input.nbytes + item.target.nbytes
