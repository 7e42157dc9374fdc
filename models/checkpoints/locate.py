"""Which checkpoint a path means, and of which kind it is: by its neighbours and its content."""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from pixelproof.errors import CheckpointError
from pixelproof.models.training.run.folder import RunFolder

Kind = Literal["tf1-v2", "tf1-v1", "keras", "weights.h5", "torch", "safetensors"]

SUPPORTED = (
    "Supported: TF1 checkpoints (.index with .data, or the old single file), .keras, .weights.h5, PyTorch's .pth and "
    ".safetensors files."
)

_DATA = re.compile(r"\.data-(\d{5})-of-(\d{5})$")
_OLD_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
_TABLE_END = bytes.fromhex("57fb808b247547db")  # TensorFlow's table format, lib/io/format.h
_PYTORCH = (".pth", ".pt")
_OLD_PYTORCH = bytes.fromhex("8a0a6cfc9c46f9206aa85019")  # the magic number as its first pickle has it
_ONE_FILE = (".keras", ".h5", ".ckpt", ".safetensors", *_PYTORCH)
_ARTIFACTS = (".pb", ".tflite", ".onnx")
_HDF5_START = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class Located:
    """A checkpoint that is there.

    Attributes:
        kind: its format.
        path: the file; for ``tf1-v2`` the prefix of its files, for a sharded ``tf1-v1`` that of its shards.
        files: all files that belong to it.
    """

    kind: Kind
    path: Path
    files: tuple[Path, ...]


def locate(path: Path) -> Located:
    """The checkpoint behind a path.

    Args:
        path: a file, any file of a TF1 checkpoint (``.index``, ``.data-..``, ``.meta``), its prefix, a
            ``checkpoint`` state file, or a folder that holds a state file or exactly one checkpoint.

    Raises:
        CheckpointError: nothing there, half of a checkpoint, several to choose from, or an unknown kind.
    """
    if _siblings(path, ".index") or _data_files(path):
        return _two_part(path)
    if path.is_dir():
        return _in_folder(path)
    if path.is_file():
        return _file(path)
    if _old_shards(path):
        return _sharded(path)
    if _siblings(path, ".meta"):
        raise _only_meta(path.with_name(path.name + ".meta"))
    raise _nothing_at(path)


def _file(path: Path) -> Located:
    if path.name == "checkpoint":
        return _from_state(path)
    if path.suffix == ".index" or _DATA.search(path.name):
        return _two_part(path.with_name(_DATA.sub("", path.name).removesuffix(".index")))
    if path.suffix == ".meta":
        prefix = path.with_suffix("")
        if _siblings(prefix, ".index") or _data_files(prefix) or prefix.is_file() or _old_shards(prefix):
            return locate(prefix)
        raise _only_meta(path)
    kind = _kind_of(path)
    if kind == "tf1-v1" and _OLD_SHARD.search(path.name):
        return _sharded(path.with_name(_OLD_SHARD.sub("", path.name)))
    return Located(kind, path, (path,))


def _kind_of(path: Path) -> Kind:
    start, end = _ends(path)
    if not start:
        raise CheckpointError("A checkpoint must hold weights", found=f"the empty file {path}")
    if end == _TABLE_END:
        return "tf1-v1"
    if start.startswith(_HDF5_START):
        return "weights.h5"
    if start.startswith(b"\x80") and _OLD_PYTORCH in start:
        return "torch"
    size_bytes = path.stat().st_size
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= size_bytes:
        return "safetensors"
    what = f"{size_bytes} bytes of an unknown format"
    if start.startswith(b"PK\x03\x04"):
        members = _zip_members(path)
        if {"config.json", "model.weights.h5"} <= members:
            return "keras"
        if any(member.endswith("/data.pkl") for member in members):
            return "torch"
        what = "a zip archive of another kind, or one that is cut short"
    elif path.suffix in _PYTORCH and start.startswith(b"\x80"):
        return "torch"
    elif path.suffix in _ARTIFACTS:
        what = f"a {path.suffix} file, which is an artifact: judge it as it is"
    elif start.startswith(b"version https://git-lfs"):
        what = "a Git LFS pointer; fetch the real file with: git lfs pull"
    elif start.lstrip().lower().startswith((b"<!doctype", b"<html", b"<head")):
        what = "a web page, which the server sent in the place of the weights"
    elif path.suffix == ".safetensors":
        return "safetensors"
    elif start.isascii() and (line := start.decode().splitlines()[0]).isprintable():
        what = f"a text file that begins with {line[:24]!r}"
    remedy = f"{SUPPORTED} A file that was one of them may be cut short: fetch it again."
    raise CheckpointError("A checkpoint must be of a supported kind", found=f"{path}: {what}", remedy=remedy)


def _ends(path: Path) -> tuple[bytes, bytes]:
    """The first 64 bytes of a file, and its last 8."""
    try:
        with path.open("rb") as stream:
            start = stream.read(64)
            stream.seek(max(0, stream.seek(0, 2) - len(_TABLE_END)))
            return start, stream.read()
    except OSError as error:
        raise CheckpointError("A checkpoint must be readable", found=f"{path}: {error.strerror}") from error


