"""A smooth relative of the mean absolute difference."""

from __future__ import annotations

from keras import ops

from pixelproof.models.training.losses.loss_kinds import Loss, Tensor, float32_pair

EPSILON = 1e-3


def charbonnier(target: Tensor, output: Tensor) -> Tensor:
    """Mean over pixels and channels of ``sqrt(d^2 + 0.001^2)``; 0.001 for equal pictures. See `Loss` for shapes.

    Source: Lai, Huang, Ahuja, Yang, "Deep Laplacian pyramid networks", 2017 (LapSRN).
    """
    target, output = float32_pair(target, output)
    return ops.mean(ops.sqrt(ops.square(output - target) + EPSILON**2), axis=(1, 2, 3))


LOSS = Loss("charbonnier", charbonnier)
