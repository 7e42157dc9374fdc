"""The .safetensors format: read, and refused where it breaks its own rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.errors import CheckpointError
from pixelproof.models.checkpoints.loading import load_checkpoint
from pixelproof.models.checkpoints.locate import locate
from pixelproof.models.checkpoints.safetensors import open_safetensors
from pixelproof.models.checkpoints.torch_layout import slots_of
from pixelproof.models.registry import create, spec

KINDS = {"float32": "F32", "float64": "F64", "float16": "F16", "uint16": "BF16", "int64": "I64"}
VALUES = np.array([[0.5, -1.25, 3.0], [2.0, -8.0, 65280.0]])


def _save(path: Path, arrays: dict[str, np.ndarray], **changes: Any) -> Path:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, array in arrays.items():
        end = len(data) + array.nbytes
        entry = {"dtype": KINDS[array.dtype.name], "shape": array.shape, "data_offsets": [len(data), end]}
        header[name] = entry | changes.get(name, {})
        data += array.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def _read(path: Path) -> dict[str, np.ndarray]:
    with open_safetensors(locate(path)) as file:
        return {name: file.read(name) for name in file.floats()}


def test_tensors_of_every_type(tmp_path: Path) -> None:
    bfloat = (VALUES.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    arrays = {
        "a": VALUES.astype(np.float32),
        "b": VALUES,
        "c": (VALUES / 2).astype(np.float16),
        "d": bfloat,
        "e.count": np.arange(3),
        "f": np.zeros((0, 4), np.float32),
    }
    path = _save(tmp_path / "m.safetensors", arrays)
    assert locate(path).kind == "safetensors"
    assert locate(path.rename(tmp_path / "renamed")).kind == "safetensors"
    found = _read(tmp_path / "renamed")
    assert set(found) == {"a", "b", "c", "d", "f"}
    for name in "abd":
        assert np.array_equal(found[name], VALUES.astype(np.float32)), name
    assert np.array_equal(found["c"], VALUES.astype(np.float32) / 2)


def test_weights_go_into_a_model(tmp_path: Path) -> None:
    model, rule = create("imdn", features=8, blocks=1), spec("imdn").torch_names
    assert rule is not None
    names, rng = rule(model), np.random.default_rng(0)
    arrays = {
        names[path]: rng.standard_normal(slot.shape).astype(np.float32)
        for path, slot in slots_of(model).items()
    }
    report = load_checkpoint(model, _save(tmp_path / "m.safetensors", arrays), model_name="imdn")
    assert (report.format, report.used, report.taken) == ("safetensors", 16, "")
    kernel = np.asarray(model.get_layer("model.0").kernel)
    assert np.array_equal(kernel, arrays["model.0.weight"].transpose(2, 3, 1, 0))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data_offsets": [0, 20]}, "isn't as long as its shape"),
        ({"data_offsets": [-24, 0]}, "isn't as long as its shape"),
        ({"data_offsets": [24, 48]}, "doesn't begin where the tensor before it ends"),
        ({"data_offsets": [0, "24"]}, "without dtype, shape and data_offsets"),
        ({"shape": [2, 4]}, "isn't as long as its shape"),
        ({"shape": [-2, -3]}, "a shape that is none"),
        ({"shape": [1 << 62, 1 << 62]}, "isn't as long as its shape"),
        ({"dtype": "F8_E4M3"}, "of the type F8_E4M3, which isn't read"),
    ],
)
def test_headers_that_lie(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    arrays = {"a": VALUES.astype(np.float32), "b": VALUES.astype(np.float32)}
    with pytest.raises(CheckpointError, match=said):
        _read(_save(tmp_path / "m.safetensors", arrays, a=change))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{" + b" " * 30, "a header of"),
        ((50).to_bytes(8, "little") + b"{}", "a header of 50 bytes in a file of 10"),
        ((4).to_bytes(8, "little") + b"{{{{", "no JSON"),
        ((200_000).to_bytes(8, "little") + b'{"a":' + b"[" * 199_995, "no JSON"),
        ((18).to_bytes(8, "little") + b'{"a": 1, "a": 2}  ', "a name twice"),
        ((2).to_bytes(8, "little") + b"{}" + b"more", "tensors of 0 bytes in 4"),
    ],
    ids=range(6),
)
def test_files_that_are_none(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=said):
        _read(path)


def test_every_cut_is_an_error_in_words(tmp_path: Path) -> None:
    whole = _save(tmp_path / "m.safetensors", {"a": VALUES, "b": VALUES}).read_bytes()
    for size in range(0, len(whole), 7):
        (tmp_path / "cut.safetensors").write_bytes(whole[:size])
        with pytest.raises(CheckpointError):
            _read(tmp_path / "cut.safetensors")
