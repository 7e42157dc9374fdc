"""The zip archive that ``torch.save`` writes since PyTorch 1.6: ``NAME/data.pkl`` and a member for each storage.

Layout: PyTorch's ``torch/serialization.py`` and ``caffe2/serialize/inline_container.cc``.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import BinaryIO

from pixelproof.models.checkpoints.torch_faults import Damaged, OtherFile, big_endian
from pixelproof.models.checkpoints.torch_pickle import MOST_PICKLE_BYTES, read_pickle
from pixelproof.models.checkpoints.torch_refs import StorageRef
from pixelproof.models.checkpoints.torch_tensors import ITEM_BYTES, Block

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_LOCAL_START = b"PK\x03\x04"
_ENCRYPTED = 1


class TorchZip:
    """An open archive.

    Args:
        stream: the file.
        size_bytes: of the file.

    Raises:
        Damaged: no archive, or one with two members of one name.
        OtherFile: TorchScript, or big-endian.
    """

    def __init__(self, stream: BinaryIO, size_bytes: int) -> None:
        try:
            with zipfile.ZipFile(stream) as archive:
                listed = archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error) as error:
            raise Damaged("a zip archive without its end") from error
        self._stream = stream
        self._size_bytes = size_bytes
        self._members = {member.filename: member for member in listed}
        if len(self._members) != len(listed):
            raise Damaged("a zip archive with two members of one name")
        folders = [name.removesuffix("data.pkl") for name in self._members if name.endswith("/data.pkl")]
        if len(folders) != 1:
            raise Damaged("a zip archive without data.pkl")
        self._folder = folders[0]
        if f"{self._folder}constants.pkl" in self._members:
            remedy = "Load it with torch.jit.load, then torch.save(model.state_dict(), PATH)."
            raise OtherFile("a TorchScript program", remedy=remedy)
        if f"{self._folder}byteorder" in self._members and self._read("byteorder") != b"little":
            raise big_endian()

    def value(self) -> object:
        """What was saved, with descriptions in the place of tensors.

        Raises:
            Damaged, ForeignName: see `read_pickle`.
        """
        return read_pickle(self._read("data.pkl")).value

    def block_of(self, storage: StorageRef) -> Block:
        """Where a storage lies in the file.

        Raises:
            Damaged: it isn't there, or not whole.
            OtherFile: it is compressed.
        """
        block = self._block(f"data/{storage.key}")
        if storage.count * ITEM_BYTES[storage.dtype] > block.size:
            raise Damaged(
                f"a storage of {block.size:,} bytes that should hold {storage.count:,} {storage.dtype}"
            )
        return block

    def _read(self, name: str) -> bytes:
        block = self._block(name)
        if block.size > MOST_PICKLE_BYTES:
            raise Damaged(f"{name} of {block.size:,} bytes, more than any state dict needs")
        self._stream.seek(block.start)
        data = self._stream.read(block.size)
        if block.crc32 and zlib.crc32(data) != block.crc32:
            raise Damaged(f"{name} isn't what was written")
        return data

    def _block(self, name: str) -> Block:
        member = self._members.get(f"{self._folder}{name}")
        if member is None:
            raise Damaged(f"a zip archive without {name}")
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & _ENCRYPTED:
            remedy = "Save it with torch.save again, which stores them as they are."
            raise OtherFile(f"a zip archive whose members are compressed ({name})", remedy=remedy)
        begin = max(0, member.header_offset)
        self._stream.seek(begin)
        header = self._stream.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or not header.startswith(_LOCAL_START):
            raise Damaged(f"a zip archive in which {name} isn't where it should be")
        _, name_size, extra_size = _LOCAL_HEADER.unpack(header)
        start = begin + _LOCAL_HEADER.size + name_size + extra_size
        if start + member.file_size > self._size_bytes:
            raise Damaged(f"a zip archive that ends inside {name}")
        return Block(start, member.file_size, member.CRC)
