"""A recipe as a compiled Keras model that learns, and the bare model that it is good for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt

from pixelproof.models.training.adversarial.stage import adversarial_model
from pixelproof.models.training.adversarial.state import named_state
from pixelproof.models.training.losses.terms import Term, terms_of, weighted_sum
from pixelproof.models.training.recipe import Optimizer, TrainingRecipe
from pixelproof.models.training.run.backend import backend_name
from pixelproof.models.training.run.distribution import Distribution, built_shared
from pixelproof.models.training.run.network import network_of
from pixelproof.models.training.run.schedule import schedule_of
from pixelproof.models.training.run.state import Variables, variables_of

Image = npt.NDArray[np.float32]

_OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
}


@dataclass(frozen=True)
class Learner:
    """What is trained.

    Attributes:
        model: compiled; `fit` trains it.
        network: the registered architecture in it.
        bare: another of them, in float32, for use: `refresh` gives it the weights.
        variables: all that training changes, by name.
        terms: of the loss.
        averaged: whether the weights for use are moving averages.
    """

    model: keras.Model
    network: keras.Model
    bare: keras.Model
    variables: Variables
    terms: tuple[Term, ...]
    averaged: bool

    def refresh(self) -> keras.Model:
        """The bare model with the weights that are for use now: the averages where there are some."""
        weights = self.network.get_weights()
        if self.averaged:
            averages = _averages(self.model.optimizer)
            place_of = {id(weight): place for place, weight in enumerate(self.network.weights)}
            for variable, average in zip(self.network.trainable_variables, averages, strict=True):
                weights[place_of[id(variable)]] = keras.ops.convert_to_numpy(average.value)
        self.bare.set_weights(weights)
        return self.bare

    def predict(self, image: Image) -> Image:
        """The bare model's output.

        Args:
            image: float32, (height, width, channels), in [0, 1].

        Returns:
            float32, (height, width, channels), as the model gives it.
        """
        output = self.bare(keras.ops.convert_to_tensor(image[None]), training=False)
        made: Image = np.asarray(keras.ops.convert_to_numpy(output), np.float32)[0]
        return made

    def learning_rate(self) -> float:
        """The rate of the next step."""
        return float(f"{float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)):.7g}")


def learner_of(
    recipe: TrainingRecipe,
    *,
    steps: int,
    steps_per_epoch: int,
    begin: Callable[[keras.Model], None] | None = None,
    distribution: Distribution | None = None,
) -> Learner:
    """A model of the recipe, seeded, compiled, its optimizer built.

    Args:
        steps: of the whole run.
        steps_per_epoch: for what begins with an epoch.
        begin: changes the new model's weights, where it doesn't begin from random ones.
        distribution: how it is shared out.

    Raises:
        RecipeError, CallError: options that the architecture or a loss doesn't have.
    """
    keras.config.set_dtype_policy("float32")
    bare = network_of(recipe)
    with built_shared(distribution or Distribution(), backend=backend_name()):
        terms = terms_of(recipe.loss, content=recipe.content)
        model, network, variables = _compiled(recipe, terms, steps, steps_per_epoch, begin)
    return Learner(model, network, bare, variables, terms, averaged=recipe.training.ema > 0)


def _compiled(
    recipe: TrainingRecipe,
    terms: Sequence[Term],
    steps: int,
    steps_per_epoch: int,
    begin: Callable[[keras.Model], None] | None,
) -> tuple[keras.Model, keras.Model, Variables]:
    keras.utils.set_random_seed(recipe.seed)
    keras.config.set_dtype_policy(recipe.training.precision)
    try:
        network = network_of(recipe)
    finally:
        keras.config.set_dtype_policy("float32")
    if begin is not None:
        begin(network)
    loss = weighted_sum(terms)
    optimizer = _optimizer(recipe.optimizer, steps=steps, ema=recipe.training.ema)
    if recipe.adversarial is None:
        network.compile(optimizer=optimizer, loss=loss, metrics=_metrics(terms), jit_compile=compiles_whole())
        return network, network, variables_of(network)
    model = adversarial_model(
        network,
        recipe,
        optimizer=optimizer,
        loss=loss,
        steps_per_epoch=steps_per_epoch,
        jit_compile=compiles_whole(),
    )
    return model, network, named_state(model)


def with_all_terms(logs: Mapping[str, float], terms: Sequence[Term]) -> dict[str, float]:
    """What `fit` logged, with the one term that wasn't: the loss less the others, by its weight."""
    values = dict(logs)
    hidden = _derived(terms)
    if hidden is not None and all(
        term.name in values for term in terms if term is not hidden and term.weight
    ):
        others = sum(term.weight * values[term.name] for term in terms if term is not hidden and term.weight)
        values[hidden.name] = (values["loss"] - others) / hidden.weight
    return values


def _derived(terms: Sequence[Term]) -> Term | None:
    """The term that follows from the sum and the others: the costliest, where there are several."""
    counted = [term for term in terms if term.weight]
    if len(counted) < 2:
        return None
    return next((term for term in counted if term.name == "content"), counted[-1])


def _metrics(terms: Sequence[Term]) -> list[keras.metrics.Metric]:
    hidden = _derived(terms)
    told = terms if len(terms) > 1 else ()
    return [
        keras.metrics.MeanMetricWrapper(term.function, name=term.name) for term in told if term is not hidden
    ]


def compiles_whole() -> bool | Literal["auto"]:
    """Whether the step is compiled by XLA: not by TensorFlow on a processor, whose own kernels are faster."""
    if backend_name() != "tensorflow":
        return "auto"
    import tensorflow as tf

    return "auto" if tf.config.list_physical_devices("GPU") else False


def _optimizer(recipe: Optimizer, *, steps: int, ema: float) -> keras.optimizers.Optimizer:
    options: dict[str, Any] = {"learning_rate": schedule_of(recipe, steps=steps)}
    if recipe.name in ("adam", "adamw"):
        options |= {"beta_1": recipe.beta_1, "beta_2": recipe.beta_2, "epsilon": recipe.epsilon}
    if recipe.clip_norm:
        options["global_clipnorm"] = recipe.clip_norm
    if ema:
        options |= {"use_ema": True, "ema_momentum": ema}
    return _OPTIMIZERS[recipe.name](**options)


def _averages(optimizer: Any) -> list[keras.Variable]:
    # As Keras's own SwapEMAWeights finds them; under mixed_float16 the optimizer is wrapped.
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    averages: list[keras.Variable] = inner._model_variables_moving_average
    return averages
