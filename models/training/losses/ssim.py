"""What structural similarity lacks to 1."""

from __future__ import annotations

from keras import ops

from pixelproof.models.training.losses.loss_kinds import Loss, Tensor, check_sides, float32_pair
from pixelproof.models.training.losses.structure import WINDOW_SIZE, structure_maps


def ssim(target: Tensor, output: Tensor) -> Tensor:
    """1 - SSIM, where SSIM is `pixelproof.measure.metrics.ssim_gaussian`; in [0, 2]. See `Loss` for shapes.

    Raises:
        ShapeMismatch: pictures smaller than 11x11.
    """
    target, output = float32_pair(target, output)
    check_sides(target, least=WINDOW_SIZE, name="ssim")
    luminance, structure = structure_maps(target, output)
    return 1.0 - ops.mean(luminance * structure, axis=(1, 2, 3))


LOSS = Loss("ssim", ssim, least_side=WINDOW_SIZE)
