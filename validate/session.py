"""A judged model in a worker that is started again when the model took it down."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pixelproof.challenge import Track
from pixelproof.contract import Contract
from pixelproof.environment import memory_mib
from pixelproof.errors import WorkerStopped
from pixelproof.files import MIB
from pixelproof.measure.channels_first import is_channels_first
from pixelproof.measure.device import CPU, Device
from pixelproof.measure.formats import Kind
from pixelproof.measure.gpu_worker import GpuWorker
from pixelproof.measure.inbox import DEFAULT_MAX_BYTES
from pixelproof.measure.protocol import Array
from pixelproof.measure.worker import DEFAULT_LIFETIME_S, Loaded, Worker
from pixelproof.safety import SandboxLayer, Scan
from pixelproof.validate.options import Options

SAFE_SHARE = 0.8


class ModelSession:
    """Runs one artifact; each call either answers or raises, and the next call starts afresh.

    A context manager: leaving it ends the worker.

    Args:
        contract: its tensor names are used where the artifact has them.
        threads: of the model's runtime; None for all cores.
        time_limit_s: of each call.
        memory_limit_mib: resident size at which the worker is stopped.
        exact_memory: as in `Worker`: for measuring memory, not time.
        max_bytes, require_sandbox: as in `Worker`.
        thorough: as in `Worker.load`.
        deadline: value of `time.monotonic` after which no call is begun.
        device: where the model runs.
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
        max_bytes: int = DEFAULT_MAX_BYTES,
        require_sandbox: bool = False,
        thorough: bool = True,
        deadline: float = math.inf,
        device: Device = CPU,
    ) -> None:
        self._path = path
        self._kind = kind
        self._contract = contract
        self._threads = threads
        self._time_limit_s = time_limit_s
        self._memory_limit_mib = memory_limit_mib
        self._exact_memory = exact_memory
        self._max_bytes = max_bytes
        self._require_sandbox = require_sandbox
        self._thorough = thorough
        self._deadline = deadline
        self.device = device
        left = deadline - time.monotonic()
        self._lifetime_s = 2 * time_limit_s + (left if math.isfinite(left) else DEFAULT_LIFETIME_S)
        self._worker: Worker | None = None
        self._is_loaded = False
        self.libraries: dict[str, str] = {}
        self.sandbox: tuple[SandboxLayer, ...] = ()

    def __enter__(self) -> ModelSession:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def start(self) -> Worker:
        """The worker, its imports under way, the model not necessarily loaded."""
        if self._worker is None:
            start = Worker if self.device.kind == "cpu" else GpuWorker
            self._worker = start(
                device=self.device,
                threads=self._threads,
                timeout_s=self._time_limit_s,
                memory_limit_mib=self._memory_limit_mib,
                exact_memory=self._exact_memory,
                max_bytes=self._max_bytes,
                lifetime_s=self._lifetime_s,
                require_sandbox=self._require_sandbox,
            )
            self._worker.prepare(self._kind)
        return self._worker

    def scan(self) -> Scan:
        """What the file holds.

        Raises:
            ArtifactError, WorkerStopped, EnvironmentFault: as `Worker.scan`.
        """
        with self._fresh_after_stop():
            worker = self.start()
            worker.ready()
            self.sandbox = worker.sandbox
            return worker.scan(self._path, self._kind)

    def load(self) -> Loaded:
        """Load the model.

        Raises:
            ArtifactError, ModelFailed, WorkerStopped: as `Worker.load`.
        """
        with self._fresh_after_stop():
            worker = self.start()
            load = partial(
                worker.load,
                self._path,
                self._kind,
                input_name=self._contract.input,
                output_name=self._contract.output,
                thorough=self._thorough,
            )
            loaded = load()
            if self._kind == "onnx" and self._takes_channels_first(loaded):
                loaded = load(channels_first=True)
        self._is_loaded = True
        self.libraries.update(worker.libraries)
        return loaded

    def _takes_channels_first(self, loaded: Loaded) -> bool:
        inputs = loaded.interface.inputs
        is_first = len(inputs) == 1 and is_channels_first(inputs[0].shape, self._contract.channels[0])
        return is_first and "NCHW" in self._contract.layouts

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
            if time.monotonic() > self._deadline:
                rule, found = "A judgement must end within its time limit", "no time left"
                raise WorkerStopped(rule, reason="timed_out", found=found, remedy="See --total-time-limit.")
            yield
        except WorkerStopped:
            self.close()
            raise


def open_session(
    model: Path,
    kind: Kind,
    track: Track,
    options: Options,
    *,
    deadline: float,
    limit_mib: float,
    exact_memory: bool = False,
    thorough: bool = False,
    device: Device = CPU,
) -> ModelSession:
    """A session under a track's rules; see `ModelSession`."""
    most = track.limits.model_mib
    return ModelSession(
        model,
        kind,
        track.contract,
        threads=options.threads,
        time_limit_s=options.time_limit_s,
        memory_limit_mib=limit_mib,
        exact_memory=exact_memory,
        max_bytes=DEFAULT_MAX_BYTES if most is None else round(most * MIB),
        require_sandbox=options.require_sandbox,
        thorough=thorough,
        deadline=deadline,
        device=device,
    )


def safe_mib(track: Track) -> float:
    """Memory that a model may take where the rules say nothing: what leaves this machine standing."""
    cap = track.limits.peak_memory
    asked = cap.total_rss_mib if cap is not None and math.isfinite(cap.total_rss_mib) else 0.0
    return max(SAFE_SHARE * memory_mib(), asked)
