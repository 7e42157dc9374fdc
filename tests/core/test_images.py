"""Reading, writing and resizing images: what comes back, and what is refused."""

from __future__ import annotations

import errno
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelproof.errors import CallError, EnvironmentFault, ImageError
from pixelproof.images import (
    bicubic_resize_8bit,
    crop_border,
    list_images,
    read_rgb8,
    rounded_8bit,
    unit_from_8bit,
    write_png,
)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def png16(colour_type: int) -> bytes:
    """A 3x2 PNG of 16 bit a channel."""
    channels = {0: 1, 2: 3, 6: 4}[colour_type]
    line = b"\0" + np.arange(3 * channels, dtype=">u2").tobytes()

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 3, 2, 16, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(line * 2))
        + chunk(b"IEND", b"")
    )


class TestRead:
    @pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
    def test_lossless_formats_come_back_as_they_were(self, tmp_path: Path, suffix: str) -> None:
        image = picture(5, 9)
        Image.fromarray(image).save(tmp_path / f"a{suffix}")
        found = read_rgb8(tmp_path / f"a{suffix}")
        assert found.dtype == np.uint8
        assert np.array_equal(found, image)
        assert found.flags.writeable

    def test_jpeg_ignores_its_orientation(self, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6  # turned by 90 degrees
        Image.fromarray(picture(16, 40)).save(tmp_path / "a.jpg", exif=exif)
        assert read_rgb8(tmp_path / "a.jpg").shape == (16, 40, 3)

    def test_a_palette_is_looked_up(self, tmp_path: Path) -> None:
        image = np.zeros((4, 6, 3), np.uint8)
        image[:2] = (250, 3, 77)
        Image.fromarray(image).quantize(4).save(tmp_path / "p.png")
        with Image.open(tmp_path / "p.png") as stored:
            assert stored.mode == "P"
        assert np.array_equal(read_rgb8(tmp_path / "p.png"), image)

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "RGBA"])
    def test_another_mode_is_refused_by_name_with_the_way_out(self, tmp_path: Path, mode: str) -> None:
        path = tmp_path / "a.png"
        Image.fromarray(picture(4, 4)).convert(mode).save(path)
        with pytest.raises(ImageError) as refused:
            read_rgb8(path)
        assert f"mode {mode} in {path}" in str(refused.value)
        assert "convert('RGB')" in refused.value.remedy

    def test_cmyk_is_refused(self, tmp_path: Path) -> None:
        Image.fromarray(picture(8, 8)).convert("CMYK").save(tmp_path / "a.jpg")
        with pytest.raises(ImageError, match="mode CMYK"):
            read_rgb8(tmp_path / "a.jpg")

    def test_a_transparent_palette_is_refused(self, tmp_path: Path) -> None:
        Image.fromarray(picture(4, 4)).quantize(4).save(tmp_path / "p.png", transparency=0)
        with pytest.raises(ImageError, match="palette with transparency"):
            read_rgb8(tmp_path / "p.png")

    @pytest.mark.parametrize("colour_type", [0, 2, 6])
    def test_16_bit_png_is_refused_with_the_reason(self, tmp_path: Path, colour_type: int) -> None:
        (tmp_path / "a.png").write_bytes(png16(colour_type))
        with pytest.raises(ImageError, match="8 bit a channel") as refused:
            read_rgb8(tmp_path / "a.png")
        assert "low bits" in refused.value.remedy

    def test_16_bit_tiff_is_refused(self, tmp_path: Path) -> None:
        tifffile = pytest.importorskip("tifffile")
        tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 5, 3), np.uint16), photometric="rgb")
        with pytest.raises(ImageError, match="8 bit a channel"):
            read_rgb8(tmp_path / "a.tif")

    @pytest.mark.parametrize("suffix", [".png", ".jpg"])
    @pytest.mark.parametrize("kept", [0.02, 0.5, 0.9])
    def test_a_truncated_file_is_refused(self, tmp_path: Path, suffix: str, kept: float) -> None:
        path = tmp_path / f"a{suffix}"
        Image.fromarray(picture(60, 60)).save(path)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * kept)])
        with pytest.raises(ImageError, match="a" + suffix):
            read_rgb8(path)

    def test_damaged_data_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        Image.fromarray(picture(60, 60)).save(path)
        data = bytearray(path.read_bytes())
        data[len(data) // 2 : len(data) // 2 + 40] = b"\xff" * 40
        path.write_bytes(data)
        with pytest.raises(ImageError, match=r"a\.png"):
            read_rgb8(path)

    def test_an_empty_file_is_refused_as_such(self, tmp_path: Path) -> None:
        (tmp_path / "a.png").touch()
        with pytest.raises(ImageError, match="an empty file"):
            read_rgb8(tmp_path / "a.png")

    def test_text_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "a.png").write_text("not an image")
        with pytest.raises(ImageError, match="must be a PNG, JPEG, BMP, TIFF or WebP file"):
            read_rgb8(tmp_path / "a.png")

    def test_other_formats_are_not_decoded(self, tmp_path: Path) -> None:
        Image.fromarray(picture(4, 4)).save(tmp_path / "a.png", format="PPM")
        with pytest.raises(ImageError, match="must be a PNG"):
            read_rgb8(tmp_path / "a.png")

    def test_a_missing_file_and_a_folder_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ImageError, match="No such file"):
            read_rgb8(tmp_path / "no.png")
        with pytest.raises(ImageError, match="directory"):
            read_rgb8(tmp_path)

    def test_a_decompression_bomb_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        Image.fromarray(picture(20, 20)).save(tmp_path / "a.png")
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
        with pytest.raises(ImageError, match="usual size"):
            read_rgb8(tmp_path / "a.png")


