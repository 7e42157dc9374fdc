"""A judged model in a worker that is started again when the model took it down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pixelproof.contract import Contract
from pixelproof.errors import WorkerStopped
from pixelproof.measure.formats import Kind
from pixelproof.measure.protocol import Array
from pixelproof.measure.worker import Loaded, Worker


class ModelSession:
    """Runs one artifact; each call either answers or raises, and the next call starts afresh.

    A context manager: leaving it ends the worker.

    Args:
        contract: its tensor names are used where the artifact has them.
        threads: of the model's runtime; None for all cores.
        time_limit_s: of each call.
        memory_limit_mib: resident size at which the worker is stopped.
        exact_memory: as in `Worker`: for measuring memory, not time.
    """

    def __init__(
        self,
        path: Path,
        kind: Kind,
        contract: Contract,
        *,
        threads: int | None,
        time_limit_s: float,
        memory_limit_mib: float,
        exact_memory: bool = False,
    ) -> None:
        self._path = path
        self._kind = kind
        self._contract = contract
        self._threads = threads
        self._time_limit_s = time_limit_s
        self._memory_limit_mib = memory_limit_mib
        self._exact_memory = exact_memory
        self._worker: Worker | None = None
        self._is_loaded = False
        self.libraries: dict[str, str] = {}

    def __enter__(self) -> ModelSession:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def start(self) -> Worker:
        """The worker, its imports under way, the model not necessarily loaded."""
        if self._worker is None:
            self._worker = Worker(
                threads=self._threads,
                timeout_s=self._time_limit_s,
                memory_limit_mib=self._memory_limit_mib,
                exact_memory=self._exact_memory,
            )
            self._worker.prepare(self._kind)
        return self._worker

    def load(self) -> Loaded:
        """Load the model.

        Raises:
            ArtifactError, ModelFailed, WorkerStopped: as `Worker.load`.
        """
        with self._fresh_after_stop():
            worker = self.start()
            loaded = worker.load(
                self._path, self._kind, input_name=self._contract.input, output_name=self._contract.output
            )
        self._is_loaded = True
        self.libraries.update(worker.libraries)
        return loaded

    def run(self, x: Array) -> Array:
        """The output for an input.

        Raises:
            ModelFailed, WorkerStopped: the model can't.
        """
        with self.worker() as worker:
            return worker.run(x)

    @contextmanager
    def worker(self) -> Iterator[Worker]:
        """The worker with the model loaded.

        Raises:
            ArtifactError, ModelFailed, WorkerStopped: it can't be loaded.
        """
        if not self._is_loaded:
            self.load()
        with self._fresh_after_stop():
            yield self.start()

    def close(self) -> None:
        """End the worker; the next call starts another."""
        if self._worker is not None:
            self._worker.close()
        self._worker = None
        self._is_loaded = False

    @contextmanager
    def _fresh_after_stop(self) -> Iterator[None]:
        try:
            yield
        except WorkerStopped:
            self.close()
            raise
