"""Turned and mirrored mosaics whose colours stay where the model expects them.

A 2x2 cell of a Bayer mosaic has each colour at a place of its own. Mirroring a mosaic of even height moves row r to
H - 1 - r: odd rows become even ones, and green stands where red was. Mirroring the four planes instead keeps the
colours in their channels, and shifts red against blue by one pixel. The sensor could have taken neither.

Row r to H - r keeps odd rows odd: the mirror stands on a row and not between two. Row 0 then comes from row H, which
isn't there; reflection puts row H - 2 there, which has the same colours. The target is mirrored about the same row,
and the pair still is one scene. Transposition swaps the greens and keeps red and blue where these lie on the main
diagonal of a cell; where they lie on the other one, transposing about that one does the same.

The need for it: J. Liu et al., 2019, "Learning raw image denoising with Bayer pattern unification and Bayer
preserving augmentation", who crop where this reflects. What the challenge's public ``train_model.py`` does is here
too: it turns the packed planes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelproof.bayer import plane_offsets

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Turn:
    """One of the eight ways to lay a square on itself.

    Attributes:
        upside_down, left_right: mirrored so, first.
        transposed: rows become columns, afterwards.
    """

    upside_down: bool = False
    left_right: bool = False
    transposed: bool = False


def random_turn(rng: np.random.Generator, *, square: bool) -> Turn:
    """Each turn equally often; transposed only where height and width are equal."""
    upside_down, left_right, transposed = (bool(bit) for bit in rng.integers(2, size=3))
    return Turn(upside_down, left_right, transposed and square)


def turn_mosaic(mosaic: Array, target: Array, turn: Turn, *, cfa: str = "RGGB") -> tuple[Array, Array]:
    """Mosaic and target turned alike, the mosaic's colours at their places.

    Args:
        mosaic: (height, width), both even.
        target: (height, width, channels), of the mosaic's size.
        cfa: colours of the top left 2x2 cell, row by row.

    Returns:
        Views or arrays of the same dtypes and, unless transposed, shapes.
    """
    _, _, red, _ = plane_offsets(cfa)
    main_diagonal = red[0] == red[1]
    return _turned(mosaic, turn, main_diagonal), _turned(target, turn, main_diagonal)


def turn_packed(planes: Array, target: Array, turn: Turn) -> tuple[Array, Array]:
    """Packed planes and target turned alike, as the challenge's public code does; colours shift by a pixel.

    Args:
        planes: (height, width, 4).
        target: (2 * height, 2 * width, channels).
    """
    return _mirrored(planes, turn), _mirrored(target, turn)


def _turned(image: Array, turn: Turn, main_diagonal: bool) -> Array:
    if turn.upside_down:
        image = np.concatenate((image[-2:-1], image[:0:-1]))
    if turn.left_right:
        image = np.concatenate((image[:, -2:-1], image[:, :0:-1]), axis=1)
    if turn.transposed:
        image = (image if main_diagonal else image[::-1, ::-1]).swapaxes(0, 1)
    return image


def _mirrored(image: Array, turn: Turn) -> Array:
    image = image[::-1] if turn.upside_down else image
    image = image[:, ::-1] if turn.left_right else image
    return image.swapaxes(0, 1) if turn.transposed else image
