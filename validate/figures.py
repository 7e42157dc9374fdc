"""Figures of finished outputs: PSNR and MS-SSIM as a track measures them, and the range of values."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pixelproof import images
from pixelproof.challenge import Fidelity as Rules
from pixelproof.challenge import MsSsim, Psnr
from pixelproof.images import Rgb8
from pixelproof.measure import metrics
from pixelproof.measure.protocol import Array
from pixelproof.report import RangeSample


def figures_of(outputs: Array, targets: Array, rules: Rules) -> list[tuple[float, float | None]]:
    """(PSNR in dB, MS-SSIM or None where the track has none) of each image of one size.

    Args:
        outputs: float, (images, height, width, 3), nominally in [0, 1].
        targets: uint8, same shape.

    Returns:
        NaN for an image that is not finite.
    """
    finite = np.isfinite(outputs).all(axis=(1, 2, 3))
    psnr = np.full(len(outputs), math.nan)
    psnr[finite] = [_psnr_db(y, t, rules.psnr) for y, t in zip(outputs[finite], targets[finite], strict=True)]
    if rules.ms_ssim is None:
        return [(float(value), None) for value in psnr]
    ssim = np.full(len(outputs), math.nan)
    if finite.any():
        ssim[finite] = _ms_ssims(outputs[finite], targets[finite], rules.ms_ssim)
    return [(float(a), float(b)) for a, b in zip(psnr, ssim, strict=True)]


def range_of(source: str, output: Array, warn_range: tuple[float, float]) -> RangeSample:
    """Extremes of an output, and the share of its values outside a range."""
    finite = output[np.isfinite(output)]
    low, high = warn_range
    outside = int(np.count_nonzero((finite < low) | (finite > high)))
    return RangeSample(
        source=source,
        minimum=float(finite.min()) if finite.size else math.nan,
        maximum=float(finite.max()) if finite.size else math.nan,
        share_outside=outside / output.size if output.size else 0.0,
        non_finite=int(output.size - finite.size),
    )


def merge_ranges(source: str, samples: Sequence[tuple[int, RangeSample]]) -> RangeSample:
    """One sample for several, each with its number of values."""
    seen = [sample for _, sample in samples if not math.isnan(sample.minimum)]
    total = sum(count for count, _ in samples)
    return RangeSample(
        source=source,
        minimum=min((s.minimum for s in seen), default=math.nan),
        maximum=max((s.maximum for s in seen), default=math.nan),
        share_outside=sum(count * s.share_outside for count, s in samples) / total if total else 0.0,
        non_finite=sum(s.non_finite for _, s in samples),
    )


def _psnr_db(output: Array, target: Rgb8, rules: Psnr) -> float:
    exact = target.astype(np.float64) / 255
    if rules.round_to_8_bit:
        output = images.rounded_8bit(output) / 255.0
    elif rules.clip:
        output = np.clip(output, 0.0, 1.0)
    return metrics.psnr_db(output, exact, crop_border=rules.crop_border)


def _ms_ssims(outputs: Array, targets: Array, rules: MsSsim) -> Sequence[float] | Array:
    if rules.clip:
        outputs = np.clip(outputs, 0.0, 1.0)
    cropped = [
        [images.crop_border(image, rules.crop_border) for image in batch] for batch in (outputs, targets)
    ]
    if rules.variant == "tf":
        return [metrics.ms_ssim_tf(y, t / 255.0) for y, t in zip(*cropped, strict=True)]
    return metrics.ms_ssim_scipy_fft_batch(np.stack(cropped[0]) * 255, np.stack(cropped[1]))
