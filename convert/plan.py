"""What a conversion is to make: formats, shapes, names; and the probes that prove it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pixelproof.contract import Contract
from pixelproof.convert.source import Ends, Shape
from pixelproof.errors import CallError, did_you_mean
from pixelproof.measure.formats import KINDS, Kind
from pixelproof.measure.parity import Size, probe_sizes, size_ladder
from pixelproof.models.checkpoints.locate import locate

DEFAULT_OPSET = 18

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
        shape: (1, height, width, channels), fixed in the TFLite file; None for the architecture's own.
        optimize_for: format in which exact speed-ups are timed; None to leave the graph as it is.
        options: of a registered architecture, by name; what is left out is read off the checkpoint.
    """

    model: str
    checkpoint: Path | None
    folder: Path
    formats: tuple[Kind, ...]
    shape: Shape | None
    ends: Ends
    opset: int = DEFAULT_OPSET
    allow_surplus: bool = False
    optimize_for: Kind | None = None
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def files(self) -> list[Path]:
        """Paths of the artifacts, in the order of writing."""
        return [self.folder / FILE_NAMES[kind] for kind in self.formats]

    @property
    def is_function(self) -> bool:
        """Whether the model is a function in the user's own file."""
        return ".py:" in self.model

    @property
    def is_registered(self) -> bool:
        """Whether the model is one of the registered architectures."""
        return not (self.is_function or self.is_keras_file)

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
        ladder: rungs of small uneven (height, width); every artifact is proven at the first rung that the source
            takes.
    """

    formats: tuple[Kind, ...]
    shape: Shape
    ends: Ends
    opset: int
    ladder: tuple[tuple[Size, ...], ...]

    def probes(self) -> list[list[Shape]]:
        """Shapes for the source: the small sizes of each rung, then the full one where TFLite is asked for."""
        full = [self.shape] if "tflite" in self.formats else []
        channels = self.shape[3]
        return [[(1, height, width, channels) for height, width in rung] + full for rung in self.ladder]


def check_files(request: Request) -> None:
    """Look at the named files before anything heavy is imported.

    Raises:
        CallError: a registered model without a checkpoint; a file or a function that is not there; options of
            an architecture for a model of the user's own.
        CheckpointError: nothing there, or half a checkpoint.
        InputError: the file of the function is no Python.
    """
    if request.options and not request.is_registered:
        remedy = "The model is built as its file says."
        found = ", ".join(request.options)
        raise CallError("Only a registered architecture takes its options", found=found, remedy=remedy)
    if request.is_function:
        from pixelproof.convert.file_source import split_reference

        split_reference(request.model)
    elif request.is_keras_file:
        if request.checkpoint is not None:
            remedy = "Leave it out."
            raise CallError("A .keras file brings its own weights", found="--ckpt as well", remedy=remedy)
        locate(Path(request.model))
    elif request.model.endswith(".py"):
        remedy = f"For example --model {request.model}:resnet."
        raise CallError("Own models are named FILE.py:FUNCTION", found=request.model, remedy=remedy)
    elif request.checkpoint is None:
        raise CallError(
            "A registered model needs its checkpoint", found="none", remedy="Give it with --ckpt."
        )
    if request.checkpoint is not None:
        locate(request.checkpoint)


def default_folder(model: str, checkpoint: Path | None) -> Path:
    """``models_converted/<checkpoint's name>``.

    Raises:
        CheckpointError: nothing there, or half a checkpoint.
    """
    if checkpoint is not None:
        name = locate(checkpoint).path.name
    else:
        name = Path(model.rpartition(".py:")[0] or model).name
    for ending in (".weights.h5", ".keras", ".h5", ".ckpt", ".pth", ".pt", ".safetensors"):
        name = name.removesuffix(ending)
    return Path("models_converted") / (name or "model")


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
    *, formats: tuple[Kind, ...], shape: Shape, ends: Ends, opset: int, contract: Contract | None
) -> Plan:
    """A plan that the architecture's contract allows.

    Args:
        contract: None for a user's own model, of which nothing is known.

    Raises:
        CallError: the shape has other channels, or a size that the architecture doesn't take.
    """
    if contract is None:
        return Plan(formats=formats, shape=shape, ends=ends, opset=opset, ladder=size_ladder())
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
    return Plan(formats=formats, shape=shape, ends=ends, opset=opset, ladder=(probe_sizes(contract),))
