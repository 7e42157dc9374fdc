"""One adversarial step on PyTorch."""

from __future__ import annotations

from typing import Any

import torch

from pixelproof.models.training.adversarial.model import AdversarialModel, Terms


def train_step(model: AdversarialModel, data: Any) -> dict[str, Any]:
    """Move generator and discriminator once.

    Args:
        data: (inputs, targets[, sample weights]).

    Returns:
        The epoch's mean losses so far, by name.
    """
    adversarial = not model.from_step or bool(model.adversarial_now())
    terms, made = model.generator_terms(data, adversarial=adversarial)
    _apply(model.optimizer, model.optimizer.scale_loss(terms.loss), model.trainable_weights)
    if adversarial:
        found = model.discriminator_loss(data, made)
        _apply(model.discriminator_optimizer, found, model.discriminator.trainable_variables)
        terms = terms._replace(discriminator=found)
    return model.record(Terms(*(value.detach() for value in terms)), data)


def _apply(optimizer: Any, loss: Any, variables: list[Any]) -> None:
    gradients = torch.autograd.grad(loss, [variable.value for variable in variables], allow_unused=True)
    with torch.no_grad():
        optimizer.apply(list(gradients), variables)
