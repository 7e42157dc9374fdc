"""A model with channels before height and width, as PyTorch exports it, run as one with channels last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pixelproof.measure.protocol import Array

if TYPE_CHECKING:
    from pixelproof.measure.runners import Runner, TensorTable

RANK = 4


class ChannelsLast:
    """Takes and gives (batch, height, width, channels) for a runner of (batch, channels, height, width).

    Its interface is told in that order too.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.used = runner.used
        self.global_statistics = runner.global_statistics
        self.interface = {
            end: [_channels_last(tensor) for tensor in tensors] for end, tensors in runner.interface.items()
        }

    def __call__(self, x: Array) -> Array:
        """Run once."""
        output = self._runner(np.ascontiguousarray(np.moveaxis(x, 3, 1)))
        return np.ascontiguousarray(np.moveaxis(output, 1, 3)) if output.ndim == RANK else output

    def run_float64(self, x: Array) -> Array:
        """As the runner does."""
        return self._runner.run_float64(x)


def is_channels_first(shape: tuple[int | None, ...] | None, channels: int) -> bool:
    """Whether an input states its channels before height and width, and not behind them."""
    return shape is not None and len(shape) == RANK and shape[1] == channels and shape[3] != channels


def _channels_last(tensor: TensorTable) -> TensorTable:
    shape: Any = tensor["shape"]
    if shape is None or len(shape) != RANK:
        return tensor
    return {**tensor, "shape": [shape[0], shape[2], shape[3], shape[1]]}
