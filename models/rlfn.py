"""RLFN: F. Kong et al., "Residual Local Feature Network for Efficient Super-Resolution" (2022).

In the form that won NTIRE 2022's main track (public repository ofsoundof/NTIRE2022_ESR, ``models/team04_rlfn.py``).
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
from pixelproof.models.layers import SubPixelConv2D
from pixelproof.models.registry import register


def options_of(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, object]:
    """Widths and number of blocks of the model that a state dict was saved from.

    Args:
        shapes: of its tensors, by name without prefix.
    """
    blocks = counted(shapes, "B{}.c1_r.weight", start=1)
    first, inner = shapes.get("B1.c1_r.weight", ()), shapes.get("B1.esa.conv1.weight", ())
    if not blocks or len(first) != 4 or len(inner) != 4 or "B1.c1_d.weight" in shapes:
        return {}
    return {"features": first[1], "middle": first[0], "attention_width": inner[0], "blocks": blocks}


@register(
    "rlfn",
    source="NTIRE 2022 efficient super-resolution, first in runtime: residual local features, x4",
    challenge="ntire2022-esr",
    contract=ENLARGED_4_WITH_ESA,
    torch_names=module_names,
    torch_options=options_of,
    size=(256, 256),
)
def rlfn(
    *,
    features: int = 46,
    middle: int = 48,
    attention_width: int = 16,
    blocks: int = 4,
    data_range: float = 255.0,
) -> keras.Model:
    """Blocks of three 3x3 convolutions with a shortcut, each ended by spatial attention.

    Args:
        features: maps between the blocks.
        middle: maps inside a block.
        attention_width: maps inside the attention.
        blocks: how many.
        data_range: 255 for a network trained on images in 0..255, as the official one; 1 for one trained on [0, 1].

    Returns:
        Image in and out, the output four times as high and wide: float32 (batch, height, width, 3) in [0, 1]; sides
        at least 15.

    Raises:
        CallError: a width or depth that no such network has.
    """
    check_widths(
        "rlfn", least=1, features=features, middle=middle, attention_width=attention_width, blocks=blocks
    )
    image = keras.Input((None, None, 3), name="input")
    head = conv(scaled_in(image, data_range), features, 3, name="fea_conv")
    maps = head
    for number in range(1, blocks + 1):
        maps = _local(maps, widths=(middle, middle, features), name=f"B{number}")
        maps = attention(maps, width=attention_width, name=f"B{number}.esa", middle="conv3")
    maps = layers.Add(name="sum")([conv(maps, features, 3, name="LR_conv"), head])
    maps = SubPixelConv2D(3, 3, block_size=4, padding="same", name="upsampler.0")(maps)
    return keras.Model(image, scaled_out(maps, data_range), name="rlfn")


def _local(maps: Any, *, widths: tuple[int, int, int], name: str) -> Any:
    inner = maps
    for step, width in enumerate(widths, start=1):
        inner = leaky(conv(inner, width, 3, name=f"{name}.c{step}_r"), name=f"{name}.c{step}_r.act")
    inner = layers.Add(name=f"{name}.sum")([inner, maps])
    return conv(inner, widths[-1], 1, name=f"{name}.c5")
