"""Which images are calibrated and measured with, how they are read, and that one is in memory at a time."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelproof.bayer import mosaic_of, unpack_bayer
from pixelproof.errors import CallError, ImageError
from pixelproof.measure.graph_def import read_graph
from pixelproof.measure.memory import peak_resident_mib, reset_peak
from pixelproof.raw import RawImage
from pixelproof.tflite import inputs
from pixelproof.tflite.converter import make_tflite
from pixelproof.tflite.inputs import RawOptions, evenly, list_inputs, read_input, size_of
from pixelproof.tflite.material import Material, choose, settled
from pixelproof.tflite.quantize import Quantization

INT8 = Quantization("int8")
PLAIN = RawOptions()


def test_files_are_spread_over_the_folder() -> None:
    files = [Path(str(number)) for number in range(10)]
    assert evenly(files, 3) == (Path("0"), Path("3"), Path("6"))
    assert evenly(files, 10) == evenly(files, 99) == tuple(files)


def test_compared_are_images_that_were_not_calibrated_with(raw_folder: Path) -> None:
    def chosen(**options: Any) -> Any:
        material = Material(calibration=raw_folder, **options)
        return choose(material, options.pop("kind", INT8), channels=4)

    held_out = chosen(calibration_images=4, quality_images=3)
    assert held_out.origin == "calibration, held out" and len(held_out.quality) == 3
    assert not set(held_out.quality) & set(held_out.calibration)
    too_few = chosen(calibration_images=5, quality_images=3)
    assert too_few.origin == "calibration" and len(too_few.quality) == 3
    others = chosen(images=raw_folder, quality_images=2)
    assert others.origin == "images" and len(others.calibration) == 7
    free = choose(Material(images=raw_folder), Quantization("fp16"), channels=4)
    assert (free.calibration, len(free.quality)) == ((), 7)
    assert choose(Material(), Quantization("fp16"), channels=1).origin == "generated"


def test_a_fixed_size_is_cut_from_the_middle(tmp_path: Path) -> None:
    planes = np.arange(12 * 20 * 4, dtype=np.uint16).reshape(12, 20, 4)
    Image.fromarray(mosaic_of(planes)).save(tmp_path / "a.png")
    part = read_input(tmp_path / "a.png", (6, 8), channels=4, raw=PLAIN)
    assert (part.top, part.left, part.whole) == (3, 6, (12, 20))
    assert part.image.dtype == np.float32 and part.image.shape == (1, 6, 8, 4)
    np.testing.assert_allclose(part.image[0], planes[3:9, 6:14] / 1020, rtol=1e-6)
    assert size_of(tmp_path / "a.png", channels=4) == (12, 20)
    rgb = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(tmp_path / "b.png")
    part = read_input(tmp_path / "b.png", (4, 4), channels=3, raw=PLAIN)
    np.testing.assert_array_equal(part.image[0], rgb[2:6, 3:7].astype(np.float32) / 255)
    assert size_of(tmp_path / "b.png", channels=3) == (9, 11)


def test_levels_are_the_users_then_the_files_then_the_challenges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mosaic = np.random.default_rng(0).integers(64, 1000, (8, 8), dtype=np.uint16)
    told = RawImage(mosaic, cfa="BGGR", black_level=64.0, white_level=4095.0)
    monkeypatch.setattr(inputs, "read_raw", lambda path: told)
    for options, expected in (
        (PLAIN, {"cfa": "BGGR", "black_level": 64.0, "white_level": 4095.0}),
        (
            RawOptions(cfa="GRBG", white_level=2000.0),
            {"cfa": "GRBG", "black_level": 64.0, "white_level": 2000.0},
        ),
        (RawOptions(black_level=0.0), {"cfa": "BGGR", "black_level": 0.0, "white_level": 4095.0}),
    ):
        part = read_input(tmp_path / "x.dng", (4, 4), channels=4, raw=options)
        np.testing.assert_array_equal(part.image[0], unpack_bayer(mosaic, **expected))
    monkeypatch.setattr(inputs, "read_raw", lambda path: RawImage(mosaic))
    part = read_input(tmp_path / "x.png", (4, 4), channels=4, raw=PLAIN)
    np.testing.assert_array_equal(part.image[0], unpack_bayer(mosaic))


def test_what_is_no_image_is_said_before_anything_is_calibrated(tmp_path: Path, raw_folder: Path) -> None:
    (tmp_path / "cut.png").write_bytes((raw_folder / "0.png").read_bytes()[:20])
    chosen = choose(Material(calibration=tmp_path), INT8, channels=4)
    with pytest.raises(ImageError, match=r"cut\.png"):
        settled(chosen, (4, 4), multiple=1)
    (tmp_path / "cut.png").unlink()
    Image.fromarray(np.zeros((9, 8), np.uint16)).save(tmp_path / "odd.png")
    with pytest.raises(ImageError, match=r"even sides; found 9x8 in .*odd\.png"):
        settled(choose(Material(calibration=tmp_path), INT8, channels=4), (4, 4), multiple=1)
    with pytest.raises(CallError, match="found 5 channels"):
        choose(Material(calibration=tmp_path), INT8, channels=5)


def test_hidden_and_foreign_files_are_left_out(tmp_path: Path) -> None:
    for name in ("b.TIF", "a.png", ".hidden.png", "c.jpg", "d.dng"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "e.png").mkdir()
    assert [p.name for p in list_inputs(tmp_path, channels=4, role="x")] == ["a.png", "b.TIF", "d.dng"]
    assert [p.name for p in list_inputs(tmp_path, channels=3, role="x")] == ["a.png", "b.TIF", "c.jpg"]


def test_a_variable_files_images_are_cut_to_one_size(tmp_path: Path) -> None:
    for index, (height, width) in enumerate([(1300, 700), (64, 900), (100, 80)]):
        Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(tmp_path / f"{index}.png")
    chosen = choose(Material(calibration=tmp_path), INT8, channels=3)
    assert settled(chosen, None, multiple=16).size == (64, 80)
    (tmp_path / "1.png").unlink()
    (tmp_path / "2.png").unlink()
    assert settled(choose(Material(calibration=tmp_path), INT8, channels=3), None, multiple=1).size == (
        512,
        512,
    )
    Image.fromarray(np.zeros((10, 80, 3), np.uint8)).save(tmp_path / "3.png")
    with pytest.raises(ImageError, match=r"at least 16x80 for this file; found 10x80 in .*3\.png"):
        settled(choose(Material(calibration=tmp_path), INT8, channels=3), None, multiple=16)


@pytest.fixture(scope="module")
def plain(tf: Any, save_graph: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A small network's graph, for RAW."""
    kernel = np.asarray(np.random.default_rng(0).normal(0, 0.1, (3, 3, 4, 4)), np.float32)
    path = tmp_path_factory.mktemp("plain") / "m.pb"
    return read_graph(
        str(save_graph(path, lambda x: tf.nn.conv2d(x, kernel, 1, "SAME") + x, (1, None, None, 4)))
    )


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's own peak of memory")
def test_memory_does_not_grow_with_the_number_of_images(plain: Any, tmp_path: Path) -> None:
    """200 images are 200 MiB as a network takes them."""
    mosaic = mosaic_of(np.random.default_rng(0).integers(0, 1020, (256, 256, 4), dtype=np.uint16))
    Image.fromarray(mosaic).save(tmp_path / "0.tif")
    for index in range(1, 200):
        os.link(tmp_path / "0.tif", tmp_path / f"{index}.tif")

    def peak_mib(count: int) -> float:
        material = Material(calibration=tmp_path, calibration_images=count)
        chosen = settled(choose(material, INT8, channels=4), (256, 256), multiple=1)
        assert len(chosen.calibration) == count
        reset_peak(os.getpid())
        make_tflite(
            plain,
            input_name="x_in:0",
            output_name="y_out:0",
            shape=(1, 256, 256, 4),
            quantization=INT8,
            calibration=chosen.stream,
        )
        return peak_resident_mib(os.getpid())

    peak_mib(2)
    few, many = peak_mib(10), peak_mib(200)
    assert many - few < 40


def test_ctrl_c_ends_calibrating_at_the_next_image(plain: Any) -> None:
    seen = []

    def stream() -> Iterator[Any]:
        for number in range(100):
            seen.append(number)
            if number == 2:
                os.kill(os.getpid(), signal.SIGINT)
            yield np.random.default_rng(number).random((1, 16, 16, 4), np.float32)

    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt):
        make_tflite(
            plain,
            input_name="x_in:0",
            output_name="y_out:0",
            shape=(1, 16, 16, 4),
            quantization=INT8,
            calibration=stream,
        )
    assert seen == [0, 1, 2]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
