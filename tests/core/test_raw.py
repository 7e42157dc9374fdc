"""RAW files: PNG and TIFF of 8 to 16 bit, a DNG written by hand, and what is none."""

from __future__ import annotations

import builtins
import io
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelproof.bayer import CFA_ORDERS
from pixelproof.errors import EnvironmentFault, ImageError
from pixelproof.raw import read_raw


def mosaic(height: int = 32, width: int = 48, *, bits: int = 10) -> np.ndarray:
    """Every pixel another number, as far as the bits reach."""
    return (np.arange(height * width).reshape(height, width) % 2**bits).astype(np.uint16)


def dng(pixels: np.ndarray, *, cfa: str, black: int, white: int) -> bytes:
    """A minimal DNG, uncompressed, 16 bit, one strip (Adobe's DNG specification 1.4)."""

    def numbers(kind: int, code: str, *values: int) -> tuple[int, int, bytes]:
        return kind, len(values), struct.pack(f"<{len(values)}{code}", *values)

    def text(value: str) -> tuple[int, int, bytes]:
        return 2, len(value) + 1, value.encode() + b"\0"

    def ratios(kind: int, *values: int) -> tuple[int, int, bytes]:
        return kind, len(values), b"".join(struct.pack("<iI", value, 1) for value in values)

    height, width = pixels.shape
    data = pixels.astype("<u2").tobytes()
    tags = {
        254: numbers(4, "I", 0),
        256: numbers(4, "I", width),
        257: numbers(4, "I", height),
        258: numbers(3, "H", 16),
        259: numbers(3, "H", 1),
        262: numbers(3, "H", 32803),
        271: text("Test"),
        272: text("Test"),
        273: numbers(4, "I", 0),
        277: numbers(3, "H", 1),
        278: numbers(4, "I", height),
        279: numbers(4, "I", len(data)),
        284: numbers(3, "H", 1),
        33421: numbers(3, "H", 2, 2),
        33422: numbers(1, "B", *("RGB".index(colour) for colour in cfa)),
        50706: numbers(1, "B", 1, 4, 0, 0),
        50708: text("Test Test"),
        50714: numbers(4, "I", black),
        50717: numbers(4, "I", white),
        50721: ratios(10, 1, 0, 0, 0, 1, 0, 0, 0, 1),
        50728: ratios(5, 1, 1, 1),
        50778: numbers(3, "H", 21),
    }
    beyond, entries = b"", []
    start = 8 + 2 + 12 * len(tags) + 4
    for tag, (kind, count, value) in sorted(tags.items()):
        if len(value) > 4:
            place = struct.pack("<I", start + len(beyond))
            beyond += value + b"\0" * (len(value) % 2)
            value = place
        entries.append([tag, kind, count, value.ljust(4, b"\0")])
    for entry in entries:
        if entry[0] == 273:
            entry[3] = struct.pack("<I", start + len(beyond))
    table = b"".join(struct.pack("<HHI", tag, kind, count) + value for tag, kind, count, value in entries)
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + table + bytes(4) + beyond + data


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """``save(pixels, "x.png")``."""

    def saved(pixels: np.ndarray, name: str = "x.png", **options: Any) -> Path:
        path = tmp_path / name
        Image.fromarray(pixels).save(path, **options)
        return path

    return saved


@pytest.fixture
def camera_file(tmp_path: Path) -> Callable[..., Path]:
    """``camera_file(pixels, cfa="RGGB")``: a DNG; skips where nothing reads it."""
    pytest.importorskip("rawpy", reason="needs the extra raw: pip install pixelproof[raw]")

    def saved(pixels: np.ndarray, *, cfa: str = "RGGB", black: int = 64, white: int = 1023) -> Path:
        path = tmp_path / "x.dng"
        path.write_bytes(dng(pixels, cfa=cfa, black=black, white=white))
        return path

    return saved


