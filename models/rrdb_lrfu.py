"""RRDB with local residual fusion: a compact learned ISP after the entry that placed 7th in MAI 2021.

The challenge's report (A. Ignatov et al., "Learned Smartphone ISP on Mobile NPUs with Deep Learning, Mobile AI 2021
Challenge: Report", arXiv 2105.07809) describes that entry in words: local fusion blocks, each of several stacked
adaptive-weight residual units in residual-in-residual arrangement, termed RRDB, and a local residual fusion unit,
LRFU. The units are those of AWSRN (C. Wang, Z. Li and J. Shi, 2019, arXiv 1904.02358). No weights and no exact widths
are public: the number of blocks, the widening and the ending below are ours, so no other checkpoint fits.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from pixelproof.contract import Contract
from pixelproof.errors import CallError
from pixelproof.models.layers import AdaptiveWeight, DepthToSpace, ScaledTanh
from pixelproof.models.registry import register

BLOCKS = 3
UNITS = 3
WIDENING = 2


@register(
    "rrdb_lrfu",
    source="MAI 2021, after the 7th place: local fusion blocks of adaptive-weight residual units (no public weights)",
    challenge="mai2021-isp",
    contract=Contract(channels=(4, 3), scale=2),
    size=(544, 960),
)
def rrdb_lrfu(*, num_maps_base: int = 16) -> keras.Model:
    """Three local fusion blocks between a first convolution and a last one whose channels become pixels.

    Args:
        num_maps_base: maps everywhere between the ends, at least 1; inside a unit twice as many.

    Returns:
        Packed Bayer in: float32 (batch, height, width, 4) in [0, 1], any size; RGB out: float32
        (batch, 2 * height, 2 * width, 3), nominally in [0, 1], within (-0.08, 1.08).

    Raises:
        CallError: no maps.
    """
    if num_maps_base < 1:
        raise CallError("rrdb_lrfu needs at least 1 map", found=str(num_maps_base))
    image = keras.Input((None, None, 4), name="input")
    head = layers.Conv2D(num_maps_base, 3, padding="same", name="head")(image)
    maps = head
    for block in range(1, BLOCKS + 1):
        maps = _fusion_block(maps, width=num_maps_base, name=f"block_{block}")
    maps = layers.Add(name="long_skip")([maps, head])
    maps = layers.Conv2D(3 * 2 * 2, 3, padding="same", name="tail")(maps)
    maps = DepthToSpace(block_size=2, name="doubled")(maps)
    return keras.Model(image, ScaledTanh(name="output")(maps), name="rrdb_lrfu")


def _fusion_block(maps: Any, *, width: int, name: str) -> Any:
    """Units one after the other, the block's input added to each (residual in residual); a 1x1 convolution fuses
    what all of them gave."""
    results = []
    current = maps
    for number in range(1, UNITS + 1):
        unit = f"{name}_unit_{number}"
        inner = _residual_unit(current, width=width, name=unit)
        current = layers.Add(name=f"{unit}_outer")([AdaptiveWeight(name=f"{unit}_outer_weight")(inner), maps])
        results.append(current)
    fused = layers.Concatenate(name=f"{name}_stages")(results)
    fused = layers.Conv2D(width, 1, name=f"{name}_fusion")(fused)
    return _weighted_sum(fused, maps, name=name)


def _residual_unit(maps: Any, *, width: int, name: str) -> Any:
    """AWSRN's unit: ``a * x + b * F(x)``, both weights learned; F widens, rectifies and narrows."""
    inner = layers.Conv2D(WIDENING * width, 3, padding="same", activation="relu", name=f"{name}_wide")(maps)
    inner = layers.Conv2D(width, 3, padding="same", name=f"{name}_narrow")(inner)
    return _weighted_sum(inner, maps, name=name)


def _weighted_sum(residual: Any, identity: Any, *, name: str) -> Any:
    weighted = [
        AdaptiveWeight(name=f"{name}_residual_weight")(residual),
        AdaptiveWeight(name=f"{name}_identity_weight")(identity),
    ]
    return layers.Add(name=f"{name}_sum")(weighted)
