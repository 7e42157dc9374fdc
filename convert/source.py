"""What artifacts are made from: one frozen graph, and the un-exported source's own outputs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from pixelproof.errors import CallError, InputError
from pixelproof.measure.parity import probe_image
from pixelproof.measure.protocol import Array
from pixelproof.models.checkpoints.report import CheckpointReport

if TYPE_CHECKING:
    import keras


Shape = tuple[int, int, int, int]
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_NODE_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.-]*(/[A-Za-z0-9_.-]+)*")


@dataclass(frozen=True)
class Ends:
    """Node names of the artifacts' input and output, and whether the output is clipped to [0, 1].

    Raises:
        CallError: the two names are one, or none that TensorFlow takes.
    """

    input_name: str = "input"
    output_name: str = "output"
    clip: bool = False

    def __post_init__(self) -> None:
        for option, name in (("--input-name", self.input_name), ("--output-name", self.output_name)):
            if not _NODE_NAME.fullmatch(name):
                remedy = "Letters, digits and _ . / - are; no :0 behind it."
                rule = f"{option} must be a name that TensorFlow takes"
                raise CallError(rule, found=repr(name), remedy=remedy)
        if self.input_name == self.output_name:
            raise CallError("Input and output must have two names", found=repr(self.input_name))


@dataclass(frozen=True)
class Source:
    """A source ready for export.

    Attributes:
        label: for people.
        graph: frozen GraphDef with the ends named.
        channels: of the input.
        outputs: the source's own output for each probe, computed before anything was exported.
        weights: what was read from the checkpoint; None where the source brought its own weights.
        shapes: of the probes, in the order of ``outputs``.
    """

    label: str
    graph: Any
    channels: int
    outputs: tuple[Array, ...]
    weights: CheckpointReport | None
    shapes: tuple[Shape, ...] = ()


def run_probes(
    call: Callable[[Array], Array], probes: Sequence[Sequence[Shape]]
) -> tuple[tuple[Shape, ...], tuple[Array, ...]]:
    """The outputs of a model at the first rung of shapes of which it takes every one.

    Args:
        call: the model; raises an error at a size that it doesn't take.
        probes: rungs of shapes (1, height, width, channels); `probe_image` makes the inputs.

    Returns:
        The shapes of that rung, and the outputs; both empty where no rung is given.

    Raises:
        CallError: it takes none of the rungs, or doesn't give one float32 image.
    """
    import tensorflow as tf

    refusals: list[tuple[int, Shape, Exception]] = []
    for rung in probes:
        outputs: list[Array] = []
        for shape in rung:
            try:
                outputs.append(_image(call(probe_image(*shape[1:]))))
            except (ValueError, tf.errors.OpError) as error:
                refusals.append((len(outputs), shape, error))
                break
        else:
            return tuple(rung), tuple(outputs)
    if not refusals:
        return (), ()
    _, shape, refusal = max(refusals, key=lambda item: item[0])
    raise CallError(
        "The model must run at the sizes at which it is proven",
        found=f"at {shape[1]}x{shape[2]}: {one_line(refusal)}",
        remedy="Small sizes are tried up to multiples of 64; the last one is --input-shape.",
    ) from refusal


def one_line(error: BaseException, limit: int = 300) -> str:
    """What an error says, without colours and line breaks, cut to a readable length."""
    said = str(getattr(error, "message", "") or error)
    return " ".join(_COLOUR.sub("", said).split())[:limit] or type(error).__name__


def _image(output: Array) -> Array:
    if output.dtype != np.float32 or output.ndim != 4:
        found = f"{output.dtype.name} of shape {output.shape}"
        raise CallError("A model must give one float32 image batch of four dimensions", found=found)
    return output


def registered_source(
    name: str,
    checkpoint: Path,
    *,
    probes: Sequence[Sequence[Shape]],
    ends: Ends,
    allow_surplus: bool,
    options: Mapping[str, object] = MappingProxyType({}),
) -> Source:
    """A registered architecture with a checkpoint's weights.

    Args:
        options: of the architecture, by name; what is left out is read off the checkpoint.

    Raises:
        CallError: no such architecture, or no such option.
        CheckpointError: the weights don't fit.
    """
    from pixelproof.models import registry
    from pixelproof.models.checkpoints.loading import load_checkpoint
    from pixelproof.models.checkpoints.options import options_for

    chosen = options_for(name, checkpoint, options)
    model = registry.create(name, **chosen)
    report = load_checkpoint(model, checkpoint, model_name=name, allow_surplus=allow_surplus)
    told = f" ({', '.join(f'{key}={value}' for key, value in sorted(chosen.items()))})" if chosen else ""
    label = f"{name}{told} with {checkpoint.name}"
    return keras_source(model, label=label, weights=report, probes=probes, ends=ends)


def keras_file_source(path: Path, *, probes: Sequence[Sequence[Shape]], ends: Ends) -> Source:
    """A model that a user saved as ``.keras``, with its weights; code in the file is not run.

    Raises:
        InputError: Keras can't read it.
    """
    import keras

    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError, TypeError, KeyError, AttributeError, ImportError, BadZipFile) as error:
        found = f"{path}: {one_line(error)}"
        remedy = "Models with own layers: give the function instead, --model FILE.py:FUNCTION."
        raise InputError(
            "A Keras file must hold a model of known layers", found=found, remedy=remedy
        ) from error
    return keras_source(model, label=path.name, weights=None, probes=probes, ends=ends)


def keras_source(
    model: keras.Model,
    *,
    label: str,
    weights: CheckpointReport | None,
    probes: Sequence[Sequence[Shape]],
    ends: Ends,
) -> Source:
    """Any Keras model of one image to one image.

    Args:
        probes: rungs of shapes, as for `run_probes`.

    Raises:
        CallError: several inputs or outputs, not an image model, other channels than the probes, or sizes that it
            doesn't take.
        InputError: it can't be traced with open height and width.
    """
    import tensorflow as tf

    from pixelproof.convert.frozen_graph import freeze_function, tidy

    channels = image_channels(model)
    asked = {shape[3] for rung in probes for shape in rung} - {channels}
    if asked:
        remedy = f"Use --input-shape 1,HEIGHT,WIDTH,{channels}."
        raise CallError(f"Input must have {channels} channels", found=str(asked.pop()), remedy=remedy)
    spec = tf.TensorSpec((1, None, None, channels), tf.float32, name="x")
    traced = tf.function(lambda x: model(x, training=False), autograph=False)
    try:
        function = traced.get_concrete_function(spec)
    except (TypeError, ValueError, AttributeError, NotImplementedError, tf.errors.OpError) as error:
        raise InputError(
            "The model must run with open height and width",
            found=one_line(error),
            remedy=size_hint(error),
        ) from error
    # Eagerly, layer by layer: a traced function runs through the graph optimiser that the .pb runs through too, and
    # would share its faults. TensorFlow 2.21 fuses convolution, bias, addition and leaky ReLU into one whose slope
    # is 0.2 whatever was asked for.
    shapes, outputs = run_probes(
        lambda x: clipped(np.asarray(model(tf.constant(x), training=False)), ends), probes
    )
    frozen, input_tensor, output_tensor = freeze_function(function)
    graph = tidy(
        frozen,
        input_tensor=input_tensor,
        output_tensor=output_tensor,
        input_name=ends.input_name,
        output_name=ends.output_name,
        clip=ends.clip,
    )
    return Source(
        label=label, graph=graph, channels=channels, outputs=outputs, weights=weights, shapes=shapes
    )


def size_hint(error: BaseException) -> str:
    """The way out where a layer decides in Python by sizes that are still open."""
    if "symbolic" not in str(error):
        return ""
    return (
        "One of its layers decides in Python by the image's size; Keras's own UpSampling2D does so with any "
        "interpolation but nearest. Write that step with tf.image.resize in a layer of your own."
    )


def image_channels(model: keras.Model) -> int:
    """Channels of a model's input.

    Raises:
        CallError: the model is not one image in, one image out.
    """
    rule = "A model must take one image and give one"
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs or not outputs:
        remedy = "Build it of keras.Input((None, None, channels)) and layers: keras.Model(image, result)."
        raise CallError(rule, found="a model that doesn't say its input and output", remedy=remedy)
    if len(inputs) != 1 or len(outputs) != 1:
        raise CallError(rule, found=f"{len(inputs)} inputs and {len(outputs)} outputs")
    shape = tuple(inputs[0].shape)
    if len(shape) != 4 or shape[-1] is None:
        raise CallError(rule, found=f"an input of shape {shape}", remedy="Use Input((None, None, 3)).")
    if shape[1] is not None or shape[2] is not None:
        remedy = "Build it with Input((None, None, channels)); submissions must take any size."
        raise CallError("A model must leave height and width open", found=f"{shape}", remedy=remedy)
    return int(shape[-1])


def clipped(output: Array, ends: Ends) -> Array:
    """The reference as the artifact is to give it."""
    return np.clip(output, 0.0, 1.0) if ends.clip else output
