"""What a new model's weights are: random, near the identity, or a checkpoint's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

NEAR_IDENTITY = "near-identity"


def begin_of(start: str, *, model: str) -> Callable[[keras.Model], None] | None:
    """What is done to a new model before it learns; None where it keeps its random weights.

    Args:
        start: "", ``near-identity``, or a checkpoint of any kind that convert-model reads; a run's folder too.
        model: the architecture's name.
    """
    if not start:
        return None
    if start == NEAR_IDENTITY:
        from pixelproof.models.training.start import near_identity

        return near_identity
    path = Path(start)

    def load(network: keras.Model) -> None:
        from pixelproof.models.checkpoints.loading import load_checkpoint
        from pixelproof.models.training.run.checkpoints import open_checkpoint
        from pixelproof.models.training.run.folder import is_run

        source = open_checkpoint(path)[0].path if is_run(path) else path
        load_checkpoint(network, source, model_name=model)

    return load
