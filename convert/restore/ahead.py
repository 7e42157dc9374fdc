"""Images decoded ahead of their turn, while the model works on another."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from threading import Condition, Thread

from pixelproof.convert.restore.items import Item
from pixelproof.convert.restore.reading import Picture

AHEAD_BYTES = 64 * 1024 * 1024

Decoded = Picture | Exception


class ReadAhead:
    """Iterates over (item, its image or what reading raised), in order; a context manager that ends its thread.

    Args:
        read: gives an item's image.
        ahead_bytes: decoded and not yet taken; one image is always allowed.
    """

    def __init__(
        self, items: Sequence[Item], read: Callable[[Item], Picture], *, ahead_bytes: int = AHEAD_BYTES
    ) -> None:
        self._items = items
        self._read = read
        self._ahead_bytes = ahead_bytes
        self._ready: deque[Decoded] = deque()
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

    def __iter__(self) -> Iterator[tuple[Item, Decoded]]:
        for item in self._items:
            with self._changed:
                self._changed.wait_for(lambda: self._ready)
                decoded = self._ready.popleft()
                self._held_bytes -= _bytes(decoded)
                self._changed.notify_all()
            yield item, decoded
            del decoded

    def _decode(self) -> None:
        for item in self._items:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._is_closed or not self._ready or self._held_bytes < self._ahead_bytes
                )
                if self._is_closed:
                    return
            decoded = self._decoded(item)
            with self._changed:
                self._held_bytes += _bytes(decoded)
                self._ready.append(decoded)
                self._changed.notify_all()
            del decoded

    def _decoded(self, item: Item) -> Decoded:
        try:
            return self._read(item)
        except Exception as error:  # noqa: BLE001 - it is raised again where the image's turn comes
            return error


def _bytes(decoded: Decoded) -> int:
    return 0 if isinstance(decoded, Exception) else decoded.nbytes
