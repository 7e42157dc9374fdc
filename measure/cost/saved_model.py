"""A SavedModel's signature as a frozen graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from pixelproof.errors import ArtifactError, ModelFailed
from pixelproof.measure.graph_scan import require_clean
from pixelproof.measure.runners import first_line
from pixelproof.measure.scan.saved_model import SERVING, scan_signature


def frozen_signature(path: Path) -> Any:
    """The GraphDef of ``serving_default``, its variables made constants, scanned once more.

    Raises:
        ArtifactError: a part of the SavedModel is missing.
        GraphRefused: the frozen graph holds what a judged model may not hold.
        ModelFailed: it has no such signature.
    """
    try:
        model = tf.saved_model.load(str(path))
    except (OSError, ValueError, IndexError, tf.errors.OpError) as error:
        found = f"{path.name}: {first_line(error)}"
        raise ArtifactError("A SavedModel must be complete", found=found) from error
    signatures = getattr(model, "signatures", {})
    if SERVING not in signatures:
        found = ", ".join(signatures) or "no signature"
        raise ModelFailed(f"A SavedModel must have the signature {SERVING}", found=found[:300])
    require_clean(scan_signature(signatures[SERVING], label=path.name), label=path.name)
    return convert_variables_to_constants_v2(signatures[SERVING]).graph.as_graph_def()
