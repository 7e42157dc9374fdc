"""An architecture's options, read off the checkpoint that it is built for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pixelproof.models import registry
from pixelproof.models.checkpoints.fit import without_scope
from pixelproof.models.checkpoints.locate import locate
from pixelproof.models.checkpoints.tf1 import open_tf1


def options_for(name: str, checkpoint: Path, given: Mapping[str, object]) -> dict[str, object]:
    """The options with which an architecture is built: those given, and what else the checkpoint tells.

    Args:
        name: a registered architecture.
        checkpoint: only a TF1 checkpoint tells anything; for other kinds the architecture's defaults hold.
        given: by name; they go before what the checkpoint tells.

    Raises:
        CallError: no such architecture.
        CheckpointError: nothing there, half of it, or damaged.
    """
    read = registry.spec(name).tf1_options
    located = locate(checkpoint)
    if read is None or located.kind not in ("tf1-v1", "tf1-v2"):
        return dict(given)
    with open_tf1(located) as reader:
        return {**read(without_scope(reader.floats())), **given}
