"""How long a file and each of its operations take: the whole, and every operation alone."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from statistics import median

from pixelproof.errors import ModelFailed
from pixelproof.tflite.inspection.bench import Bench
from pixelproof.tflite.inspection.macs import COUNTED
from pixelproof.tflite.inspection.model import Model, Operation, Tensor

METHOD = "measured one by one"
Advance = Callable[[int, str], None]


@dataclass(frozen=True)
class OperationTime:
    """Time of one operation alone.

    Attributes:
        ms: median; 0 for what is done when the file is loaded, None where it can't be run alone.
        xnnpack: whether XNNPACK ran it; None where it wasn't run.
        trouble: why it can't be run alone.
    """

    ms: float | None
    xnnpack: bool | None = None
    trouble: str = ""


@dataclass(frozen=True)
class Times:
    """Times of a file.

    Attributes:
        latency_ms: of the whole file, median.
        partitions: into how many parts XNNPACK's share of it falls.
        threads, runs: as they were measured with.
        operations: in the file's order.
    """

    latency_ms: float
    partitions: int
    threads: int
    runs: int
    operations: tuple[OperationTime, ...]

    @property
    def sum_ms(self) -> float:
        """Of all operations, each measured alone."""
        return sum(each.ms or 0.0 for each in self.operations)

    @property
    def coverage(self) -> float:
        """The sum over the latency of the whole: 1 where the single times explain it."""
        return self.sum_ms / self.latency_ms if self.latency_ms else 0.0

    def share(self, *indices: int) -> float | None:
        """Share of operations in the sum of all, in [0, 1]; None where one of them has no time."""
        times = [self.operations[index].ms for index in indices]
        if None in times or not self.sum_ms:
            return None
        return sum(ms for ms in times if ms is not None) / self.sum_ms


def measure(
    bench: Bench, model: Model, *, threads: int, runs: int, advance: Advance = lambda steps, note: None
) -> Times:
    """Time the whole file, then every operation, then the whole file again, so that a drift shows in neither.

    Operations that are configured alike are timed once.

    Args:
        bench: with the file open.
        model: with its shapes bound.
        runs: of each operation, and of the whole file.
        advance: told after each operation.
    """
    before = bench.time_whole((runs + 1) // 2)
    known: dict[Hashable, OperationTime] = {}
    times = []
    for operation in model.operations:
        key = configuration(operation)
        if key not in known:
            known[key] = _alone(bench, operation, runs)
        times.append(known[key])
        advance(1, operation.label)
    after = bench.time_whole((runs + 1) // 2)
    return Times(
        latency_ms=median((*before.ms, *after.ms)),
        partitions=before.partitions,
        threads=threads,
        runs=runs,
        operations=tuple(times),
    )


def configuration(operation: Operation) -> Hashable:
    """What the time of an operation depends on: all but the values of its weights.

    Scales count where no weights are: there they decide which kernel adds and multiplies.
    """
    scaled = operation.type not in COUNTED or operation.type == "BATCH_MATMUL"
    ends = [None if tensor is None else _ends(tensor, scaled=scaled) for tensor in operation.inputs]
    made = [_ends(tensor, scaled=scaled) for tensor in operation.outputs]
    return (
        operation.type,
        operation.version,
        tuple(sorted(operation.options.items())),
        tuple(ends),
        tuple(made),
    )


def _ends(tensor: Tensor, *, scaled: bool) -> Hashable:
    scale = (tensor.scale, tensor.zero_point) if scaled else ()
    return (tensor.dtype, tensor.shape, tensor.constant, tensor.folded, tensor.scales, scale, tensor.values)


def _alone(bench: Bench, operation: Operation, runs: int) -> OperationTime:
    if operation.outputs and all(tensor.folded for tensor in operation.outputs):
        return OperationTime(ms=0.0)
    try:
        found = bench.time_one(operation.index, runs)
    except ModelFailed as error:
        return OperationTime(ms=None, trouble=error.found or error.rule)
    return OperationTime(ms=median(found.ms), xnnpack=found.xnnpack)
