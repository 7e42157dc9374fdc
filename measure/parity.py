"""Do two computations give the same picture? Fresh processes, uneven inputs, stated tolerances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pixelproof.contract import Contract
from pixelproof.errors import ModelFailed, ParityBroken, WorkerStopped
from pixelproof.measure.formats import Kind
from pixelproof.measure.metrics import Difference, difference
from pixelproof.measure.protocol import Array
from pixelproof.measure.worker import Worker

SMALL_TOLERANCE = 1e-4
LARGE_GLOBAL_TOLERANCE = 1e-3
LARGE_PIXELS = 250_000
SIZE_MULTIPLES = (1, 2, 4, 8, 16, 32, 64)

Size = tuple[int, int]


@dataclass(frozen=True)
class ParityRow:
    """One artifact at one size.

    Attributes:
        difference: artifact against source.
        tolerance: on the largest absolute difference.
        source_to_float64, artifact_to_float64: largest distance of each side from the float64 computation.
    """

    artifact: str
    format: str
    height: int
    width: int
    difference: Difference
    tolerance: float
    passed: bool
    source_to_float64: float | None = None
    artifact_to_float64: float | None = None


def tolerance_for(height: int, width: int, *, global_statistics: bool) -> float:
    """Largest absolute difference that float32 artifacts of one source may have (docs/convert.md#parity)."""
    large = height * width > LARGE_PIXELS
    return LARGE_GLOBAL_TOLERANCE if large and global_statistics else SMALL_TOLERANCE


def probe_sizes(contract: Contract) -> tuple[tuple[int, int], ...]:
    """Small uneven sizes that the architecture takes: one landscape, one portrait."""
    m = contract.size_multiple
    if m == 1:
        least = contract.minimum_size
        return (max(37, least), max(54, least + 7)), (max(45, least + 4), max(23, least))
    base = -(-contract.minimum_size // m)
    return (m * (base + 1), m * (base + 2)), (m * (base + 2), m * max(base, 1))


def size_ladder() -> tuple[tuple[Size, ...], ...]:
    """Small uneven sizes for a model of unknown demands: odd ones first, then multiples of 2, 4, 8, ..."""
    return tuple(probe_sizes(Contract(size_multiple=multiple)) for multiple in SIZE_MULTIPLES)


def probe_image(height: int, width: int, channels: int, *, seed: int = 0) -> Array:
    """A float32 image (1, height, width, channels) in [0, 1] without any symmetry: ramps, edges, noise."""
    rng = np.random.default_rng([seed, height, width, channels])
    y, x = np.mgrid[0:height, 0:width]
    ramp = (0.7 * x / width + 0.3 * (y / height) ** 2)[..., None] * rng.uniform(0.4, 1.0, channels)
    edges = 0.25 * ((x // 7 + 2 * (y // 5)) % 3 == 0)[..., None] * rng.uniform(0.2, 1.0, channels)
    noise = rng.uniform(-0.2, 0.2, (height, width, channels))
    image: Array = np.clip(ramp + edges + noise, 0, 1).astype(np.float32)[None]
    return image


def row_for(
    *,
    artifact: str,
    kind: str,
    source: Array,
    output: Array,
    shape: tuple[int, int],
    global_statistics: bool,
    tolerance: float | None = None,
    float64: Callable[[], Array] | None = None,
) -> ParityRow:
    """Compare one output with the source's.

    Args:
        source, output: float32, (batch, height, width, channels).
        shape: height, width of the input.
        float64: gives the float64 output; called where the tolerance is the large one, or on a mismatch. Where
            the graph can't be computed so, the two distances stay None.
    """
    height, width = shape
    allowed = tolerance or tolerance_for(height, width, global_statistics=global_statistics)
    found = difference(output, source)
    finite = not (found.non_finite_a or found.non_finite_b)
    row = ParityRow(
        artifact=artifact,
        format=kind,
        height=height,
        width=width,
        difference=found,
        tolerance=allowed,
        passed=finite and found.max_abs <= allowed,
    )
    if float64 is None or not finite or (row.passed and allowed <= SMALL_TOLERANCE):
        return row
    try:
        exact = float64()
    except (ModelFailed, WorkerStopped):
        return row
    return replace(
        row, source_to_float64=_distance(source, exact), artifact_to_float64=_distance(output, exact)
    )


def _distance(a: Array, b: Array) -> float:
    return float(np.max(np.abs(a.astype(np.float64) - b)))


def run_artifact(
    path: Path,
    kind: Kind,
    inputs: Sequence[Array],
    *,
    worker: Worker | None = None,
    input_name: str | None = None,
    output_name: str | None = None,
) -> list[Array]:
    """Outputs of an artifact that is loaded in a fresh process.

    Args:
        worker: a fresh worker that may have been prepared already; it is closed here.
    """
    with worker or Worker() as fresh:
        fresh.load(path, kind, input_name=input_name, output_name=output_name)
        return [fresh.run(x) for x in inputs]


def require(rows: Sequence[ParityRow]) -> None:
    """Raise unless all rows passed.

    Raises:
        ParityBroken: names the worst row.
    """
    broken = [row for row in rows if not row.passed]
    if not broken:
        return
    worst = max(broken, key=lambda r: (r.difference.non_finite_a, r.difference.max_abs))
    d = worst.difference
    where = f"{worst.artifact} at {worst.height}x{worst.width}"
    if d.non_finite_a or d.non_finite_b:
        found = f"{d.non_finite_a} NaN or infinite values in {where}, {d.non_finite_b} in its source"
        raise ParityBroken("An artifact's output must be finite", found=found)
    found = (
        f"{d.max_abs:.3g} ({d.max_levels:.3g} of a level) in {where}, {d.share_changed:.2%} of pixels change"
    )
    raise ParityBroken(f"An artifact must equal its source within {worst.tolerance:g}", found=found)
