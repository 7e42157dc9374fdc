"""Which tensor takes the image, and in which shape; what no network may do that is to be counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pixelproof.errors import ModelFailed
from pixelproof.measure.cost.network import Shape

MULTIPLE = 32
MOST_CHANNELS = 64
"""More would be a height or a width."""

COUNTED = frozenset({"conv", "conv_transposed", "matmul", "einsum"})
"""Roles that may not hide inside control flow."""

HIDDEN = "How often a layer runs must stand in the graph"
UNROLL = "Unroll the loop, or write the branch without a condition, before freezing."

RAN_ONCE = "The shapes of some layers were found by running the network once."
SEVERAL_OUTPUTS = "There are several outputs; what any of them needs is counted."

_IMAGE = "The input must be an image: (batch, height, width, channels) or (batch, channels, height, width)"


@dataclass(frozen=True)
class Asked:
    """What is to be counted.

    Attributes:
        channels: of the input, where the file leaves them open.
        input_name, output_name: tensors; for None, or where the file lacks them, its only ones.
    """

    height: int
    width: int
    channels: int | None = None
    output_name: str | None = None


@dataclass(frozen=True)
class Image:
    """The input as it is bound.

    Attributes:
        shape: with batch 1.
        note: that the file states another shape, in a sentence; empty where it doesn't.
    """

    shape: Shape
    channels: int
    note: str


def bound(declared: Sequence[int | None] | None, asked: Asked, *, channels_first: bool) -> Image:
    """The input's shape at the asked size.

    Args:
        declared: as the file states it; open dimensions are None, and None is an open rank.
        channels_first: the order where the file doesn't tell.

    Raises:
        ModelFailed: no image, or nobody says how many channels it has.
    """
    if declared is not None and len(declared) != 4:
        raise ModelFailed(_IMAGE, found=f"an input of {len(declared)} dimensions")
    dims = declared or (None, None, None, None)
    first = _channels_first(dims, channels_first)
    stated = dims[1] if first else dims[3]
    channels = stated if stated is not None else asked.channels
    if channels is None:
        remedy = "State them: --input 1,HEIGHT,WIDTH,CHANNELS."
        raise ModelFailed(
            "The number of channels must be known", found="an input that leaves them open", remedy=remedy
        )
    size = (asked.height, asked.width)
    shape = (1, channels, *size) if first else (1, *size, channels)
    note = ""
    if any(own not in (None, other) for own, other in zip(dims, shape, strict=True)):
        note = f"The file states an input of {_shown(dims)}; it is counted at {_shown(shape)}."
    return Image(shape, channels, note)


def _shown(dims: Sequence[int | None]) -> str:
    return "x".join("?" if size is None else str(size) for size in dims)


def _channels_first(dims: Sequence[int | None], default: bool) -> bool:
    first, last = dims[1], dims[3]
    could_be_first = first is not None and first <= MOST_CHANNELS
    could_be_last = last is not None and last <= MOST_CHANNELS
    if could_be_first != could_be_last:
        return could_be_first
    if first is not None and last is not None and first != last:
        return first < last
    return default


def one_input(names: Sequence[str]) -> str:
    """The input to feed.

    Raises:
        ModelFailed: none, or several.
    """
    if len(names) != 1:
        found = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        remedy = "Freeze the others into the graph as constants." if names else ""
        raise ModelFailed("A model must have one input", found=(found or "none")[:300], remedy=remedy)
    return names[0]


def too_odd(height: int, width: int, found: str, *, own: Shape | None = None) -> ModelFailed:
    """The error for a size that a network doesn't take.

    Args:
        own: the input's shape that a file fixes.
    """
    rounded = tuple(-(-side // MULTIPLE) * MULTIPLE for side in (height, width))
    if own is not None and len(own) == 4:
        remedy = f"Count it at its own size, --input {own[1]},{own[2]}; or convert it again at the asked one."
    elif rounded != (height, width):
        remedy = "Many networks need sides that are multiples of 16 or 32: try --input {},{}.".format(
            *rounded
        )
    else:
        remedy = "Ask for another size, such as the one that it was made for."
    rule = f"The network must take an image of {height}x{width}"
    return ModelFailed(rule, found=found[:300], remedy=remedy)
