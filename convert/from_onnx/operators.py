"""Which operators of ONNX are translated, and by what."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pixelproof.convert.from_onnx import (
    activations,
    arithmetic,
    convolutions,
    layout,
    normalisations,
    pooling,
    products,
    resizes,
    shapes,
    shuffles,
    slices,
)
from pixelproof.convert.from_onnx.node import Translate

OPERATORS: Mapping[str, Translate] = MappingProxyType(
    {
        **convolutions.OPERATORS,
        **pooling.OPERATORS,
        **activations.OPERATORS,
        **arithmetic.OPERATORS,
        **normalisations.OPERATORS,
        **products.OPERATORS,
        **layout.OPERATORS,
        **shuffles.OPERATORS,
        **slices.OPERATORS,
        **shapes.OPERATORS,
        **resizes.OPERATORS,
    }
)

FOLDED = frozenset({"Constant", "ConstantOfShape", "EyeLike", "Range", "OneHot", "Trilu"})
"""Operators that are computed ahead where their inputs are constants, and that have no translation else."""

NEVER_FOLDED = frozenset(
    {
        "Bernoulli",
        "If",
        "Loop",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
        "Scan",
    }
)
"""Operators whose result is no constant even where their inputs are."""
