"""A recipe's losses: their weighted sum to train with, and each alone to look at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from pixelproof.errors import RecipeError, ShapeMismatch
from pixelproof.models.training.losses.by_name import loss_named, losses
from pixelproof.models.training.losses.loss_kinds import ContentLoss, Loss, LossFunction, Tensor
from pixelproof.models.training.recipe import Content


@dataclass(frozen=True)
class Term:
    """One loss of a recipe, ready for use.

    Attributes:
        name: of the loss.
        weight: in the sum; 0 or more.
        function: of target and output, both float, (batch, height, width, channels), nominally in [0, 1]; gives
            float32, (batch,), without the weight.
    """

    name: str
    weight: float
    function: LossFunction


def check_loss(loss: Mapping[str, float], *, content: Content | None) -> None:
    """Refuse what can't be a loss, without reading any weights.

    Args:
        loss: weights by name of loss.
        content: the section ``[content]``; None for none.

    Raises:
        RecipeError: an unknown name; none; a weight that is no number of 0 or more; all weights 0; a loss that needs
            the section ``[content]`` without it, or the section without such a loss.
    """
    if not loss:
        raise RecipeError("[loss] must name at least one loss", found="none", remedy=_choices())
    for name, weight in loss.items():
        loss_named(name)
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not number or not math.isfinite(weight) or weight < 0:
            raise RecipeError(f"loss.{name} must be a weight of 0 or more", found=repr(weight))
    if not any(loss.values()):
        raise RecipeError("[loss] must have a weight above 0", found="only 0")
    users = [name for name in loss if isinstance(loss_named(name), ContentLoss)]
    if users and content is None:
        raise RecipeError(
            f"The loss {users[0]} must be told its network",
            found="no [content]",
            remedy='Add [content] with weights = "imagenet-vgg-verydeep-19.mat", or a Keras file of VGG-19.',
        )
    if content is not None and not users:
        raise RecipeError(
            "[content] must be used by a loss",
            found=f"only {', '.join(loss)} in [loss]",
            remedy="Give [loss] the entry content, or leave [content] out.",
        )


def least_side(loss: Mapping[str, float]) -> int:
    """Pixels that the shorter side of the pictures must have for these losses.

    Args:
        loss: weights by name of loss.

    Raises:
        RecipeError: an unknown name.
    """
    return max((loss_named(name).least_side for name in loss), default=1)


def terms_of(loss: Mapping[str, float], *, content: Content | None) -> tuple[Term, ...]:
    """A recipe's losses in its order, those of weight 0 included; the network of ``[content]`` is read here.

    Args:
        loss, content: see `check_loss`.

    Raises:
        RecipeError: see `check_loss`; or an unknown layer of the network.
        CheckpointError: the network's weights are missing, damaged or of another network.
    """
    check_loss(loss, content=content)
    return tuple(Term(name, float(weight), _function(name, content)) for name, weight in loss.items())


def loss_of(loss: Mapping[str, float], *, content: Content | None) -> LossFunction:
    """The weighted sum of a recipe's losses as Keras takes it; arguments and errors as of `terms_of`.

    Returns:
        A function of target and output that gives float32, (batch,).
    """
    return weighted_sum(terms_of(loss, content=content))


def weighted_sum(terms: Sequence[Term]) -> LossFunction:
    """The sum of terms times their weights, as a loss for Keras; terms of weight 0 cost nothing."""
    counted = [term for term in terms if term.weight]

    def training_loss(target: Tensor, output: Tensor) -> Tensor:
        return sum(term.weight * term.function(target, output) for term in counted)

    return training_loss


def term_values(
    terms: Sequence[Term], output: npt.NDArray[Any], target: npt.NDArray[Any]
) -> dict[str, float]:
    """Each term alone, without its weight, for one picture or the mean over several.

    Args:
        terms: of `terms_of`.
        output, target: any number type, (height, width, channels) or (images, height, width, channels), nominally in
            [0, 1].

    Raises:
        ShapeMismatch: the shapes differ, are no pictures', or are too small for a term.
    """
    output, target = np.asarray(output), np.asarray(target)
    if output.shape != target.shape or output.ndim not in (3, 4) or output.size == 0:
        raise ShapeMismatch(
            "Pictures that are compared must have one shape, (height, width, channels)",
            found=f"{output.shape} and {target.shape}",
        )
    pair = (_batch(target), _batch(output))
    return {term.name: float(np.mean(ops.convert_to_numpy(term.function(*pair)))) for term in terms}


def _batch(images: npt.NDArray[Any]) -> Tensor:
    images = images if images.ndim == 4 else images[None]
    return ops.convert_to_tensor(images.astype(np.float32, copy=False))


def _function(name: str, content: Content | None) -> LossFunction:
    kind = loss_named(name)
    if isinstance(kind, Loss):
        return kind.function
    if content is None:
        raise RecipeError(f"The loss {name} must be told its network", found="no [content]")
    return kind.prepare(content)


def _choices() -> str:
    return f"Choices: {', '.join(losses())}."
