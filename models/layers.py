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


@keras.saving.register_keras_serializable(package="pixelproof")
class SubPixelConv2D(keras.layers.Conv2D):
    """A convolution whose output channels become a block of pixels each: Shi et al., 2016 (ESPCN).

    The kernel's outputs are ordered as TensorFlow's depth_to_space wants them, (row, column, channel) of the block.
    PyTorch's PixelShuffle has (channel, row, column): a PyTorch checkpoint's kernel is reordered as it is read.

    Args:
        channels: of the output.
        kernel_size: of the convolution.
        block_size: height and width of the block.
    """

    def __init__(self, channels: int, kernel_size: int, *, block_size: int, **base: Any) -> None:
        super().__init__(channels * block_size**2, kernel_size, **base)
        self.channels = channels
        self.block_size = block_size

    def call(self, inputs: Any) -> Any:
        """Float (batch, height, width, maps) to (batch, height * block, width * block, channels)."""
        return ops.depth_to_space(super().call(inputs), self.block_size)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The convolution's shape with its sides multiplied."""
        batch, *sides, _ = super().compute_output_shape(input_shape)
        larger = (None if side is None else side * self.block_size for side in sides)
        return (batch, *larger, self.channels)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        config = {**super().get_config(), "channels": self.channels, "block_size": self.block_size}
        del config["filters"]
        return config


@keras.saving.register_keras_serializable(package="pixelproof")
class ResizeLike(keras.layers.Layer):
    """Brings maps to the height and width of others, bilinearly with half-pixel centres.

    The same as PyTorch's ``interpolate(..., mode="bilinear", align_corners=False)``; one ResizeBilinear in a graph.
    """

    def call(self, maps: Any, like: Any) -> Any:
        """Float (batch, h, w, channels) and (batch, height, width, any) to (batch, height, width, channels)."""
        size = ops.shape(like)[1:3]
        if all(isinstance(side, int) for side in size):
            return ops.image.resize(maps, size, interpolation="bilinear", data_format="channels_last")
        # Only a graph of TensorFlow's has open sizes, and Keras's resize compares them in Python.
        import tensorflow as tf

        return tf.image.resize(maps, size)

    def compute_output_shape(
        self, maps_shape: tuple[int | None, ...], like_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """The first one's channels, the second one's sides."""
        return (maps_shape[0], like_shape[1], like_shape[2], maps_shape[3])


@keras.saving.register_keras_serializable(package="pixelproof")
class ChannelWeight(keras.layers.Layer):
    """Multiplies each channel by a trainable number, 1 at the beginning."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the numbers, one a channel."""
        self.weight = self.add_weight(name="weight", shape=(input_shape[-1],), initializer="ones")

    def call(self, inputs: Any) -> Any:
        """Weigh float (batch, height, width, channels)."""
        return inputs * self.weight


@keras.saving.register_keras_serializable(package="pixelproof")
class SplitChannels(keras.layers.Layer):
    """Parts the first channels from the rest.

    Args:
        first: how many.
    """

    def __init__(self, *, first: int, **base: Any) -> None:
        super().__init__(**base)
        self.first = first

    def call(self, inputs: Any) -> tuple[Any, Any]:
        """(batch, height, width, channels) to its first channels and all others."""
        return inputs[..., : self.first], inputs[..., self.first :]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        return {**super().get_config(), "first": self.first}


@keras.saving.register_keras_serializable(package="pixelproof")
class ShortcutConv2D(keras.layers.Conv2D):
    """A convolution to which other maps are added, the bias last.

    TensorFlow 2.21 on CPUs makes one kernel of convolution, bias, sum and leaky rectification in this order, and that
    kernel takes 0.2 for every slope.
    """

    def call(self, inputs: Any, shortcut: Any) -> Any:
        """Float (batch, height, width, any) and a tensor of the output's shape to that shape."""
        return _biased(self, self.convolution_op(inputs, self.kernel) + shortcut)

    def compute_output_shape(self, inputs_shape: Any, shortcut_shape: Any = None) -> Any:
        """That of the convolution alone."""
        return super().compute_output_shape(inputs_shape)


@keras.saving.register_keras_serializable(package="pixelproof")
class ShortcutDepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """A depthwise convolution to which other maps are added, the bias last.

    Of depthwise convolution, bias and sum in this order TensorFlow 2.21 on CPUs makes a node without an operation.
    """

    def call(self, inputs: Any, shortcut: Any) -> Any:
        """Float (batch, height, width, channels) and a tensor of the output's shape to that shape."""
        strides, padding, dilation = self.strides, self.padding, self.dilation_rate
        convolved = ops.depthwise_conv(inputs, self.kernel, strides, padding, self.data_format, dilation)
        return _biased(self, convolved + shortcut)

    def compute_output_shape(self, inputs_shape: Any, shortcut_shape: Any = None) -> Any:
        """That of the convolution alone."""
        return super().compute_output_shape(inputs_shape)


def _biased(layer: Any, sums: Any) -> Any:
    return ops.add(sums, ops.reshape(layer.bias, (1, 1, 1, -1)))


@keras.saving.register_keras_serializable(package="pixelproof")
class Gelu(keras.layers.Layer):
    """``x * (1 + erf(x / sqrt(2))) / 2``; Keras's own is written with erfc, which ONNX doesn't have."""

    def call(self, inputs: Any) -> Any:
        """Rectify a float tensor of any shape."""
        return 0.5 * inputs * (1.0 + ops.erf(inputs * 0.7071067811865476))


@keras.saving.register_keras_serializable(package="pixelproof")
class Factor(keras.layers.Layer):
    """Multiplies by a fixed number."""

    def __init__(self, factor: float, **base: Any) -> None:
        super().__init__(**base)
        self.factor = factor

    def call(self, inputs: Any) -> Any:
        """Scale a float tensor of any shape."""
        return inputs * self.factor

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        return {**super().get_config(), "factor": self.factor}
