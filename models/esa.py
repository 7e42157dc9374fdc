"""What the efficient super-resolution networks share: convolutions by module path, spatial attention, ranges."""

from __future__ import annotations

from typing import Any

from keras import layers

from pixelproof.contract import Contract
from pixelproof.errors import CallError
from pixelproof.models.layers import Factor, ResizeLike

SLOPE = 0.05
MOST = 1024

ENLARGED_4 = Contract(scale=4)
ENLARGED_4_WITH_ESA = Contract(scale=4, minimum_size=15)
"""The attention's unpadded steps (3 with stride 2, pooling of 7) need 15 pixels."""


def check_widths(name: str, *, least: int = 4, **widths: int) -> None:
    """Refuse widths and depths that no such network has; they may come from a stranger's file.

    Args:
        name: of the architecture.
        least: that each may be; blocks may be one.
        widths: by option.

    Raises:
        CallError: one is too small, or above `MOST`.
    """
    for option, width in widths.items():
        low = 1 if option == "blocks" else least
        if not low <= width <= MOST:
            raise CallError(f"{option} of {name} must be from {low} to {MOST}", found=str(width))


def conv(maps: Any, width: int, size: int, *, name: str) -> Any:
    """A convolution with bias that keeps the size."""
    return layers.Conv2D(width, size, padding="same", name=name)(maps)


def leaky(maps: Any, *, name: str, slope: float = SLOPE) -> Any:
    """Leaky rectification."""
    return layers.LeakyReLU(slope, name=name)(maps)


def scaled_in(image: Any, data_range: float) -> Any:
    """An image of [0, 1] as the network was trained to see it: in [0, data_range]."""
    return image if data_range == 1 else Factor(data_range, name="to_range")(image)


def scaled_out(image: Any, data_range: float) -> Any:
    """The network's image back in [0, 1]."""
    return image if data_range == 1 else Factor(1 / data_range, name="from_range")(image)


def attention(maps: Any, *, width: int, name: str, middle: str = "conv_max conv3 conv3_") -> Any:
    """Enhanced spatial attention: J. Liu et al., "Residual Feature Aggregation Network" (2020), as RFDN has it.

    A mask from a coarse look: 1x1 to few maps, an unpadded 3x3 convolution of stride 2, the largest of 7x7 with
    stride 3, 3x3 convolutions with rectification between, enlarged again bilinearly; to it the fine maps are added.

    Args:
        maps: float (batch, height, width, channels), sides at least 15.
        width: of the inner maps.
        name: of the PyTorch module.
        middle: names of the 3x3 convolutions on the coarse maps.

    Returns:
        ``maps`` times the mask, which is in (0, 1).
    """
    few = conv(maps, width, 1, name=f"{name}.conv1")
    coarse = layers.Conv2D(width, 3, strides=2, padding="valid", name=f"{name}.conv2")(few)
    coarse = layers.MaxPooling2D(7, strides=3, padding="valid", name=f"{name}.pool")(coarse)
    *first, last = middle.split()
    for inner in first:
        coarse = layers.ReLU(name=f"{name}.{inner}.relu")(conv(coarse, width, 3, name=f"{name}.{inner}"))
    coarse = conv(coarse, width, 3, name=f"{name}.{last}")
    return masked(maps, few, coarse, width=width, name=name)


def masked(maps: Any, few: Any, coarse: Any, *, width: int, name: str) -> Any:
    """The ending of the attention: the mask from the few fine maps and the coarse ones, and its product.

    Args:
        maps: float (batch, height, width, channels).
        few: float (batch, height, width, ``width``).
        coarse: float, ``width`` channels, smaller sides.
        width, name: as for `attention`.
    """
    coarse = ResizeLike(name=f"{name}.enlarged")(coarse, few)
    fine = conv(few, width, 1, name=f"{name}.conv_f")
    both = layers.Add(name=f"{name}.sum")([coarse, fine])
    mask = conv(both, maps.shape[-1], 1, name=f"{name}.conv4")
    mask = layers.Activation("sigmoid", name=f"{name}.sigmoid")(mask)
    return layers.Multiply(name=f"{name}.product")([maps, mask])
