"""One adversarial step on JAX: a pure function of the variables' values.

See "Customizing what happens in fit() with JAX" of Keras's guides.
"""

from __future__ import annotations

from typing import Any

import jax
import keras

from pixelproof.models.training.adversarial.model import AdversarialModel, Terms

Values = list[Any]
State = tuple[Values, Values, Values]
"""Values of the trainable, the non-trainable and the optimizer's variables."""


def train_step(model: AdversarialModel, state: Any, data: Any) -> tuple[dict[str, Any], Any]:
    """Move generator and discriminator once.

    Args:
        state: values of the trainable, non-trainable, optimizer's and metrics' variables, in the model's order.
        data: (inputs, targets[, sample weights]).

    Returns:
        The epoch's mean losses so far, by name; and the new state.
    """
    *moving, metrics = state
    before: State = (moving[0], moving[1], moving[2])
    if not model.from_step:
        after, terms = _step(model, before, data, adversarial=True)
    else:
        with keras.StatelessScope(state_mapping=_pairs(model, before)):
            now = model.adversarial_now()
        after, terms = jax.lax.cond(
            now,
            lambda values: _step(model, values, data, adversarial=True),
            lambda values: _step(model, values, data, adversarial=False),
            before,
        )
    with keras.StatelessScope(
        state_mapping=list(zip(model.metrics_variables, metrics, strict=True))
    ) as scope:
        logs = model.record(terms, data)
    return logs, (*after, _values(scope, model.metrics_variables))


def _step(model: AdversarialModel, state: State, data: Any, *, adversarial: bool) -> tuple[State, Terms]:
    trainable, others, optimizer = state

    def generator_loss(values: Values) -> Any:
        mapping = _pairs(model, (values, others, optimizer))
        with keras.StatelessScope(state_mapping=mapping) as scope:
            terms, made = model.generator_terms(data, adversarial=adversarial)
            scaled = model.optimizer.scale_loss(terms.loss)
        return scaled, (terms, made, _values(scope, model.non_trainable_variables))

    gradients, (terms, made, others) = jax.grad(generator_loss, has_aux=True)(trainable)
    trainable, optimizer = model.optimizer.stateless_apply(optimizer, gradients, trainable)
    if not adversarial:
        return (list(trainable), others, list(optimizer)), terms

    def discriminator_loss(values: Values) -> Any:
        mapping = _pairs(model, (trainable, others, optimizer)) + list(zip(judges, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping) as scope:
            found = model.discriminator_loss(data, made)
        return found, (found, _values(scope, model.non_trainable_variables))

    judges, stepped = model.discriminator.trainable_variables, model.discriminator_optimizer.variables
    at_first = _picked(model, others, judges)
    gradients, (found, others) = jax.grad(discriminator_loss, has_aux=True)(at_first)
    moved, counted = model.discriminator_optimizer.stateless_apply(
        _picked(model, others, stepped), gradients, at_first
    )
    new = {
        id(variable): value for variable, value in zip([*judges, *stepped], [*moved, *counted], strict=True)
    }
    others = [
        new.get(id(variable), value)
        for variable, value in zip(model.non_trainable_variables, others, strict=True)
    ]
    return (list(trainable), others, list(optimizer)), terms._replace(discriminator=found)


def _pairs(model: AdversarialModel, state: State) -> list[tuple[Any, Any]]:
    variables = (model.trainable_variables, model.non_trainable_variables, model.optimizer.variables)
    return [
        pair for own, values in zip(variables, state, strict=True) for pair in zip(own, values, strict=True)
    ]


def _values(scope: Any, variables: list[Any]) -> Values:
    return [scope.get_current_value(variable) for variable in variables]


def _picked(model: AdversarialModel, others: Values, variables: list[Any]) -> Values:
    place = {id(variable): number for number, variable in enumerate(model.non_trainable_variables)}
    return [others[place[id(variable)]] for variable in variables]
