"""The figures that the challenge's training script measures on the validation pairs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pixelproof.errors import CallError
from pixelproof.models.training.data.training_data import Sample

if TYPE_CHECKING:
    import keras

    from pixelproof.models.training.losses.terms import Term

Images = npt.NDArray[Any]


@dataclass(frozen=True)
class Figures:
    """Means over batches; NaN for what isn't in the loss, or can't be measured at this size.

    Attributes:
        loss: the whole one, weighted.
        content, mse: without their weights.
        psnr_db: of each batch's mean squared error, outputs not clipped: not the mean of the images' PSNR.
        ms_ssim: ``tf.image.ssim_multiscale``'s; from 161 pixels a side on.
    """

    loss: float
    content: float
    mse: float
    psnr_db: float
    ms_ssim: float


def measure(
    model: keras.Model, samples: Sequence[Sample], terms: Sequence[Term], *, batch_size: int
) -> Figures:
    """Run a model over pairs, in batches, as ``train_model.py`` of the challenge's public code does.

    That script leaves out the last pairs where they fill no batch; so does this, if there is a full one.

    Args:
        samples: one or more; those of a batch have one size.
        terms: of the loss.
        batch_size: pairs a batch.

    Raises:
        CallError: no samples.
    """
    if not samples:
        raise CallError("Figures must be measured on at least one pair", found="none")
    rows: dict[bool, list[tuple[float, ...]]] = {True: [], False: []}
    for batch in _batches(samples, batch_size):
        full = len(batch) == batch_size
        if full or not rows[True]:
            rows[full].append(_measured(model, batch, terms))
    counted = rows[True] or rows[False]
    return Figures(*(float(np.mean(column)) for column in zip(*counted, strict=True)))


def predicted(model: keras.Model, samples: Sequence[Sample]) -> Images:
    """A model's outputs for samples of one size: float32, (samples, height, width, channels)."""
    from keras import ops

    inputs = ops.convert_to_tensor(np.stack([sample.input for sample in samples]))
    return np.asarray(ops.convert_to_numpy(model(inputs, training=False)), np.float32)


def _batches(samples: Sequence[Sample], size: int) -> Iterator[list[Sample]]:
    """Samples of one size that follow each other, cut into batches; no more than a batch is held."""
    for _, alike in itertools.groupby(samples, key=lambda sample: sample.input.shape):
        while batch := list(itertools.islice(alike, size)):
            yield batch


def _measured(
    model: keras.Model, batch: Sequence[Sample], terms: Sequence[Term]
) -> tuple[float, float, float, float, float]:
    from pixelproof.models.training.losses.ms_ssim import LEAST_SIDE, ms_ssim
    from pixelproof.models.training.losses.terms import Term, term_values

    outputs, targets = predicted(model, batch), np.stack([sample.target for sample in batch])
    values = term_values(terms, outputs, targets)
    whole = sum(term.weight * values[term.name] for term in terms)
    mse = float(np.mean(np.square(np.subtract(outputs, targets, dtype=np.float64))))
    psnr_db = math.inf if mse == 0 else -10 * math.log10(mse)
    similarity = math.nan
    if min(targets.shape[1:3]) >= LEAST_SIDE:
        similarity = 1 - term_values([Term("ms_ssim", 1.0, ms_ssim)], outputs, targets)["ms_ssim"]
    return whole, values.get("content", math.nan), mse, psnr_db, similarity
