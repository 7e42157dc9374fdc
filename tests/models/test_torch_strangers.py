"""What a stranger may put into a PyTorch file: code, bombs, cuts, lies."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.errors import CheckpointError
from pixelproof.models.checkpoints.locate import locate
from pixelproof.models.checkpoints.torch_faults import Damaged, ForeignName
from pixelproof.models.checkpoints.torch_pickle import read_pickle
from pixelproof.models.checkpoints.torch_state_dict import open_torch

WEIGHTS = {"conv.weight": np.ones((4, 3, 3, 3), np.float32), "conv.bias": np.ones(4, np.float32)}


def _read(path: Path) -> dict[str, np.ndarray]:
    with open_torch(locate(path)) as file:
        file.check(file.floats())
        return {name: file.read(name) for name in file.floats()}


def _writers(writer: Any) -> dict[str, Any]:
    return {"zip": writer.save, "old": writer.save_old}


class _Runs:
    """Pickled as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("kind", ["zip", "old"])
@pytest.mark.parametrize(
    ("function", "name"), [(os.system, r"(posix|nt)\.system"), (eval, r"(__builtin__|builtins)\.eval")]
)
def test_code_is_refused_by_name_and_not_run(
    torch_writer: Any, tmp_path: Path, kind: str, protocol: int, function: Any, name: str
) -> None:
    mark = tmp_path / "it ran"
    text = f"echo > '{mark}'" if function is os.system else f"open({str(mark)!r}, 'w')"
    saved = WEIGHTS | {"x": _Runs(function, text)}
    path = _writers(torch_writer)[kind](tmp_path / "m.pth", saved, protocol=protocol)
    with pytest.raises(CheckpointError, match=rf"{name} in .*nothing of it was run") as caught:
        _read(path)
    assert "torch.save(model.state_dict(), PATH)" in str(caught.value)
    assert not mark.exists()


@pytest.mark.parametrize(
    "name",
    ["torch.nn.modules.conv Conv2d", "__main__ Net", "torch._utils _rebuild_qtensor", "numpy.core.multiarray scalar",
     "torch load", "os system", "builtins getattr", "torch.storage _load_from_bytes"],
)  # fmt: skip
def test_every_other_name_is_refused(tmp_path: Path, name: str) -> None:
    module, _, attribute = name.partition(" ")
    data = b"\x80\x02c" + f"{module}\n{attribute}\n".encode() + b")\x81}b."
    with pytest.raises(ForeignName, match=f"{module}.{attribute}"):
        read_pickle(data)
    with zipfile.ZipFile(tmp_path / "m.pth", "w") as archive:
        archive.writestr("archive/data.pkl", data)
    with pytest.raises(CheckpointError, match=rf"{module}\.{attribute} in .*: a .*; nothing of it was run"):
        _read(tmp_path / "m.pth")


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02Nr\xff\xff\xff\x7f.",  # a numbered value far away: Python's reader takes 32 GiB
        b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f.",  # bytes that aren't there
        b"\x80\x02\x8b\xff\xff\xff\x7f.",
        b"\x80\x02X\xff\xff\xff\x7f.",
        b"\x80\x02N" + b"\x85" * 300_000 + b"}" + b"0" + b".",
        b"\x80\x02}N" + b"\x85" * 300_000 + b"Ns.",  # a key whose hash would recurse
        b"\x80\x02ccollections\nOrderedDict\n]]h\x00\x86aR.",
        b"\x80\x02ctorch\nSize\nNb.",
        b"\x80\x02(ctorch\nSize\nX\x01\x00\x00\x00atQ.",
        b"\x80\x02" + b"(" * 100_000 + b"tt" + b".",
    ],
    ids=range(10),
)
def test_a_crafted_pickle_takes_no_memory_and_no_stack(data: bytes) -> None:
    tracemalloc.start()
    try:
        read_pickle(data)
    except (Damaged, ForeignName):
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 64 * 1024 * 1024


def test_dictionaries_that_hold_themselves_and_each_other(torch_writer: Any, tmp_path: Path) -> None:
    """A dictionary of a thousand references to one of a thousand references, ten levels deep."""
    data = b"\x80\x02}q\x00"
    for level in range(1, 11):
        refs = b"".join(b"M" + struct.pack("<H", key) + b"h" + bytes([level - 1]) for key in range(1000))
        data += b"}q" + bytes([level]) + b"(" + refs + b"u"
    data += b"h\x00K\x00h\x0as."  # the innermost holds the outermost
    with zipfile.ZipFile(tmp_path / "m.pth", "w") as archive:
        archive.writestr("archive/data.pkl", data)
    with pytest.raises(CheckpointError, match="without tensors by name"):
        _read(tmp_path / "m.pth")


@pytest.mark.parametrize("kind", ["zip", "old"])
def test_every_cut_is_an_error_in_words(torch_writer: Any, tmp_path: Path, kind: str) -> None:
    whole = _writers(torch_writer)[kind](tmp_path / "whole.pth", WEIGHTS).read_bytes()
    for size in [1, 3, 5, 20, 60, 200, len(whole) // 2, len(whole) - 30, len(whole) - 1]:
        path = tmp_path / "cut.pth"
        path.write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match="cut"):
            _read(path)


@pytest.mark.parametrize("kind", ["zip", "old"])
def test_damage_anywhere_is_an_error_in_words_or_other_numbers(
    torch_writer: Any, tmp_path: Path, kind: str
) -> None:
    whole = bytearray(_writers(torch_writer)[kind](tmp_path / "whole.pth", WEIGHTS).read_bytes())
    rng = np.random.default_rng(1)
    path = tmp_path / "damaged.pth"
    refused = 0
    for _ in range(400):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), rng.integers(1, 4)):
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(damaged)
        try:
            _read(path)
        except CheckpointError:
            refused += 1
    assert refused > 100


def test_tensors_must_lie_in_their_storages(torch_writer: Any, tmp_path: Path) -> None:
    good = torch_writer.tensor(np.arange(6, dtype=np.float32))
    beyond = type(good)(good.storage, 3, (2, 2), (2, 1))
    with pytest.raises(CheckpointError, match="x, which reaches beyond its storage of 6 elements"):
        _read(torch_writer.save(tmp_path / "m.pth", {"x": beyond}))
    huge = type(good)(good.storage, 0, (1 << 40, 1 << 40), (1 << 40, 1))
    with pytest.raises(CheckpointError, match="reaches beyond"):
        _read(torch_writer.save_old(tmp_path / "m.pth", {"x": huge}))
    repeated = type(good)(
        good.storage, 0, (1 << 40,), (0,)
    )  # no data at all: whoever asks for it knows its shape
    with open_torch(locate(torch_writer.save(tmp_path / "m.pth", {"x": repeated}))) as file:
        assert file.shapes == {"x": (1 << 40,)}
    short = io.BytesIO()
    with zipfile.ZipFile(short, "w") as archive:
        archive.writestr("a/data.pkl", torch_writer.pickled({"x": good}, []))
        archive.writestr("a/data/0", bytes(20))
    (tmp_path / "m.pth").write_bytes(short.getvalue())
    with pytest.raises(CheckpointError, match="a storage of 20 bytes that should hold 6 float32"):
        _read(tmp_path / "m.pth")
