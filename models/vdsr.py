"""VDSR, a deep residual on the luminance: J. Kim et al., "Accurate Image Super-Resolution Using Very Deep
Convolutional Networks" (2016)."""

from __future__ import annotations

import keras
from keras import layers

from pixelproof.models.layers import Grey
from pixelproof.models.registry import register


def tf1_names(model: keras.Model) -> dict[str, str]:
    """``conv_00_w``, ``conv_00_b``, ... of the PIRM 2018 checkpoint, by weight path."""
    names = {}
    for weight in model.weights:
        layer, kind = weight.path.split("/")[-2:]
        names[weight.path] = f"{layer}_{'w' if kind == 'kernel' else 'b'}"
    return names


@register(
    "vgg_19",
    source="PIRM 2018 baseline: VDSR, 20 convolutions on the grey image",
    challenge="pirm2018",
    tf1_names=tf1_names,
)
def vgg_19() -> keras.Model:
    """Twenty 3x3 convolutions; image in and out: float32 (batch, height, width, 3) in [0, 1].

    Only the grey image is restored; each channel keeps its difference from grey. There is no ``conv_19``: the
    challenge's checkpoint numbers them so.
    """
    image = keras.Input((None, None, 3), name="input")
    grey = Grey(name="grey")(image)
    maps = grey
    for number in range(19):
        maps = layers.Conv2D(64, 3, padding="same", activation="relu", name=f"conv_{number:02d}")(maps)
    residual = layers.Conv2D(1, 3, padding="same", name="conv_20")(maps)
    restored = layers.Add(name="restored_grey")([grey, residual])
    colour = layers.Subtract(name="colour")([image, grey])
    return keras.Model(image, layers.Add(name="output")([colour, restored]), name="vgg_19")
