"""SRCNN: C. Dong et al., "Image Super-Resolution Using Deep Convolutional Networks" (2014)."""

from __future__ import annotations

import keras
from keras import layers

from pixelproof.models.layers import ScalarBias, ScaledTanh
from pixelproof.models.registry import register


def tf1_names(model: keras.Model) -> dict[str, str]:
    """``w1``, ``b1``, ... of the PIRM 2018 checkpoints, by weight path."""
    names = {}
    for weight in model.weights:
        layer, kind = weight.path.split("/")[-2:]
        names[weight.path] = (
            f"{'w' if kind == 'kernel' else 'b'}{layer.removeprefix('conv_').removeprefix('bias_')}"
        )
    return names


@register(
    "srcnn",
    source="PIRM 2018 baseline: SRCNN 9-5-5 with 64 and 32 maps",
    challenge="pirm2018",
    tf1_names=tf1_names,
)
def srcnn() -> keras.Model:
    """Three convolutions; image in and out: float32 (batch, height, width, 3) in [0, 1]."""
    image = keras.Input((None, None, 3), name="input")
    maps = layers.Conv2D(64, 9, padding="same", activation="relu", name="conv_1")(image)
    maps = layers.Conv2D(32, 5, padding="same", activation="relu", name="conv_2")(maps)
    maps = layers.Conv2D(3, 5, padding="same", use_bias=False, name="conv_3")(maps)
    maps = ScalarBias(name="bias_3")(maps)
    return keras.Model(image, ScaledTanh(name="output")(maps), name="srcnn")
