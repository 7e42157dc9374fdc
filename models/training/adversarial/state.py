"""Everything that an adversarial training changes, for checkpoints."""

from __future__ import annotations

from typing import Any

from pixelproof.errors import CallError
from pixelproof.models.training.adversarial.model import AdversarialModel


def named_state(model: AdversarialModel) -> list[tuple[str, Any]]:
    """All variables with names that two runs of one recipe share: ``discriminator.0003``.

    The number is the place in the architecture; Keras's own paths may be shared by two layers, and count what else
    was made in the process.

    Args:
        model: compiled.

    Returns:
        Generator (weights, seed generators), discriminator (weights, vectors of the spectral norm), the generator's
        optimizer (its moving averages and loss scale included), the discriminator's. With JAX inside ``fit``, what
        it holds back is written into the variables first.

    Raises:
        CallError: not compiled, so without optimizers.
    """
    if model.discriminator_optimizer is None:
        raise CallError("An adversarial model must be compiled before its state is taken", found="none")
    if hasattr(model, "jax_state_sync"):
        model.jax_state_sync()
    parts = {
        "generator": model.generator.variables,
        "discriminator": model.discriminator.variables,
        "optimizer": model.optimizer.variables,
        "discriminator_optimizer": model.discriminator_optimizer.variables,
    }
    return [
        (f"{part}.{place:04d}", variable)
        for part, variables in parts.items()
        for place, variable in enumerate(variables)
    ]


def state_variables(model: AdversarialModel) -> list[Any]:
    """The variables of `named_state`, in its order."""
    return [variable for _, variable in named_state(model)]
