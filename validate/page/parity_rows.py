"""What is known of how equal a model's files are: from the proof beside it, and from its companion."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelproof.report import Report
from pixelproof.validate.makers_proof import MOST_BYTES, PROOF, proof_path

WHITE_LEVELS = 255.0
Numbers = dict[str, float]


@dataclass(frozen=True)
class ParityLine:
    """One comparison; differences in 8-bit levels, None where they are not known.

    Attributes:
        is_judged: the file is the very one that was judged, by its hash.
    """

    name: str
    size: str
    max_levels: float
    mean_levels: float | None
    share_changed: float | None
    tolerance_levels: float | None
    passed: bool | None
    is_judged: bool = False


@dataclass(frozen=True)
class Parity:
    """All comparisons, what they are against, and what is to be said of them."""

    source: str
    lines: tuple[ParityLine, ...]
    note: str


def parity_of(report: Report) -> Parity:
    """What is known; a proof that is of another file, or no proof, is not believed, and the note says so."""
    artifact = report.evidence.artifact
    source, lines, note = _proven(proof_path(Path(artifact.path)), artifact.sha256)
    beside = _companion(report)
    rewrites = report.evidence.optimized
    if rewrites:
        note += f" The file was made faster by exact rewrites: {', '.join(rewrites)}."
    return Parity(source, (*lines, *beside), note)


def _proven(path: Path, sha256: str) -> tuple[str, tuple[ParityLine, ...], str]:
    try:
        if not path.is_file():
            how = "convert-model writes one; pixelproof compare A B compares any two files."
            return "", (), f"No {PROOF} lies beside the model. {how}"
        if path.stat().st_size > MOST_BYTES:
            return "", (), f"The {PROOF} beside the model is too large to be one."
        document = json.loads(path.read_bytes())
        source = str(document["source"])
        lines = tuple(
            _line(artifact, row, sha256) for artifact in document["artifacts"] for row in artifact["rows"]
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "", (), f"The {PROOF} beside the model can't be read as one."
    if not any(line.is_judged for line in lines):
        return "", (), f"The {PROOF} beside the model is of another file: it says nothing of this one."
    note = f"From the {path.name} that lies beside the model: its maker's proof, not measured here."
    return source, lines, note


def _line(artifact: dict[str, Any], row: dict[str, Any], sha256: str) -> ParityLine:
    difference = row["difference"]
    return ParityLine(
        name=str(artifact["name"]),
        size=f"{int(row['height'])}x{int(row['width'])}",
        max_levels=float(difference["max_levels"]),
        mean_levels=float(difference["mean_levels"]),
        share_changed=float(difference["share_changed"]),
        tolerance_levels=float(row["tolerance"]) * WHITE_LEVELS,
        passed=row["passed"] is True,
        is_judged=artifact["sha256"] == sha256,
    )


def _companion(report: Report) -> tuple[ParityLine, ...]:
    companion = report.evidence.companion
    if companion is None or companion.max_abs is None:
        return ()
    name = f"{Path(companion.path).name} beside the judged file"
    line = ParityLine(name, "", companion.max_abs * WHITE_LEVELS, None, None, None, None)
    return (line,)
