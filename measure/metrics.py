"""PSNR, SSIM, MS-SSIM and plain differences: pure functions of arrays, float64 inside unless named ``tf``.

A name says the reduction and the variant. Nothing clips, rounds or averages over images unless its name says
so: challenges differ in exactly these, and choose in their own file.

=====================  ====================================================================================
``psnr_db``            mean over all pixels and channels of one image
``ssim_gaussian``      11 taps of sigma 1.5, mean over all channels; scikit-image's ``structural_similarity``
                       with ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False``
``ssim_tf``            ``tf.image.ssim``: the same, in TensorFlow's float32
``ms_ssim_tf``         ``tf.image.ssim_multiscale``: product over scales per channel, then mean over channels;
                       PIRM 2018's super-resolution track, in TensorFlow's float32
``ms_ssim_scipy_fft``  mean over channels, then product over scales; PIRM 2018's enhancement track
=====================  ====================================================================================

All are safe to call from several threads, and no call spreads over cores itself. Two threads nearly halve the
time of ``ms_ssim_scipy_fft_batch``; the ``tf`` figures, made of many short steps, gain little from a second.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelproof import images
from pixelproof.errors import CallError, ImageError, ShapeMismatch
from pixelproof.measure import tf_ssim
from pixelproof.measure.ssim import (
    MS_SSIM_WEIGHTS,
    WINDOW_SIZE,
    full_window,
    shrinking_window,
    structure_factors,
)

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]

MS_SSIM_TF_MINIMUM_SIZE = 161  # four halvings, rounded up, leave 11 pixels: one window


def psnr_db(output: Array, target: Array, *, crop_border: int = 0, data_range: float = 1.0) -> float:
    """Peak signal-to-noise ratio of one image.

    Args:
        output, target: any number type, (height, width, channels), in [0, data_range].
        crop_border: pixels dropped on each side before comparing.
        data_range: the largest value of the range.

    Returns:
        Decibels; `inf` for identical images, NaN where one holds NaN.

    Raises:
        ShapeMismatch: the two shapes differ, or are not an image's.
        ImageError: nothing is left inside the border.
    """
    _check_images(output, target, dimensions=3)
    kept = images.crop_border(output, crop_border), images.crop_border(target, crop_border)
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.subtract(*kept, dtype=np.float64)
        mean_square = float(np.mean(np.square(error, out=error)))
    if mean_square == 0.0:
        return math.inf
    return 20.0 * math.log10(data_range) - 10.0 * math.log10(mean_square)


def mean_of_image_psnr_db(values: Sequence[float]) -> float:
    """Mean over images of each image's PSNR in decibels: not the PSNR of the mean error.

    Args:
        values: one figure an image.

    Returns:
        Decibels; `inf` where one is, NaN where one is.

    Raises:
        CallError: no values.
    """
    return _mean(values, "PSNR")


def mean_of_image_ms_ssim(values: Sequence[float]) -> float:
    """Mean over images of each image's MS-SSIM; errors as in `mean_of_image_psnr_db`."""
    return _mean(values, "MS-SSIM")


def ssim_gaussian(output: Array, target: Array, *, data_range: float = 1.0) -> float:
    """Structural similarity of one image: 11-tap Gaussian of sigma 1.5, valid pixels, mean over all channels.

    Args:
        output, target: any number type, (height, width, channels), in [0, data_range], at least 11x11.
        data_range: the largest value of the range.

    Returns:
        At most 1; NaN where a picture is not finite.

    Raises:
        ShapeMismatch: the two shapes differ, or are not an image's.
        ImageError: smaller than the window.
    """
    _check_images(output, target, dimensions=3)
    _check_size(output, WINDOW_SIZE, "SSIM's 11-tap window")
    factors = structure_factors(
        output[None], target[None], levels=1, window_at=full_window, data_range=data_range
    )
    return float(factors.mean())


def ssim_tf(output: Array, target: Array, *, data_range: float = 1.0) -> float:
    """``tf.image.ssim`` of one image, in TensorFlow's float32: see ``tf_ssim`` for how that differs.

    Args:
        output, target: any number type, (height, width, channels), in [0, data_range], at least 11x11.
        data_range: the largest value of the range.

    Returns:
        At most 1 but for rounding; NaN where a picture is not finite.

    Raises:
        ShapeMismatch: the two shapes differ, or are not an image's.
        ImageError: smaller than the window.
    """
    _check_images(output, target, dimensions=3)
    _check_size(output, WINDOW_SIZE, "SSIM's 11-tap window")
    return float(tf_ssim.ssim_per_channel(output, target, data_range=data_range).mean())


def ms_ssim_tf(output: Array, target: Array, *, data_range: float = 1.0) -> float:
    """``tf.image.ssim_multiscale`` of one image, in TensorFlow's float32: see ``tf_ssim`` for how that differs.

    Five scales of an 11-tap Gaussian of sigma 1.5; negative means count as 0. PIRM 2018's super-resolution
    track measures with it, after dropping 16 pixels a side and clipping.

    Args:
        output, target: any number type, (height, width, channels), in [0, data_range], at least 161x161.
        data_range: the largest value of the range.

    Returns:
        In [0, 1] but for rounding; NaN where a picture is not finite.

    Raises:
        ShapeMismatch: the two shapes differ, or are not an image's.
        ImageError: smaller than 161x161, so that the window is larger than the coarsest scale.
    """
    _check_images(output, target, dimensions=3)
    _check_size(output, MS_SSIM_TF_MINIMUM_SIZE, "five scales of MS-SSIM's 11-tap window")
    return float(tf_ssim.ms_ssim_per_channel(output, target, data_range=data_range).mean())


