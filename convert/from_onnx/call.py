"""What the command line asks of ``convert-onnx``, looked at before anything heavy is imported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelproof.convert.from_onnx.importer import Described
from pixelproof.convert.plan import parse_formats
from pixelproof.convert.source import Ends, Shape
from pixelproof.errors import ArtifactError, CallError
from pixelproof.measure.formats import Kind, detect_kind


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Attributes:
        formats: None for ``pb``, and ``tflite`` where its size is known.
        shape: (1, height, width, channels) of the TFLite file; None where none was given.
    """

    path: Path
    folder: Path
    formats: tuple[Kind, ...] | None
    shape: Shape | None
    ends: Ends


def check_model(path: Path) -> None:
    """Go on with an .onnx file only.

    Raises:
        ArtifactError: missing, empty, or of another format.
    """
    kind = detect_kind(path)
    if kind == "onnx":
        return
    remedies = {
        "pb": "It is frozen already: pb2tflite makes TFLite of it.",
        "savedmodel": "A SavedModel is judged as it is.",
        "tflite": "A TFLite file is judged as it is.",
    }
    raise ArtifactError("convert-onnx takes an .onnx file", found=str(path), remedy=remedies[kind])


def wanted_formats(text: str | None) -> tuple[Kind, ...] | None:
    """The formats that were asked for; None where none were.

    Raises:
        CallError: an unknown format, or ONNX itself.
    """
    formats = None if text is None else parse_formats(text)
    if formats is not None and "onnx" in formats:
        raise CallError(
            "An .onnx is converted to other formats", found="onnx", remedy="Choices: pb, tflite, savedmodel."
        )
    return formats


def chosen_formats(request: Request, described: Described) -> tuple[Kind, ...]:
    """The formats to write.

    Raises:
        CallError: one can't be written of this file, or not in the shape that was asked for.
    """
    fixed = None not in described.shape
    if request.shape is not None:
        _check_shape(request.shape, described)
    if request.formats is None:
        return ("pb", "tflite") if fixed or request.shape is not None else ("pb",)
    if "tflite" in request.formats and not fixed and request.shape is None:
        remedy = f"For example --input-shape 1,720,1280,{described.shape[3]}."
        raise CallError("A TFLite file needs a size", found="no --input-shape", remedy=remedy)
    if "savedmodel" in request.formats and described.shape[1:3] != (None, None):
        remedy = "Leave it out, or export the .onnx with open height and width."
        found = f"an .onnx for images {size_of(described.shape)}"
        raise CallError("A SavedModel takes any size", found=found, remedy=remedy)
    return request.formats


def _check_shape(shape: Shape, described: Described) -> None:
    if any(n is not None and n != asked for n, asked in zip(described.shape, shape, strict=True)):
        wanted = ",".join("ANY" if n is None else str(n) for n in described.shape)
        found = ",".join(map(str, shape))
        remedy = "Batch, height, width, channels; an .onnx exported with open sides takes any."
        raise CallError(
            f"--input-shape must be one that the .onnx takes: {wanted}", found=found, remedy=remedy
        )


def told(request: Request, described: Described) -> str:
    """What the file is, in one line."""
    return (
        f"{request.path.name}: opset {described.opset}, {described.nodes:,} nodes, "
        f"{described.parameters:,} parameters; images {size_of(described.shape)} with {described.shape[3]} "
        f"channels, {described.layout}"
    )


def size_of(shape: Sequence[int | None]) -> str:
    """Height and width in words."""
    if shape[1] is None and shape[2] is None:
        return "of any size"
    return "of " + "x".join("any" if n is None else str(n) for n in shape[1:3])