class TestWrite:
    def test_what_is_written_comes_back(self, tmp_path: Path) -> None:
        image = picture(7, 5)
        write_png(tmp_path / "new" / "a.png", image)
        assert np.array_equal(read_rgb8(tmp_path / "new" / "a.png"), image)
        assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.png"]

    def test_a_full_disk_leaves_the_old_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_png(tmp_path / "a.png", picture(4, 4))
        before = (tmp_path / "a.png").read_bytes()

        def save(self: Image.Image, path: Path, **_: str) -> None:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Image.Image, "save", save)
        with pytest.raises(EnvironmentFault, match="disk is full"):
            write_png(tmp_path / "a.png", picture(4, 4, seed=1))
        assert (tmp_path / "a.png").read_bytes() == before
        assert len(list(tmp_path.iterdir())) == 1

    def test_a_view_that_is_not_contiguous_is_written_right(self, tmp_path: Path) -> None:
        image = picture(8, 8)[::2, ::-1]
        write_png(tmp_path / "a.png", image)
        assert np.array_equal(read_rgb8(tmp_path / "a.png"), image)

    @pytest.mark.parametrize(
        "wrong", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)]
    )
    def test_another_shape_or_dtype_is_refused(self, tmp_path: Path, wrong: np.ndarray) -> None:
        with pytest.raises(ImageError, match="uint8"):
            write_png(tmp_path / "a.png", wrong)
        assert not list(tmp_path.iterdir())


class TestRanges:
    def test_both_ways_of_the_2018_scripts_give_these_numbers(self) -> None:
        levels = np.arange(256, dtype=np.uint8)
        unit = unit_from_8bit(levels)
        assert unit.dtype == np.float32
        assert np.array_equal(unit, np.float32(levels) / 255)
        assert np.array_equal(unit, (levels / 255).astype(np.float32))

    def test_there_and_back_is_the_same_image(self) -> None:
        levels = np.arange(256, dtype=np.uint8)
        assert np.array_equal(rounded_8bit(unit_from_8bit(levels)), levels)

    def test_clips_and_rounds_halves_to_even(self) -> None:
        unit = np.array([-0.5, 0.0, 0.5 / 255, 1.5 / 255, 2.5 / 255, 1.0, 1.18])
        assert rounded_8bit(unit).tolist() == [0, 0, 0, 2, 2, 255, 255]

    @pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
    def test_what_is_not_finite_has_no_level(self, wrong: float) -> None:
        with pytest.raises(ImageError, match="1 of 2 values"):
            rounded_8bit(np.array([0.5, wrong]))

    def test_float_is_no_8_bit_image(self) -> None:
        with pytest.raises(ImageError, match="float32"):
            unit_from_8bit(np.zeros((2, 2, 3), np.float32))  # type: ignore[arg-type]


