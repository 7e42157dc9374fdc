"""RFDN: J. Liu et al., "Residual Feature Distillation Network for Lightweight Image Super-Resolution" (2020).

Winner of AIM 2020 and a baseline of NTIRE 2022 (public repository ofsoundof/NTIRE2022_ESR, ``models/rfdn_baseline``);
the pruned one is an entry of that challenge (``models/team40_rfdn_pruned.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from pixelproof.models.checkpoints.torch_names import module_names
from pixelproof.models.checkpoints.torch_options import counted
from pixelproof.models.esa import (
    ENLARGED_4_WITH_ESA,
    attention,
    check_widths,
    conv,
    leaky,
    scaled_in,
    scaled_out,
)
from pixelproof.models.layers import ShortcutConv2D, SubPixelConv2D
from pixelproof.models.registry import register

PRUNED_ATTENTION_WIDTH = 12


def options_of(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, object]:
    """Width and number of blocks of the `rfdn` that a state dict was saved from.

    Args:
        shapes: of its tensors, by name without prefix.
    """
    features, attention_width, blocks = _widths(shapes)
    return {"features": features, "blocks": blocks} if features and attention_width == features // 4 else {}


def pruned_options_of(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, object]:
    """The same of `rfdn_pruned`, which the width of its attention tells apart."""
    features, attention_width, blocks = _widths(shapes)
    pruned = attention_width == PRUNED_ATTENTION_WIDTH != features // 4
    return {"features": features, "blocks": blocks} if features and pruned else {}


@register(
    "rfdn",
    source="NTIRE 2022 efficient super-resolution, baseline: residual feature distillation, x4",
    challenge="ntire2022-esr",
    contract=ENLARGED_4_WITH_ESA,
    torch_names=module_names,
    torch_options=options_of,
    size=(256, 256),
)
def rfdn(*, features: int = 50, blocks: int = 4, data_range: float = 255.0) -> keras.Model:
    """Blocks that distil half of their maps four times, all of them joined; spatial attention ends each.

    Args:
        features: maps between the blocks; a quarter of them, rounded down, inside the attention.
        blocks: how many.
        data_range: 255 for a network trained on images in 0..255, as the official one; 1 for one trained on [0, 1].

    Returns:
        Image in and out, the output four times as high and wide: float32 (batch, height, width, 3) in [0, 1]; sides
        at least 15.

    Raises:
        CallError: a width or depth that no such network has.
    """
    return _network(features, blocks, data_range, attention_width=features // 4, shortcuts=True, name="rfdn")


@register(
    "rfdn_pruned",
    source="NTIRE 2022 efficient super-resolution, team 40: RFDN of 40 maps, no shortcuts in its blocks, x4",
    challenge="ntire2022-esr",
    contract=ENLARGED_4_WITH_ESA,
    torch_names=module_names,
    torch_options=pruned_options_of,
    size=(256, 256),
)
def rfdn_pruned(*, features: int = 40, blocks: int = 4, data_range: float = 255.0) -> keras.Model:
    """As `rfdn` without the shortcuts around the 3x3 convolutions, and 12 maps inside the attention at any width.

    Compared with the published code under random weights; no trained ones were at hand.
    """
    return _network(
        features,
        blocks,
        data_range,
        attention_width=PRUNED_ATTENTION_WIDTH,
        shortcuts=False,
        name="rfdn_pruned",
    )


def _widths(shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, int, int]:
    """Maps between the blocks, maps inside the attention, blocks; zeros for another architecture."""
    blocks = counted(shapes, "B{}.c1_d.weight", start=1)
    first, inner = shapes.get("fea_conv.weight", ()), shapes.get("B1.esa.conv_max.weight", ())
    return (first[0], inner[0], blocks) if blocks and len(first) == len(inner) == 4 else (0, 0, 0)


def _network(
    features: int, blocks: int, data_range: float, *, attention_width: int, shortcuts: bool, name: str
) -> keras.Model:
    check_widths(name, features=features, blocks=blocks)
    image = keras.Input((None, None, 3), name="input")
    head = conv(scaled_in(image, data_range), features, 3, name="fea_conv")
    results = []
    maps = head
    for number in range(1, blocks + 1):
        block = f"B{number}"
        maps = _distilled(maps, width=features, shortcuts=shortcuts, name=block)
        maps = attention(maps, width=attention_width, name=f"{block}.esa")
        results.append(maps)
    joined = layers.Concatenate(name="joined")(results)
    maps = leaky(conv(joined, features, 1, name="c.0"), name="c.1")
    maps = layers.Add(name="sum")([conv(maps, features, 3, name="LR_conv"), head])
    maps = SubPixelConv2D(3, 3, block_size=4, padding="same", name="upsampler.0")(maps)
    return keras.Model(image, scaled_out(maps, data_range), name=name)


def _distilled(maps: Any, *, width: int, shortcuts: bool, name: str) -> Any:
    half = width // 2
    kept = []
    for step in (1, 2, 3):
        part = conv(maps, half, 1, name=f"{name}.c{step}_d")
        kept.append(leaky(part, name=f"{name}.c{step}_d.act"))
        whole = f"{name}.c{step}_r"
        if shortcuts:
            inner = ShortcutConv2D(width, 3, padding="same", name=whole)(maps, maps)
        else:
            inner = conv(maps, width, 3, name=whole)
        maps = leaky(inner, name=f"{whole}.act")
    kept.append(leaky(conv(maps, half, 3, name=f"{name}.c4"), name=f"{name}.c4.act"))
    joined = layers.Concatenate(name=f"{name}.joined")(kept)
    return conv(joined, width, 1, name=f"{name}.c5")
