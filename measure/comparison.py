"""Two artifacts of any formats against each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pixelproof.contract import Contract
from pixelproof.errors import CallError, ModelFailed
from pixelproof.measure.formats import detect_kind
from pixelproof.measure.parity import ParityRow, fixed_size, probe_image, probe_sizes, row_for
from pixelproof.measure.worker import Loaded, Worker


def compare_artifacts(
    first: Path, second: Path, *, shapes: Sequence[tuple[int, int, int, int]], tolerance: float | None
) -> list[ParityRow]:
    """Compare the second artifact with the first, which is taken as the source.

    Args:
        shapes: inputs to try; where empty, the size that one of them is fixed to, else small uneven sizes.
        tolerance: on the largest absolute difference; None for the one of docs/convert.md#parity.

    Raises:
        ArtifactError: one is no artifact.
        ModelFailed: one can't run at a shape.
        CallError: they are fixed to two sizes, or take different channels.
    """
    kinds = detect_kind(first), detect_kind(second)
    with Worker() as a, Worker() as b:
        a.prepare(kinds[0])
        b.prepare(kinds[1])
        loaded = a.load(first, kinds[0]), b.load(second, kinds[1])
        is_global = loaded[0].global_statistics or loaded[1].global_statistics
        sizes = list(shapes) or _shapes(loaded[0], loaded[1])
        rows = []
        for _, height, width, channels in sizes:
            probe = probe_image(height, width, channels)
            exact = next((w for w, k in ((a, kinds[0]), (b, kinds[1])) if k == "pb"), None)
            rows.append(
                row_for(
                    artifact=str(second),
                    kind=kinds[1],
                    source=a.run(probe),
                    output=b.run(probe),
                    shape=(height, width),
                    global_statistics=is_global,
                    tolerance=tolerance,
                    float64=None if exact is None else lambda w=exact, p=probe: w.run_float64(p),  # type: ignore[misc]
                )
            )
    return rows


def _shapes(a: Loaded, b: Loaded) -> list[tuple[int, int, int, int]]:
    channels = {n for x in (a, b) if (n := _input(x)[3]) is not None}
    if len(channels) > 1:
        raise CallError("Both must take the same channels", found=" and ".join(map(str, sorted(channels))))
    count = next(iter(channels), 3)
    fixed = {size for x in (a, b) if (size := fixed_size(_input(x))) is not None}
    if len(fixed) > 1:
        found = " and ".join(f"{h}x{w}" for h, w in sorted(fixed))
        raise CallError("Two artifacts must share a size", found=found, remedy="Convert one of them again.")
    return [(1, height, width, count) for height, width in (fixed or probe_sizes(Contract()))]


def _input(loaded: Loaded) -> tuple[int | None, ...]:
    if len(loaded.interface.inputs) != 1:
        raise ModelFailed("An image model has one input", found=str(len(loaded.interface.inputs)))
    shape = loaded.interface.inputs[0].shape
    return shape if shape is not None and len(shape) == 4 else (None, None, None, None)
