"""The file that ``torch.save`` wrote before PyTorch 1.6, and writes on request: a row of pickles, then the storages.

The pickles: a magic number, the format's version, the machine, what was saved, the storages' keys. Each storage, in
the order of the keys: the number of its elements in 8 bytes, and the elements. Layout: PyTorch's
``torch/serialization.py``.
"""

from __future__ import annotations

from typing import BinaryIO

from pixelproof.models.checkpoints.torch_faults import Damaged, OtherFile, big_endian
from pixelproof.models.checkpoints.torch_pickle import MOST_PICKLE_BYTES, Pickle, read_pickle
from pixelproof.models.checkpoints.torch_refs import StorageRef
from pixelproof.models.checkpoints.torch_tensors import ITEM_BYTES, Block

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001
_FIRST_BYTES = 128 * 1024
_COUNT_BYTES = 8


class TorchLegacy:
    """An open file of the old format.

    Args:
        stream: the file.
        size_bytes: of the file.

    Raises:
        Damaged: it ends early, or its parts don't fit together.
        ForeignName: it names something that a state dict doesn't need.
        OtherFile: another pickle, or big-endian.
    """

    def __init__(self, stream: BinaryIO, size_bytes: int) -> None:
        self._pickles = _five_pickles(stream, size_bytes)
        self._blocks = _blocks(stream, size_bytes, self._pickles)

    def value(self) -> object:
        """What was saved, with descriptions in the place of tensors."""
        return self._pickles[3].value

    def block_of(self, storage: StorageRef) -> Block:
        """Where a storage lies in the file.

        Raises:
            Damaged: it isn't there.
        """
        block = self._blocks.get(storage.key)
        if block is None or storage.count * ITEM_BYTES[storage.dtype] > block.size:
            raise Damaged(f"no storage {storage.key} of {storage.count:,} {storage.dtype}")
        return block


def _five_pickles(stream: BinaryIO, size_bytes: int) -> list[Pickle]:
    """Read a piece of the file that holds them; a larger one where they don't end in it."""
    limit = _FIRST_BYTES
    while True:
        stream.seek(0)
        data = stream.read(limit)
        try:
            pickles = [read_pickle(data)]
            if pickles[0].value != MAGIC:
                remedy = "Save it with torch.save(model.state_dict(), PATH)."
                raise OtherFile("a pickle that torch.save didn't write", remedy=remedy)
            while len(pickles) < 5:
                pickles.append(read_pickle(data, pickles[-1].end))
            break
        except Damaged:
            if limit >= min(size_bytes, MOST_PICKLE_BYTES):
                raise
            limit *= 8
    _, version, machine, _, _ = (pickle.value for pickle in pickles)
    if version != VERSION:
        raise OtherFile(f"version {version!r:.20} of PyTorch's old format", remedy="Save it again.")
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise big_endian()
    return pickles


def _blocks(stream: BinaryIO, size_bytes: int, pickles: list[Pickle]) -> dict[str, Block]:
    known = {storage.key: storage for storage in pickles[3].storages}
    keys = pickles[4].value
    if not isinstance(keys, list) or set(keys) != known.keys():
        raise Damaged("a list of storages that aren't those of the tensors")
    blocks = {}
    at = pickles[4].end
    for key in keys:
        storage = known[key]
        stream.seek(at)
        count = int.from_bytes(stream.read(_COUNT_BYTES), "little")
        block = Block(at + _COUNT_BYTES, storage.count * ITEM_BYTES[storage.dtype])
        blocks[key] = block
        at = block.start + block.size
        if at > size_bytes:
            raise Damaged(f"{size_bytes:,} bytes that end inside storage {len(blocks)} of {len(keys)}")
        if count != storage.count:
            raise Damaged(f"a storage of {count:,} elements that should have {storage.count:,}")
    return blocks
