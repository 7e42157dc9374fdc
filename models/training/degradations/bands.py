"""Linear maps along one axis, as small dense blocks: what filters and resizes quickly without OpenCV.

A filter or a resize mixes neighbours only, so its matrix is a band. A block of rows of that band is a small dense
matrix, and products of dense matrices are what NumPy is fastest at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Planes = npt.NDArray[np.float32]
"""One picture, (channels, height, width), nominally in [0, 1]."""

_BLOCK = 32


@dataclass(frozen=True)
class Block:
    """Some of a band's outputs.

    Attributes:
        outputs, inputs: which ones, as slices.
        matrix: float32, (outputs, inputs).
    """

    outputs: slice
    inputs: slice
    matrix: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Band:
    """A linear map of one axis.

    Attributes:
        size: of the outputs.
        blocks: together all outputs, each once.
    """

    size: int
    blocks: tuple[Block, ...]


def band(places: npt.NDArray[np.intp], weights: npt.NDArray[np.floating[Any]]) -> Band:
    """The map whose output i is the sum of ``weights[i, t] * input[places[i, t]]``.

    Args:
        places: (outputs, taps); a place may come several times.
        weights: (outputs, taps).
    """
    spans = spans_of(len(places))
    return Band(len(places), tuple(block(span, places[span], weights[span]) for span in spans))


def spans_of(size: int) -> list[slice]:
    """The outputs of each block."""
    return [slice(start, min(start + _BLOCK, size)) for start in range(0, size, _BLOCK)]


def block(outputs: slice, places: npt.NDArray[np.intp], weights: npt.NDArray[np.floating[Any]]) -> Block:
    """Some outputs of a map; ``places`` and ``weights`` are theirs, see `band`."""
    low, high = int(places.min()), int(places.max()) + 1
    count = len(places)
    flat = (places - low + np.arange(count)[:, None] * (high - low)).ravel()
    summed = np.bincount(flat, weights.ravel(), count * (high - low))
    return Block(outputs, slice(low, high), summed.reshape(count, high - low).astype(np.float32))


def composed(first: Band, then: Band) -> Band:
    """One map that does what two do after each other."""
    return Band(then.size, tuple(_composed(first, block) for block in then.blocks))


def _composed(first: Band, block: Block) -> Block:
    wanted = block.inputs
    parts = [
        one for one in first.blocks if one.outputs.start < wanted.stop and one.outputs.stop > wanted.start
    ]
    low = min(one.inputs.start for one in parts)
    high = max(one.inputs.stop for one in parts)
    matrix = np.zeros((len(block.matrix), high - low), np.float32)
    for one in parts:
        start, stop = max(one.outputs.start, wanted.start), min(one.outputs.stop, wanted.stop)
        left = block.matrix[:, start - wanted.start : stop - wanted.start]
        right = one.matrix[start - one.outputs.start : stop - one.outputs.start]
        matrix[:, one.inputs.start - low : one.inputs.stop - low] += left @ right
    return Block(block.outputs, slice(low, high), matrix)


def mapped(planes: Planes, vertical: Band, horizontal: Band) -> Planes:
    """A picture with its height through one map and its width through another; the fewer rows, the sooner done."""
    if vertical.size > planes.shape[1]:
        return along_height(along_width(planes, horizontal), vertical)
    return along_width(along_height(planes, vertical), horizontal)


def along_height(planes: Planes, mapped: Band) -> Planes:
    """Each column of a picture through a map; (channels, any, width) to (channels, size, width)."""
    out = np.empty((planes.shape[0], mapped.size, planes.shape[2]), np.float32)
    for block in mapped.blocks:
        np.matmul(block.matrix, planes[:, block.inputs], out=out[:, block.outputs])
    return out


def along_width(planes: Planes, mapped: Band) -> Planes:
    """Each row of a picture through a map; (channels, height, any) to (channels, height, size)."""
    channels, height, width = planes.shape
    rows = np.ascontiguousarray(planes).reshape(channels * height, width)
    out = np.empty((channels * height, mapped.size), np.float32)
    for block in mapped.blocks:
        np.matmul(rows[:, block.inputs], np.ascontiguousarray(block.matrix.T), out=out[:, block.outputs])
    return out.reshape(channels, height, mapped.size)
