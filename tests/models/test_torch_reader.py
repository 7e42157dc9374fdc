"""PyTorch files without PyTorch: both formats, odd tensors, dictionaries in dictionaries, other files."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.errors import CheckpointError
from pixelproof.models.checkpoints.locate import locate
from pixelproof.models.checkpoints.torch_state_dict import open_torch

RNG = np.random.default_rng(0)
WEIGHTS = {
    "conv.weight": RNG.standard_normal((4, 3, 3, 3)).astype(np.float32),
    "conv.bias": RNG.standard_normal(4).astype(np.float32),
}


def _read(path: Path) -> tuple[dict[str, np.ndarray], str]:
    with open_torch(locate(path)) as file:
        return {name: file.read(name) for name in file.floats()}, file.taken


def _writers(writer: Any) -> dict[str, Any]:
    return {"zip": writer.save, "old": writer.save_old}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("kind", ["zip", "old"])
def test_both_formats_in_every_protocol(torch_writer: Any, tmp_path: Path, kind: str, protocol: int) -> None:
    many = WEIGHTS | {f"body.{place}.bias": np.full(3, place, np.float32) for place in range(300)}
    path = _writers(torch_writer)[kind](tmp_path / "m.pth", many, protocol=protocol)
    assert locate(path).kind == "torch"
    found, taken = _read(path)
    assert taken == ""
    assert list(found) == list(many)
    assert all(np.array_equal(found[name], many[name]) for name in many)


@pytest.mark.parametrize("kind", ["zip", "old"])
def test_types_become_float32_and_whole_numbers_are_told_apart(
    torch_writer: Any, tmp_path: Path, kind: str
) -> None:
    values = np.array([0.5, -1.25, 3.0, 65280.0])
    bfloat = (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    saved = {
        "double": values,
        "half": values.astype(np.float16) / 2,
        "bfloat": torch_writer.tensor(bfloat, kind="BFloat16Storage"),
        "bn.num_batches_tracked": np.array(7, np.int64),
        "mask": np.array([True, False]),
    }
    path = _writers(torch_writer)[kind](tmp_path / "m.pth", saved)
    with open_torch(locate(path)) as file:
        assert file.shapes["bn.num_batches_tracked"] == ()
        assert set(file.floats()) == {"double", "half", "bfloat"}
        assert np.array_equal(file.read("double"), values.astype(np.float32))
        assert np.array_equal(file.read("half"), (values / 2).astype(np.float16).astype(np.float32))
        assert np.array_equal(file.read("bfloat"), values.astype(np.float32))
        assert {file.read(name).dtype.name for name in file.floats()} == {"float32"}


@pytest.mark.parametrize("kind", ["zip", "old"])
def test_strides_offsets_and_shared_storages(torch_writer: Any, tmp_path: Path, kind: str) -> None:
    numbers = np.arange(60, dtype=np.float32)
    whole = torch_writer.tensor(numbers)
    kind_of = type(whole)
    saved = {
        "all": whole,
        "transposed": kind_of(whole.storage, 0, (4, 5, 3), (3, 12, 1)),
        "slice": kind_of(whole.storage, 7, (2, 3), (10, 2)),
        "repeated": kind_of(whole.storage, 3, (2, 4), (0, 1)),
        "none": kind_of(whole.storage, 60, (0, 4), (4, 1)),
        "one": kind_of(whole.storage, 59, (), ()),
    }
    found, _ = _read(_writers(torch_writer)[kind](tmp_path / "m.pth", saved))
    assert np.array_equal(found["transposed"], numbers.reshape(5, 4, 3).transpose(1, 0, 2))
    assert np.array_equal(found["slice"], [[7, 9, 11], [17, 19, 21]])
    assert np.array_equal(found["repeated"], [[3, 4, 5, 6]] * 2)
    assert found["none"].shape == (0, 4)
    assert found["one"] == 59
    assert (tmp_path / "m.pth").stat().st_size < 60 * 4 + 3000


def test_a_view_of_the_old_format(torch_writer: Any, tmp_path: Path) -> None:
    """PyTorch 0.3 wrote views of storages with their place in the whole."""
    root = torch_writer.tensor(np.arange(10, dtype=np.float32))
    root.storage.key = "7"
    view = type(root.storage)(root.storage.numbers, "FloatStorage", view=("8", 4, 3), key="7")
    saved = {"whole": root, "part": type(root)(view, 1, (2,), (1,))}
    assert np.array_equal(_read(torch_writer.save_old(tmp_path / "m.pth", saved))[0]["part"], [5, 6])


@pytest.mark.parametrize(
    ("around", "taken"),
    [
        (lambda w: {"params": {"x": np.ones(1, np.float32)}, "params_ema": w}, "params_ema"),
        (lambda w: {"net": {"x": np.ones(1, np.float32)}, "params": w}, "params"),
        (lambda w: {"epoch": 3, "state_dict": w, "lr": 0.1, "step": np.array(9)}, "state_dict"),
        (lambda w: {"state_dict": {"generator": w}}, "state_dict.generator"),
        (lambda w: {"weights of mine": w, "best": 28.4, "names": ["a", {"b": None}]}, "weights of mine"),
    ],
)
def test_the_dictionary_that_was_taken_is_said(
    torch_writer: Any, tmp_path: Path, around: Any, taken: str
) -> None:
    found, said = _read(torch_writer.save(tmp_path / "m.pth", around(WEIGHTS)))
    assert said == taken
    assert set(found) == set(WEIGHTS)


@pytest.mark.parametrize(
    ("saved", "said"),
    [
        (
            {"generator_a": WEIGHTS, "generator_b": WEIGHTS},
            r"which of its dictionaries.*generator_a, generator_b",
        ),
        ([WEIGHTS], "a list without tensors by name"),
        ({"epoch": 3}, "a dict without tensors"),
        (np.ones(3, np.float32), "a TensorRef without tensors by name"),
    ],
)
def test_no_state_dict_is_said(torch_writer: Any, tmp_path: Path, saved: Any, said: str) -> None:
    with pytest.raises(CheckpointError, match=rf"{said}.*torch\.save\(model\.state_dict\(\), PATH\)"):
        _read(torch_writer.save(tmp_path / "m.pth", saved))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the empty file"),
        (b"<!DOCTYPE html>\n<html><body>Sign in</body>", "a web page"),
        (b"\n  <html lang=en>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"PK\x03\x04 and then nothing", "a zip archive of another kind, or one that is cut short"),
        (pickle.dumps({"weight": [1.0]}, 2), "a pickle that torch.save didn't write"),
        (b"\x80\x02" + bytes(30), "no instruction|didn't write|doesn't write"),
        (b"Not Found", "a text file that begins with 'Not Found'"),
    ],
)
def test_what_was_fetched_in_the_place_of_weights(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "m.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=said):
        _read(path)


def test_other_files_of_pytorch(torch_writer: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.pth"
    torch_writer.save(path, WEIGHTS, **{"constants.pkl": b"\x80\x02)."})
    with pytest.raises(CheckpointError, match=r"TorchScript program.*torch\.jit\.load"):
        _read(path)
    torch_writer.save(path, WEIGHTS, byteorder=b"big")
    with pytest.raises(CheckpointError, match="big-endian"):
        _read(path)
    torch_writer.save_old(path, WEIGHTS, little_endian=False)
    with pytest.raises(CheckpointError, match="big-endian"):
        _read(path)
    torch_writer.save(path, WEIGHTS, byteorder=b"little")
    assert set(_read(path)[0]) == set(WEIGHTS)


def test_compressed_and_doubled_members_are_refused(torch_writer: Any, tmp_path: Path) -> None:
    whole = torch_writer.save(tmp_path / "whole.pth", WEIGHTS)
    path = tmp_path / "m.pth"
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    with pytest.raises(CheckpointError, match=r"members are compressed.*torch\.save again"):
        _read(path)
    path.write_bytes(whole.read_bytes())
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("archive/data/0", b"other")
    with pytest.raises(CheckpointError, match="two members of one name"):
        _read(path)


def test_checksums_of_the_archive(torch_writer: Any, tmp_path: Path) -> None:
    path = torch_writer.save(tmp_path / "m.pth", WEIGHTS)
    whole = path.read_bytes()
    place = whole.index(WEIGHTS["conv.weight"].tobytes()) + 40
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with open_torch(locate(path)) as file:
        file.check(["conv.bias"])
        with pytest.raises(CheckpointError, match=r"432 bytes at .* that aren't what was written"):
            file.check(["conv.bias", "conv.weight"])
    place = whole.index(b"conv.bias")
    path.write_bytes(whole[:place] + b"corv.bias" + whole[place + 9 :])
    with pytest.raises(CheckpointError, match=r"data\.pkl isn't what was written"):
        _read(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
def test_weights_that_are_no_numbers_are_refused(torch_writer: Any, tmp_path: Path, value: float) -> None:
    path = torch_writer.save(tmp_path / "m.pth", {"x": np.array([1.0, value])})
    with pytest.raises(CheckpointError, match="1 NaN or infinite of 2 in x of"):
        _read(path)


def test_a_folder_and_a_near_miss_offer_pytorch_files(torch_writer: Any, tmp_path: Path) -> None:
    torch_writer.save(tmp_path / "net.pth", WEIGHTS)
    assert locate(tmp_path).path == tmp_path / "net.pth"
    with pytest.raises(CheckpointError, match=r"Did you mean net\.pth\?"):
        locate(tmp_path / "net")


@pytest.mark.official
def test_the_official_files(shared_data: Path) -> None:
    counts = {"imdn_baseline": (86, 893_936), "rfdn_baseline": (128, 433_448), "team04_rlfn": (78, 317_218)}
    for name, (tensors, numbers) in counts.items():
        found, taken = _read(shared_data / "ntire2022_esr" / "model_zoo" / f"{name}.pth")
        assert (len(found), sum(array.size for array in found.values()), taken) == (tensors, numbers, "")
    found, taken = _read(shared_data / "real_esrgan" / "msrresnet_f16_b3_x4.pth")
    assert taken == "params"
    assert found["conv_first.weight"].shape == (16, 3, 3, 3)
