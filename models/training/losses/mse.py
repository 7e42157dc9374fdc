"""Mean squared difference."""

from __future__ import annotations

from keras import ops

from pixelproof.models.training.losses.loss_kinds import Loss, Tensor, float32_pair


def mse(target: Tensor, output: Tensor) -> Tensor:
    """Mean over pixels and channels of the squared difference; see `Loss` for shapes."""
    target, output = float32_pair(target, output)
    return ops.mean(ops.square(output - target), axis=(1, 2, 3))


LOSS = Loss("mse", mse)
