"""How a TFLite file's numbers are stored: the kinds of quantisation, and the converter's settings for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pixelproof.errors import CallError, did_you_mean

QuantizeKind = Literal["none", "fp16", "dynamic", "int8", "int16x8"]
EndType = Literal["float32", "uint8", "int8", "int16"]
Image = npt.NDArray[np.float32]
Stream = Callable[[], Iterator[Image]]
"""Gives the calibration images from the first one on, each time it is called."""

QUANTIZE_KINDS: tuple[QuantizeKind, ...] = ("none", "fp16", "dynamic", "int8", "int16x8")
END_TYPES: tuple[EndType, ...] = ("float32", "uint8", "int8", "int16")

_ENDS: dict[str, tuple[str, ...]] = {
    "int8": ("float32", "uint8", "int8"),
    "int16x8": ("float32", "int16"),
}
_WEIGHT_BYTES = {"none": 4, "fp16": 2}
_ACTIVATIONS = {
    "int8": "TFLITE_BUILTINS_INT8",
    "int16x8": "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8",
}
_WAYS_OUT = {
    "fp16": "Leave out --quantize: float32 loses nothing.",
    "dynamic": "Use --quantize fp16.",
    "int8": "Calibrate with more images (--calibration-images), or use --quantize int16x8 or fp16.",
    "int16x8": "Calibrate with more images (--calibration-images), or use --quantize fp16.",
}


@dataclass(frozen=True)
class Quantization:
    """What is stored in fewer bits.

    Attributes:
        kind: ``none`` float32; ``fp16`` weights in 16 bit; ``dynamic`` weights in 8 bit, activations in float;
            ``int8`` both in 8 bit; ``int16x8`` activations in 16 bit, weights in 8.
        io: type of the file's input and output.

    Raises:
        CallError: no such kind or type, or ends that TFLite doesn't give this kind.
    """

    kind: QuantizeKind = "none"
    io: EndType = "float32"

    def __post_init__(self) -> None:
        if self.kind not in QUANTIZE_KINDS:
            remedy = did_you_mean(self.kind, QUANTIZE_KINDS)
            raise CallError("--quantize must be one of five", found=repr(self.kind), remedy=remedy)
        allowed = _ENDS.get(self.kind, ("float32",))
        if self.io not in allowed:
            kinds = [kind for kind, ends in _ENDS.items() if self.io in ends]
            remedy = f"{self.io} ends go with --quantize {' or '.join(kinds)}." if kinds else ""
            rule = f"Input and output with --quantize {self.kind} must be {' or '.join(allowed)}"
            raise CallError(rule, found=f"--io {self.io}", remedy=remedy)

    @property
    def calibrated(self) -> bool:
        """Whether the ranges of activations must be seen on images."""
        return self.kind in _ACTIVATIONS

    @property
    def passes(self) -> int:
        """How often the converter goes through the calibration images."""
        return {"int8": 1, "int16x8": 2}.get(self.kind, 0)

    @property
    def weight_bytes(self) -> int:
        """Bytes of a stored weight."""
        return _WEIGHT_BYTES.get(self.kind, 1)

    @property
    def way_out(self) -> str:
        """What to do where this kind loses too much."""
        return _WAYS_OUT.get(self.kind, "")


FLOAT = Quantization()


def configure(converter: Any, quantization: Quantization, calibration: Stream | None) -> None:
    """Set a ``tf.lite.TFLiteConverter`` up.

    Operations for which TFLite has no integer kernel stay in float between a DEQUANTIZE and a QUANTIZE: the
    converter does so with int8 by itself, and with int16x8 where the plain operations are allowed besides.

    Args:
        calibration: float32 images (1, height, width, channels) of one size; for the calibrated kinds.

    Raises:
        CallError: a calibrated kind without images.
    """
    from tensorflow.lite.python.lite import OpsSet, Optimize
    from tensorflow.python.framework.dtypes import as_dtype, float16

    builtins = [OpsSet.TFLITE_BUILTINS]
    converter.target_spec.supported_ops = builtins
    if quantization.kind == "none":
        return
    converter.optimizations = [Optimize.DEFAULT]
    if quantization.kind == "fp16":
        converter.target_spec.supported_types = [float16]
    elif quantization.calibrated:
        if calibration is None:
            raise CallError(f"--quantize {quantization.kind} needs calibration images", found="none")
        integers = getattr(OpsSet, _ACTIVATIONS[quantization.kind])
        converter.target_spec.supported_ops = [
            integers,
            *(builtins if quantization.kind == "int16x8" else ()),
        ]
        converter.representative_dataset = lambda: ([image] for image in calibration())
        converter.inference_input_type = converter.inference_output_type = as_dtype(quantization.io)
