"""What artifacts are made from: one frozen graph, and the un-exported source's own outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pixelproof.errors import CallError, InputError
from pixelproof.measure.protocol import Array
from pixelproof.models.checkpoints.report import CheckpointReport

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Ends:
    """Node names of the artifacts' input and output, and whether the output is clipped to [0, 1]."""

    input_name: str = "input"
    output_name: str = "output"
    clip: bool = False


@dataclass(frozen=True)
class Source:
    """A source ready for export.

    Attributes:
        label: for people.
        graph: frozen GraphDef with the ends named.
        channels: of the input.
        outputs: the source's own output for each probe, computed before anything was exported.
        weights: what was read from the checkpoint; None where the source brought its own weights.
    """

    label: str
    graph: Any
    channels: int
    outputs: tuple[Array, ...]
    weights: CheckpointReport | None


def registered_source(
    name: str, checkpoint: Path, *, probes: Sequence[Array], ends: Ends, allow_surplus: bool
) -> Source:
    """A registered architecture with a checkpoint's weights.

    Raises:
        CallError: no such architecture.
        CheckpointError: the weights don't fit.
    """
    from pixelproof.models import registry
    from pixelproof.models.checkpoints.loading import load_checkpoint

    model = registry.create(name)
    report = load_checkpoint(model, checkpoint, model_name=name, allow_surplus=allow_surplus)
    label = f"{name} with {checkpoint.name}"
    return keras_source(model, label=label, weights=report, probes=probes, ends=ends)


def keras_file_source(path: Path, *, probes: Sequence[Array], ends: Ends) -> Source:
    """A model that a user saved as ``.keras``, with its weights; code in the file is not run.

    Raises:
        InputError: Keras can't read it.
    """
    import keras

    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError, TypeError, KeyError) as error:
        found = f"{path}: {str(error).splitlines()[0][:200]}"
        remedy = "Models with own layers: give the function instead, --model FILE.py:FUNCTION."
        raise InputError(
            "A Keras file must hold a model of known layers", found=found, remedy=remedy
        ) from error
    return keras_source(model, label=path.name, weights=None, probes=probes, ends=ends)


def keras_source(
    model: keras.Model, *, label: str, weights: CheckpointReport | None, probes: Sequence[Array], ends: Ends
) -> Source:
    """Any Keras model of one image to one image.

    Args:
        probes: float32 (1, height, width, channels).

    Raises:
        CallError: several inputs or outputs, or not an image model.
    """
    import tensorflow as tf

    from pixelproof.convert.frozen_graph import freeze_function, tidy

    channels = image_channels(model)
    spec = tf.TensorSpec((1, None, None, channels), tf.float32, name="x")
    function = tf.function(lambda x: model(x, training=False), autograph=False).get_concrete_function(spec)
    frozen, input_tensor, output_tensor = freeze_function(function)
    graph = tidy(
        frozen,
        input_tensor=input_tensor,
        output_tensor=output_tensor,
        input_name=ends.input_name,
        output_name=ends.output_name,
        clip=ends.clip,
    )
    outputs = tuple(clipped(np.asarray(function(tf.constant(x))), ends) for x in probes)
    return Source(label=label, graph=graph, channels=channels, outputs=outputs, weights=weights)


def image_channels(model: keras.Model) -> int:
    """Channels of a model's input.

    Raises:
        CallError: the model is not one image in, one image out.
    """
    rule = "A model must take one image and give one"
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise CallError(rule, found=f"{len(model.inputs)} inputs and {len(model.outputs)} outputs")
    shape = tuple(model.inputs[0].shape)
    if len(shape) != 4 or shape[-1] is None:
        raise CallError(rule, found=f"an input of shape {shape}", remedy="Use Input((None, None, 3)).")
    if shape[1] is not None or shape[2] is not None:
        remedy = "Build it with Input((None, None, channels)); submissions must take any size."
        raise CallError("A model must leave height and width open", found=f"{shape}", remedy=remedy)
    return int(shape[-1])


def clipped(output: Array, ends: Ends) -> Array:
    """The reference as the artifact is to give it."""
    return np.clip(output, 0.0, 1.0) if ends.clip else output
