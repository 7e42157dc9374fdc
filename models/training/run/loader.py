"""Batches for Keras, made ahead; which ones is decided by one number, how many samples were used."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from time import perf_counter
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from pixelproof.errors import EnvironmentFault
from pixelproof.models.training.data.training_data import TrainingData
from pixelproof.models.training.run.distribution import Share
from pixelproof.models.training.run.sample_workers import executor_of, made_here, make

Arrays = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
_AHEAD = 4


class Batches(keras.utils.PyDataset):
    """Endless batches of training data, from a sample on.

    Batch ``i`` holds the samples ``first + i * batch_size`` and following, of which each process makes its share. Up
    to four batches are made ahead: by a thread, or by processes where a sample is costly.

    Args:
        data: what is learnt from.
        first: samples used before.
        batch_size: samples a batch, over all processes.
        share: this process's part.
        processes: for costly data; None for one a core.
    """

    def __init__(
        self,
        data: TrainingData,
        *,
        first: int,
        batch_size: int,
        share: Share,
        processes: int | None = None,
    ) -> None:
        super().__init__(workers=1)
        self._data, self._first, self._batch_size = data, first, batch_size
        size = batch_size // share.ranks
        self._mine = range(share.rank * size, (share.rank + 1) * size)
        self._executor = executor_of(data, processes=processes)
        self._ahead: dict[int, list[Future[Any]]] = {}
        self._kept: deque[tuple[int, Arrays]] = deque(maxlen=_AHEAD)
        self._guard = threading.Lock()
        self.waited_seconds = 0.0

    @property
    def num_batches(self) -> None:
        """No end."""
        return None

    def __getitem__(self, index: int) -> Arrays:
        """(inputs, targets): float32, (batch, height, width, channels), in [0, 1]."""
        with self._guard:
            for kept, batch in self._kept:
                if kept == index:
                    return batch
            for following in range(index, index + _AHEAD):
                if following not in self._ahead:
                    self._ahead[following] = self._begin(following)
            begun = perf_counter()
            try:
                parts = [future.result() for future in self._ahead.pop(index)]
            except BrokenProcessPool as error:
                raise EnvironmentFault(
                    "The processes that make samples must live to the training's end",
                    found="one that was killed",
                    remedy="There may be too little memory: a smaller --batch-size, or fewer --jobs.",
                ) from error
            self.waited_seconds += perf_counter() - begun
            batch = _joined(parts)
            self._kept.append((index, batch))
            return batch

    def names(self, index: int) -> tuple[str, ...]:
        """The files that a batch is from."""
        return tuple(self._data.sample(number).name for number in self._numbers(index))

    def close(self) -> None:
        """End the thread or the processes."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _numbers(self, index: int) -> list[int]:
        begin = self._first + index * self._batch_size
        return [begin + place for place in self._mine]

    def _begin(self, index: int) -> list[Future[Any]]:
        numbers = self._numbers(index)
        if self._data.costly:
            return [self._executor.submit(made_here, [number]) for number in numbers]
        return [self._executor.submit(make, self._data, numbers)]


def steps_of(data: TrainingData, *, steps_per_epoch: int, batch_size: int) -> int:
    """Steps of an epoch: as the recipe says, or as many whole batches as one pass over the data has."""
    return steps_per_epoch or max(1, data.samples_per_epoch // batch_size)


def _joined(parts: Sequence[Arrays]) -> Arrays:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
