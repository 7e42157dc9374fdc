"""Pictures in memory, up to a limit; beyond it they are read again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from pixelproof.environment import usable_cores
from pixelproof.errors import ImageError
from pixelproof.images import unit_from_8bit
from pixelproof.models.training.data.sources import Pair8, Source
from pixelproof.models.training.data.training_data import Sample, Skipped

Size = tuple[int, int]


@dataclass(frozen=True)
class Usable:
    """What can be used of many sources.

    Attributes:
        sources: those that could be read, in their order.
        sizes: height and width of their inputs.
        total_bytes: what all of them take in memory.
        kept: those that are in memory already, by place in ``sources``.
        skipped: what can't be used.
    """

    sources: tuple[Source, ...]
    sizes: tuple[Size, ...]
    total_bytes: int
    kept: Mapping[int, Pair8]
    skipped: tuple[Skipped, ...]

    @property
    def kept_bytes(self) -> int:
        """What is in memory already."""
        return sum(map(_bytes_of, self.kept.values()))

    def held(self, *, limit_bytes: int) -> HeldPictures:
        """They by number, with a limit of what is kept."""
        return HeldPictures(self.sources, self.sizes, limit_bytes=limit_bytes, kept=self.kept)


NOTHING = Usable((), (), 0, {}, ())


def usable(sources: Sequence[Source], folder: Path, *, keep_bytes: int) -> Usable:
    """Read everything once, on all cores; what can't be used is told, not raised.

    Args:
        sources: 1 or more.
        folder: where they are, for messages.
        keep_bytes: how much of what was read may be kept.

    Raises:
        ImageError: none is left.
        ShapeMismatch: an input and a target don't belong together.
    """
    found: list[tuple[Source, Size]] = []
    kept: dict[int, Pair8] = {}
    skipped: dict[Skipped, None] = {}  # each once, where several sources are of one file
    total = kept_bytes = 0
    for source, pair in zip(sources, _read(sources), strict=True):
        if isinstance(pair, Skipped):
            skipped[pair] = None
            continue
        needed = _bytes_of(pair)
        if kept_bytes + needed <= keep_bytes:
            kept[len(found)] = pair
            kept_bytes += needed
        total += needed
        found.append((source, (pair[0].shape[0], pair[0].shape[1])))
    if not found:
        rule = "A folder of images must hold some that can be used"
        first = next(iter(skipped))
        names = len({one.name for one in skipped})
        raise ImageError(
            rule, found=f"none among {names} in {folder}; the first one, {first.name}: {first.why}"
        )
    return Usable(
        tuple(source for source, _ in found), tuple(size for _, size in found), total, kept, tuple(skipped)
    )


class Samples(Sequence[Sample]):
    """Pictures as a model takes them, each made when it is asked for.

    Args:
        pictures: on 8 bit.
    """

    def __init__(self, pictures: HeldPictures) -> None:
        self._pictures = pictures

    def __len__(self) -> int:
        return len(self._pictures.sources)

    @overload
    def __getitem__(self, place: int) -> Sample: ...

    @overload
    def __getitem__(self, place: slice) -> list[Sample]: ...

    def __getitem__(self, place: int | slice) -> Sample | list[Sample]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        number = range(len(self))[place]
        input8, target8 = self._pictures[number]
        return Sample(unit_from_8bit(input8), unit_from_8bit(target8), self._pictures.sources[number].name)


class HeldPictures:
    """Pictures by number: from memory, or read again where memory isn't large enough for all.

    The one that was used longest ago makes room. Threads may share it. A pickle holds no pixels; the process that
    opens it keeps a core's share of the limit.

    Args:
        sources: by number.
        sizes: height and width that each input must have.
        limit_bytes: of what is kept.
        kept: what is known already.
    """

    def __init__(
        self, sources: Sequence[Source], sizes: Sequence[Size], *, limit_bytes: int, kept: Mapping[int, Pair8]
    ) -> None:
        self.sources = tuple(sources)
        self._sizes = tuple(sizes)
        self._limit = limit_bytes
        self._kept = OrderedDict(kept)
        self._bytes = sum(map(_bytes_of, self._kept.values()))
        self._lock = threading.Lock()

    def __getitem__(self, number: int) -> Pair8:
        """Input and target: uint8, (height, width, 3).

        Raises:
            ImageError: the file can't be read any more, or is another than at the start.
        """
        with self._lock:
            pair = self._kept.get(number)
            if pair is not None:
                self._kept.move_to_end(number)
                return pair
        pair = self._read_again(number)
        with self._lock:
            self._keep(number, pair)
        return pair

    def samples(self) -> Sequence[Sample]:
        """All, as a model takes them; each is made when it is asked for, and may then raise as a single one."""
        return Samples(self)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the pictures."""
        return {"sources": self.sources, "sizes": self._sizes, "limit": self._limit // usable_cores()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Opened again, with nothing in memory."""
        HeldPictures.__init__(self, state["sources"], state["sizes"], limit_bytes=state["limit"], kept={})

    def _read_again(self, number: int) -> Pair8:
        source, expected = self.sources[number], self._sizes[number]
        pair = source.read()
        found = pair[0].shape[:2]
        if found != expected:
            sizes = (
                f"{source.name}, now {found[0]}x{found[1]} as an input and {expected[0]}x{expected[1]} before"
            )
            raise ImageError("Pictures must stay as they are while a model learns from them", found=sizes)
        return pair

    def _keep(self, number: int, pair: Pair8) -> None:
        needed = _bytes_of(pair)
        if number in self._kept or needed > self._limit:
            return
        while self._bytes + needed > self._limit:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= _bytes_of(oldest)
        self._kept[number] = pair
        self._bytes += needed


def _read(sources: Sequence[Source]) -> Iterator[Pair8 | Skipped]:
    pool = ThreadPoolExecutor(usable_cores())
    try:
        yield from pool.map(_read_one, sources)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _read_one(source: Source) -> Pair8 | Skipped:
    try:
        return source.read()
    except ImageError as error:
        return Skipped(source.name, str(error))


def _bytes_of(pair: Pair8) -> int:
    return pair[0].nbytes + pair[1].nbytes
