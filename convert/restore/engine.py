"""A model in its worker: one picture in, one picture out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from pixelproof.convert.restore.reading import BAYER_CHANNELS, RGB_CHANNELS, Picture
from pixelproof.environment import memory_mib
from pixelproof.errors import CallError, ModelFailed, WorkerStopped, did_you_mean
from pixelproof.measure.formats import Kind
from pixelproof.measure.worker import Loaded, Worker
from pixelproof.report import TensorInfo

SAFE_SHARE = 0.8
QUANTIZED = ("uint8", "int8", "int16")


@dataclass(frozen=True)
class Facts:
    """What a model declares.

    Attributes:
        channels: of its input: 4 for Bayer planes, 3 for RGB.
        fixed: height and width of its input where they are fixed, else None.
        input_name, output_name: the tensors between which it is run.
        says_global: its graph holds a mean, sum or maximum over the image; False where nothing can be told.
    """

    channels: int
    fixed: tuple[int | None, int | None]
    input_name: str
    output_name: str
    says_global: bool = False


class Engine:
    """A context manager: leaving it ends the worker. After a stop the next call starts another.

    Args:
        artifact: a .pb, SavedModel, .tflite or .onnx.
        input_name, output_name: nodes to use; for None the only ones.
        threads: of the model's runtime; all usable cores by default.
        time_limit_s: for each call.
    """

    def __init__(
        self,
        artifact: Path,
        kind: Kind,
        *,
        input_name: str | None = None,
        output_name: str | None = None,
        threads: int | None = None,
        time_limit_s: float = 600.0,
    ) -> None:
        self.artifact = artifact
        self.kind = kind
        self._names = input_name, output_name
        self._threads = threads
        self._time_limit_s = time_limit_s
        self._is_loaded = False
        self._worker = self._started()
        self._peak_mib = 0.0
        self._first_peak_mib: float | None = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._worker.close()

    @property
    def threads(self) -> int:
        """Threads of the model's runtime."""
        return self._worker.threads

    @property
    def worker(self) -> Worker:
        """The worker, for measuring."""
        return self._worker

    def load(self) -> Facts:
        """Scan and load the model.

        Raises:
            ArtifactError: no artifact of its format.
            CallError: it has no node of a name that was given.
            ModelFailed: it can't be run, or isn't one float32 image in, one out.
            WorkerStopped: it took the worker down.
        """
        start, end = self._names
        loaded = self._worker.load(self.artifact, self.kind, input_name=start, output_name=end)
        self._is_loaded = True
        _check_named("--input-name", start, loaded.used_input, loaded.interface.inputs)
        _check_named("--output-name", end, loaded.used_output, loaded.interface.outputs)
        return facts_of(loaded, self.kind)

    def run(self, x: Picture) -> Picture:
        """The picture that comes out.

        Args:
            x: float32, (height, width, channels).

        Returns:
            float, (height, width, 3), nominally in [0, 1].

        Raises:
            ModelFailed: the model doesn't take this size, or gives no RGB image.
            WorkerStopped: it crashed, or passed a limit.
        """
        return self.timed_run(x)[0]

    def timed_run(self, x: Picture) -> tuple[Picture, float]:
        """As `run`, with the seconds that it took, transfers included."""
        try:
            if not self._is_loaded:
                self._worker = self._started()
                self.load()
            start = time.monotonic()
            y = self._worker.run(x[None])
            seconds = time.monotonic() - start
            if self._first_peak_mib is None:
                self._first_peak_mib = self._worker.peak_mib()
        except WorkerStopped as error:
            self._peak_mib = max(self._peak_mib, error.peak_rss_mib or 0.0)
            self._is_loaded = False
            self._first_peak_mib = None
            self._worker.close()
            raise
        if y.ndim != 4 or y.shape[0] != 1 or y.shape[3] != RGB_CHANNELS or y.dtype.kind != "f":
            found = f"{y.dtype.name} of shape {'x'.join(map(str, y.shape))}"
            raise ModelFailed("The output must be one RGB image of floating-point numbers", found=found)
        return y[0], seconds

    @property
    def first_peak_mib(self) -> float:
        """Largest resident size by the end of the worker's first run; 0 before."""
        return self._first_peak_mib or 0.0

    def peak_mib(self) -> float:
        """Largest resident size of the worker so far."""
        return max(self._peak_mib, self._worker.peak_mib() if self._is_loaded else 0.0)

    def _started(self) -> Worker:
        worker = Worker(
            threads=self._threads, timeout_s=self._time_limit_s, memory_limit_mib=SAFE_SHARE * memory_mib()
        )
        worker.prepare(self.kind)
        return worker


def _check_named(option: str, wanted: str | None, used: str | None, ends: Sequence[TensorInfo]) -> None:
    if wanted is not None and (used is None or used.split(":")[0] != wanted.split(":")[0]):
        remedy = did_you_mean(wanted, [tensor.name.split(":")[0] for tensor in ends])
        raise CallError(f"{option} must name a node of the model", found=repr(wanted), remedy=remedy)


def facts_of(loaded: Loaded, kind: Kind) -> Facts:
    """What matters of a loaded model; the worker bridges a TFLite file's integers.

    Raises:
        ModelFailed: not one image in and one out, another type, or other channels than 3 and 4.
    """
    table = {tensor.name: tensor for tensor in loaded.interface.inputs}
    if loaded.used_input is None or loaded.used_output is None:
        ends = [tensor.name for tensor in (*loaded.interface.inputs, *loaded.interface.outputs)]
        remedy = "Name them with --input-name and --output-name."
        raise ModelFailed(
            "A model must have one input and one output", found=", ".join(ends[:8]), remedy=remedy
        )
    tensor = table.get(loaded.used_input)
    shape = tensor.shape if tensor is not None else None
    if tensor is None or shape is None or len(shape) != 4:
        found = f"an input of shape {shape}"
        raise ModelFailed("The input must be (batch, height, width, channels)", found=found)
    if tensor.dtype != "float32" and not (kind == "tflite" and tensor.dtype in QUANTIZED):
        remedy = "Convert it with a float32 input."
        raise ModelFailed("The input must be float32", found=tensor.dtype, remedy=remedy)
    if shape[3] not in (RGB_CHANNELS, BAYER_CHANNELS):
        found = f"an input of {'x'.join('?' if n is None else str(n) for n in shape)}"
        rule = "The input must be (batch, height, width, channels) with 3 channels (RGB) or 4 (Bayer planes)"
        raise ModelFailed(rule, found=found)
    return Facts(
        channels=shape[3],
        fixed=(shape[1], shape[2]),
        input_name=loaded.used_input,
        output_name=loaded.used_output,
        says_global=loaded.global_statistics,
    )