class TestCrop:
    def test_drops_the_border_on_all_sides(self) -> None:
        image = np.arange(5 * 6 * 1).reshape(5, 6, 1)
        assert crop_border(image, 2)[..., 0].tolist() == [[14, 15]]
        assert np.array_equal(crop_border(image, 0), image)

    def test_nothing_left_is_an_error(self) -> None:
        with pytest.raises(ImageError, match="larger than 32x32"):
            crop_border(np.zeros((32, 100, 3)), 16)

    def test_negative_is_an_error(self) -> None:
        with pytest.raises(CallError, match="-1"):
            crop_border(np.zeros((8, 8, 3)), -1)


class TestResize:
    @pytest.mark.parametrize(("height", "width"), [(6, 10), (48, 80), (8, 20)])
    def test_is_the_antialiased_cubic_of_a_half(self, height: int, width: int) -> None:
        image = picture(24, 40)
        across = np.clip(np.rint(np.einsum("wx,hxc->hwc", cubic_weights(40, width), image)), 0, 255)
        expected = np.clip(np.rint(np.einsum("hy,ywc->hwc", cubic_weights(24, height), across)), 0, 255)
        found = bicubic_resize_8bit(image, height, width)
        assert found.dtype == np.uint8
        assert np.abs(found.astype(int) - expected).max() <= 1  # Pillow's weights are fixed-point

    def test_a_size_below_one_pixel_is_refused(self) -> None:
        with pytest.raises(CallError, match="0x5"):
            bicubic_resize_8bit(picture(4, 4), 0, 5)


def cubic_weights(old: int, new: int) -> np.ndarray:
    """Weights (new, old) of Keys' cubic convolution with a = -1/2, widened when shrinking."""
    scale = max(1.0, old / new)
    centres = (np.arange(new) + 0.5) * old / new
    x = np.abs((np.arange(old) + 0.5)[None] - centres[:, None]) / scale
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    weights = np.where(x < 1, near, np.where(x < 2, far, 0.0))
    normalised: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    return normalised


class TestList:
    def test_natural_order_without_hidden_and_other_files(self, tmp_path: Path) -> None:
        names = [
            "10.png",
            "2.PNG",
            "1.jpg",
            "0.png",
            "a2b10.tif",
            "a2b9.tif",
            "b.jpeg",
            "notes.txt",
            ".5.png",
        ]
        for name in names:
            (tmp_path / name).touch()
        (tmp_path / "folder.png").mkdir()
        found = [path.name for path in list_images(tmp_path)]
        assert found == ["0.png", "1.jpg", "2.PNG", "10.png", "a2b9.tif", "a2b10.tif", "b.jpeg"]

    def test_names_that_differ_in_leading_zeros_have_one_order(self, tmp_path: Path) -> None:
        for name in ("1.png", "01.png", "001.png"):
            (tmp_path / name).touch()
        assert [path.name for path in list_images(tmp_path)] == ["001.png", "01.png", "1.png"]

    def test_an_empty_folder_gives_none_and_a_missing_one_an_error(self, tmp_path: Path) -> None:
        assert list_images(tmp_path) == ()
        with pytest.raises(ImageError, match="No such file"):
            list_images(tmp_path / "no")

    @pytest.mark.official
    def test_official_patches_come_in_order(self, official_data: Path) -> None:
        found = list_images(official_data / "dped" / "patches" / "canon")
        assert [path.name for path in found] == [f"{number}.jpg" for number in range(300)]
