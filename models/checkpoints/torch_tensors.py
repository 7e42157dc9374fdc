"""Tensors of a weight file: their shapes are known, their numbers are read when they are asked for."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from pixelproof.errors import CheckpointError
from pixelproof.models.checkpoints.fit import Shape

_PIECE_BYTES = 1024 * 1024

ITEM_BYTES: Mapping[str, int] = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2,
    "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint64": 8, "uint32": 4, "uint16": 2, "uint8": 1, "bool": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Block:
    """Bytes of a file that tensors lie in.

    Attributes:
        start: in the file.
        size: in bytes.
        crc32: checksum; 0 where the file has none.
    """

    start: int
    size: int
    crc32: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """Where one tensor lies.

    Attributes:
        dtype: NumPy's name of its type, or ``bfloat16``; little-endian.
        shape: of the tensor.
        strides: in elements, as many as sides.
        start: of its first element in the file, in bytes.
        block: that it is a part of.
    """

    dtype: str
    shape: Shape
    strides: tuple[int, ...]
    start: int
    block: Block

    @property
    def is_float(self) -> bool:
        """Whether it can be a weight."""
        return "float" in self.dtype

    @property
    def span(self) -> int:
        """Elements from its first to its last; 0 for none."""
        return span(self.shape, self.strides)


@dataclass(frozen=True)
class TensorFile:
    """An open weight file.

    Attributes:
        path: as the user knows it.
        tensors: by name.
        taken: key of the dictionary that was taken out of the file, ``params_ema``; "" where the file is one itself.
        stream: the file, unbuffered.
    """

    path: Path
    tensors: Mapping[str, Stored]
    taken: str
    stream: BinaryIO

    @property
    def shapes(self) -> dict[str, Shape]:
        """Of all tensors, by name."""
        return {name: tensor.shape for name, tensor in self.tensors.items()}

    def floats(self) -> dict[str, Shape]:
        """Shapes of the floating-point tensors."""
        return {name: tensor.shape for name, tensor in self.tensors.items() if tensor.is_float}

    def read(self, name: str) -> npt.NDArray[np.float32]:
        """One tensor as float32.

        Raises:
            CheckpointError: the file got shorter, or the numbers are not finite.
        """
        tensor = self.tensors[name]
        array = _laid_out(self._numbers(tensor), tensor)
        if not np.isfinite(array).all():
            count = int(array.size - np.isfinite(array).sum())
            found = f"{count} NaN or infinite of {array.size} in {name} of {self.path}"
            raise CheckpointError("Weights must be finite float32 numbers", found=found)
        return array

    def check(self, names: Iterable[str]) -> None:
        """Compare the checksums of what some tensors lie in; PyTorch's zip archives have them.

        Raises:
            CheckpointError: one is wrong.
        """
        for block in {self.tensors[name].block for name in names}:
            if block.crc32 and self._crc32(block) != block.crc32:
                found = f"{self.path}: {block.size:,} bytes at {block.start:,} that aren't what was written"
                remedy = "It is damaged: fetch it again."
                raise CheckpointError("A weight file must be whole", found=found, remedy=remedy)

    def _crc32(self, block: Block) -> int:
        self.stream.seek(block.start)
        left, checksum = block.size, 0
        while left and (piece := self.stream.read(min(left, _PIECE_BYTES))):
            checksum = zlib.crc32(piece, checksum)
            left -= len(piece)
        return checksum

    def _numbers(self, tensor: Stored) -> npt.NDArray[np.float32]:
        """The elements of the file from the tensor's first to its last."""
        kept = "uint16" if tensor.dtype == "bfloat16" else tensor.dtype
        numbers = np.empty(tensor.span, np.dtype(kept).newbyteorder("<"))
        self.stream.seek(tensor.start)
        left = numbers.view(np.uint8).data
        while left:
            got = self.stream.readinto(left)  # type: ignore[attr-defined]
            if not got:
                raise CheckpointError("A weight file must be whole", found=f"{self.path} cut short")
            left = left[got:]
        if tensor.dtype == "bfloat16":
            return (numbers.astype(np.uint32) << 16).view(np.float32)
        if numbers.dtype == np.float32:
            return cast(npt.NDArray[np.float32], numbers)
        with np.errstate(over="ignore"):
            return numbers.astype(np.float32)


@contextmanager
def opened_raw(path: Path) -> Iterator[BinaryIO]:
    """A file without a buffer of Python's own.

    Raises:
        CheckpointError: it can't be opened.
    """
    try:
        stream = path.open("rb", buffering=0)
    except OSError as error:
        raise CheckpointError("A checkpoint must be readable", found=f"{path}: {error.strerror}") from error
    with stream:
        yield cast(BinaryIO, stream)


def span(shape: Shape, strides: tuple[int, ...]) -> int:
    """Elements from the first to the last of a shape laid over a storage."""
    if 0 in shape:
        return 0
    return 1 + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))


def contiguous(shape: Shape) -> tuple[int, ...]:
    """Strides in elements of a shape whose rows follow each other."""
    strides = [1] * len(shape)
    for place in range(len(shape) - 2, -1, -1):
        strides[place] = strides[place + 1] * shape[place + 1]
    return tuple(strides)


def _laid_out(numbers: npt.NDArray[np.float32], tensor: Stored) -> npt.NDArray[np.float32]:
    if tensor.strides == contiguous(tensor.shape):
        return numbers.reshape(tensor.shape)
    strides = tuple(stride * numbers.itemsize for stride in tensor.strides)
    return np.ascontiguousarray(np.lib.stride_tricks.as_strided(numbers, tensor.shape, strides))
