"""PUNET, the baseline of MAI 2021's learned smartphone ISP: packed Bayer in, RGB of twice the size out.

Architecture and initial values: ``model.py`` of the public repository
MediaTek-NeuroPilot/mai21-learned-smartphone-isp, itself after PyNET (A. Ignatov et al., 2020).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from pixelproof.contract import Contract
from pixelproof.errors import CallError
from pixelproof.models.layers import InstanceNormalization, ScaledTanh
from pixelproof.models.registry import register

LEVELS = 5
SLOPE = 0.2

BAYER_TO_RGB = Contract(channels=(4, 3), scale=2, minimum_size=16, size_multiple=16)

_ORDER = {"kernel": 0, "bias": 1, "shift": 2, "scale": 3}


def tf1_names(model: keras.Model) -> dict[str, str]:
    """``Variable``, ``Variable_1``, ... by weight path.

    TF1 numbered the variables as they were created: layer by layer, in each kernel, bias, shift, scale.
    """

    def created(path: str) -> tuple[int, int]:
        layer, kind = path.split("/")[-2:]
        return int(layer.rsplit("_", 1)[1]), _ORDER[kind]

    paths = sorted((weight.path for weight in model.weights), key=created)
    return {path: f"Variable_{number}" if number else "Variable" for number, path in enumerate(paths)}


def options_of(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, object]:
    """Width and normalisation of the model that a checkpoint was saved from; nothing where it can't be told.

    Args:
        shapes: of its variables, by TF1 name without scope.
    """
    first, last = shapes.get("Variable", ()), shapes.get("Variable_106", ())
    if len(first) != 4 or first[:3] != (3, 3, 4):
        return {}
    return {"num_maps_base": first[3], "instance_norm": len(last) == 1}


@register(
    "punet",
    source="MAI 2021 learned smartphone ISP baseline: U-Net of five levels",
    challenge="mai2021-isp",
    contract=BAYER_TO_RGB,
    tf1_names=tf1_names,
    tf1_options=options_of,
    size=(544, 960),
)
def punet(*, num_maps_base: int = 16, instance_norm: bool = False) -> keras.Model:
    """U-Net of five levels with a last one that doubles the size.

    Args:
        num_maps_base: maps of the first level, at least 4; each deeper one has twice as many.
        instance_norm: normalise after every convolution below the first level. The picture then depends on
            statistics of the whole image.

    Returns:
        Packed Bayer in: float32 (batch, height, width, 4) in [0, 1], sides multiples of 16; RGB out: float32
        (batch, 2 * height, 2 * width, 3), nominally in [0, 1], within (-0.08, 1.08).

    Raises:
        CallError: fewer than 4 maps.
    """
    if num_maps_base < LEVELS - 1:
        rule = "punet needs at least 4 maps at its first level: the last one has a quarter of them"
        raise CallError(rule, found=str(num_maps_base), remedy="Use --num-maps-base 4, 8, 16 or 32.")
    return _Unet(num_maps_base, instance_norm).model()


class _Unet:
    """Lays the layers in the order in which the original created its variables, and numbers them so."""

    def __init__(self, base: int, instance_norm: bool) -> None:
        self.base = base
        self.instance_norm = instance_norm
        self.count = 0

    def model(self) -> keras.Model:
        """The whole network."""
        image = keras.Input((None, None, 4), name="input")
        down = [self.block(image, 1)]
        for level in range(2, LEVELS):
            down.append(self.block(self.pooled(down[-1], level - 1), level))
        maps = self.block(self.pooled(down[-1], LEVELS - 1), LEVELS)
        for number in (1, 2):
            maps = layers.Add(name=f"skip_{number}")([self.block(maps, LEVELS), maps])
        maps = self.block(maps, LEVELS)
        for level in range(LEVELS - 1, 0, -1):
            up = self.doubled(maps, self.width(level))
            skip = self.block(down[level - 1], level) if level <= 2 else down[level - 1]
            joined = [skip, up, down[0]] if level == 1 else [skip, up]
            maps = self.block(layers.Concatenate(name=f"level_{level}")(joined), level)
        maps = self.doubled(maps, self.base // 4)
        maps = layers.Conv2D(3, 3, padding="same", name=self.named("conv"))(maps)
        return keras.Model(image, ScaledTanh(name="output")(maps), name="punet")

    def width(self, level: int) -> int:
        """Maps at a level."""
        return self.base << (level - 1)

    def block(self, maps: Any, level: int) -> Any:
        """Two 3x3 convolutions; the first level is never normalised."""
        for _ in range(2):
            name = self.named("conv")
            maps = layers.Conv2D(self.width(level), 3, padding="same", name=name)(maps)
            if self.instance_norm and level > 1:
                maps = InstanceNormalization(name=f"norm_{self.count}")(maps)
            maps = layers.LeakyReLU(SLOPE, name=f"leaky_{self.count}")(maps)
        return maps

    def pooled(self, maps: Any, level: int) -> Any:
        """Half the size: the largest of each 2x2."""
        return layers.MaxPooling2D(2, name=f"pool_{level}")(maps)

    def doubled(self, maps: Any, width: int) -> Any:
        """Twice the size: a transposed 3x3 convolution without bias."""
        options: dict[str, Any] = {"strides": 2, "padding": "same", "use_bias": False}
        maps = layers.Conv2DTranspose(width, 3, name=self.named("up"), **options)(maps)
        return layers.LeakyReLU(SLOPE, name=f"leaky_{self.count}")(maps)

    def named(self, kind: str) -> str:
        """The next layer's name; its number is the order of creation."""
        self.count += 1
        return f"{kind}_{self.count}"
