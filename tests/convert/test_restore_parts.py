"""The parts of restore-images that need no model: what is restored, read, put together and written."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pixelproof.bayer import unpack_bayer
from pixelproof.convert.restore.ahead import ReadAhead
from pixelproof.convert.restore.canvas import Canvas
from pixelproof.convert.restore.crew import MANY_IMAGES, MOST_WORKERS, workers_for
from pixelproof.convert.restore.fitting import Fit, padded, padded_size, probe_size, scale_of
from pixelproof.convert.restore.grid import follows
from pixelproof.convert.restore.items import Item, find_items
from pixelproof.convert.restore.locality import profile, reached
from pixelproof.convert.restore.reading import Sensor, check_size, read_input
from pixelproof.errors import CallError, ImageError, ModelFailed
from pixelproof.measure.metrics import psnr_db

RNG = np.random.default_rng(4)


@pytest.fixture
def picture(tmp_path: Path) -> Callable[..., Path]:
    """``picture("a/0.png", height, width)``: noise in a file."""

    def saved(name: str, height: int = 8, width: int = 12, *, mode: str = "RGB") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if mode == "RAW":
            Image.fromarray(RNG.integers(0, 1021, (height, width), np.uint16)).save(path)
        else:
            Image.fromarray(RNG.integers(0, 256, (height, width, 3), np.uint8)).convert(mode).save(path)
        return path

    return saved


def test_a_folder_gives_its_images_in_natural_order(picture: Callable[..., Path], tmp_path: Path) -> None:
    for name in ("10.png", "9.jpg", "1.tif"):
        picture(f"in/{name}")
    (tmp_path / "in" / "notes.txt").write_text("no image")
    (tmp_path / "in" / "x.DNG").write_bytes(b"")
    items = find_items([tmp_path / "in"], out=tmp_path / "out", targets=None, overwrite=False)
    assert [item.name for item in items] == ["1.tif", "9.jpg", "10.png", "x.DNG"]
    assert [item.output for item in items] == [tmp_path / "out" / f"{n}.png" for n in ("1", "9", "10", "x")]


def test_targets_are_found_by_name_whatever_their_suffix(
    picture: Callable[..., Path], tmp_path: Path
) -> None:
    sources = [picture("in/0.png"), picture("in/1.png")]
    target = picture("targets/1.jpg")
    items = find_items(sources, out=tmp_path / "out", targets=tmp_path / "targets", overwrite=False)
    assert [item.target for item in items] == [None, target]


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (("in/0.png", "in/0.jpg"), (), r"must not become one 0\.png; found .*0\.jpg and .*0\.png"),
        (("in/0.png", "out/0.png"), (), r"must not become one 0\.png"),
        (("out/0.png",), (), r"must not replace an image or a target; found 0\.png"),
        (("in/0.jpg",), ("out/0.png",), r"must not replace an image or a target; found 0\.jpg"),
        (("in/0.png",), ("t/1.png", "t/2.png"), r"pictures of the images' names; found none of 1, 2 in"),
        (("in/0.png",), ("t/0.png", "t/0.jpg"), r"Targets must differ in more than their suffix"),
    ],
)
def test_files_that_would_clash_are_refused(
    picture: Callable[..., Path],
    tmp_path: Path,
    inputs: tuple[str, ...],
    targets: tuple[str, ...],
    message: str,
) -> None:
    sources = sorted({picture(name).parent for name in inputs})
    folders = {picture(name).parent for name in targets}
    with pytest.raises(CallError, match=message):
        find_items(sources, out=tmp_path / "out", targets=folders.pop() if folders else None, overwrite=True)


def test_results_that_are_there_are_kept(picture: Callable[..., Path], tmp_path: Path) -> None:
    sources = [picture(f"in/{n}.png") for n in range(7)]
    for n in range(6):
        picture(f"out/{n}.png")
    with pytest.raises(CallError, match=r"found 0\.png, .*4\.png and 1 more\. --overwrite replaces them"):
        find_items(sources, out=tmp_path / "out", targets=None, overwrite=False)
    assert len(find_items(sources, out=tmp_path / "out", targets=None, overwrite=True)) == 7


def test_no_images_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="must hold images; found none in"):
        find_items([tmp_path], out=tmp_path / "out", targets=None, overwrite=False)
    with pytest.raises(ImageError, match=r"found none at .*gone\.png"):
        find_items([tmp_path / "gone.png"], out=tmp_path / "out", targets=None, overwrite=False)


@pytest.mark.parametrize(
    ("name", "mode", "channels", "message"),
    [
        ("x.png", "RGB", 4, r"RAW image must have one channel.*found mode RGB"),
        ("x.jpg", "RGB", 4, r"A Bayer model takes RAW images; found .*x\.jpg"),
        ("x.png", "L", 3, r"must be RGB; found mode L"),
        ("x.png", "RAW", 3, r"must have 8 bit a channel"),
    ],
)
def test_an_image_for_another_model_is_refused(
    picture: Callable[..., Path], name: str, mode: str, channels: int, message: str
) -> None:
    with pytest.raises(ImageError, match=message):
        read_input(picture(name, mode=mode), channels=channels, sensor=Sensor(), size=None)


def test_a_cameras_file_is_nothing_for_an_rgb_model(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"takes pictures in colours; found a RAW file, .*x\.dng"):
        read_input(tmp_path / "x.dng", channels=3, sensor=Sensor(), size=None)


def test_size_crops_the_mosaic_from_the_top_left(picture: Callable[..., Path]) -> None:
    path = picture("x.png", 20, 30, mode="RAW")
    mosaic = np.asarray(Image.open(path))
    planes = read_input(path, channels=4, sensor=Sensor("GRBG", 900.0, 60.0), size=(12, 14))
    expected = unpack_bayer(mosaic[:12, :14], cfa="GRBG", white_level=900.0, black_level=60.0)
    assert np.array_equal(planes, expected)


def test_size_crops_an_rgb_image_from_the_top_left(picture: Callable[..., Path]) -> None:
    path = picture("x.png", 9, 11)
    expected = np.asarray(Image.open(path))[:5, :7].astype(np.float32) / 255
    assert np.array_equal(read_input(path, channels=3, sensor=Sensor(), size=(5, 7)), expected)


@pytest.mark.parametrize("channels", [3, 4])
def test_an_image_smaller_than_size_is_refused(picture: Callable[..., Path], channels: int) -> None:
    path = picture("x.png", 20, 30, mode="RAW" if channels == 4 else "RGB")
    with pytest.raises(ImageError, match="at least 22x30 for this --size; found 20x30"):
        read_input(path, channels=channels, sensor=Sensor(), size=(22, 30))


def test_an_odd_size_of_a_mosaic_is_refused() -> None:
    check_size((21, 30), channels=3)
    with pytest.raises(CallError, match="--size must be even for RAW images; found 21x30"):
        check_size((21, 30), channels=4)


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from((1, 2, 16, 64)))
def test_an_image_is_continued_by_its_reflection(height: int, width: int, multiple: int) -> None:
    image = np.arange(height * width, dtype=np.float32).reshape(height, width, 1)
    size = padded_size((height, width), Fit(multiple, 1))
    assert size[0] % multiple == size[1] % multiple == 0
    assert 0 <= size[0] - height < multiple and 0 <= size[1] - width < multiple
    whole = padded(image, size)
    assert np.array_equal(whole[:height, :width], image)
    if size[0] > height:
        assert np.array_equal(whole[height, :width], image[height - 1])


@pytest.mark.parametrize("multiple", [1, 2, 4, 8, 16, 32, 64])
def test_probes_are_multiples_of_no_more_than_they_say(multiple: int) -> None:
    for side in probe_size(multiple):
        assert side % multiple == 0 and side % (2 * multiple) and side >= 128


@pytest.mark.parametrize(
    ("output", "scale"),
    [((8, 12, 3), 1), ((16, 24, 3), 2), ((16, 36, 3), 0), ((4, 6, 3), 0), ((9, 12, 3), 0)],
)
def test_a_scale_is_one_whole_number(output: tuple[int, ...], scale: int) -> None:
    assert scale_of((8, 12), output) == scale


def test_a_canvas_rounds_and_measures_as_the_metrics_do() -> None:
    output = RNG.uniform(-0.2, 1.2, (300, 200, 3)).astype(np.float32)
    target = RNG.integers(0, 256, (300, 200, 3), np.uint8)
    canvas = Canvas((300, 200), target=target)
    canvas.place(0, 0, output[:130])
    canvas.place(130, 0, output[130:, :77])
    canvas.place(130, 77, output[130:, 77:])
    assert np.array_equal(canvas.image8, np.rint(np.clip(output.astype(np.float64), 0, 1) * 255))
    expected = psnr_db(np.clip(output, 0, 1), target.astype(np.float32) / 255)
    assert canvas.psnr_db() == pytest.approx(expected, abs=1e-9)


def test_a_canvas_drops_what_lies_outside() -> None:
    canvas = Canvas((5, 6))
    canvas.place(2, 3, np.ones((40, 40, 3), np.float32))
    canvas.place(9, 0, np.ones((4, 4, 3), np.float32))
    assert (canvas.image8[2:, 3:] == 255).all() and canvas.image8.sum() == 3 * 3 * 3 * 255


def test_an_equal_picture_has_infinite_psnr() -> None:
    target = RNG.integers(0, 256, (6, 7, 3), np.uint8)
    canvas = Canvas((6, 7), target=target)
    canvas.place(0, 0, np.divide(target, 255, dtype=np.float32))
    assert canvas.psnr_db() == math.inf
    assert Canvas((6, 7)).psnr_db() is None


def test_a_target_of_another_size_is_refused() -> None:
    with pytest.raises(ImageError, match="found 8x9 for a result of 6x7"):
        Canvas((6, 7), target=np.zeros((8, 9, 3), np.uint8))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_output_that_is_not_finite_is_the_models_fault(value: float) -> None:
    part = np.zeros((4, 4, 3), np.float32)
    part[1, 2, 0] = value
    with pytest.raises(ModelFailed, match="output must be finite; found 1 of 48"):
        Canvas((4, 4)).place(0, 0, part)


@pytest.mark.parametrize("corner", [False, True])
def test_a_profile_counts_from_the_cuts(corner: bool) -> None:
    whole = RNG.random((40, 40, 3)).astype(np.float32)
    part = (whole[10:, 10:] if corner else whole[:30, :30]).copy()
    place = (3, 20) if corner else (20, 26)  # three pixels from a cut
    part[place] += 7 / 255
    largest = profile(whole, part, scale=1, corner=corner)
    assert largest[3] == pytest.approx(7, abs=1e-4)
    assert np.count_nonzero(largest) == 1 and reached(largest) == 4


def test_nothing_changed_is_no_reach() -> None:
    assert reached(np.zeros(30)) == 0


@pytest.mark.parametrize(("step", "answer"), [((4, 0), True), ((0, 4), False), ((64, 0), None)])
def test_a_shift_is_followed_or_not(step: tuple[int, int], answer: bool | None) -> None:
    image = RNG.random((40, 30, 3)).astype(np.float32)
    still, moved = image[:30], image[4:34]
    assert follows(still, moved, step=step, border=2) is answer


def test_images_come_in_order_and_errors_in_their_place() -> None:
    items = [Item(Path(str(number))) for number in range(20)]

    def read(item: Item) -> np.ndarray:
        if item.name == "7":
            raise ImageError("broken")
        return np.full((2, 2, 3), float(item.name), np.float32)

    with ReadAhead(items, read) as ahead:
        found = list(ahead)
    assert [item for item, _ in found] == items
    assert isinstance(found[7][1], ImageError)
    assert [x[0, 0, 0] for _, x in found if not isinstance(x, Exception)] == [n for n in range(20) if n != 7]


def test_reading_ahead_is_bounded() -> None:
    read: list[str] = []
    may_go_on = threading.Event()

    def slow(item: Item) -> np.ndarray:
        read.append(item.name)
        may_go_on.set()
        return np.zeros((10, 10, 3), np.float32)

    with ReadAhead([Item(Path(str(n))) for n in range(50)], slow, ahead_bytes=2500) as ahead:
        for number, _ in enumerate(ahead):
            may_go_on.wait(1)
            assert len(read) <= number + 5
            if number == 9:
                break
    assert len(read) < 20


@pytest.mark.parametrize(
    ("count", "height", "size", "threads", "workers"),
    [
        (MANY_IMAGES, 100, None, 2, 2),
        (MANY_IMAGES, 100, None, 64, MOST_WORKERS),
        (MANY_IMAGES, 100, None, 1, 1),
        (MANY_IMAGES - 1, 100, None, 2, 1),
        (MANY_IMAGES, 900, None, 2, 1),
        (MANY_IMAGES, 900, (128, 128), 2, 2),
    ],
)
def test_many_small_images_take_several_workers(
    picture: Callable[..., Path],
    count: int,
    height: int,
    size: tuple[int, int] | None,
    threads: int,
    workers: int,
) -> None:
    items = [Item(picture("x.png", height, 900 if height == 900 else 100))] * count
    assert workers_for(items, size, threads=threads) == workers


def test_what_pillow_cant_read_counts_as_large_enough_to_be_alone(tmp_path: Path) -> None:
    (tmp_path / "x.dng").write_bytes(b"RAW")
    assert workers_for([Item(tmp_path / "x.dng")] * MANY_IMAGES, None, threads=4) == 1
