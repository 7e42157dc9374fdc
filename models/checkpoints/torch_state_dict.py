"""PyTorch's ``.pth`` and ``.pt`` files without PyTorch: the state dict of either format, nothing of the file run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pixelproof.errors import CheckpointError
from pixelproof.models.checkpoints.locate import Located
from pixelproof.models.checkpoints.torch_faults import Damaged, ForeignName, OtherFile
from pixelproof.models.checkpoints.torch_legacy import TorchLegacy
from pixelproof.models.checkpoints.torch_refs import StorageRef, TensorRef
from pixelproof.models.checkpoints.torch_tensors import (
    ITEM_BYTES,
    Block,
    Stored,
    TensorFile,
    opened_raw,
    span,
)
from pixelproof.models.checkpoints.torch_zip import TorchZip

PREFERRED = (
    "params_ema", "params", "ema_state_dict", "model_ema", "ema", "state_dict", "model_state_dict", "model", "net",
    "network", "net_g", "netG", "generator", "gen", "G", "weights", "module",
)  # fmt: skip
"""Keys under which training scripts save a state dict; the first that is there is taken."""

SAVE_WEIGHTS = "Save its weights alone: torch.save(model.state_dict(), PATH)."
_MOST_LEVELS = 4


@contextmanager
def open_torch(located: Located) -> Iterator[TensorFile]:
    """Open a ``.pth`` for reading.

    Of a file with several state dicts the one under the first of `PREFERRED` is taken.

    Raises:
        CheckpointError: damaged or cut short; it holds more than tensors and plain values; no state dict, or several
            under names that don't say which.
    """
    path = located.path
    with opened_raw(path) as stream:
        try:
            opened = _opened(path, stream, path.stat().st_size)
        except Damaged as error:
            remedy = "It is damaged or cut short: fetch it again."
            raise CheckpointError(
                "A PyTorch file must be whole", found=f"{path}: {error}", remedy=remedy
            ) from error
        except OtherFile as error:
            rule = "A PyTorch file must hold a state dict as torch.save writes it"
            raise CheckpointError(rule, found=f"{path}: {error.what}", remedy=error.remedy) from error
        except ForeignName as error:
            raise _foreign(path, error.name) from error
        yield opened


def _opened(path: Path, stream: BinaryIO, size_bytes: int) -> TensorFile:
    stream.seek(0)
    is_zip = stream.read(4) == b"PK\x03\x04"
    source = TorchZip(stream, size_bytes) if is_zip else TorchLegacy(stream, size_bytes)
    taken, state = _state_dict(source.value(), path)
    blocks: dict[StorageRef, Block] = {}
    tensors = {name: _stored(name, tensor, source.block_of, blocks) for name, tensor in state.items()}
    return TensorFile(path, tensors, taken, stream)


def _stored(
    name: str, tensor: TensorRef, block_of: Callable[[StorageRef], Block], blocks: dict[StorageRef, Block]
) -> Stored:
    storage = tensor.storage
    first = storage.first + tensor.offset
    if first + span(tensor.shape, tensor.strides) > storage.count:
        raise Damaged(f"{name}, which reaches beyond its storage of {storage.count:,} elements")
    if storage not in blocks:
        blocks[storage] = block_of(storage)
    block = blocks[storage]
    start = block.start + first * ITEM_BYTES[storage.dtype]
    return Stored(storage.dtype, tensor.shape, tensor.strides, start, block)


def _state_dict(value: object, path: Path) -> tuple[str, dict[str, TensorRef]]:
    """The state dict in what was saved, and the keys that lead to it."""
    way: list[str] = []
    known: dict[int, bool] = {}
    while isinstance(value, dict) and len(way) < _MOST_LEVELS:
        inner = {
            key: item
            for key, item in value.items()
            if isinstance(item, dict) and _holds_tensors(item, _MOST_LEVELS, known)
        }
        key: object = next((key for key in PREFERRED if key in inner), None)
        tensors = _tensors(value)
        if key is None and tensors:
            return ".".join(way), tensors
        if key is None and len(inner) > 1:
            listed = ", ".join(sorted(f"{key!s:.40}" for key in inner)[:8])
            rule = "A PyTorch file must say which of its dictionaries are the weights"
            raise CheckpointError(rule, found=f"{listed} in {path}", remedy=SAVE_WEIGHTS)
        if not inner:
            break
        key = next(iter(inner)) if key is None else key
        way.append(f"{key!s:.40}")
        value = inner[key]
    what = f"a {type(value).__name__} without tensors by name"
    raise CheckpointError(
        "A PyTorch file must hold a state dict", found=f"{path}: {what}", remedy=SAVE_WEIGHTS
    )


def _tensors(value: Mapping[object, object]) -> dict[str, TensorRef]:
    items = value.items()
    return {key: item for key, item in items if isinstance(key, str) and isinstance(item, TensorRef)}


def _holds_tensors(value: Mapping[object, object], levels: int, known: dict[int, bool]) -> bool:
    """Whether a dictionary, or one inside it, holds a tensor; each is looked at once, whoever else holds it."""
    if id(value) not in known:
        known[id(value)] = False
        items = value.values()
        known[id(value)] = any(isinstance(item, TensorRef) for item in items) or (
            levels > 0
            and any(isinstance(item, dict) and _holds_tensors(item, levels - 1, known) for item in items)
        )
    return known[id(value)]


def _foreign(path: Path, name: str) -> CheckpointError:
    rule = "A PyTorch file must hold tensors and plain values only"
    if name.startswith("torch._utils._rebuild_") or name.endswith("Storage"):
        what, remedy = "a kind of tensor that isn't read", "Save its weights as plain float32 tensors."
    elif name.startswith("numpy."):
        what, remedy = "a NumPy value beside the tensors", SAVE_WEIGHTS
    else:
        what, remedy = "a class or function, as a whole pickled model names them", SAVE_WEIGHTS
    return CheckpointError(rule, found=f"{name} in {path}: {what}; nothing of it was run", remedy=remedy)
