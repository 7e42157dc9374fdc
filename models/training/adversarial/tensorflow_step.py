"""One adversarial step on TensorFlow."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from pixelproof.errors import CallError
from pixelproof.models.training.adversarial.model import AdversarialModel, Terms


def train_step(model: AdversarialModel, data: Any) -> dict[str, Any]:
    """Move generator and discriminator once.

    Args:
        data: (inputs, targets[, sample weights]).

    Returns:
        The epoch's mean losses so far, by name.

    Raises:
        CallError: a stage that begins later, on several replicas: TensorFlow can't step optimizers in a branch there.
    """
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    if not model.from_step:
        terms = _step(model, data, adversarial=True, replicas=replicas)
    elif replicas > 1:
        remedy = "Train without it first, and start an adversarial run from that run's checkpoint."
        raise CallError(
            "On several TensorFlow replicas the adversarial stage must begin with the first step",
            found=f"step {model.from_step}",
            remedy=remedy,
        )
    else:
        terms = tf.cond(
            model.adversarial_now(),
            lambda: _step(model, data, adversarial=True, replicas=1),
            lambda: _step(model, data, adversarial=False, replicas=1),
        )
    return model.record(terms, data)


def _step(model: AdversarialModel, data: Any, *, adversarial: bool, replicas: int) -> Terms:
    share = 1.0 / replicas  # Gradients of replicas are added; Keras's own losses are divided already.
    weights = model.trainable_weights
    with tf.GradientTape() as tape:
        terms, made = model.generator_terms(data, adversarial=adversarial)
        total = terms.pixel + (terms.loss - terms.pixel) * share if replicas > 1 else terms.loss
        scaled = model.optimizer.scale_loss(total)
    model.optimizer.apply(tape.gradient(scaled, weights), weights)
    if replicas > 1:
        pixel = terms.pixel * replicas
        terms = terms._replace(loss=pixel + (terms.loss - terms.pixel), pixel=pixel)
    if not adversarial:
        return terms
    judges = model.discriminator.trainable_variables
    with tf.GradientTape() as tape:
        found = model.discriminator_loss(data, made)
        scaled = found * share
    model.discriminator_optimizer.apply(tape.gradient(scaled, judges), judges)
    return terms._replace(discriminator=found)