@pytest.mark.parametrize("name", ["x.png", "x.tif", "x.TIFF"])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_numbers_come_as_they_are_stored(save: Callable[..., Path], name: str, bits: int) -> None:
    pixels = mosaic(bits=bits).astype(np.uint8 if bits == 8 else np.uint16)
    raw = read_raw(save(pixels, name))
    assert raw.mosaic.dtype == pixels.dtype
    assert np.array_equal(raw.mosaic, pixels)
    assert (raw.cfa, raw.black_level, raw.white_level) == (None, None, None)


def test_a_tiff_of_big_endian_numbers_is_read(tmp_path: Path) -> None:
    pixels = mosaic(4, 6)
    path = tmp_path / "x.tif"
    Image.frombytes("I;16B", (6, 4), pixels.astype(">u2").tobytes()).save(path)
    assert np.array_equal(read_raw(path).mosaic, pixels)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "1"])
def test_a_picture_in_colours_is_no_raw_image(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "x.png"
    Image.new(mode, (4, 4)).save(path)
    with pytest.raises(ImageError, match=rf"one channel of 8 or 16 bit; found mode {mode} in .*x\.png"):
        read_raw(path)


@pytest.mark.parametrize("shape", [(5, 4), (4, 5)])
def test_odd_sides_are_named_with_the_file(save: Callable[..., Path], shape: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match=rf"even sides; found {shape[0]}x{shape[1]} in .*x\.png"):
        read_raw(save(np.zeros(shape, np.uint16)))


def test_more_than_16_bit_are_refused(save: Callable[..., Path]) -> None:
    with pytest.raises(ImageError, match="at most 16 bit"):
        read_raw(save(np.full((4, 4), 70_000, np.int32), "x.tif"))


def test_16_bit_in_32_are_read(save: Callable[..., Path]) -> None:
    raw = read_raw(save(mosaic(4, 4, bits=16).astype(np.int32), "x.tif"))
    assert raw.mosaic.dtype == np.uint16
    assert np.array_equal(raw.mosaic, mosaic(4, 4, bits=16))


@pytest.mark.parametrize("kept", [0, 20, 60, 0.9])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, kept: float) -> None:
    whole = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 65536, (64, 64), np.uint16)).save(whole, "PNG")
    data = whole.getvalue()
    path = tmp_path / "x.png"
    path.write_bytes(data[: int(kept * len(data)) if kept < 1 else int(kept)])
    with pytest.raises(ImageError, match=r"x\.png"):
        read_raw(path)


@pytest.mark.parametrize("name", ["none.png", "none.dng"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    if name.endswith("dng"):
        pytest.importorskip("rawpy", reason="needs the extra raw: pip install pixelproof[raw]")
    with pytest.raises(ImageError, match=name):
        read_raw(tmp_path / name)


@pytest.mark.parametrize("cfa", CFA_ORDERS)
def test_a_cameras_file_tells_its_order_and_levels(camera_file: Callable[..., Path], cfa: str) -> None:
    pixels = mosaic()
    raw = read_raw(camera_file(pixels, cfa=cfa, black=60, white=1000))
    assert (raw.cfa, raw.black_level, raw.white_level) == (cfa, 60.0, 1000.0)
    assert np.array_equal(raw.mosaic, pixels)


@pytest.mark.parametrize("kept", [0, 100, 2000])
def test_a_cameras_file_that_was_cut_off_is_refused(camera_file: Callable[..., Path], kept: int) -> None:
    path = camera_file(mosaic())
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ImageError, match=r"whole and of a known kind; found .*x\.dng: \w") as refusal:
        read_raw(path)
    assert "b'" not in str(refusal.value)


def test_without_rawpy_a_cameras_file_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "rawpy":
            raise ImportError("No module named 'rawpy'")
        return usual(name, *rest)

    monkeypatch.delitem(sys.modules, "rawpy", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(EnvironmentFault, match=r"needs rawpy.*pixelproof\[raw\]"):
        read_raw(tmp_path / "x.dng")
