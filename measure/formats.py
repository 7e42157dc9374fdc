"""Which format an artifact has, told from its name and first bytes, without parsing it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pixelproof.errors import ArtifactError
from pixelproof.files import sha256_of, size_bytes
from pixelproof.measure.inbox import DEFAULT_MAX_BYTES
from pixelproof.report import Artifact

Kind = Literal["pb", "savedmodel", "tflite", "onnx"]
KINDS: tuple[Kind, ...] = ("pb", "savedmodel", "tflite", "onnx")

_REFUSED = {
    ".h5": "a Keras HDF5 file",
    ".hdf5": "a Keras HDF5 file",
    ".keras": "a Keras file",
    ".pth": "a PyTorch file",
    ".pt": "a PyTorch file",
    ".pkl": "a pickle",
    ".npy": "an array",
    ".npz": "an array archive",
    ".ckpt": "a checkpoint",
    ".index": "part of a checkpoint",
    ".meta": "part of a checkpoint",
    ".zip": "an archive",
}


def detect_kind(path: Path) -> Kind:
    """The format of an artifact.

    Raises:
        ArtifactError: missing, empty, or of no format that is judged.
    """
    rule = "An artifact must be a frozen .pb, a SavedModel folder, a .tflite or an .onnx file"
    try:
        if path.is_dir():
            return _folder_kind(path, rule)
        if not path.exists():
            raise ArtifactError("The artifact must exist", found=f"no file {path}")
        if not path.is_file():
            raise ArtifactError(rule, found=f"{path}, which is no regular file")
        with path.open("rb") as stream:
            head = stream.read(16)
    except OSError as error:
        raise ArtifactError("The artifact must be readable", found=f"{path}: {error.strerror}") from error
    if not head:
        raise ArtifactError(rule, found=f"{path}, an empty file", remedy="Write it again, or copy it again.")
    if path.name == "saved_model.pb" and (path.parent / "variables").exists():
        raise ArtifactError(rule, found=f"{path}, the inside of a SavedModel", remedy=f"Give {path.parent}.")
    suffix = path.suffix.lower()
    if suffix in _REFUSED:
        remedy = "Export it first: convert-model --model NAME --ckpt FILE."
        if suffix == ".zip":
            remedy = "Unpack it: pixelproof unpack-submission FILE --out DIR."
        raise ArtifactError(rule, found=f"{path}, {_REFUSED[suffix]}", remedy=remedy)
    if head[4:8] == b"TFL3":
        return "tflite"
    if suffix in (".tflite", ".lite"):
        raise ArtifactError(
            "A .tflite file must be a TFLite flatbuffer", found=f"{path} without its TFL3 mark"
        )
    if suffix == ".onnx":
        return "onnx"
    if suffix in (".pb", ".pbtxt", ""):
        return "pb"
    raise ArtifactError(rule, found=str(path))


def _folder_kind(path: Path, rule: str) -> Kind:
    if (path / "saved_model.pb").is_file():
        return "savedmodel"
    if (path / "saved_model.pb").exists():
        raise ArtifactError(rule, found=f"{path}, whose saved_model.pb is no regular file")
    inside = sorted(p.name for p in path.iterdir() if p.suffix in (".pb", ".tflite", ".onnx"))
    remedy = f"In it: {', '.join(inside[:5])}." if inside else ""
    raise ArtifactError(rule, found=f"{path}, a folder without saved_model.pb", remedy=remedy)


def artifact_at(path: Path) -> Artifact:
    """Name, format, hash and size of an artifact; of one that is too large to be opened the hash stays empty.

    Raises:
        ArtifactError: as `detect_kind`.
    """
    kind, size = detect_kind(path), size_bytes(path)
    sha256 = sha256_of(path) if size <= DEFAULT_MAX_BYTES else ""
    return Artifact(path=str(path), format=kind, sha256=sha256, size_bytes=size)