def ms_ssim_scipy_fft(output: Array, target: Array, *, max_value: float = 255) -> float:
    """MS-SSIM of one image as PIRM 2018's enhancement track measures it; see `ms_ssim_scipy_fft_batch`.

    Args:
        output, target: any number type, (height, width, channels), nominally in [0, max_value].
        max_value: the largest value of the range.

    Raises:
        ShapeMismatch: the two shapes differ, or are not an image's.
    """
    _check_images(output, target, dimensions=3)
    return float(ms_ssim_scipy_fft_batch(output[None], target[None], max_value=max_value)[0])


def ms_ssim_scipy_fft_batch(outputs: Array, targets: Array, *, max_value: float = 255) -> Float64:
    """MS-SSIM of each image of a batch as PIRM 2018's enhancement track measures it.

    Five scales of an 11-tap Gaussian of sigma 1.5, which shrinks with its sigma to a scale that is smaller;
    each factor is a mean over all pixels and channels. The track's script clips nothing, and feeds the
    float32 output times 255.

    Args:
        outputs, targets: any number type, (images, height, width, channels), nominally in [0, max_value].
        max_value: the largest value of the range.

    Returns:
        float64, (images,); at most 1. NaN where a picture is not finite, and, as in the track's script, where
        the mean of a factor is negative: an output that opposes its target.

    Raises:
        ShapeMismatch: the two shapes differ, or are not a batch of images.
    """
    _check_images(outputs, targets, dimensions=4)
    factors = structure_factors(
        outputs,
        targets,
        levels=len(MS_SSIM_WEIGHTS),
        window_at=shrinking_window,
        data_range=max_value,
    )
    means = factors.mean(axis=2)
    with np.errstate(invalid="ignore"):
        scores: Float64 = np.prod(means ** np.array(MS_SSIM_WEIGHTS)[:, None], axis=0)
    return scores


@dataclass(frozen=True)
class Difference:
    """How far two outputs of one input lie apart.

    Attributes:
        max_abs, mean_abs: absolute difference in the outputs' own unit; `inf` as soon as a value on either
            side is NaN or infinite.
        max_levels, mean_levels: the same in 8-bit levels (times 255).
        share_changed: share of pixels of which any channel is another 8-bit level once both are clipped to
            [0, 1] and rounded; a pixel that is not finite on either side counts as changed.
        non_finite_a, non_finite_b: how many values are NaN or infinite.
    """

    max_abs: float
    mean_abs: float
    max_levels: float
    mean_levels: float
    share_changed: float
    non_finite_a: int
    non_finite_b: int


def difference(a: Array, b: Array) -> Difference:
    """Compare two outputs, value by value.

    Args:
        a, b: any number type, (..., channels), nominally in [0, 1].

    Raises:
        ShapeMismatch: the two shapes differ, or there is nothing to compare.
    """
    _check_same_shape(a, b)
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    finite_a, finite_b = np.isfinite(a), np.isfinite(b)
    finite = finite_a & finite_b
    changed = ~finite
    changed |= _levels(a, finite) != _levels(b, finite)
    if finite.all():
        apart = np.abs(a - b)
        max_abs, mean_abs = float(apart.max()), float(apart.mean())
    else:
        max_abs = mean_abs = math.inf
    return Difference(
        max_abs=max_abs,
        mean_abs=mean_abs,
        max_levels=max_abs * 255.0,
        mean_levels=mean_abs * 255.0,
        share_changed=float(changed.any(axis=-1).mean() if changed.ndim > 2 else changed.mean()),
        non_finite_a=int(finite_a.size - np.count_nonzero(finite_a)),
        non_finite_b=int(finite_b.size - np.count_nonzero(finite_b)),
    )


def _levels(values: Float64, finite: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    return images.rounded_8bit(np.where(finite, values, 0.0))


def _mean(values: Sequence[float], what: str) -> float:
    if len(values) == 0:
        raise CallError(f"A mean {what} must be over at least one image", found="none")
    return float(np.mean(np.asarray(values, dtype=np.float64)))


def _check_same_shape(a: Array, b: Array) -> None:
    if a.shape != b.shape:
        raise ShapeMismatch(
            "Two images that are compared must have one shape", found=f"{a.shape} and {b.shape}"
        )
    if a.size == 0:
        raise ShapeMismatch("Images that are compared must not be empty", found=str(a.shape))


def _check_images(a: Array, b: Array, *, dimensions: int) -> None:
    _check_same_shape(a, b)
    if a.ndim != dimensions:
        layout = "(height, width, channels)" if dimensions == 3 else "(images, height, width, channels)"
        raise ShapeMismatch(f"Images must be {layout}", found=str(a.shape))


def _check_size(image: Array, minimum: int, what: str) -> None:
    height, width = image.shape[:2]
    if min(height, width) < minimum:
        raise ImageError(
            f"An image must be at least {minimum}x{minimum} for {what}",
            found=f"{height}x{width}",
            remedy="Use larger images, a smaller crop border, or another variant.",
        )
