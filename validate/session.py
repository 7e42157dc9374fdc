"""A judged model in a worker that is started again when the model took it down."""

from __future__ import annotations

from pathlib import Path

from pixelproof.contract import Contract
from pixelproof.errors import WorkerStopped
from pixelproof.measure.formats import Kind
from pixelproof.measure.protocol import Array
from pixelproof.measure.worker import Loaded, Worker


class ModelSession:
    """Runs one artifact; each call either answers or raises, and the next call starts afresh.

    Args:
        contract: its tensor names are used where the artifact has them.
        time_limit_s: of each call.
        memory_limit_mib: resident size at which the worker is stopped.
    """

    def __init__(
        self,
        path: Path,
        kind: Kind,
        contract: Contract,
        *,
        threads: int | None,
        time_limit_s: float,
        memory_limit_mib: float | None,
    ) -> None:
        self._path = path
        self._kind = kind
        self._contract = contract
        self._threads = threads
        self._time_limit_s = time_limit_s
        self._memory_limit_mib = memory_limit_mib
        self._worker: Worker | None = None
        self._is_loaded = False
        self.libraries: dict[str, str] = {}

    def __enter__(self) -> ModelSession:
        return self

    def __exit__(self, *reason: object) -> None:
        self._drop()

    def start(self) -> Worker:
        """The worker, its imports under way, the model not necessarily loaded."""
        if self._worker is None:
            self._worker = Worker(
                threads=self._threads, timeout_s=self._time_limit_s, memory_limit_mib=self._memory_limit_mib
            )
            self._worker.prepare(self._kind)
        return self._worker

    def load(self) -> Loaded:
        """Load the model.

        Raises:
            ArtifactError, ModelFailed, WorkerStopped: as `Worker.load`.
        """
        worker = self.start()
        try:
            loaded = worker.load(
                self._path, self._kind, input_name=self._contract.input, output_name=self._contract.output
            )
        except WorkerStopped:
            self._drop()
            raise
        self._is_loaded = True
        self.libraries.update(worker.libraries)
        return loaded

    def run(self, x: Array) -> Array:
        """The output for an input.

        Raises:
            ModelFailed, WorkerStopped: the model can't.
        """
        try:
            return self.worker().run(x)
        except WorkerStopped:
            self._drop()
            raise

    def worker(self) -> Worker:
        """The worker with the model loaded."""
        if not self._is_loaded:
            self.load()
        return self.start()

    def _drop(self) -> None:
        if self._worker is not None:
            self._worker.close()
        self._worker = None
        self._is_loaded = False
