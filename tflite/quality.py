"""What quantising costs: a quantised file beside its float one on images, and the budget that it must keep.

Without targets the loss is an expectation. For a float model of ``R`` dB whose error has nothing to do with the error
that quantising adds, ``D`` dB from the float output, the mean squares add: the loss is
``10 log10(1 + 10^((R - D) / 10))``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelproof.errors import ImageError, ParityBroken, RuleBroken
from pixelproof.images import read_rgb8, unit_from_8bit
from pixelproof.measure.metrics import difference, mean_of_image_psnr_db, psnr_db
from pixelproof.measure.parity import probe_image
from pixelproof.measure.protocol import Array
from pixelproof.tflite.inputs import Cut, read_input
from pixelproof.tflite.material import Chosen, Material, Origin
from pixelproof.tflite.quantize import Image, Quantization

Run = Callable[[Array], Array]
Advance = Callable[[int, str], None]


@dataclass(frozen=True)
class ImageQuality:
    """One image: quantised against float, both clipped to [0, 1].

    Attributes:
        psnr_db: of the quantised output, the float one taken for the truth.
        max_levels, mean_levels: absolute difference in 8-bit levels.
        psnr_loss_db: measured with a target, else expected.
    """

    name: str
    psnr_db: float
    max_levels: float
    mean_levels: float
    psnr_loss_db: float


@dataclass(frozen=True)
class Quality:
    """What quantising costs; means are over images.

    Attributes:
        psnr_loss_basis: ``targets``, or ``expected at 30 dB``.
        images_from: whose images they are.
        reference_psnr_db: of the float model: measured on the targets, else assumed.
    """

    psnr_db: float
    max_levels: float
    mean_levels: float
    psnr_loss_db: float
    psnr_loss_basis: str
    max_psnr_loss_db: float
    reference_psnr_db: float
    images_from: Origin
    height: int
    width: int
    images: tuple[ImageQuality, ...]

    @property
    def passed(self) -> bool:
        """Whether the loss is within the budget; NaN is not."""
        return self.psnr_loss_db <= self.max_psnr_loss_db


@dataclass(frozen=True)
class Sample:
    """An input, and its true picture where there is one.

    Attributes:
        image: float32, (1, height, width, channels).
        target_of: gives the target for an output's shape: float32, (height, width, 3) in [0, 1].
    """

    name: str
    image: Image
    target_of: Callable[[tuple[int, ...]], Image] | None = None


def expected_loss_db(psnr_between_db: float, *, reference_psnr_db: float) -> float:
    """Loss of PSNR to expect where two errors have nothing to do with each other.

    Args:
        psnr_between_db: of the quantised output against the float one; ``inf`` where they are equal.
        reference_psnr_db: of the float output against the truth.
    """
    return float(10 * np.log10(1 + 10 ** ((reference_psnr_db - psnr_between_db) / 10)))


def samples(chosen: Chosen, *, count: int) -> Iterator[Sample]:
    """The images that are compared, one in memory at a time; generated ones where none are chosen.

    Args:
        count: how many are generated.
    """
    height, width = chosen.cut_size
    if not chosen.quality:
        for seed in range(count):
            yield Sample(f"generated {seed}", probe_image(height, width, chosen.channels, seed=seed))
    targets = chosen.targets or [None] * len(chosen.quality)
    for path, target in zip(chosen.quality, targets, strict=True):
        cut = read_input(path, chosen.cut_size, channels=chosen.channels, raw=chosen.raw)
        if target is None:
            yield Sample(path.name, cut.image)
        else:
            whole = unit_from_8bit(read_rgb8(target))
            yield Sample(path.name, cut.image, _TargetPart(whole, cut, f"{target}"))


@dataclass(frozen=True)
class _TargetPart:
    """The part of a target that belongs to the middle of an image."""

    whole: Image
    cut: Cut
    label: str

    def __call__(self, output: tuple[int, ...]) -> Image:
        height, width = self.cut.image.shape[1:3]
        scale = output[1] / height, output[2] / width
        expected = tuple(round(side * s) for side, s in zip(self.cut.whole, scale, strict=True))
        if self.whole.shape[:2] != expected:
            rule = "A target must have the size of what the model makes of its image"
            asked = f"{self.whole.shape[0]}x{self.whole.shape[1]} where it is {expected[0]}x{expected[1]}"
            raise ImageError(rule, found=f"{asked}: {self.label}")
        top, left = round(self.cut.top * scale[0]), round(self.cut.left * scale[1])
        return self.whole[top : top + output[1], left : left + output[2]]


def measure_quality(
    images: Iterable[Sample],
    *,
    plain: Run,
    quantised: Run,
    chosen: Chosen,
    material: Material,
    label: str,
    advance: Advance,
) -> Quality:
    """Run both files on each image.

    Args:
        plain, quantised: float32 in [0, 1] in, the picture out.
        label: how messages name the file.
        advance: told each image.

    Raises:
        ParityBroken: an output is not finite.
        ImageError: a target of another size.
    """
    rows: list[ImageQuality] = []
    references: list[float] = []
    for sample in images:
        outputs = plain(sample.image), quantised(sample.image)
        _require_finite(outputs, sample.name, label)
        row, reference = _compared(sample, outputs, material.reference_psnr_db)
        rows.append(row)
        references.append(reference)
        advance(1, sample.name)
    height, width = chosen.cut_size
    return Quality(
        psnr_db=mean_of_image_psnr_db([row.psnr_db for row in rows]),
        max_levels=max(row.max_levels for row in rows),
        mean_levels=_mean([row.mean_levels for row in rows]),
        psnr_loss_db=_mean([row.psnr_loss_db for row in rows]),
        psnr_loss_basis="targets" if chosen.targets else f"expected at {material.reference_psnr_db:g} dB",
        max_psnr_loss_db=material.max_psnr_loss_db,
        reference_psnr_db=_mean(references),
        images_from=chosen.origin,
        height=height,
        width=width,
        images=tuple(rows),
    )


def require_quality(quality: Quality, quantization: Quantization, *, label: str) -> None:
    """Refuse a file that loses too much.

    Raises:
        RuleBroken: names the loss, and the way out.
    """
    if quality.passed:
        return
    measured = quality.psnr_loss_basis == "targets"
    basis = "measured on targets" if measured else quality.psnr_loss_basis
    found = (
        f"{quality.psnr_loss_db:.2f} dB, {basis} ({quality.psnr_db:.1f} dB from the float file, up to "
        f"{quality.max_levels:.0f} levels), in {label} with {quantization.kind}"
    )
    rule = f"A quantised file must lose at most {quality.max_psnr_loss_db:g} dB of PSNR"
    raise RuleBroken(rule, found=found, remedy=quantization.way_out)


def _compared(
    sample: Sample, outputs: tuple[Array, Array], reference_psnr_db: float
) -> tuple[ImageQuality, float]:
    """One image's figures, and the float output's PSNR: measured where there is a target."""
    plain, quantised = (_picture(output) for output in outputs)
    between = psnr_db(quantised, plain)
    apart = difference(quantised, plain)
    if sample.target_of is None:
        reference = reference_psnr_db
        loss = expected_loss_db(between, reference_psnr_db=reference)
    else:
        target = sample.target_of(outputs[0].shape)
        reference = psnr_db(plain, target)
        after = psnr_db(quantised, target)
        loss = 0.0 if reference == after else reference - after
    row = ImageQuality(sample.name, between, apart.max_levels, apart.mean_levels, loss)
    return row, reference


def _picture(output: Array) -> npt.NDArray[np.float32]:
    picture: npt.NDArray[np.float32] = np.clip(output[0], 0, 1).astype(np.float32)
    return picture


def _require_finite(outputs: tuple[Array, Array], name: str, label: str) -> None:
    for output, which in zip(outputs, ("the float file", label), strict=True):
        wrong = int(output.size - np.count_nonzero(np.isfinite(output)))
        if wrong:
            found = f"{wrong} NaN or infinite values of {which} on {name}"
            raise ParityBroken("An artifact's output must be finite", found=found)


def _mean(values: Sequence[float]) -> float:
    with np.errstate(invalid="ignore"):
        return float(np.mean(values))
