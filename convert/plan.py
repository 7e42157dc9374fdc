"""What a conversion is to make: formats, shapes, names; and the probes that prove it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pixelproof.contract import Contract
from pixelproof.convert.source import Ends
from pixelproof.errors import CallError, did_you_mean
from pixelproof.measure.formats import KINDS, Kind
from pixelproof.measure.parity import probe_image, probe_sizes
from pixelproof.measure.protocol import Array

FILE_NAMES: dict[Kind, str] = {
    "pb": "model.pb",
    "savedmodel": "saved_model",
    "tflite": "model.tflite",
    "onnx": "model.onnx",
}


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Attributes:
        model: a registered name, ``FILE.py:FUNCTION`` or a ``.keras`` file.
        checkpoint: None only where the model brings its own weights.
        folder: where the artifacts go.
        shape: (1, height, width, channels), fixed in the TFLite file.
    """

    model: str
    checkpoint: Path | None
    folder: Path
    formats: tuple[Kind, ...]
    shape: tuple[int, int, int, int]
    ends: Ends
    opset: int = 18
    allow_surplus: bool = False

    @property
    def files(self) -> list[Path]:
        """Paths of the artifacts, in the order of writing."""
        return [self.folder / FILE_NAMES[kind] for kind in self.formats]

    @property
    def is_function(self) -> bool:
        """Whether the model is a function in the user's own file."""
        return ".py:" in self.model

    @property
    def is_keras_file(self) -> bool:
        """Whether the model is a Keras file of the user's."""
        return self.model.endswith(".keras")


@dataclass(frozen=True)
class Plan:
    """One conversion.

    Attributes:
        formats: which artifacts are written.
        shape: (1, height, width, channels) that is fixed in the TFLite file.
        small_sizes: uneven (height, width) at which every artifact is proven.
        tflite_odd_size: size of the second, throw-away TFLite conversion.
    """

    formats: tuple[Kind, ...]
    shape: tuple[int, int, int, int]
    ends: Ends
    opset: int
    small_sizes: tuple[tuple[int, int], ...]

    @property
    def tflite_odd_size(self) -> tuple[int, int]:
        """The first of the small sizes."""
        return self.small_sizes[0]

    def probes(self) -> list[Array]:
        """Inputs for the source: the small sizes, then the full shape where TFLite is asked for."""
        sizes = list(self.small_sizes)
        if "tflite" in self.formats:
            sizes.append((self.shape[1], self.shape[2]))
        return [probe_image(height, width, self.shape[3]) for height, width in sizes]


def default_folder(model: str, checkpoint: Path | None) -> Path:
    """``models_converted/<checkpoint's name>``."""
    name = checkpoint.name if checkpoint is not None else Path(model.split(":")[0]).name
    for ending in (".index", ".meta", ".weights.h5", ".keras", ".h5", ".ckpt", ".py"):
        name = name.removesuffix(ending)
    return Path("models_converted") / (name.split(".data-")[0].removesuffix(".ckpt") or "model")


def parse_formats(text: str) -> tuple[Kind, ...]:
    """``"pb,onnx"`` as kinds, in the order in which they are written.

    Raises:
        CallError: an unknown format.
    """
    asked = [part.strip().lower() for part in text.split(",") if part.strip()]
    aliases = {"saved_model": "savedmodel", "saved-model": "savedmodel", "frozen": "pb"}
    named = [aliases.get(part, part) for part in asked]
    for part in named:
        if part not in KINDS:
            raise CallError(
                "--format must name formats", found=repr(part), remedy=did_you_mean(part, list(KINDS))
            )
    if not named:
        raise CallError("--format must name formats", found="none", remedy=f"Choices: {', '.join(KINDS)}.")
    return tuple(kind for kind in KINDS if kind in named)


def make_plan(
    *, formats: tuple[Kind, ...], shape: tuple[int, int, int, int], ends: Ends, opset: int, contract: Contract
) -> Plan:
    """A plan that the architecture's contract allows.

    Raises:
        CallError: the shape has other channels, or a size that the architecture doesn't take.
    """
    _, height, width, channels = shape
    if channels != contract.channels[0]:
        remedy = f"Use --input-shape 1,{height},{width},{contract.channels[0]}."
        raise CallError(
            f"Input must have {contract.channels[0]} channels", found=str(channels), remedy=remedy
        )
    if not contract.allows(height, width):
        m, least = contract.size_multiple, contract.minimum_size
        near = tuple(max(-(-least // m), round(n / m)) * m for n in (height, width))
        remedy = f"The nearest size is {near[0]}x{near[1]}."
        rule = f"Height and width must be multiples of {m} and at least {least}"
        raise CallError(rule, found=f"{height}x{width}", remedy=remedy)
    return Plan(
        formats=formats,
        shape=shape,
        ends=ends,
        opset=opset,
        small_sizes=probe_sizes(contract),
    )
