"""IMDN: Z. Hui et al., "Lightweight Image Super-Resolution with Information Multi-distillation Network" (2019).

In the form that won AIM 2019's constrained super-resolution and is a baseline of NTIRE 2022 (public repository
ofsoundof/NTIRE2022_ESR, ``models/imdn_baseline.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from pixelproof.models.checkpoints.torch_names import module_names
from pixelproof.models.checkpoints.torch_options import counted
from pixelproof.models.esa import ENLARGED_4, check_widths, conv, leaky, scaled_in, scaled_out
from pixelproof.models.layers import SplitChannels, SubPixelConv2D
from pixelproof.models.registry import register


def options_of(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, object]:
    """Width and number of blocks of the model that a state dict was saved from.

    Args:
        shapes: of its tensors, by name without prefix.
    """
    blocks = counted(shapes, "model.1.sub.{}.conv1.0.weight")
    first = shapes.get("model.0.weight", ())
    return {"features": first[0], "blocks": blocks} if blocks and len(first) == 4 else {}


@register(
    "imdn",
    source="NTIRE 2022 efficient super-resolution, baseline: information multi-distillation, x4",
    challenge="ntire2022-esr",
    contract=ENLARGED_4,
    torch_names=module_names,
    torch_options=options_of,
    size=(256, 256),
)
def imdn(*, features: int = 64, blocks: int = 8, data_range: float = 1.0) -> keras.Model:
    """Blocks that set a quarter of their maps aside three times and join them, around them one shortcut.

    Args:
        features: maps between the blocks; a quarter of them, rounded down, is set aside.
        blocks: how many.
        data_range: 1 for a network trained on images in [0, 1], 255 for one trained on 0..255.

    Returns:
        Image in and out, the output four times as high and wide: float32 (batch, height, width, 3) in [0, 1].

    Raises:
        CallError: a width or depth that no such network has.
    """
    check_widths("imdn", features=features, blocks=blocks)
    image = keras.Input((None, None, 3), name="input")
    head = conv(scaled_in(image, data_range), features, 3, name="model.0")
    maps = head
    for block in range(blocks):
        maps = _block(maps, width=features, name=f"model.1.sub.{block}")
    maps = conv(maps, features, 3, name=f"model.1.sub.{blocks}")
    maps = layers.Add(name="model.1.sum")([head, maps])
    maps = SubPixelConv2D(3, 3, block_size=4, padding="same", name="model.2")(maps)
    return keras.Model(image, scaled_out(maps, data_range), name="imdn")


def _block(maps: Any, *, width: int, name: str) -> Any:
    aside = width // 4
    kept = []
    rest = maps
    for step in (1, 2, 3):
        inner = leaky(conv(rest, width, 3, name=f"{name}.conv{step}.0"), name=f"{name}.conv{step}.1")
        quarter, rest = SplitChannels(first=aside, name=f"{name}.split{step}")(inner)
        kept.append(quarter)
    kept.append(conv(rest, aside, 3, name=f"{name}.conv4"))
    joined = layers.Concatenate(name=f"{name}.joined")(kept)
    return layers.Add(name=f"{name}.sum")([maps, conv(joined, width, 1, name=f"{name}.conv1x1")])
