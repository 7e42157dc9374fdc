"""What a PyTorch file may name, and what becomes of it: descriptions of tensors, no tensors.

The shapes of these calls: PyTorch's ``torch/_utils.py`` and ``torch/serialization.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pixelproof.models.checkpoints.torch_faults import Damaged, ForeignName

STORAGE_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "torch.FloatStorage": "float32",
        "torch.DoubleStorage": "float64",
        "torch.HalfStorage": "float16",
        "torch.BFloat16Storage": "bfloat16",
        "torch.LongStorage": "int64",
        "torch.IntStorage": "int32",
        "torch.ShortStorage": "int16",
        "torch.CharStorage": "int8",
        "torch.ByteStorage": "uint8",
        "torch.BoolStorage": "bool",
    }
)

_DTYPES = frozenset(
    f"torch.{name}"
    for name in """bfloat16 bool complex64 complex128 double float float16 float32 float64 half int int16 int32 int64
    int8 long short uint8""".split()
)


@dataclass(frozen=True, slots=True)
class StorageRef:
    """Numbers in the file that tensors look into.

    Attributes:
        key: by which the file finds them.
        dtype: NumPy's name of their type, or ``bfloat16``.
        count: how many.
        first: where a view into them begins; 0 for no view.
    """

    key: str
    dtype: str
    count: int
    first: int = 0


@dataclass(frozen=True, slots=True)
class TensorRef:
    """A tensor: a shape laid over a storage. Offset and strides count elements."""

    storage: StorageRef
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Name:
    """An allowed name, as it stands in a file."""

    text: str


def named(text: str) -> Name:
    """A name of the fixed table.

    Raises:
        ForeignName: it isn't in the table.
    """
    if text in _CALLS or text in STORAGE_TYPES or text in _DTYPES:
        return Name(text)
    raise ForeignName(text)


def called(name: object, arguments: object) -> object:
    """What a call of an allowed name gives.

    Raises:
        ForeignName: not a function of the table.
        Damaged: arguments that PyTorch doesn't write.
    """
    if not isinstance(name, Name) or not isinstance(arguments, tuple):
        raise Damaged("a call of something that is no function")
    function = _CALLS.get(name.text)
    if function is None:
        raise ForeignName(f"{name.text}(...)")
    return function(*arguments)


def storage(description: object) -> StorageRef:
    """A storage from its persistent id: ("storage", type, key, device, count), in old files with a view behind it.

    Raises:
        Damaged: another description.
    """
    match description:
        case ("storage", Name(text), str(key), str() | None, int(count), *view) if text in STORAGE_TYPES:
            first = 0
            match view:
                case [] | [None]:
                    pass
                case [(_, int(first), _)]:
                    pass
                case _:
                    raise Damaged("a view that isn't described as PyTorch does")
            return StorageRef(key, STORAGE_TYPES[text], size(count), size(first))
        case _:
            raise Damaged("a storage that isn't described as PyTorch does")


def scalar(key: object) -> Any:
    """A number, text or None: what may be a key. Hashing tuples in tuples would recurse.

    Raises:
        Damaged: something else.
    """
    if not isinstance(key, str | int | float | bytes | None):
        raise Damaged("a key that is neither a number nor text")
    return key


def size(value: object) -> int:
    """A whole number from 0 on.

    Raises:
        Damaged: something else.
    """
    if not isinstance(value, int) or value < 0:
        raise Damaged("a size that is no size")
    return value


def _tensor(source: object, offset: object, shape: object, strides: object, *_: object) -> TensorRef:
    if not (isinstance(source, StorageRef) and isinstance(shape, tuple) and isinstance(strides, tuple)):
        raise Damaged("a tensor that isn't described as PyTorch does")
    if len(shape) != len(strides) or len(shape) > 64:
        raise Damaged("a tensor whose shape and strides don't agree")
    return TensorRef(source, size(offset), tuple(map(size, shape)), tuple(map(size, strides)))


def _parameter(tensor: object, *_: object) -> TensorRef:
    if not isinstance(tensor, TensorRef):
        raise Damaged("a parameter that is no tensor")
    return tensor


def _dictionary(items: object = ()) -> dict[Any, object]:
    pairs = items.items() if isinstance(items, dict) else items
    return {scalar(key): value for key, value in pairs}  # type: ignore[attr-defined]


def _set(items: object = ()) -> set[Any]:
    return {scalar(item) for item in items}  # type: ignore[attr-defined]


def _shape(sides: object = ()) -> tuple[int, ...]:
    return tuple(size(side) for side in sides)  # type: ignore[attr-defined]


def _device(*parts: object) -> str:
    return ":".join(str(scalar(part)) for part in parts)


_CALLS: Mapping[str, Callable[..., object]] = MappingProxyType(
    {
        "torch._utils._rebuild_tensor": _tensor,
        "torch._utils._rebuild_tensor_v2": _tensor,
        "torch._utils._rebuild_parameter": _parameter,
        "torch._utils._rebuild_parameter_with_state": _parameter,
        "torch.Size": _shape,
        "torch.device": _device,
        "collections.OrderedDict": _dictionary,
        "collections.Counter": _dictionary,
        "builtins.set": _set,
        "builtins.frozenset": _set,
        "__builtin__.set": _set,
        "__builtin__.frozenset": _set,
    }
)
