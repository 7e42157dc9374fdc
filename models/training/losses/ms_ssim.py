"""What multi-scale structural similarity lacks to 1."""

from __future__ import annotations

from keras import ops

from pixelproof.models.training.losses.loss_kinds import Loss, Tensor, check_sides, float32_pair
from pixelproof.models.training.losses.structure import halved, structure_maps

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
LEAST_SIDE = 161  # four halvings, rounded up, leave 11 pixels: one window
_STEEP = 1e-4


def ms_ssim(target: Tensor, output: Tensor) -> Tensor:
    """1 - MS-SSIM, where MS-SSIM is `pixelproof.measure.metrics.ms_ssim_tf`; in [0, 1]. See `Loss` for shapes.

    Five scales; each channel's product over them, then the mean over channels. A factor below 0 counts as 0. Below
    0.0001, where a power's slope has no bound, a straight line to 0 takes the power's place.

    Raises:
        ShapeMismatch: pictures smaller than 161x161.

    Source: Wang, Simoncelli, Bovik, "Multi-scale structural similarity for image quality assessment", 2003.
    """
    target, output = float32_pair(target, output)
    check_sides(target, least=LEAST_SIDE, name="ms_ssim")
    product = None
    for scale, weight in enumerate(WEIGHTS):
        if scale:
            target, output = halved(target), halved(output)
        luminance, structure = structure_maps(target, output)
        coarsest = scale == len(WEIGHTS) - 1
        factor = ops.mean(luminance * structure if coarsest else structure, axis=(2, 3))
        power = _power(factor, weight)
        product = power if product is None else product * power
    return 1.0 - ops.mean(product, axis=-1)


def _power(factor: Tensor, weight: float) -> Tensor:
    usual = factor > _STEEP
    safe = ops.where(usual, factor, ops.ones_like(factor))
    return ops.where(usual, ops.power(safe, weight), ops.maximum(factor, 0.0) * _STEEP ** (weight - 1.0))


LOSS = Loss("ms_ssim", ms_ssim, least_side=LEAST_SIDE)
