"""What a model's tensors must look like: names, channels, scale, sizes, ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pixelproof.errors import CallError


@dataclass(frozen=True)
class Contract:
    """The interface that a track demands of a model, or that an architecture offers.

    Attributes:
        input, output: tensor names, as in ``input:0``.
        channels: of the input and of the output.
        scale: output size over input size, in height and width alike.
        warn_range: (low, high) that output values should keep to.
        fail_range: (low, high) beyond which the model is taken to be made for another range.
        any_resolution: whether any height and width must be accepted.
        minimum_size: smallest height and width that the architecture allows.
        size_multiple: height and width must be multiples of this.
        fixed_size: (height, width) of the input that the file must state, where the rules fix one.
        layouts: orders of the dimensions that an .onnx may have; the other formats are always NHWC.
        dtypes: types that the two ends may have; whole numbers stand for [0, 1] by the file's own quantisation.
    """

    input: str = "input:0"
    output: str = "output:0"
    channels: tuple[int, int] = (3, 3)
    scale: int = 1
    warn_range: tuple[float, float] = (0.0, 1.0)
    fail_range: tuple[float, float] = (-0.25, 1.25)
    any_resolution: bool = True
    minimum_size: int = 1
    size_multiple: int = 1
    fixed_size: tuple[int, int] | None = None
    layouts: tuple[Literal["NHWC", "NCHW"], ...] = ("NHWC",)
    dtypes: tuple[str, ...] = ("float32",)

    def allows(self, height: int, width: int) -> bool:
        """Whether the architecture takes an input of this size."""
        return min(height, width) >= self.minimum_size and not (
            height % self.size_multiple or width % self.size_multiple
        )


def parse_shape(text: str) -> tuple[int, int, int, int]:
    """``"1,720,1280,3"`` as (batch, height, width, channels).

    Raises:
        CallError: not four positive whole numbers, or a batch other than 1.
    """
    parts = text.replace("x", ",").replace(" ", ",").strip("[](),").split(",")
    remedy = "Write it as batch,height,width,channels, for example 1,720,1280,3."
    try:
        numbers = [int(part) for part in parts if part]
    except ValueError:
        raise CallError("A shape must be whole numbers", found=repr(text), remedy=remedy) from None
    if len(numbers) != 4 or min(numbers) < 1:
        raise CallError("A shape must be four positive whole numbers", found=repr(text), remedy=remedy)
    if numbers[0] != 1:
        raise CallError("The batch of a submission is 1", found=repr(text), remedy=remedy)
    return numbers[0], numbers[1], numbers[2], numbers[3]
