"""How PyTorch lays out what a Keras layer keeps: shapes in a state dict, and the way from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from pixelproof.models.checkpoints.fit import Shape
from pixelproof.models.layers import ChannelWeight, SubPixelConv2D

Array = npt.NDArray[np.float32]

_CONVOLUTIONS = (
    keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D,
    keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose,
)  # fmt: skip
_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)


@dataclass(frozen=True)
class Slot:
    """A weight of a Keras layer.

    Attributes:
        layer: whose weight it is.
        weight: the Keras variable.
    """

    layer: Any
    weight: Any

    @property
    def shape(self) -> Shape:
        """In a PyTorch state dict."""
        mine = tuple(int(side) for side in self.weight.shape)
        if self._is_kernel(*_CONVOLUTIONS):  # sides, inputs, outputs; transposed: sides, outputs, inputs
            return (mine[-1], mine[-2], *mine[:-2])
        if self._is_kernel(*_DEPTHWISE):  # sides, inputs, multiplier
            return (mine[-2] * mine[-1], 1, *mine[:-2])
        if self._is_kernel(keras.layers.Dense):
            return mine[::-1]
        if isinstance(self.layer, ChannelWeight):
            return (1, *mine)
        if self.is_prelu:
            return mine[-1:]
        return mine

    @property
    def is_prelu(self) -> bool:
        """Whether PyTorch may have one number here for all channels."""
        return isinstance(self.layer, keras.layers.PReLU) and set(self.weight.shape[:-1]) <= {1}

    def fits(self, found: Shape) -> bool:
        """Whether a tensor of a state dict can be this weight; a 1x1 convolution and a linear layer are one."""
        return _without_ones(found) == _without_ones(self.shape) or (
            self.is_prelu and _without_ones(found) == ()
        )

    def from_torch(self, array: Array) -> Array:
        """A tensor of a state dict in the layer's own layout.

        Args:
            array: of a shape that fits.
        """
        mine = tuple(int(side) for side in self.weight.shape)
        if self.is_prelu:
            return np.broadcast_to(array.reshape(-1), mine).astype(np.float32)
        array = array.reshape(self.shape)
        if isinstance(self.layer, SubPixelConv2D):
            array = _pixels_in_order(array, self.layer)
        if self._is_kernel(*_CONVOLUTIONS):
            return array.transpose(*range(2, array.ndim), 1, 0)
        if self._is_kernel(*_DEPTHWISE):
            split = array.reshape(mine[-2], mine[-1], *array.shape[2:])
            return split.transpose(*range(2, split.ndim), 0, 1)
        if self._is_kernel(keras.layers.Dense):
            return array.T
        return array.reshape(mine)

    def _is_kernel(self, *kinds: Any) -> bool:
        return self.weight.path.endswith("kernel") and isinstance(self.layer, kinds)


def slots_of(model: keras.Model) -> dict[str, Slot]:
    """Every weight of a model with the innermost layer that has it, by weight path."""
    owners = {id(weight): layer for layer in model._flatten_layers() for weight in layer.weights}
    return {weight.path: Slot(owners[id(weight)], weight) for weight in model.weights}


def other_scale(slot: Slot, found: Shape) -> int | None:
    """The factor by which a network enlarges that has a tensor of another shape in the place of a weight.

    Args:
        slot: a weight; only that of a `SubPixelConv2D` tells.
        found: shape of the tensor in the state dict.
    """
    layer, shape = slot.layer, slot.shape
    if not isinstance(layer, SubPixelConv2D) or len(found) != len(shape) or found[1:] != shape[1:]:
        return None
    factor = round((found[0] / layer.channels) ** 0.5)
    return (
        factor if factor and factor != layer.block_size and factor**2 * layer.channels == found[0] else None
    )


def _pixels_in_order(array: Array, layer: SubPixelConv2D) -> Array:
    """PyTorch's outputs (channel, row, column) as TensorFlow's (row, column, channel)."""
    block = layer.block_size
    split = array.reshape(layer.channels, block, block, *array.shape[1:])
    return np.moveaxis(split, 0, 2).reshape(array.shape)


def _without_ones(shape: Shape) -> Shape:
    """A shape without the ones at its end."""
    while shape and shape[-1] == 1:
        shape = shape[:-1]
    return shape
