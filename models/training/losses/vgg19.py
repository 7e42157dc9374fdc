"""The features of VGG-19, frozen."""

from __future__ import annotations

import keras

from pixelproof.models.training.losses.vgg_weights import VggWeights, convolutions_up_to


def features_model(weights: VggWeights, layer: str) -> keras.Model:
    """VGG-19 up to a layer, with fixed weights, in float32 whatever the precision of training.

    Input: float32, (batch, height, width, 3), RGB on 0..255 less the mean. Output: float32, (batch, height / 2^b,
    width / 2^b, channels), rounded up, where b counts the pools before the layer: block 5 has 4. Convolutions pad
    with zeros; pools take the largest of 2x2, fewer at an odd border.

    Args:
        weights: at least up to the layer.
        layer: of `convolutions_up_to`.

    Source: Simonyan, Zisserman, "Very deep convolutional networks for large-scale image recognition", 2015.
    """
    names = convolutions_up_to(layer)
    fixed = {"dtype": "float32", "trainable": False}
    image = keras.Input((None, None, 3), dtype="float32", name="vgg19_input")
    maps, block = image, "1"
    for one in weights.convolutions[: len(names)]:
        if one.name[4] != block:
            block = one.name[4]
            maps = keras.layers.MaxPooling2D(2, padding="same", data_format="channels_last", **fixed)(maps)
        maps = keras.layers.Conv2D(
            one.bias.size,
            3,
            padding="same",
            data_format="channels_last",
            kernel_initializer="zeros",  # an initializer with random numbers would move the run's own
            name=one.name,
            **fixed,
        )(maps)
        if one.name != layer:
            maps = keras.layers.ReLU(name=one.name.replace("conv", "relu"), **fixed)(maps)
    model = keras.Model(image, maps, name="vgg19_features", trainable=False)
    for one in weights.convolutions[: len(names)]:
        model.get_layer(one.name).set_weights([one.kernel, one.bias])
    return model
