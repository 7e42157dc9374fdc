"""The residual networks of the PIRM 2018 challenge, after the generator of DPED (A. Ignatov et al., 2017)."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from pixelproof.models.layers import InstanceNormalization, ScaledTanh
from pixelproof.models.registry import register


def tf1_names(model: keras.Model) -> dict[str, str]:
    """``W1``, ``b1``, ... and the normalisations' ``Variable``, ``Variable_1``, ... by weight path.

    The normalisations' variables have no names of their own: TF1 numbered them as they were created, shift
    before scale.
    """
    names = {}
    for weight in model.weights:
        layer, kind = weight.path.split("/")[-2:]
        number = int(layer.rsplit("_", 1)[1])
        match kind:
            case "kernel":
                names[weight.path] = f"W{number}"
            case "bias":
                names[weight.path] = f"b{number}"
            case _:
                place = 2 * (number - 1) + (kind == "scale")
                names[weight.path] = f"Variable_{place}" if place else "Variable"
    return names


@register(
    "resnet_6_16",
    source="PIRM 2018 baseline: one residual block, 16 channels",
    challenge="pirm2018",
    tf1_names=tf1_names,
)
def resnet_6_16() -> keras.Model:
    """One residual block; image in and out: float32 (batch, height, width, 3) in [0, 1]."""
    return residual_network(blocks=1, channels=16, name="resnet_6_16")


@register(
    "resnet_8_32",
    source="PIRM 2018 baseline: two residual blocks, 32 channels",
    challenge="pirm2018",
    tf1_names=tf1_names,
)
def resnet_8_32() -> keras.Model:
    """Two residual blocks; image in and out: float32 (batch, height, width, 3) in [0, 1]."""
    return residual_network(blocks=2, channels=32, name="resnet_8_32")


@register(
    "resnet_12_64",
    source="PIRM 2018 baseline: four residual blocks, 64 channels",
    challenge="pirm2018",
    tf1_names=tf1_names,
)
def resnet_12_64() -> keras.Model:
    """Four residual blocks; image in and out: float32 (batch, height, width, 3) in [0, 1]."""
    return residual_network(blocks=4, channels=64, name="resnet_12_64")


def residual_network(*, blocks: int, channels: int, name: str) -> keras.Model:
    """A 9x9 convolution, residual blocks, two 3x3 convolutions, a 9x9 convolution, a scaled tanh.

    Args:
        blocks: residual blocks of two 3x3 convolutions each.
        channels: of every inner convolution.
        name: of the model.

    Returns:
        Image in and out: float32 (batch, height, width, 3) in [0, 1]; any height and width.
    """
    image = keras.Input((None, None, 3), name="input")
    maps = layers.Conv2D(channels, 9, padding="same", activation="relu", name="conv_1")(image)
    for block in range(1, blocks + 1):
        inner = _normalised_convolution(maps, channels=channels, number=2 * block)
        inner = _normalised_convolution(inner, channels=channels, number=2 * block + 1)
        maps = layers.Add(name=f"skip_{block}")([inner, maps])
    last = 2 * blocks + 4
    for number in (last - 2, last - 1):
        maps = layers.Conv2D(channels, 3, padding="same", activation="relu", name=f"conv_{number}")(maps)
    maps = layers.Conv2D(3, 9, padding="same", name=f"conv_{last}")(maps)
    return keras.Model(image, ScaledTanh(name="output")(maps), name=name)


def _normalised_convolution(maps: Any, *, channels: int, number: int) -> Any:
    maps = layers.Conv2D(channels, 3, padding="same", name=f"conv_{number}")(maps)
    maps = InstanceNormalization(name=f"norm_{number - 1}")(maps)
    return layers.ReLU(name=f"relu_{number}")(maps)
