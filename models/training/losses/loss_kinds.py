"""What a loss is: one module of this folder each, which holds it as ``LOSS``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras import ops

from pixelproof.errors import ShapeMismatch
from pixelproof.models.training.recipe import Content

Tensor = Any
LossFunction = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Loss:
    """A loss that needs nothing but the two pictures.

    Attributes:
        name: what ``[loss]`` calls it.
        function: of target and output, both float, (batch, height, width, channels), nominally in [0, 1], of any
            backend and precision; gives float32, (batch,).
        least_side: pixels that the pictures' shorter side must have.
    """

    name: str
    function: LossFunction
    least_side: int = 1


@dataclass(frozen=True)
class ContentLoss:
    """A loss that compares features of a network which the section ``[content]`` names.

    Attributes:
        name: what ``[loss]`` calls it.
        prepare: reads that network and gives the function, see :class:`Loss`; raises RecipeError or CheckpointError.
        least_side: pixels that the pictures' shorter side must have.
    """

    name: str
    prepare: Callable[[Content], LossFunction]
    least_side: int = 1


AnyLoss = Loss | ContentLoss


def float32_pair(target: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
    """Both pictures in float32, so that half precision of a model doesn't reach its loss.

    Raises:
        ShapeMismatch: they aren't batches of pictures of one shape, as far as that is known.
    """
    shapes = tuple(target.shape), tuple(output.shape)
    if len(shapes[0]) != 4 or len(shapes[1]) != 4:
        raise ShapeMismatch(
            "A loss must be given (batch, height, width, channels)", found=f"{shapes[0]} and {shapes[1]}"
        )
    if any(None not in sides and sides[0] != sides[1] for sides in zip(*shapes, strict=True)):
        found = f"a target of {shapes[0]} and an output of {shapes[1]}"
        raise ShapeMismatch("A model's output must have its target's shape", found=found)
    return ops.cast(target, "float32"), ops.cast(output, "float32")


def check_sides(images: Tensor, *, least: int, name: str) -> None:
    """Refuse pictures that are too small, as far as their size is known.

    Args:
        images: (batch, height, width, channels).
        least: pixels that the shorter side must have.
        name: of the loss.

    Raises:
        ShapeMismatch: they are smaller.
    """
    height, width = images.shape[1:3]
    if any(side is not None and side < least for side in (height, width)):
        raise ShapeMismatch(
            f"The loss {name} must be given pictures of at least {least}x{least}",
            found=f"{height}x{width}",
            remedy="Train on larger patches, or with another loss.",
        )