def _zip_members(path: Path) -> set[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return set(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error):
        return set()


def _two_part(prefix: Path) -> Located:
    rule = "A TF1 checkpoint must have its .index and all of its .data files"
    data = _data_files(prefix)
    index = _siblings(prefix, ".index")
    if not index:
        named = f"{prefix.name}.index"
        raise CheckpointError(
            rule, found=f"{data[0]} without {named}", remedy=f"Put {named} beside it, from the same training."
        )
    numbered = [match for file in data if (match := _DATA.search(file.name))]
    total = max((int(match[2]) for match in numbered), default=1)
    there = {int(match[1]) for match in numbered if int(match[2]) == total}
    missing = [f"{prefix.name}.data-{i:05d}-of-{total:05d}" for i in range(total) if i not in there]
    if missing:
        remedy = f"Put {', '.join(missing)} beside it, from the same training."
        raise CheckpointError(rule, found=f"{index[0]} without {', '.join(missing)}", remedy=remedy)
    return Located("tf1-v2", prefix, (*index, *data))


def _sharded(prefix: Path) -> Located:
    return Located("tf1-v1", prefix, tuple(_old_shards(prefix)))


def _in_folder(folder: Path) -> Located:
    run = RunFolder(folder)
    if run.recipe.is_file() and run.saved():
        return locate(run.saved()[0][1])
    if (folder / "checkpoint").is_file():
        return _from_state(folder / "checkpoint")
    if (folder / "saved_model.pb").is_file():
        remedy = f"It is an artifact: judge it as it is. {SUPPORTED}"
        raise CheckpointError(
            "A checkpoint must hold weights", found=f"the SavedModel {folder}", remedy=remedy
        )
    choices = _checkpoints_in(folder)
    if len(choices) == 1:
        return locate(folder / choices[0])
    rule = (
        f"A folder must hold exactly one checkpoint, or a state file named checkpoint; {folder} has neither"
    )
    if choices:
        raise CheckpointError(rule, found=_listed(choices), remedy="Name one of them.")
    raise CheckpointError(rule, found="no checkpoint", remedy=SUPPORTED)


def _from_state(state: Path) -> Located:
    text = state.read_text(encoding="utf-8", errors="replace")
    written = re.search(r'^model_checkpoint_path:\s*"((?:[^"\\]|\\.)*)"', text, re.MULTILINE)
    if not written:
        found = f"{state} without a model_checkpoint_path"
        raise CheckpointError("A checkpoint state file must name the checkpoint", found=found)
    name = _unescaped(written[1]).replace("\\", "/")
    beside = state.parent / name.rsplit("/", 1)[-1]
    elsewhere = state.parent / name
    for prefix in (beside, elsewhere):
        if _siblings(prefix, ".index") or _data_files(prefix) or prefix.is_file() or _old_shards(prefix):
            return locate(prefix)
    remedy = f"There is: {_listed(others)}. Name one." if (others := _checkpoints_in(state.parent)) else ""
    raise CheckpointError(
        "The checkpoint that a state file names must be there", found=f"{state} naming {name}", remedy=remedy
    )


def _checkpoints_in(folder: Path) -> list[str]:
    """Names of what may be checkpoints: prefixes and files."""
    names = set()
    for file in folder.iterdir():
        if not file.is_file() or file.name == "checkpoint" or file.suffix == ".meta":
            continue
        if file.suffix == ".index" or _DATA.search(file.name):
            names.add(_DATA.sub("", file.name).removesuffix(".index"))
        elif _OLD_SHARD.search(file.name):
            names.add(_OLD_SHARD.sub("", file.name))
        elif file.name.endswith(_ONE_FILE) or _ends(file)[1] == _TABLE_END:
            names.add(file.name)
    return sorted(names)


def _nothing_at(path: Path) -> CheckpointError:
    found = f"nothing at {path}"
    if not path.parent.is_dir():
        return CheckpointError("The checkpoint must be there", found=f"no folder {path.parent}")
    near = _checkpoints_in(path.parent)
    close = [name for name in near if name.startswith(f"{path.name}.")]
    close = close or get_close_matches(path.name, near, n=3, cutoff=0.5)
    remedy = f"Did you mean {' or '.join(close)}?" if close else f"In that folder: {_listed(near) or 'none'}."
    return CheckpointError("The checkpoint must be there", found=found, remedy=remedy)


def _only_meta(meta: Path) -> CheckpointError:
    prefix = meta.with_suffix("").name
    return CheckpointError(
        "A checkpoint must hold weights",
        found=f"{meta} alone, which holds only the training graph",
        remedy=f"Put {prefix}.index and {prefix}.data-00000-of-00001 beside it.",
    )


def _siblings(prefix: Path, suffix: str) -> list[Path]:
    file = prefix.with_name(prefix.name + suffix) if prefix.name else prefix
    return [file] if prefix.name and file.is_file() else []


def _data_files(prefix: Path) -> list[Path]:
    return _numbered(prefix, r"\.data-\d{5}-of-\d{5}")


def _old_shards(prefix: Path) -> list[Path]:
    return _numbered(prefix, r"-\d{5}-of-\d{5}")


def _numbered(prefix: Path, ending: str) -> list[Path]:
    if not prefix.name or not prefix.parent.is_dir():
        return []
    pattern = re.compile(re.escape(prefix.name) + ending)
    return sorted(file for file in prefix.parent.iterdir() if pattern.fullmatch(file.name))


def _unescaped(text: str) -> str:
    """A protocol buffer's text string; bytes beyond ASCII stand there as octal numbers."""
    raw = text.encode("latin-1", errors="replace") if text.isascii() else text.encode()
    octal = re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), raw)
    return re.sub(rb"\\(.)", rb"\1", octal).decode("utf-8", errors="replace")


def _listed(names: Iterable[str]) -> str:
    shown = sorted(names)
    return ", ".join(shown[:8]) + (f" and {len(shown) - 8} more" if len(shown) > 8 else "")
