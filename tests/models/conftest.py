"""TF1 and PyTorch checkpoints made on the spot, without PyTorch."""

from __future__ import annotations

import io
import pickle
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

SaveTF1 = Callable[..., Path]


@pytest.fixture
def save_tf1() -> SaveTF1:
    """``save(prefix, arrays, version=2)`` writes a TF1 checkpoint with these variables."""
    return _save


def _save(prefix: Path, arrays: Mapping[str, np.ndarray], *, version: int = 2) -> Path:
    import tensorflow as tf

    v1 = tf.compat.v1
    prefix.parent.mkdir(parents=True, exist_ok=True)
    with tf.Graph().as_default(), v1.Session() as session:
        variables = {}
        feeds = {}
        for place, (name, array) in enumerate(arrays.items()):
            value = v1.placeholder(tf.as_dtype(array.dtype), array.shape)
            variables[name] = v1.Variable(value, name=f"saved_{place}", use_resource=False)
            feeds[value] = array
        session.run([variable.initializer for variable in variables.values()], feeds)
        saver = v1.train.Saver(variables, write_version=version)
        saver.save(session, str(prefix), write_meta_graph=False, write_state=False)
    return prefix


@dataclass
class Storage:
    """Numbers that tensors look into, as PyTorch pickles them: by a persistent id."""

    numbers: np.ndarray
    kind: str
    view: tuple[str, int, int] | None = None
    key: str = ""


@dataclass
class Tensor:
    """Pickled as PyTorch pickles tensors; offset and strides count elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        return rebuild, (self.storage, self.offset, self.shape, self.strides, False, OrderedDict())


@dataclass
class TorchWriter:
    """Writes what ``torch.save`` writes, with Python's own pickler and names that only pretend to be PyTorch's."""

    kinds: Mapping[str, str] = field(
        default_factory=lambda: {
            "float32": "FloatStorage", "float64": "DoubleStorage", "float16": "HalfStorage", "int64": "LongStorage",
            "int32": "IntStorage", "uint8": "ByteStorage", "bool": "BoolStorage",
        }
    )  # fmt: skip

    def tensor(self, array: np.ndarray, *, kind: str = "") -> Tensor:
        """A contiguous tensor with a storage of its own."""
        numbers = np.array(array, order="C")
        strides = tuple(step // numbers.itemsize for step in numbers.strides)
        storage = Storage(numbers.reshape(-1), kind or self.kinds[array.dtype.name])
        return Tensor(storage, 0, array.shape, strides)

    def pickled(self, value: Any, storages: list[Storage], *, protocol: int = 2, old: bool = False) -> bytes:
        """A pickle of a value; its storages are numbered as they come."""
        target = io.BytesIO()

        class Pickler(pickle.Pickler):
            def persistent_id(self, item: Any) -> Any:
                if not isinstance(item, Storage):
                    return None
                if all(item is not other for other in storages):
                    item.key = item.key or str(len(storages))
                    storages.append(item)
                named = getattr(sys.modules["torch"], item.kind)
                return (
                    "storage",
                    named,
                    item.key,
                    "cuda:0",
                    item.numbers.size,
                    *([item.view] if old else []),
                )

        with _pretended():
            Pickler(target, protocol).dump(self._tensors(value))
        return target.getvalue()

    def save(self, path: Path, value: Any, *, protocol: int = 2, **members: bytes) -> Path:
        """The zip format; further members by name."""
        storages: list[Storage] = []
        data = self.pickled(value, storages, protocol=protocol)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", data)
            for name, content in members.items():
                archive.writestr(f"archive/{name}", content)
            for storage in storages:
                archive.writestr(f"archive/data/{storage.key}", storage.numbers.tobytes())
            archive.writestr("archive/version", "3\n")
        return path

    def save_old(self, path: Path, value: Any, *, protocol: int = 2, little_endian: bool = True) -> Path:
        """The format before PyTorch 1.6."""
        storages: list[Storage] = []
        machine = {"protocol_version": 1001, "little_endian": little_endian, "type_sizes": {"int": 4}}
        data = self.pickled(value, storages, protocol=protocol, old=True)
        start = b"".join(pickle.dumps(item, protocol) for item in (0x1950A86A20F9469CFC6C, 1001, machine))
        roots = [storage for storage in storages if storage.view is None]
        blocks = [root.numbers.size.to_bytes(8, "little") + root.numbers.tobytes() for root in roots]
        path.write_bytes(
            start + data + pickle.dumps([root.key for root in roots], protocol) + b"".join(blocks)
        )
        return path

    def _tensors(self, value: Any) -> Any:
        """A copy with tensors in the place of arrays, in the order of an ``OrderedDict`` as PyTorch saves it."""
        if isinstance(value, np.ndarray):
            return self.tensor(value)
        if isinstance(value, dict):
            return OrderedDict((key, self._tensors(item)) for key, item in value.items())
        return [self._tensors(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(scope="session")
def torch_writer() -> TorchWriter:
    """Writes PyTorch files: ``torch_writer.save(path, {"conv.weight": array})``."""
    return TorchWriter()


@contextmanager
def _pretended() -> Iterator[None]:
    """Modules under PyTorch's names, for as long as the pickler looks names up in them."""
    torch, utils = ModuleType("torch"), ModuleType("torch._utils")
    for kind in ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Byte", "Bool", "QUInt8"):
        setattr(torch, f"{kind}Storage", type(f"{kind}Storage", (), {"__module__": "torch"}))

    def rebuild(*_: Any) -> None:
        raise AssertionError("only its name is pickled")

    rebuild.__module__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = rebuild  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torch", torch)
        patch.setitem(sys.modules, "torch._utils", utils)
        yield
