"""EFDN: Y. Wang, "Edge-enhanced Feature Distillation Network for Efficient Super-Resolution" (2022).

The deployed form of NTIRE 2022's team 1, in which each re-parameterised block is one convolution (public repository
ofsoundof/NTIRE2022_ESR, ``models/team01_efdn.py``).

Compared with the published code under random weights; no trained ones were at hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from pixelproof.models.checkpoints.torch_names import module_names
from pixelproof.models.esa import ENLARGED_4_WITH_ESA, attention, check_widths, conv, scaled_in, scaled_out
from pixelproof.models.layers import SubPixelConv2D
from pixelproof.models.registry import register


def options_of(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, object]:
    """Width of the model that a state dict was saved from.

    Args:
        shapes: of its tensors, by name without prefix.
    """
    first = shapes.get("head.weight", ())
    return {"features": first[0]} if len(first) == 4 and "cells.0.fuse.weight" in shapes else {}


@register(
    "efdn",
    source="NTIRE 2022 efficient super-resolution, team 1: edge-enhanced feature distillation, x4",
    challenge="ntire2022-esr",
    contract=ENLARGED_4_WITH_ESA,
    torch_names=module_names,
    torch_options=options_of,
    size=(256, 256),
)
def efdn(*, features: int = 48, data_range: float = 1.0) -> keras.Model:
    """Four cells of distillation and spatial attention, fused two by two; the output is clipped.

    Args:
        features: maps between the cells.
        data_range: 1 for a network trained on images in [0, 1], as the published one; 255 for one trained on 0..255.

    Returns:
        Image in and out, the output four times as high and wide: float32 (batch, height, width, 3) in [0, 1]; sides
        at least 15.

    Raises:
        CallError: a width or depth that no such network has.
    """
    check_widths("efdn", features=features)
    image = keras.Input((None, None, 3), name="input")
    head = conv(scaled_in(image, data_range), features, 3, name="head")
    first = _cell(head, width=features, name="cells.0")
    second = _cell(first, width=features, name="cells.1")
    maps = _fused([first, second], width=features, name="local_fuse.0")
    third = _cell(maps, width=features, name="cells.2")
    maps = _fused([second, third], width=features, name="local_fuse.1")
    fourth = _cell(maps, width=features, name="cells.3")
    maps = _fused([second, fourth], width=features, name="local_fuse.2")
    maps = layers.Add(name="sum")([maps, head])
    maps = SubPixelConv2D(3, 3, block_size=4, padding="same", name="tail.0")(maps)
    clipped = layers.ReLU(max_value=1.0, name="clipped")(scaled_out(maps, data_range))
    return keras.Model(image, clipped, name="efdn")


def _fused(parts: list[Any], *, width: int, name: str) -> Any:
    return conv(layers.Concatenate(name=f"{name}.joined")(parts), width, 1, name=name)


def _cell(maps: Any, *, width: int, name: str) -> Any:
    stages = [maps]
    for number, (inner, size) in enumerate((("conv1x1", 1), ("rep_conv", 3), ("rep_conv", 3)), start=1):
        stage = f"{name}.conv{number}"
        result = conv(stages[-1], width, size, name=f"{stage}.{inner}")
        stages.append(layers.PReLU(shared_axes=[1, 2], name=f"{stage}.act")(result))
    branches = [
        conv(stage, width // 2, 1, name=f"{name}.branch.{number}") for number, stage in enumerate(stages)
    ]
    fused = _fused(branches, width=width, name=f"{name}.fuse")
    fused = attention(fused, width=width // 4, name=f"{name}.att")
    return layers.Add(name=f"{name}.sum")([fused, maps])
