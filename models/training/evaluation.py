"""A model's figures over a set of pictures, with bicubic's beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pixelproof.contract import Contract
from pixelproof.errors import CallError, ImageError, ShapeMismatch
from pixelproof.models.training.data.training_data import Image, Sample
from pixelproof.models.training.evaluation_figures import RGB, Figures, bicubic, evaluate, mean_figures
from pixelproof.models.training.recipe import Validation

__all__ = [
    "Figures",
    "ImageFigures",
    "Predict",
    "ValidationFigures",
    "bicubic",
    "evaluate",
    "fitted",
    "validate",
]

Predict = Callable[[Image], Image]
"""A picture through a model: float32 (height, width, channels) in [0, 1], in and out."""

_ANY = Contract()


@dataclass(frozen=True)
class ImageFigures:
    """One picture's figures.

    Attributes:
        name: of the sample.
        height, width: of the output, before the border is left out.
        model: the model's.
        bicubic: of the enlarged input, or of the input itself where it has the target's size; None if it isn't RGB.
    """

    name: str
    height: int
    width: int
    model: Figures
    bicubic: Figures | None


@dataclass(frozen=True)
class ValidationFigures:
    """Figures of a set.

    Attributes:
        psnr_db, psnr_y_db, ssim: means over the pictures' figures; NaN where one of them is.
        bicubic: the same of bicubic; None where a picture has none.
        images: the pictures, in their order.
    """

    psnr_db: float
    psnr_y_db: float
    ssim: float
    bicubic: Figures | None
    images: tuple[ImageFigures, ...]


def validate(
    predict: Predict,
    samples: Sequence[Sample],
    rules: Validation,
    *,
    contract: Contract = _ANY,
    earlier: ValidationFigures | None = None,
) -> ValidationFigures:
    """Run a model over a set of pictures, and measure.

    Rows and columns, bottom and right, that the model can't take (``contract.size_multiple``) are cut off, and those
    of the target that belong to them.

    Args:
        predict: the model.
        samples: pictures and their targets, of any sizes.
        rules: how they are compared.
        contract: of the model; its multiple and smallest size count here.
        earlier: of the same samples by the same rules; bicubic's figures are taken from it, not measured again.

    Raises:
        CallError: no samples, or ``earlier`` is of others.
        ImageError: a picture too small for the model or the border; the message names it.
        ShapeMismatch: a target that isn't a whole multiple of its input, or an output of another shape.
    """
    if not samples:
        raise CallError("A validation must have at least one picture", found="none")
    if earlier is not None and [one.name for one in earlier.images] != [one.name for one in samples]:
        raise CallError("An earlier validation must be of the same pictures", found="others")
    rows = []
    for number, sample in enumerate(samples):
        row = _row(predict, fitted(sample, contract), rules, measured=earlier is None)
        rows.append(row if earlier is None else replace(row, bicubic=earlier.images[number].bicubic))
    model = mean_figures([row.model for row in rows])
    others = [row.bicubic for row in rows if row.bicubic is not None]
    return ValidationFigures(
        psnr_db=model.psnr_db,
        psnr_y_db=model.psnr_y_db,
        ssim=model.ssim,
        bicubic=mean_figures(others) if len(others) == len(rows) else None,
        images=tuple(rows),
    )


def fitted(sample: Sample, contract: Contract) -> Sample:
    """The sample without the rows and columns, bottom and right, that a model can't take.

    Raises:
        ImageError: too small for the model.
        ShapeMismatch: the target isn't a whole multiple of the input.
    """
    scale = _scale(sample)
    tall, wide = sample.input.shape[:2]
    height, width = (side - side % contract.size_multiple for side in (tall, wide))
    least = max(contract.minimum_size, contract.size_multiple)
    if min(height, width) < least:
        rule = f"A picture must be at least {least}x{least} for this model"
        raise ImageError(rule, found=f"{tall}x{wide} in {sample.name}")
    target = sample.target[: height * scale, : width * scale]
    return Sample(sample.input[:height, :width], target, sample.name)


def _scale(sample: Sample) -> int:
    height, width = sample.input.shape[:2]
    tall, wide = sample.target.shape[:2]
    scale = tall // max(height, 1)
    if scale < 1 or (tall, wide) != (height * scale, width * scale):
        found = f"{height}x{width} and {tall}x{wide} in {sample.name}"
        raise ShapeMismatch("A target must be a whole multiple of its input in size", found=found)
    return int(scale)


def _row(predict: Predict, sample: Sample, rules: Validation, *, measured: bool) -> ImageFigures:
    output = predict(sample.input)
    if output.shape != sample.target.shape:
        found = f"{output.shape} for {sample.target.shape} in {sample.name}"
        raise ShapeMismatch("A model's output must have its target's shape", found=found)
    height, width = sample.target.shape[:2]
    try:
        model = evaluate(output, sample.target, rules)
        other = _bicubic_figures(sample, rules) if measured else None
    except ImageError as error:
        found = f"{error.found} in {sample.name}"
        raise ImageError(error.rule, found=found, remedy=error.remedy) from error
    return ImageFigures(sample.name, height, width, model, other)


def _bicubic_figures(sample: Sample, rules: Validation) -> Figures | None:
    if sample.input.shape[2] != RGB or sample.target.shape[2] != RGB:
        return None
    size = sample.target.shape[:2]
    enlarged = sample.input if sample.input.shape[:2] == size else bicubic(sample.input, *size)
    return evaluate(enlarged, sample.target, rules)
