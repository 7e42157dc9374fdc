"""SRCNN 9-1-5: C. Dong et al., "Learning a Deep Convolutional Network for Image Super-Resolution" (2014).

The paper's first network, in colour. Like the paper's it works at the output's size: an image is enlarged bicubically
before it goes in, by 3 in the course assignment that trains it.
"""

from __future__ import annotations

import keras
from keras import layers

from pixelproof.models.checkpoints.torch_names import module_names
from pixelproof.models.registry import register


@register(
    "srcnn_915",
    source="SRCNN 9-1-5 with 64 and 32 maps, of a course assignment: x3, on images enlarged bicubically",
    torch_names=module_names,
)
def srcnn_915() -> keras.Model:
    """Three convolutions with bias, the last one without activation.

    Returns:
        Image in and out, of one size: float32 (batch, height, width, 3) in [0, 1].
    """
    image = keras.Input((None, None, 3), name="input")
    maps = layers.Conv2D(64, 9, padding="same", activation="relu", name="conv1")(image)
    maps = layers.Conv2D(32, 1, padding="same", activation="relu", name="conv2")(maps)
    maps = layers.Conv2D(3, 5, padding="same", name="conv3")(maps)
    return keras.Model(image, maps, name="srcnn_915")
