"""The adversarial stage of a recipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import keras

from pixelproof.errors import CallError
from pixelproof.models.training.adversarial.discriminator import unet_discriminator
from pixelproof.models.training.adversarial.model import AdversarialModel
from pixelproof.models.training.recipe import TrainingRecipe
from pixelproof.models.training.run.schedule import Constant


def adversarial_model(
    generator: keras.Model,
    recipe: TrainingRecipe,
    *,
    optimizer: keras.optimizers.Optimizer,
    loss: Callable[[Any, Any], Any],
    steps_per_epoch: int,
    jit_compile: bool | Literal["auto"] = "auto",
) -> AdversarialModel:
    """A generator with the discriminator that its recipe asks for, compiled.

    The discriminator is drawn from the recipe's seed; its optimizer is Adam at a constant rate, with the recipe's
    betas and epsilon.

    Args:
        generator: the recipe's model.
        optimizer: the generator's.
        loss: of the recipe's ``[loss]``.
        steps_per_epoch: turns ``from_epoch`` into a step.
        jit_compile: as for every Keras model.

    Raises:
        CallError: the recipe has no adversarial stage, or one that can't be.
    """
    stage, adam = recipe.adversarial, recipe.optimizer
    if stage is None:
        raise CallError("A recipe must have [adversarial] for an adversarial stage", found=recipe.id)
    if stage.from_epoch < 0:
        raise CallError("adversarial.from_epoch must be 0 or more", found=str(stage.from_epoch))
    if not 0 < stage.learning_rate < float("inf"):
        raise CallError("adversarial.learning_rate must be above 0", found=str(stage.learning_rate))
    discriminator = unet_discriminator(
        features=stage.features, channels=generator.output_shape[-1], seed=recipe.seed
    )
    model = AdversarialModel(generator, discriminator)
    model.compile(
        optimizer,
        discriminator_optimizer=keras.optimizers.Adam(
            Constant(stage.learning_rate),
            beta_1=adam.beta_1,
            beta_2=adam.beta_2,
            epsilon=adam.epsilon,
            name="discriminator_adam",
        ),
        loss=loss,
        weight=stage.weight,
        kind=stage.kind,
        from_step=stage.from_epoch * steps_per_epoch,
        jit_compile=jit_compile,
    )
    return model
