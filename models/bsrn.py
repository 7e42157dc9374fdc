"""BSRN: Z. Li et al., "Blueprint Separable Residual Network for Efficient Image Super-Resolution" (2022).

In the form of NTIRE 2022's team 18, first by parameters and FLOPs (public repository ofsoundof/NTIRE2022_ESR,
``models/team18_bsrn.py``): five blocks of 48 maps, and one learned number a channel in place of the paper's channel
attention. The paper's own network has other modules and is another one.

Compared with the published code under random weights; no trained ones were at hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from pixelproof.models.checkpoints.torch_names import module_names
from pixelproof.models.checkpoints.torch_options import counted
from pixelproof.models.esa import ENLARGED_4_WITH_ESA, check_widths, conv, masked, scaled_in, scaled_out
from pixelproof.models.layers import ChannelWeight, Gelu, ShortcutDepthwiseConv2D, SubPixelConv2D
from pixelproof.models.registry import register


def torch_names(model: keras.Model) -> dict[str, str]:
    """By weight path; the numbers a channel are a parameter of the block itself, ``B1.cw``."""
    return {path: name.replace(".cw.weight", ".cw") for path, name in module_names(model).items()}


def options_of(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, object]:
    """Width and number of blocks of the model that a state dict was saved from.

    Args:
        shapes: of its tensors, by name without prefix.
    """
    blocks = counted(shapes, "B{}.cw", start=1)
    first = shapes.get("fea_conv.pw.weight", ())
    return {"features": first[0], "blocks": blocks} if blocks and first else {}


@register(
    "bsrn",
    source="NTIRE 2022 efficient super-resolution, team 18: blueprint separable convolutions, x4",
    challenge="ntire2022-esr",
    contract=ENLARGED_4_WITH_ESA,
    torch_names=torch_names,
    torch_options=options_of,
    size=(256, 256),
)
def bsrn(*, features: int = 48, blocks: int = 5, data_range: float = 1.0) -> keras.Model:
    """Blocks of distillation with separable convolutions, all of them joined; spatial attention in each.

    Args:
        features: maps between the blocks.
        blocks: how many.
        data_range: 1 for a network trained on images in [0, 1], as the published one; 255 for one trained on 0..255.

    Returns:
        Image in and out, the output four times as high and wide: float32 (batch, height, width, 3) in [0, 1]; sides
        at least 15.

    Raises:
        CallError: a width or depth that no such network has.
    """
    check_widths("bsrn", features=features, blocks=blocks)
    image = keras.Input((None, None, 3), name="input")
    scaled = scaled_in(image, data_range)
    head = _separable(layers.Concatenate(name="fourfold")([scaled] * 4), features, name="fea_conv")
    results = []
    maps = head
    for number in range(1, blocks + 1):
        maps = _block(maps, width=features, name=f"B{number}")
        results.append(maps)
    maps = _gelu(conv(layers.Concatenate(name="joined")(results), features, 1, name="c1"), name="c1")
    maps = _separable(maps, features, name="c2", shortcut=head)
    maps = SubPixelConv2D(3, 3, block_size=4, padding="same", name="upsampler.upsampleOneStep.0")(maps)
    return keras.Model(image, scaled_out(maps, data_range), name="bsrn")


def _block(maps: Any, *, width: int, name: str) -> Any:
    kept = []
    inner = maps
    for step in (1, 2, 3):
        part, whole = f"{name}.c{step}_d", f"{name}.c{step}_r"
        kept.append(_gelu(conv(inner, width // 2, 1, name=part), name=part))
        inner = _gelu(_separable(inner, width, name=whole, shortcut=inner), name=whole)
    kept.append(_gelu(_separable(inner, width // 2, name=f"{name}.c4"), name=f"{name}.c4"))
    joined = conv(layers.Concatenate(name=f"{name}.joined")(kept), width, 1, name=f"{name}.c5")
    weighed = ChannelWeight(name=f"{name}.cw")(_attention(joined, width=width // 4, name=f"{name}.esa"))
    return layers.Add(name=f"{name}.sum")([conv(weighed, width, 1, name=f"{name}.conv_out"), maps])


def _attention(maps: Any, *, width: int, name: str) -> Any:
    few = conv(maps, width, 1, name=f"{name}.conv1")
    coarse = layers.Conv2D(width, 3, strides=2, padding="valid", name=f"{name}.conv2")(few)
    coarse = layers.MaxPooling2D(7, strides=3, padding="valid", name=f"{name}.maxPooling")(coarse)
    for inner in ("conv_max", "conv3"):
        coarse = _gelu(_separable(coarse, width, name=f"{name}.{inner}"), name=f"{name}.{inner}")
    coarse = _separable(coarse, width, name=f"{name}.conv3_")
    return masked(maps, few, coarse, width=width, name=name)


def _separable(maps: Any, width: int, *, name: str, shortcut: Any = None) -> Any:
    """Blueprint separable: every pixel by itself first, then every channel by itself, 3x3; then the shortcut."""
    maps = conv(maps, width, 1, name=f"{name}.pw")
    if shortcut is None:
        return layers.DepthwiseConv2D(3, padding="same", name=f"{name}.dw")(maps)
    return ShortcutDepthwiseConv2D(3, padding="same", name=f"{name}.dw")(maps, shortcut)


def _gelu(maps: Any, *, name: str) -> Any:
    return Gelu(name=f"{name}.gelu")(maps)
