"""FMEN: Z. Du et al., "Fast and Memory-Efficient Network Towards Efficient Image Super-Resolution" (2022).

The deployed form of NTIRE 2022's team 3, in which each re-parameterised block is one convolution (public repository
ofsoundof/NTIRE2022_ESR, ``models/team03_fmen.py``).

Compared with the published code under random weights; no trained ones were at hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from pixelproof.models.checkpoints.torch_names import module_names
from pixelproof.models.checkpoints.torch_options import counted
from pixelproof.models.esa import ENLARGED_4, check_widths, conv, leaky, scaled_in, scaled_out
from pixelproof.models.layers import SubPixelConv2D
from pixelproof.models.registry import register

SLOPE = 0.1


def options_of(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, object]:
    """Widths and number of blocks of the model that a state dict was saved from.

    Args:
        shapes: of its tensors, by name without prefix.
    """
    blocks = counted(shapes, "basic_blocks.{}.conv1.rep_conv.weight")
    first, inner = shapes.get("head.weight", ()), shapes.get("hfabs.0.squeeze.weight", ())
    if not blocks or len(first) != 4 or len(inner) != 4:
        return {}
    return {"features": first[0], "middle": inner[0], "blocks": blocks}


@register(
    "fmen",
    source="NTIRE 2022 efficient super-resolution, team 3: high-frequency attention, x4",
    challenge="ntire2022-esr",
    contract=ENLARGED_4,
    torch_names=module_names,
    torch_options=options_of,
    size=(256, 256),
)
def fmen(*, features: int = 50, middle: int = 16, blocks: int = 4, data_range: float = 255.0) -> keras.Model:
    """Pairs of 3x3 convolutions, each followed by an attention that narrows, convolves, widens and masks.

    Args:
        features: maps between the blocks.
        middle: maps inside the attention; 4 fewer in the first one, which also has two pairs.
        blocks: how many.
        data_range: 255 for a network trained on images in 0..255, as the published one; 1 for one trained on [0, 1].

    Returns:
        Image in and out, the output four times as high and wide: float32 (batch, height, width, 3) in [0, 1].

    Raises:
        CallError: a width or depth that no such network has.
    """
    check_widths("fmen", least=5, features=features, middle=middle, blocks=blocks)
    image = keras.Input((None, None, 3), name="input")
    head = conv(scaled_in(image, data_range), features, 3, name="head")
    maps = conv(head, features, 3, name="warmup.0")
    maps = _attention(maps, width=middle - 4, pairs=2, name="warmup.1")
    for block in range(blocks):
        maps = _pair(maps, width=features, name=f"basic_blocks.{block}")
        maps = _attention(maps, width=middle, pairs=1, name=f"hfabs.{block}")
    maps = layers.Add(name="sum")([conv(maps, features, 3, name="lr_conv"), head])
    maps = SubPixelConv2D(3, 3, block_size=4, padding="same", name="tail.0")(maps)
    return keras.Model(image, scaled_out(maps, data_range), name="fmen")


def _pair(maps: Any, *, width: int, name: str) -> Any:
    maps = conv(maps, width, 3, name=f"{name}.conv1.rep_conv")
    maps = leaky(maps, slope=SLOPE, name=f"{name}.conv1.act")
    return conv(maps, width, 3, name=f"{name}.conv2.rep_conv")


def _attention(maps: Any, *, width: int, pairs: int, name: str) -> Any:
    inner = leaky(conv(maps, width, 3, name=f"{name}.squeeze"), slope=SLOPE, name=f"{name}.squeeze.act")
    for pair in range(pairs):
        inner = _pair(inner, width=width, name=f"{name}.convs.{pair}")
    inner = leaky(inner, slope=SLOPE, name=f"{name}.convs.act")
    inner = conv(inner, maps.shape[-1], 3, name=f"{name}.excitate")
    mask = layers.Activation("sigmoid", name=f"{name}.sigmoid")(inner)
    return layers.Multiply(name=f"{name}.product")([mask, maps])
