"""Two artifacts of any formats against each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pixelproof.errors import CallError, ModelFailed
from pixelproof.measure.formats import Kind, detect_kind
from pixelproof.measure.parity import (
    LARGE_PIXELS,
    ParityRow,
    probe_image,
    row_for,
    size_ladder,
)
from pixelproof.measure.protocol import Array
from pixelproof.measure.worker import Loaded, Worker

Shape = tuple[int, int, int, int]
PATCH = 32


def compare_artifacts(
    first: Path,
    second: Path,
    *,
    shapes: Sequence[Shape],
    tolerance: float | None,
    require_sandbox: bool = False,
) -> list[ParityRow]:
    """Compare the second artifact with the first, which is taken as the source.

    Args:
        shapes: inputs to try; where empty, the size that one of them is fixed to, else small uneven sizes.
        tolerance: on the largest absolute difference; None for the one of docs/convert.md#parity.
        require_sandbox: as in `Worker`.

    Raises:
        ArtifactError: one is no artifact.
        ModelFailed: one can't run at a shape.
        CallError: they are fixed to two sizes, take different channels, or don't take a shape.
        ShapeMismatch: their outputs have different shapes.
    """
    kinds = detect_kind(first), detect_kind(second)
    with Worker(require_sandbox=require_sandbox) as a, Worker(require_sandbox=require_sandbox) as b:
        a.prepare(kinds[0])
        b.prepare(kinds[1])
        loaded = a.load(first, kinds[0]), b.load(second, kinds[1])
        common = _common_shape(loaded)
        pair = _Pair(a, b, kinds, is_global=any(x.global_statistics for x in loaded))
        for shape in shapes:
            _check_shape(shape, common)
        outcomes = [(shape, pair.run(shape)) for shape in shapes] or _first_that_run(pair, common)
        return [pair.row(str(second), shape, outputs, tolerance) for shape, outputs in outcomes]


class _Pair:
    """Two workers with the artifacts loaded."""

    def __init__(self, a: Worker, b: Worker, kinds: tuple[Kind, Kind], *, is_global: bool) -> None:
        self._workers = a, b
        self._kinds = kinds
        self._is_global = is_global

    def run(self, shape: Shape) -> tuple[Array, Array]:
        """Both outputs for the probe of a shape."""
        probe = probe_image(*shape[1:])
        return self._workers[0].run(probe), self._workers[1].run(probe)

    def row(
        self, label: str, shape: Shape, outputs: tuple[Array, Array], tolerance: float | None
    ) -> ParityRow:
        """The verdict at one shape."""
        probe = probe_image(*shape[1:])
        return row_for(
            artifact=label,
            kind=self._kinds[1],
            source=outputs[0],
            output=outputs[1],
            shape=shape[1:3],
            global_statistics=self._mixes(probe, outputs[0]),
            tolerance=tolerance,
            float64=self._float64(probe),
        )

    def _float64(self, probe: Array) -> Callable[[], Array] | None:
        for worker, kind in zip(self._workers, self._kinds, strict=True):
            if kind == "pb":
                return lambda: worker.run_float64(probe)
        return None

    def _mixes(self, probe: Array, output: Array) -> bool:
        """Whether all pixels mix; where neither format tells, a corner is changed and the far one looked at."""
        told = {"pb", "savedmodel"} & set(self._kinds)
        if self._is_global or told or probe.shape[1] * probe.shape[2] <= LARGE_PIXELS:
            return self._is_global
        changed = probe.copy()
        changed[:, :PATCH, :PATCH] = 1 - changed[:, :PATCH, :PATCH]
        far = self._workers[0].run(changed)[:, -PATCH:, -PATCH:]
        return not np.array_equal(far, output[:, -PATCH:, -PATCH:])


def _first_that_run(pair: _Pair, common: tuple[int | None, ...]) -> list[tuple[Shape, tuple[Array, Array]]]:
    """Small uneven shapes that both take, with the outputs; what one of them fixes stays as it is."""
    refusal: ModelFailed | None = None
    for rung in size_ladder():
        shapes = [(1, common[1] or height, common[2] or width, common[3] or 3) for height, width in rung]
        try:
            return [(shape, pair.run(shape)) for shape in dict.fromkeys(shapes)]
        except ModelFailed as error:
            refusal = refusal or error
            if common[1] and common[2]:
                break
    assert refusal is not None
    raise refusal


def _common_shape(loaded: Sequence[Loaded]) -> tuple[int | None, ...]:
    """The input shape that both agree on; None where both leave it open."""
    shapes = [_input(x) for x in loaded]
    common: list[int | None] = []
    for place, name in enumerate(("batch", "height", "width", "channels")):
        fixed = sorted({n for shape in shapes if (n := shape[place]) is not None})
        if len(fixed) > 1:
            remedy = "They are models for different data." if place == 3 else "Convert one of them again."
            found = " and ".join(map(str, fixed))
            raise CallError(f"Both must take the same {name}", found=found, remedy=remedy)
        common.append(fixed[0] if fixed else None)
    return tuple(common)


def _check_shape(shape: Shape, common: tuple[int | None, ...]) -> None:
    if any(n is not None and n != asked for n, asked in zip(common, shape, strict=True)):
        wanted = ",".join("ANY" if n is None else str(n) for n in common)
        found = ",".join(map(str, shape))
        raise CallError(f"--shape must be one that both take: {wanted}", found=found)


def _input(loaded: Loaded) -> tuple[int | None, ...]:
    if len(loaded.interface.inputs) != 1:
        raise ModelFailed("An image model has one input", found=str(len(loaded.interface.inputs)))
    shape = loaded.interface.inputs[0].shape
    return shape if shape is not None and len(shape) == 4 else (None, None, None, None)
