"""The parent's end of the worker: starts the child, asks, waits no longer than agreed, and ends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self, TypeVar

from pixelproof.environment import usable_cores
from pixelproof.errors import CallError, EnvironmentFault, GraphRefused, ModelFailed, WorkerStopped
from pixelproof.measure import memory, protocol
from pixelproof.measure.cost.table import MOST_BYTES, CostTable
from pixelproof.measure.device import Device
from pixelproof.measure.formats import Kind
from pixelproof.measure.inbox import DEFAULT_MAX_BYTES
from pixelproof.measure.memory_trace import Recorder
from pixelproof.measure.protocol import Array, ProtocolError
from pixelproof.measure.worker_answers import (
    Loaded,
    costs_from,
    error_from,
    greeting_from,
    largest_output,
    libraries_from,
    loaded_from,
    not_started,
    scan_from,
    timing_from,
)
from pixelproof.measure.worker_process import WorkerProcess
from pixelproof.safety import Refusal, SandboxLayer, Scan, missing_walls

__all__ = ["Loaded", "Worker"]

DEFAULT_TIMEOUT_S = 600.0
START_TIMEOUT_S = 300.0
DEFAULT_LIFETIME_S = 12 * 3600.0
T = TypeVar("T")
U = TypeVar("U")


class Worker:
    """One child process that holds at most one model. A context manager: leaving it ends the child.

    Args:
        threads: of the child's runtime; all usable cores by default.
        timeout_s: wall-clock limit of each request that a model answers.
        memory_limit_mib: the child is stopped when its resident size passes this.
        exact_memory: TensorFlow takes its tensors from the system, so that memory figures are the model's and not
            its allocator's; slower, so not for measuring time.
        lifetime_s: longer than the child may be busy in all; the system ends it then, if nothing else has.
        require_sandbox: refuse to work where neither Landlock nor bubblewrap locks the child in.
        max_bytes: a larger artifact is refused before anything reads it.
        device: where the model runs; None for what CUDA_VISIBLE_DEVICES says. See `GpuWorker` for a GPU's figures.
    """

    def __init__(
        self,
        *,
        threads: int | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        memory_limit_mib: float | None = None,
        exact_memory: bool = False,
        lifetime_s: float = DEFAULT_LIFETIME_S,
        require_sandbox: bool = False,
        max_bytes: int = DEFAULT_MAX_BYTES,
        device: Device | None = None,
    ) -> None:
        self.threads = threads or usable_cores()
        self.sandbox: tuple[SandboxLayer, ...] = ()
        self.libraries: dict[str, str] = {}
        self._timeout_s = timeout_s
        self._require_sandbox = require_sandbox
        self._max_bytes = max_bytes
        self._kind: Kind | None = None
        self._process = WorkerProcess(
            threads=self.threads,
            lifetime_s=lifetime_s,
            memory_limit_mib=memory_limit_mib,
            exact_memory=exact_memory,
            device=device,
        )
        self._device = None if device is None else asdict(device)
        self._pending = 1  # its greeting

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._process.pid

    def prepare(self, kind: Kind) -> None:
        """Let the child import what this format needs; returns at once, the next request waits for it."""
        self._kind = kind
        try:
            with self._process.limited(START_TIMEOUT_S):
                self._send({"op": "prepare", "format": kind, "max_payload": 0})
        except WorkerStopped as error:
            raise not_started(error) from error

    def ready(self) -> None:
        """Wait until the imports of `prepare` are done.

        Raises:
            EnvironmentFault: the child can't import what the format needs, or can't be locked in as required.
            WorkerStopped: its memory limit is too small even for that.
        """
        while self._pending:
            try:
                with self._process.limited(START_TIMEOUT_S):
                    header, _ = self._receive()
                if not self.sandbox:
                    self._greeted(header)
            except (ModelFailed, WorkerStopped) as error:
                raise not_started(error) from error
            self.libraries.update(libraries_from(header))

    def scan(self, path: Path, kind: Kind) -> Scan:
        """What an artifact holds, and why it may not be loaded; nothing is loaded.

        Raises:
            ArtifactError: the file is no artifact of this format.
            WorkerStopped, EnvironmentFault: as `load`.
        """
        try:
            request = self._about("scan", path, kind)
        except GraphRefused as error:  # too large to be looked into, say
            return Scan(kind, 0, 0, {}, 0, refusals=(Refusal(error.rule, error.found, error.remedy),))
        header, _ = self._ask(request)
        return self._understood(scan_from, header)

    def load(
        self,
        path: Path,
        kind: Kind,
        *,
        input_name: str | None = None,
        output_name: str | None = None,
        thorough: bool = True,
        channels_first: bool = False,
    ) -> Loaded:
        """Scan an artifact, and load it.

        Args:
            thorough, channels_first: as in `runners.load`; not thorough where another worker has been.
            input_name, output_name: tensors to use; for None, or where they lack, the artifact's only ones.

        Raises:
            ArtifactError: the file is no artifact of this format.
            GraphRefused: it holds what a judged model may not hold.
            ModelFailed: the runtime refuses the model.
            WorkerStopped: the child crashed, or passed a limit.
            EnvironmentFault: the child can't import what the format needs.
        """
        how = {"threads": self.threads, "thorough": thorough, "channels_first": channels_first}
        names = {"input": input_name, "output": output_name}
        header, _ = self._ask({**self._about("load", path, kind), **names, **how, "device": self._device})
        return self._understood(loaded_from, header)

    def cost(self, path: Path, kind: Kind, asked: Mapping[str, Any]) -> CostTable:
        """What an artifact costs, layer by layer, as `pixelproof.measure.complexity` asks; what is loaded stays.

        Raises:
            As `load` does.
        """
        request = {**self._about("complexity", path, kind), **asked, "threads": self.threads}
        return self._understood(costs_from, self._ask(request, max_payload=MOST_BYTES)[1])

    def run(self, x: Array) -> Array:
        """The model's output for an input (batch, height, width, channels)."""
        return self._one_array({"op": "run"}, x)

    def run_float64(self, x: Array) -> Array:
        """The same computation with every float32 of the graph widened to float64 (frozen graphs only)."""
        return self._one_array({"op": "run_float64"}, x)

    def put(self, slot: int, x: Array) -> None:
        """Keep an input in the child, for `time_ms`."""
        self._ask({"op": "put", "slot": slot}, [x])

    def time_ms(self, slot: int) -> float:
        """Wall-clock time of one call of the model on a kept input, in milliseconds."""
        return self.timed(slot)[0]

    def timed(self, slot: int) -> tuple[float, tuple[int, ...]]:
        """As `time_ms`, with the output's shape; the output itself stays in the child."""
        header, _ = self._ask({"op": "time", "slot": slot})
        return self._understood(timing_from, header)

    def reset_peak(self) -> None:
        """Let the peak of resident memory start again; raises as `resident_mib`."""
        self._of_child(memory.reset_peak)
        self._process.forget_largest()

    def resident_mib(self) -> float:
        """Resident size of the child now.

        Raises:
            WorkerStopped: the child is gone.
        """
        return self._of_child(memory.resident_mib)

    def peak_mib(self) -> float:
        """Largest resident size since `reset_peak`; raises as `resident_mib`."""
        return max(self._of_child(memory.peak_resident_mib), self._process.largest_mib)

    @property
    def recorder(self) -> Recorder:
        """Resident sizes since `reset_peak`, also of a child that is gone; none without a memory limit."""
        return self._process.recorder

    def abort(self) -> None:
        """End the child now, also from another thread: the request that waits raises `WorkerStopped`."""
        self._process.kill()

    def close(self) -> None:
        """End the child and remove its scratch folder."""
        self._process.close()

    def _of_child(self, act: Callable[[int], U]) -> U:
        try:
            return act(self.pid)
        except OSError as error:
            raise self._process.ended() from error

    def _about(self, operation: str, path: Path, kind: Kind) -> dict[str, Any]:
        if self._kind != kind:
            self.prepare(kind)
        copy = self._process.inbox.copy_of(path.absolute(), max_bytes=self._max_bytes)
        return {"op": operation, "path": str(copy), "format": kind}

    def _greeted(self, header: dict[str, Any]) -> None:
        pid, layers = greeting_from(header)
        try:
            self._process.greeted(pid)
        except ProcessLookupError as error:
            raise self._process.ended() from error
        self.sandbox = (*self._process.layers, *layers)
        missing = missing_walls(self.sandbox)
        if self._require_sandbox and missing:
            self._process.kill()
            remedy = "Use Linux 5.13 or newer, install bubblewrap, or pass --no-require-sandbox."
            raise EnvironmentFault(
                "A stranger's model must run behind Landlock or bubblewrap", found=missing, remedy=remedy
            )

    def _one_array(self, request: dict[str, Any], x: Array) -> Array:
        _, arrays = self._ask(request, [x], max_payload=largest_output(x))
        if len(arrays) != 1:
            raise self._process.broken(f"{len(arrays)} arrays in an answer")
        return arrays[0]

    def _understood(self, read: Callable[[T], U], answer: T) -> U:
        """What an answer says; one that says nothing ends the child."""
        try:
            return read(answer)
        except ProtocolError as error:
            raise self._process.broken(str(error)) from error

    def _ask(
        self, request: dict[str, Any], arrays: Sequence[Array] = (), *, max_payload: int = 0
    ) -> tuple[dict[str, Any], list[Array]]:
        if self._process.stop is not None:
            raise self._process.stop
        self.ready()
        with self._process.limited(self._timeout_s):
            self._send({**request, "max_payload": max_payload}, arrays)
            return self._receive(max_payload)

    def _send(self, request: dict[str, Any], arrays: Sequence[Array] = ()) -> None:
        try:
            protocol.send(self._process.write, request, arrays)
        except ProtocolError as error:
            raise CallError("An input must be an array that the worker takes", found=str(error)) from error
        except OSError as error:
            raise self._process.ended() from error
        self._pending += 1

    def _receive(self, max_payload: int = 0) -> tuple[dict[str, Any], list[Array]]:
        try:
            header, arrays = protocol.receive(self._process.read, max_payload=max_payload)
            self._pending -= 1
            if header.get("ok") is True:
                return header, arrays
            refusal = error_from(header.get("error"))
        except (EOFError, OSError) as error:
            raise self._process.ended() from error
        except MemoryError as error:
            raise self._process.broken("an answer that doesn't fit into memory") from error
        except ProtocolError as error:
            raise self._process.broken(str(error)) from error
        raise refusal
