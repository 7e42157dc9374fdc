"""Keras layers that several architectures share, on ``keras.ops`` alone."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="pixelproof")
class InstanceNormalization(keras.layers.Layer):
    """Normalises each channel of each image by its own mean and biased variance over height and width.

    ``scale * (x - mean) / sqrt(variance + epsilon) + shift``; the weights are created shift first, then
    scale, as in the PIRM 2018 baselines.

    Args:
        epsilon: added to the variance.
    """

    def __init__(self, *, epsilon: float = 1e-3, **base: Any) -> None:
        super().__init__(**base)
        self.epsilon = epsilon

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create shift (zeros) and scale (ones), one of each a channel."""
        shape = (input_shape[-1],)
        self.shift = self.add_weight(name="shift", shape=shape, initializer="zeros")
        self.scale = self.add_weight(name="scale", shape=shape, initializer="ones")

    def call(self, inputs: Any) -> Any:
        """Normalise float (batch, height, width, channels)."""
        # ops.moments and no mean of squares of our own: on images of megapixels float32 sums depend on the
        # kernel, and the challenge's figures were made with the kernels of tf.nn.moments (0.015 dB apart).
        mean, variance = ops.moments(inputs, axes=(1, 2), keepdims=True)
        return self.scale * ((inputs - mean) / ops.sqrt(variance + self.epsilon)) + self.shift

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        return {**super().get_config(), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="pixelproof")
class ScalarBias(keras.layers.Layer):
    """Adds one trainable number, the same for all channels."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the number, in a weight of shape (1,)."""
        self.bias = self.add_weight(name="bias", shape=(1,), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        """Add the number to a float tensor of any shape."""
        return inputs + self.bias


@keras.saving.register_keras_serializable(package="pixelproof")
class AdaptiveWeight(keras.layers.Layer):
    """Multiplies by one trainable number, 1 at the beginning (AWSRN, C. Wang et al., 2019)."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the number, in a weight of shape (1,)."""
        self.weight = self.add_weight(name="weight", shape=(1,), initializer="ones")

    def call(self, inputs: Any) -> Any:
        """Weigh a float tensor of any shape."""
        return inputs * self.weight


@keras.saving.register_keras_serializable(package="pixelproof")
class ScaledTanh(keras.layers.Layer):
    """``tanh(x) * factor + offset``: the ending of the PIRM 2018 baselines, range (-0.08, 1.08)."""

    def __init__(self, *, factor: float = 0.58, offset: float = 0.5, **base: Any) -> None:
        super().__init__(**base)
        self.factor = factor
        self.offset = offset

    def call(self, inputs: Any) -> Any:
        """Squash a float tensor of any shape."""
        return ops.tanh(inputs) * self.factor + self.offset

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        return {**super().get_config(), "factor": self.factor, "offset": self.offset}


@keras.saving.register_keras_serializable(package="pixelproof")
class DepthToSpace(keras.layers.Layer):
    """Spreads the channels of each pixel over a block of pixels: the pixel shuffle, as TensorFlow orders it."""

    def __init__(self, *, block_size: int = 2, **base: Any) -> None:
        super().__init__(**base)
        self.block_size = block_size

    def call(self, inputs: Any) -> Any:
        """(batch, height, width, channels) to (batch, height * b, width * b, channels / b^2) for a block size b."""
        return ops.depth_to_space(inputs, self.block_size)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        return {**super().get_config(), "block_size": self.block_size}


@keras.saving.register_keras_serializable(package="pixelproof")
class Grey(keras.layers.Layer):
    """RGB to one grey channel by the luma weights of ITU-R BT.601: 0.2989, 0.5870, 0.1140."""

    def call(self, inputs: Any) -> Any:
        """Float (batch, height, width, 3) to (batch, height, width, 1)."""
        weights = ops.convert_to_tensor([0.2989, 0.5870, 0.1140], dtype=inputs.dtype)
        return ops.sum(inputs * weights, axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The input's shape with one channel."""
        return (*input_shape[:-1], 1)
