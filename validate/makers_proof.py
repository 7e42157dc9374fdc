"""The proof that lies beside a model: what its maker's conversion says of this very file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PROOF = "parity.json"
MOST_BYTES = 4 << 20
MOST_REWRITES = 50


def proof_path(model: Path) -> Path:
    """Where a model's proof lies: under its own name, as ``pixelproof optimize`` writes it, or as parity.json."""
    own = model.with_name(f"{model.stem}.{PROOF}")
    return own if own.is_file() else model.parent / PROOF


def rewrites_of(model: Path, sha256: str) -> tuple[str, ...] | None:
    """Ids of the rewrites by which a file was made faster, as its proof says; None where no proof is of this file."""
    path = proof_path(model)
    try:
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            return None
        document = json.loads(path.read_bytes())
        if sha256 not in [artifact["sha256"] for artifact in document["artifacts"]]:
            return None
        return _kept(document.get("optimized"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _kept(optimized: Any) -> tuple[str, ...]:
    if optimized is None or not optimized["gains"]:
        return ()
    kept = [str(trial["id"])[:40] for trial in optimized["rewrites"] if trial["verdict"] == "kept"]
    return tuple(kept[:MOST_REWRITES])
