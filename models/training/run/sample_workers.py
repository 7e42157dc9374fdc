"""Makes samples, in this process or in others.

This module imports nothing that loads NumPy: a process sets the number of its threads before that happens.
"""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from pixelproof.models.training.degradations.workers import begin_worker

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pixelproof.models.training.data.training_data import TrainingData

    Arrays = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]

_HERE: list[TrainingData] = []


def make(data: TrainingData, numbers: Sequence[int]) -> Arrays:
    """Samples as (inputs, targets): float32, (batch, height, width, channels), in [0, 1]."""
    import numpy as np

    together: Callable[[Sequence[int]], tuple[Any, Any, Any]] | None = getattr(data, "batch", None)
    if together is not None:
        inputs, targets, _ = together(numbers)
        return inputs, targets
    samples = [data.sample(number) for number in numbers]
    return np.stack([one.input for one in samples]), np.stack([one.target for one in samples])


def made_here(numbers: Sequence[int]) -> Arrays:
    """As `make`, of the data that this process began with."""
    return make(_HERE[0], numbers)


def executor_of(data: TrainingData, *, processes: int | None) -> Executor:
    """A thread, or processes that begin with the data where a sample is costly."""
    if not data.costly:
        return ThreadPoolExecutor(1, thread_name_prefix="pixelproof-batches")
    return ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(pickle.dumps(data),),
    )


def _begin(pickled: bytes) -> None:
    begin_worker()
    _HERE[:] = [pickle.loads(pickled)]  # our own parent's
