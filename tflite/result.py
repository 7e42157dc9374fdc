"""What a conversion to TFLite came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pixelproof.measure.parity import ParityRow
from pixelproof.tflite.quality import Quality
from pixelproof.tflite.quantize import Quantization
from pixelproof.tflite.weights import Weights

Shape = tuple[int, int, int, int]


@dataclass(frozen=True)
class Converted:
    """A TFLite file and its proof.

    Attributes:
        path: where it is written; only if it passed.
        input_name, output_name: tensors of the graph between which it was converted.
        rows: of the float file, at its own shape and at small uneven ones; a quantised file's float file was made
            on the way only.
        shape: the file's; of a variable one, its channels and the size at which it was proven.
        variable: whether height and width are left open.
        quality: what quantising costs; None for a float file, and where that failed already.
        weights: what the file holds of them.
        size_bytes: of the file.
        calibration_images: how many showed the ranges of its activations.
        float_operations: by name, how many operations of an int8 or int16x8 file stay in float.
        convert_s, prove_s: seconds that converting, with reading the graph, and all the rest took.
    """

    path: Path
    input_name: str
    output_name: str
    rows: tuple[ParityRow, ...]
    shape: Shape
    variable: bool
    quantization: Quantization
    weights: Weights
    size_bytes: int
    convert_s: float
    prove_s: float = 0.0
    quality: Quality | None = None
    calibration_images: int = 0
    float_operations: Mapping[str, int] = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        """Whether the float file computes the graph's picture."""
        return all(row.passed for row in self.rows)

    @property
    def passed(self) -> bool:
        """Whether the file computes the same picture, or a quantised one within its budget."""
        if self.quantization.kind == "none":
            return self.equal
        return self.equal and self.quality is not None and self.quality.passed
