"""A generator and a discriminator that train together under Keras's ``fit``."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import keras
from keras import ops

from pixelproof.errors import CallError
from pixelproof.models.training.adversarial.losses import (
    Kind,
    check_kind,
    fake_loss,
    generator_loss,
    real_loss,
)

_STEPS = {
    "tensorflow": "pixelproof.models.training.adversarial.tensorflow_step",
    "jax": "pixelproof.models.training.adversarial.jax_step",
    "torch": "pixelproof.models.training.adversarial.torch_step",
}


class Terms(NamedTuple):
    """Losses of one step, scalars.

    Attributes:
        loss: the generator's total: pixel + weight * adversarial.
        pixel: of the compiled loss, content included.
        adversarial: before its weight; 0 before the stage begins.
        discriminator: on real and made pictures together; 0 before the stage begins.
    """

    loss: Any
    pixel: Any
    adversarial: Any
    discriminator: Any


class AdversarialModel(keras.Model):
    """Trains a generator against a discriminator; called, it is the generator.

    To Keras it looks like the generator with more state: ``trainable_variables`` are the generator's, on which
    ``optimizer`` works, its moving average included; the discriminator's variables and those of its optimizer are
    ``non_trainable_variables``. So nothing of the discriminator gets into averages, and everything into
    ``variables``, which with ``optimizer.variables`` is all that a resumed training needs.

    A step moves the generator first, by gradients through a discriminator that stands still, and then the
    discriminator, on the target and on the picture made before; as in BasicSR.

    Args:
        generator: a built model, float (batch, height, width, channels) in and out.
        discriminator: see `unet_discriminator`; scores for pictures like the generator's.

    Raises:
        CallError: the two don't fit, or there is no adversarial step for this Keras backend.
    """

    def __init__(
        self, generator: keras.Model, discriminator: keras.Model, *, name: str = "adversarial"
    ) -> None:
        super().__init__(name=name, dtype=generator.dtype_policy)
        made, judged = generator.output_shape[-1], discriminator.input_shape[-1]
        if made != judged:
            rule = "The discriminator must take pictures like the generator's"
            raise CallError(rule, found=f"{judged} channels for {made}")
        self.generator = generator
        self.discriminator = discriminator
        self.discriminator_optimizer: Any = None
        self._trackers = [keras.metrics.Mean(name=name) for name in Terms._fields[1:]]
        self._backend_step = _step_of(keras.backend.backend())
        self.built = True

    def compile(
        self,
        optimizer: keras.optimizers.Optimizer,
        *,
        discriminator_optimizer: keras.optimizers.Optimizer,
        loss: Callable[[Any, Any], Any],
        weight: float = 0.1,
        kind: Kind = "vanilla",
        from_step: int = 0,
        jit_compile: bool | Literal["auto"] = "auto",
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        auto_scale_loss: bool = True,
    ) -> None:
        """Set up the training.

        Args:
            optimizer: the generator's.
            discriminator_optimizer: the discriminator's own.
            loss: between target and output: (y_true, y_pred) to a scalar or (batch,).
            weight: of the adversarial loss in the generator's total.
            kind: of adversarial loss.
            from_step: step, counted by ``optimizer.iterations``, that the adversarial stage begins with; before it
                only ``loss`` trains, and nothing of the discriminator changes.
            jit_compile, run_eagerly, steps_per_execution, auto_scale_loss: as for every Keras model.

        Raises:
            CallError: a number or kind that can't be, or one optimizer for both.
        """
        check_kind(kind)
        if not (math.isfinite(weight) and weight >= 0):
            raise CallError("The adversarial loss's weight must be 0 or more", found=str(weight))
        if from_step < 0:
            raise CallError("The adversarial stage must begin with step 0 or later", found=str(from_step))
        if optimizer is discriminator_optimizer:
            raise CallError("Generator and discriminator must have an optimizer each", found="one for both")
        self.weight, self.kind, self.from_step = weight, kind, from_step
        super().compile(
            optimizer=optimizer,
            loss=loss,
            jit_compile=jit_compile,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            auto_scale_loss=auto_scale_loss,
        )
        if not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        if not discriminator_optimizer.built:
            discriminator_optimizer.build(self.discriminator.trainable_variables)
        self.discriminator_optimizer = discriminator_optimizer

    @property
    def variables(self) -> list[Any]:
        """Of generator, discriminator and the discriminator's optimizer, seed generators included."""
        own = self.discriminator_optimizer.variables if self.discriminator_optimizer is not None else []
        return [*self.generator.variables, *self.discriminator.variables, *own]

    @property
    def trainable_variables(self) -> list[Any]:
        """The generator's."""
        return list(self.generator.trainable_variables)

    @property
    def non_trainable_variables(self) -> list[Any]:
        """All others."""
        moved = {id(variable) for variable in self.trainable_variables}
        return [variable for variable in self.variables if id(variable) not in moved]

    @property
    def trainable_weights(self) -> list[Any]:
        """The generator's."""
        return list(self.generator.trainable_weights)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """The generator's picture."""
        return self.generator(inputs, training=training)

    def train_step(self, *arguments: Any) -> Any:
        """One step of both, as the backend takes it: (data) to logs, with JAX (state, data) to (logs, state)."""
        return self._backend_step(self, *arguments)

    def test_step(self, *arguments: Any) -> Any:
        """Not offered: scores of a discriminator say nothing about quality.

        Raises:
            CallError: always.
        """
        remedy = "Validate model.generator."
        raise CallError("An adversarial model isn't evaluated as a whole", found="evaluate", remedy=remedy)

    def adversarial_now(self) -> Any:
        """Whether the adversarial stage has begun, a boolean scalar: by the optimizer's steps and nothing else."""
        return ops.greater_equal(self.optimizer.iterations, self.from_step)

    def generator_terms(self, data: Any, *, adversarial: bool) -> tuple[Terms, Any]:
        """The generator's losses, and the picture that it made.

        Args:
            data: (inputs, targets) or (inputs, targets, sample weights).
            adversarial: whether the discriminator is asked.
        """
        inputs, targets, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        made = self.generator(inputs, training=True)
        pixel = self.compute_loss(inputs, targets, made, sample_weight, training=True)
        pixel = ops.cast(pixel, "float32")
        zero = ops.zeros((), "float32")
        if not adversarial:
            return Terms(pixel, pixel, zero, zero), made
        # Not in training: its vectors move in its own step alone.
        fooled = generator_loss(self.kind, self.discriminator(ops.cast(made, "float32"), training=False))
        return Terms(pixel + self.weight * fooled, pixel, fooled, zero), made

    def discriminator_loss(self, data: Any, made: Any) -> Any:
        """The discriminator's loss on targets and on pictures that were made; no gradient goes to the generator."""
        _, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        real = self.discriminator(ops.cast(targets, "float32"), training=True)
        fake = self.discriminator(ops.cast(ops.stop_gradient(made), "float32"), training=True)
        return real_loss(self.kind, real) + fake_loss(self.kind, fake)

    def record(self, terms: Terms, data: Any) -> dict[str, Any]:
        """Take a step's losses into the epoch's means, and give these by name."""
        samples = ops.shape(keras.utils.unpack_x_y_sample_weight(data)[0])[0]
        for tracker, value in zip([self._loss_tracker, *self._trackers], terms, strict=True):
            tracker.update_state(value, sample_weight=samples)
        return dict(self.get_metrics_result())


def _step_of(backend: str) -> Callable[..., Any]:
    if backend not in _STEPS:
        rule = f"Adversarial training needs one of the Keras backends {', '.join(_STEPS)}"
        raise CallError(rule, found=backend, remedy="KERAS_BACKEND chooses it.")
    step: Callable[..., Any] = importlib.import_module(_STEPS[backend]).train_step
    return step
