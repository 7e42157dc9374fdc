"""How far an output pixel sees, and in what grid the model looks: found by trial, whatever the format.

A tile's cut is imitated: of a probe the model gets the whole and a part, and what lies beyond the cut differs as
much as it can. How far from the cut the outputs differ is the overlap that tiles need. A model of which even the
pixels farthest from the cut differ sees the whole image: instance normalisation, or attention over all pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelproof.convert.restore.engine import Facts
from pixelproof.convert.restore.fitting import Fit, Run
from pixelproof.convert.restore.grid import find_grid
from pixelproof.convert.restore.reading import Picture, Size
from pixelproof.measure.parity import probe_image

SIDES = (256, 512, 1024)
"""Sides of the probes, tried in turn; all grids up to 64 divide them."""
ENOUGH_FOR_GLOBAL = 256
TOLERANCE_LEVELS = 0.05
KEPT_SHARE = 0.75
"""Of each side of a probe; the rest lies beyond the cut."""
SEAM_PIXELS = 1
"""So far across a seam neighbouring tiles are compared; there too the context must suffice."""
DEEP_SHARE = 0.75
"""Of the way from the cut to the far border: nothing may change beyond."""


@dataclass(frozen=True)
class Locality:
    """What the trials told.

    Attributes:
        overlap: enough for tiles: beyond one pixel less of the input nothing changes an output pixel by more than
            0.05 of a level; a multiple of ``grid``. None where there is no such number.
        grid: shifting the input by it shifts the output, and changes nothing; None where there is no such number
            up to 64.
        reach: how far from a change was looked, in pixels of the input.
        far_levels: by how much the farthest pixels changed, in 8-bit levels.
    """

    overlap: int | None
    grid: int | None
    reach: int
    far_levels: float

    @property
    def is_local(self) -> bool:
        """Whether tiles with some overlap give the picture that the whole image gives."""
        return self.overlap is not None and self.grid is not None


def shown_levels(levels: float) -> str:
    """A difference for people."""
    return f"{levels:.0f} levels" if levels >= 10 else f"{levels:.2g} levels"


def find_locality(run: Run, facts: Facts, fit: Fit, *, content: Picture | None = None) -> Locality:
    """Try a model whose scale is known.

    Args:
        content: an image of the user's; part of it is tried too where it is large enough.

    Raises:
        ModelFailed, WorkerStopped: the model can't be run at the probes' sizes.
    """
    found = Locality(None, None, 0, 0.0)
    for side in SIDES:
        size = facts.fixed[0] or side, facts.fixed[1] or side
        probes = [probe_image(*size, facts.channels)[0]]
        if content is not None and content.shape[0] >= size[0] and content.shape[1] >= size[1]:
            probes.append(_middle_of(content, size))
        found = _tried(run, probes, size, facts, fit)
        is_told = facts.says_global and side >= ENOUGH_FOR_GLOBAL
        if found.overlap is not None or is_told or not _is_open(facts):
            break
    if found.overlap is None:
        return found
    grid = find_grid(run, facts, fit, overlap=found.overlap)
    if grid is None:
        return found
    overlap = -(-(found.overlap + SEAM_PIXELS) // grid) * grid
    return Locality(overlap, grid, found.reach, found.far_levels)


def profile(whole: Picture, part: Picture, *, scale: int, corner: bool) -> npt.NDArray[np.float64]:
    """Largest difference by distance from the cut, in 8-bit levels.

    Args:
        whole: output for the probe, of which ``part`` is to be a part.
        part: output for the probe's top left, or bottom right where ``corner`` is True.

    Returns:
        One figure for each pixel of the input's distance, beginning at the cut; both cuts count.
    """
    height, width = part.shape[:2]
    same = whole[-height:, -width:] if corner else whole[:height, :width]
    apart = np.abs(same.astype(np.float64) - part).max(axis=2)
    apart[~np.isfinite(apart)] = np.inf
    if not corner:
        apart = apart[::-1, ::-1]
    rows, columns = np.arange(height) // scale, np.arange(width) // scale
    distance = np.minimum(rows[:, None], columns[None])
    largest = np.zeros(min(height, width) // scale)
    np.maximum.at(largest, distance.ravel(), apart.ravel())
    return largest * 255.0


def reached(largest: npt.NDArray[np.float64]) -> int:
    """How far from the cut anything changes by more than the tolerance; the length where all does."""
    changed = np.nonzero(largest > TOLERANCE_LEVELS)[0]
    return int(changed[-1]) + 1 if len(changed) else 0


def _tried(run: Run, probes: Sequence[Picture], size: Size, facts: Facts, fit: Fit) -> Locality:
    profiles = [one for probe in probes for one in _profiles(run, probe, size, facts, fit)]
    depth = min(len(one) for one in profiles)
    far = max(float(one[int(DEEP_SHARE * len(one)) :].max()) for one in profiles)
    overlap = max(reached(one) for one in profiles)
    is_seen = overlap <= DEEP_SHARE * depth
    return Locality(overlap if is_seen else None, None, depth, far)


def _profiles(run: Run, probe: Picture, size: Size, facts: Facts, fit: Fit) -> list[npt.NDArray[np.float64]]:
    """Cuts below and on the right, then above and on the left."""
    height, width = (int(KEPT_SHARE * side) for side in size)
    near = [np.s_[:height, :width], np.s_[size[0] - height :, size[1] - width :]]
    profiles = []
    for corner, kept in enumerate(near):
        changed = 1 - probe
        changed[kept] = probe[kept]
        if _is_open(facts):
            whole, part = run(changed), run(np.ascontiguousarray(probe[kept]))
        else:
            whole, y = run(changed), run(probe)
            rows, columns = height * fit.scale, width * fit.scale
            part = y[-rows:, -columns:] if corner else y[:rows, :columns]
        profiles.append(profile(whole, part, scale=fit.scale, corner=bool(corner)))
    return profiles


def _middle_of(content: Picture, size: Size) -> Picture:
    top, left = (content.shape[0] - size[0]) // 2, (content.shape[1] - size[1]) // 2
    return content[top : top + size[0], left : left + size[1]]


def _is_open(facts: Facts) -> bool:
    """Whether a part of a probe may be smaller than the probe."""
    return facts.fixed == (None, None)
