"""The models in an unpacked submission: which files could be judged, and as what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pixelproof.errors import ArtifactError
from pixelproof.measure.formats import Kind, detect_kind

_SUFFIXES = (".pb", ".tflite", ".lite", ".onnx")
_SAVED_MODEL = "saved_model.pb"


@dataclass(frozen=True)
class FoundModel:
    """A file or SavedModel folder that could be the model; ``format`` is None, with a reason, if it can't."""

    path: Path
    format: Kind | None
    problem: str = ""


def find_models(folder: Path, names: Iterable[str]) -> tuple[FoundModel, ...]:
    """What is named as a model below a folder, sorted by name; nothing is parsed.

    What lies in a SavedModel's folder belongs to it. The files that macOS adds to its zips are no models.

    Args:
        folder: where the submission was unpacked.
        names: of its files, relative to the folder, with ``/``.
    """
    paths = [PurePosixPath(name) for name in names]
    paths = [p for p in paths if p.parts[0] != "__MACOSX" and not p.name.startswith("._")]
    saved = {p.parent for p in paths if p.name == _SAVED_MODEL}
    files = {p for p in paths if p.suffix.lower() in _SUFFIXES and not saved & set(p.parents)}
    return tuple(_found(folder / path) for path in sorted(saved | files))


def _found(path: Path) -> FoundModel:
    try:
        return FoundModel(path, detect_kind(path))
    except ArtifactError as error:
        return FoundModel(path, None, str(error))
