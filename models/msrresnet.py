"""MSRResNet: the residual network of SRGAN without batch normalisation, as BasicSR has it.

C. Ledig et al., "Photo-Realistic Single Image Super-Resolution" (2017); public repository XPixelGroup/BasicSR,
``basicsr/archs/srresnet_arch.py``. The network that the course AI6126 starts from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from pixelproof.models.checkpoints.torch_names import module_names
from pixelproof.models.checkpoints.torch_options import counted
from pixelproof.models.esa import ENLARGED_4, check_widths, conv, leaky
from pixelproof.models.layers import ResizeLike, SubPixelConv2D
from pixelproof.models.registry import register

_SLOPE = 0.1


def options_of(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, object]:
    """Width and number of blocks of the model that a state dict was saved from.

    Args:
        shapes: of its tensors, by name without prefix.
    """
    blocks = counted(shapes, "body.{}.conv1.weight")
    first = shapes.get("conv_first.weight", ())
    if not blocks or len(first) != 4 or "conv_hr.weight" not in shapes or "upconv1.weight" not in shapes:
        return {}
    return {"features": first[0], "blocks": blocks}


@register(
    "msrresnet",
    source="BasicSR's MSRResNet, the baseline of AI6126's blind face super-resolution: residual blocks, x4",
    challenge="ai6126-face",
    contract=ENLARGED_4,
    torch_names=module_names,
    torch_options=options_of,
    size=(128, 128),
)
def msrresnet(*, features: int = 64, blocks: int = 16) -> keras.Model:
    """Residual blocks, twice a pixel shuffle, two convolutions; the image, enlarged bilinearly, is added.

    Args:
        features: maps of all inner layers.
        blocks: how many.

    Returns:
        Image in and out, the output four times as high and wide: float32 (batch, height, width, 3) in [0, 1].

    Raises:
        CallError: a width or depth that no such network has.
    """
    check_widths("msrresnet", features=features, blocks=blocks)
    image = keras.Input((None, None, 3), name="input")
    maps = leaky(conv(image, features, 3, name="conv_first"), name="lrelu_first", slope=_SLOPE)
    for block in range(blocks):
        maps = _block(maps, width=features, name=f"body.{block}")
    for step in (1, 2):
        shuffled = SubPixelConv2D(features, 3, block_size=2, padding="same", name=f"upconv{step}")(maps)
        maps = layers.LeakyReLU(_SLOPE, name=f"lrelu_up{step}")(shuffled)
    maps = leaky(conv(maps, features, 3, name="conv_hr"), name="lrelu_hr", slope=_SLOPE)
    maps = conv(maps, 3, 3, name="conv_last")
    base = ResizeLike(name="base")(image, maps)
    return keras.Model(image, layers.Add(name="sum")([maps, base]), name="msrresnet")


def _block(maps: Any, *, width: int, name: str) -> Any:
    inner = layers.ReLU(name=f"{name}.relu")(conv(maps, width, 3, name=f"{name}.conv1"))
    return layers.Add(name=f"{name}.sum")([maps, conv(inner, width, 3, name=f"{name}.conv2")])
