"""Resize and Upsample.

Which input pixel an output pixel looks at is ONNX's `coordinate_transformation_mode` (onnx.ai/onnx/operators,
Resize). TensorFlow divides the two sizes where ONNX divides by the stated factor; where the input's side times the
factor is no whole number the two differ, so such sides are cut first, or refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pixelproof.convert.from_onnx import sizes
from pixelproof.convert.from_onnx.cubic import cubic_enlarged
from pixelproof.convert.from_onnx.node import Node, Translate, refuse
from pixelproof.convert.from_onnx.sizes import Side
from pixelproof.convert.from_onnx.values import Known, Value, image, known, numbers, of_image, raw

HALF = ("half_pixel", "pytorch_half_pixel")


def resize(node: Node) -> Value:
    """Resize, or Upsample, of height and width."""
    x = image(node.input(0))
    mode = node.text("mode", "nearest")
    place = "coordinate_transformation_mode"
    coordinates = node.text(place, "half_pixel" if node.op == "Resize" else "asymmetric")
    refuse(node.whole("antialias", 0) != 0, "antialias")
    refuse(
        "axes" in node.attributes and node.wholes("axes", ()) != (2, 3), "axes other than height and width"
    )
    refuse(node.text("keep_aspect_ratio_policy", "stretch") != "stretch", "keep_aspect_ratio_policy")
    refuse(coordinates not in (*HALF, "align_corners", "asymmetric"), f"{place} {coordinates}")
    refuse(mode not in ("nearest", "linear", "cubic"), f"mode {mode}")
    factors, target = _asked(node, x)
    if mode == "cubic":
        return of_image(cubic_enlarged(x, _whole(factors), coordinates, node.real("cubic_coeff_a", -0.75)))
    if mode == "linear":
        return of_image(_linear(x, factors, target, coordinates))
    rounding = node.text("nearest_mode", "round_prefer_floor" if node.op == "Resize" else "floor")
    return of_image(_nearest(x, factors, target, coordinates, rounding))


def _asked(node: Node, x: Any) -> tuple[tuple[float, float] | None, list[Any]]:
    """The stated factors, None where sizes are stated; and the sizes."""
    stated = node.optional(3) if node.op == "Resize" else None
    axes_only = "axes" in node.attributes
    if stated is not None and not (isinstance(stated, Known) and stated.array.size == 0):
        listed = known(stated, what="sizes")
        return None, listed if axes_only else _spatial(node, listed, x)
    given = node.optional(2) if node.op == "Resize" else node.optional(1)
    if isinstance(given, Known) and not given.is_numeric:
        factors = known(given, what="factors")
        refuse(True, f"{sum(isinstance(f, Side) for f in factors)} factors that the image's size decides")
    listed = [float(n) for n in numbers(given, what="factors").reshape(-1)]
    if not axes_only:
        refuse(len(listed) != 4 or listed[:2] != [1, 1], f"factors {listed}")
        listed = listed[2:]
    height, width = listed
    value = of_image(x)
    return (height, width), [_times(value.side(axis + 2), factor) for axis, factor in enumerate(listed)]


def _spatial(node: Node, listed: Sequence[Any], x: Any) -> list[Any]:
    refuse(len(listed) != 4, f"{len(listed)} sizes")
    channels = listed[1]
    refuse(isinstance(channels, Side) or channels != x.shape[3], "a change of the channels")
    return list(listed[2:])


def _times(side: int | Side, factor: float) -> int | Side:
    """Output side: the product, rounded down."""
    if factor == int(factor):
        return sizes.multiply(side, int(factor))  # type: ignore[return-value]
    over = _over(factor)
    if over is not None:
        return sizes.divide(side, over)  # type: ignore[return-value]
    if isinstance(side, Side):
        return Side(tf.cast(tf.floor(tf.cast(side.tensor, tf.float32) * np.float32(factor)), tf.int32))
    return int(np.floor(np.float32(side) * np.float32(factor)))


def _over(factor: float) -> int | None:
    """The whole number of which a factor is the inverse."""
    inverse = round(1 / factor) if factor > 0 else 0
    return inverse if inverse > 1 and abs(factor * inverse - 1) < 1e-6 else None


def _whole(factors: tuple[float, float] | None) -> tuple[int, int]:
    """Factors that are whole numbers.

    Raises:
        Untranslatable: they aren't, or sizes are stated.
    """
    refuse(factors is None, "mode cubic to stated sizes")
    assert factors is not None
    refuse(any(f != int(f) or f < 1 for f in factors), f"mode cubic by {factors[0]:g}x{factors[1]:g}")
    return int(factors[0]), int(factors[1])


def _linear(x: Any, factors: tuple[float, float] | None, target: Sequence[Any], coordinates: str) -> Any:
    if coordinates != "align_corners":
        x = _cut_to_factor(x, factors, target)
    return tf.raw_ops.ResizeBilinear(
        images=x,
        size=raw(target),
        align_corners=coordinates == "align_corners",
        half_pixel_centers=coordinates in HALF,
    )


def _cut_to_factor(x: Any, factors: tuple[float, float] | None, target: Sequence[Any]) -> Any:
    """Without the rows and columns that no output pixel looks at, so that the sizes have the stated ratio."""
    if factors is None:
        return x
    cuts: list[Any] = [slice(None)] * 4
    for axis, factor in enumerate(factors):
        side, over = x.shape[axis + 1], _over(factor)
        exact = factor == int(factor) or (side is not None and int(side) * factor == int(int(side) * factor))
        if exact:
            continue
        refuse(over is None, f"mode linear by {factor:g}")
        assert over is not None
        end = sizes.multiply(target[axis], over)
        cuts[axis + 1] = slice(None, end.tensor if isinstance(end, Side) else end)
    return x[tuple(cuts)] if any(cut != slice(None) for cut in cuts) else x


def _nearest(
    x: Any, factors: tuple[float, float] | None, target: Sequence[Any], coordinates: str, rounding: str
) -> Any:
    whole = factors is not None and all(f == int(f) and f >= 1 for f in factors)
    floors = coordinates == "asymmetric" and rounding == "floor"
    repeats = whole and (floors or (coordinates in HALF and rounding.startswith("round")))
    if factors is not None and all(_over(f) is not None or f == 1 for f in factors) and floors:
        steps = [_over(f) or 1 for f in factors]
        ends = [sizes.multiply(side, step) for side, step in zip(target, steps, strict=True)]
        limits = [end.tensor if isinstance(end, Side) else end for end in ends]
        return x[:, : limits[0] : steps[0], : limits[1] : steps[1], :]
    refuse(
        not repeats and not (floors and factors is None),
        f"mode nearest with {coordinates} and {rounding}"
        + ("" if factors is None else f" by {factors[0]:g}x{factors[1]:g}"),
    )
    return tf.raw_ops.ResizeNearestNeighbor(images=x, size=raw(target))


OPERATORS: dict[str, Translate] = {"Resize": resize, "Upsample": resize}
