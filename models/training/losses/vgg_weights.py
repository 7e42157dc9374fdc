"""The convolutions of a VGG-19, whatever file they are from, and what they must be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelproof.errors import CheckpointError, RecipeError, did_you_mean

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]
Pairs = Mapping[str, tuple[Array, Array]]

BLOCKS = (2, 2, 4, 4, 4)
CONVOLUTIONS = tuple(
    f"conv{block}_{place}" for block, count in enumerate(BLOCKS, 1) for place in range(1, count + 1)
)
LAYERS = tuple(kind + name.removeprefix("conv") for name in CONVOLUTIONS for kind in ("conv", "relu"))
MAXIMUM_CHANNELS = 1024  # twice what VGG-19 has: a file that says more is no VGG-19, and isn't read
IMAGENET_MEAN = (123.68, 116.779, 103.939)


@dataclass(frozen=True)
class Convolution:
    """One convolution.

    Attributes:
        name: as in the paper's naming, ``conv1_1``.
        kernel: float32, (3, 3, inputs, outputs).
        bias: float32, (outputs,).
    """

    name: str
    kernel: Float32
    bias: Float32


@dataclass(frozen=True)
class VggWeights:
    """The convolutions up to a layer, for RGB input.

    Attributes:
        convolutions: the first ones of `CONVOLUTIONS`, in order.
        mean: of the pictures that it was trained on, red, green, blue, on 0..255; taken off the input.
    """

    convolutions: tuple[Convolution, ...]
    mean: tuple[float, float, float]


def convolutions_up_to(layer: str) -> tuple[str, ...]:
    """Names of the convolutions that a layer's features need.

    Args:
        layer: ``conv1_1`` to ``conv5_4``, or ``relu1_1`` to ``relu5_4``.

    Raises:
        RecipeError: no such layer.
    """
    if layer not in LAYERS:
        near = did_you_mean(layer, LAYERS).partition(" Choices:")[0]
        choices = "Choices: conv1_1 to conv5_4 and relu1_1 to relu5_4."
        raise RecipeError(
            "content.layer must name a layer of VGG-19",
            found=layer,
            remedy=f"{near} {choices}" if near.startswith("Did") else choices,
        )
    return CONVOLUTIONS[: CONVOLUTIONS.index(layer.replace("relu", "conv")) + 1]


def checked(pairs: Pairs, names: tuple[str, ...], path: Path) -> tuple[Convolution, ...]:
    """Convolutions that follow one another from RGB on, as float32.

    Args:
        pairs: kernel (3, 3, inputs, outputs) and bias (outputs,) by name.
        names: which of them, in order.
        path: of the file, for messages.

    Raises:
        CheckpointError: one is of another shape, no floating-point number or not finite.
    """
    convolutions, inputs = [], 3
    for name in names:
        kernel, bias = pairs[name]
        check_shapes(name, kernel.shape, bias.shape, path, inputs=inputs)
        inputs = kernel.shape[-1]
        convolutions.append(Convolution(name, _float32(kernel, name, path), _float32(bias, name, path)))
    return tuple(convolutions)


def check_shapes(
    name: str, kernel: tuple[int, ...], bias: tuple[int, ...], path: Path, *, inputs: int | None = None
) -> None:
    """Hold a convolution's shapes against VGG-19's, whose widths may be others.

    Args:
        name: of the convolution.
        kernel, bias: their shapes.
        path: of the file, for messages.
        inputs: channels that go in; None where they aren't known yet.

    Raises:
        CheckpointError: they don't fit.
    """
    fits = len(kernel) == 4 and kernel[:2] == (3, 3) and bias == (kernel[3],)
    fits = fits and (inputs is None or kernel[2] == inputs)
    if not fits or not all(0 < channels <= MAXIMUM_CHANNELS for channels in kernel[2:]):
        wanted = "inputs" if inputs is None else inputs
        raise CheckpointError(
            f"{name} of VGG-19 must have a kernel of (3, 3, {wanted}, outputs) and as many biases as outputs",
            found=f"{kernel} and {bias} in {path}",
        )


def missing(names: list[str], path: Path) -> CheckpointError:
    """The error for a file without some of VGG-19's convolutions."""
    listed = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return CheckpointError(
        f"The file must hold the {len(CONVOLUTIONS)} convolutions of VGG-19",
        found=f"{path} without {listed}",
        remedy="Give imagenet-vgg-verydeep-19.mat, or a Keras file of keras.applications.VGG19.",
    )


def unreadable(path: Path, error: BaseException, what: str) -> CheckpointError:
    """The error for a damaged file."""
    said = str(error).strip().splitlines()
    found = f"{path}: {said[0][:200] if said else type(error).__name__}"
    return CheckpointError(f"{what} must be readable", found=found, remedy="Fetch the file again.")


def _float32(array: Array, name: str, path: Path) -> Float32:
    if array.dtype.kind != "f":
        found = f"{array.dtype} in {name} of {path}"
        raise CheckpointError("Weights must be floating-point numbers", found=found)
    with np.errstate(over="ignore"):
        converted = np.ascontiguousarray(array, dtype=np.float32)
    if not np.isfinite(converted).all():
        found = f"NaN or infinite in {name} of {path}"
        raise CheckpointError("Weights must be finite float32 numbers", found=found)
    return converted
