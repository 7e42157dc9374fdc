"""The options of TFLite's operations: the numbers that kernels divide by, count with or choose code by.

Kernels and delegates trust some of them: LiteRT 2.3 crashes for a SPLIT whose ``num_splits`` isn't the number of its
outputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TypeGuard

from pixelproof.measure.scan.findings import Finding
from pixelproof.measure.scan.flatbuffer import Record

_WINDOW = ("stride_w", "stride_h")
_DILATION = ("dilation_w_factor", "dilation_h_factor")
_FILTER = ("filter_width", "filter_height")

_POSITIVE: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "AVERAGE_POOL_2D": ("Pool2DOptions", _WINDOW + _FILTER),
        "CONV_2D": ("Conv2DOptions", _WINDOW + _DILATION),
        "CONV_3D": ("Conv3DOptions", ("stride_d", "dilation_d_factor", *_WINDOW, *_DILATION)),
        "CONV_3D_TRANSPOSE": ("Conv3DOptions", ("stride_d", "dilation_d_factor", *_WINDOW, *_DILATION)),
        "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", _WINDOW + _DILATION),
        "DEPTH_TO_SPACE": ("DepthToSpaceOptions", ("block_size",)),
        "L2_POOL_2D": ("Pool2DOptions", _WINDOW + _FILTER),
        "MAX_POOL_2D": ("Pool2DOptions", _WINDOW + _FILTER),
        "SPACE_TO_DEPTH": ("SpaceToDepthOptions", ("block_size",)),
        "TRANSPOSE_CONV": ("TransposeConvOptions", _WINDOW),
    }
)

_COUNTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "PACK": ("PackOptions", "values_count"),
        "SPLIT": ("SplitOptions", "num_splits"),
        "SPLIT_V": ("SplitVOptions", "num_splits"),
        "UNPACK": ("UnpackOptions", "num"),
    }
)

_CHOICES: Mapping[str, int] = MappingProxyType({"padding": 2, "fused_activation_function": 6, "mode": 2})
"""How many values the schema's enumerations have."""

_LARGEST = 2**16


def option_findings(name: str, record: Record, *, inputs: int, outputs: int) -> Iterator[Finding]:
    """What is wrong with an operator's options.

    Args:
        name: of the operation.
        inputs, outputs: how many tensors it takes and gives.
    """
    options = record.row("builtin_options")
    kind, fields = _POSITIVE.get(name, ("", ()))
    if fields and not (_is(options, kind) and all(0 < options.int(field) <= _LARGEST for field in fields)):
        rule = "Strides, dilations, windows and blocks must be stated, and at least 1"
        yield Finding(rule, "others", name)
    kind, field = _COUNTS.get(name, ("", ""))
    if field and not (_is(options, kind) and options.int(field) == (inputs if name == "PACK" else outputs)):
        yield Finding("Operators must state how many tensors they split or stack", "another number", name)
    if options is not None:
        wrong = [
            field
            for field, count in _CHOICES.items()
            if field in options and not 0 <= options.int(field) < count
        ]
        if wrong:
            yield Finding("Options must have values that TFLite knows", "others", f"{wrong[0]} of {name}")


def _is(options: Record | None, kind: str) -> TypeGuard[Record]:
    return options is not None and options.kind == kind
