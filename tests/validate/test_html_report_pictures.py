"""The pictures of a judgement: which, where they are cropped, what is drawn, what is refused."""

from __future__ import annotations

import importlib.util
import json
import os
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import PIL.Image
import pytest

from pixelproof.errors import CallError, EnvironmentFault, InputError, ModelFailed
from pixelproof.images import unit_from_8bit
from pixelproof.report import ImageFidelity
from pixelproof.validate.html_report import html_of
from pixelproof.validate.page.stored_pictures import gallery_of
from pixelproof.validate.picture_maps import (
    CROP_SIDE,
    MARKS,
    RAW_NOTE,
    crop_of,
    error_levels,
    error_palette,
    factor_for,
    input_picture,
    outside_of,
    outside_picture,
    shown_8bit,
)
from pixelproof.validate.picture_records import INDEX, read_pictures
from pixelproof.validate.pictures import check_pictures_folder, chosen_images, save_pictures


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("html_reports", Path(__file__).with_name("html_reports.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


made = _loaded()
NAN = float("nan")


@pytest.mark.parametrize(
    ("psnr_db", "expected"),
    [
        ([20.0], {"only": 0}),
        ([20.0, 10.0], {"worst": 1, "best": 0}),
        ([20.0, 10.0, 30.0], {"worst": 1, "median": 0, "best": 2}),
        ([20.0, 10.0, 30.0, 25.0], {"worst": 1, "median": 0, "best": 2}),
        ([5.0, 5.0, 5.0], {"worst": 0, "median": 1, "best": 2}),
        ([20.0, NAN, float("inf")], {"worst": 1, "median": 0, "best": 2}),
    ],
)
def test_which_images(psnr_db: list[float], expected: dict[str, int]) -> None:
    assert dict(chosen_images([ImageFidelity("x", value, None) for value in psnr_db])) == expected


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_the_crop_holds_the_largest_error(scale: int) -> None:
    error = np.zeros((120 * scale, 400 * scale))
    error[100 * scale :, 300 * scale :] = 9
    crop = crop_of(error, scale=scale, worst=True)
    assert all(n % scale == 0 for n in (crop.top, crop.left, crop.height, crop.width))
    assert max(crop.height, crop.width) <= CROP_SIDE and crop.place == "largest_error"
    shown = error[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
    assert shown.shape == (crop.height, crop.width)
    windows = [
        error[top : top + crop.height, left : left + crop.width].sum()
        for top in range(0, error.shape[0] - crop.height + 1, scale)
        for left in range(0, error.shape[1] - crop.width + 1, 8 * scale)
    ]
    assert shown.sum() >= max(windows)
    centre = crop_of(error, scale=scale, worst=False)
    assert centre.place == "centre"
    assert abs(centre.left + centre.width / 2 - error.shape[1] / 2) <= scale


def test_a_small_image_is_shown_whole() -> None:
    crop = crop_of(np.zeros((90, CROP_SIDE)), scale=1, worst=True)
    assert (crop.top, crop.left, crop.height, crop.width, crop.place) == (0, 0, 90, CROP_SIDE, "whole")


def test_what_is_drawn() -> None:
    output = np.full((4, 4, 3), 0.5, dtype=np.float32)
    output[0, 0, 1] = -0.1
    output[0, 1] = 1.5
    output[0, 2, 0] = np.nan
    output[0, 3, 2] = np.inf
    outside = outside_of(output)
    assert np.argwhere(outside.below).tolist() == [[0, 0]]
    assert np.argwhere(outside.above).tolist() == [[0, 1]]
    assert np.argwhere(outside.non_finite).tolist() == [[0, 2], [0, 3]]
    assert outside.any.sum() == 4
    assert shown_8bit(output)[0].tolist()[:2] == [[128, 0, 128], [255, 255, 255]]
    target = np.full((4, 4, 3), 128, dtype=np.uint8)
    error = error_levels(output, target)
    assert error[1, 1] == pytest.approx(0.5)
    assert error[0, 1] == pytest.approx(127) and error[0, 2] == 255
    drawn = np.array(outside_picture(shown_8bit(output), outside).convert("RGB"))
    assert [tuple(int(v) for v in drawn[0, x]) for x in range(3)] == [*MARKS.values()]
    assert drawn[1, 1].tolist() == [drawn[1, 1, 0]] * 3


def test_factors_and_colours() -> None:
    assert factor_for(np.zeros((5, 5))) == 64
    assert factor_for(np.full((5, 5), 31.0)) == 8
    assert factor_for(np.full((5, 5), 255.0)) == 1
    lightness = [0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in error_palette()]
    assert len(lightness) == 256 and lightness == sorted(lightness)


def test_raw_planes_become_visible() -> None:
    planes = np.zeros((2, 2, 4), dtype=np.float32)
    planes[..., 2] = 1.0
    rgb, note = input_picture(planes)
    assert rgb[0, 0].tolist() == [255, 0, 0] and note == RAW_NOTE
    assert input_picture(np.zeros((2, 2, 3), dtype=np.uint8))[1] == ""


@pytest.mark.parametrize("scale", [1, 4])
def test_saved_pictures_are_what_the_model_gave(tmp_path: Path, scale: int) -> None:
    report = made.full(images=5)
    fidelity = report.evidence.fidelity
    side = 400
    inputs = {
        i: np.random.default_rng(i).integers(0, 256, (side // scale, side // scale, 3), dtype=np.uint8)
        for i in range(5)
    }

    def enlarged(image: np.ndarray, axis: int = 0) -> np.ndarray:
        return image.repeat(scale, axis=axis).repeat(scale, axis=axis + 1)

    saved = save_pictures(
        tmp_path / "pictures",
        run=lambda x: enlarged(x, 1) * 0.4,
        read=lambda place: (inputs[place], enlarged(inputs[place])),
        fidelity=fidelity,
        scale=scale,
        artifact_sha256=report.evidence.artifact.sha256,
    )
    assert read_pictures(tmp_path / "pictures") == saved
    assert [item.role for item in saved.images] == ["worst", "median", "best"]
    order = sorted(fidelity.per_image, key=lambda item: item.psnr_db)
    assert [item.name for item in saved.images] == [order[0].name, order[2].name, order[-1].name]
    for item in saved.images:
        crop, place = item.crop, int(item.name.removesuffix(".png"))
        part = np.s_[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
        small = np.s_[
            part[0].start // scale : part[0].stop // scale, part[1].start // scale : part[1].stop // scale
        ]
        read = {p: np.array(PIL.Image.open(tmp_path / "pictures" / n)) for p, n in vars(item.files).items()}
        assert np.array_equal(read["input"], inputs[place][small])
        assert np.array_equal(read["target"], enlarged(inputs[place])[part])
        expected = np.rint(enlarged(unit_from_8bit(inputs[place]))[part].astype(np.float64) * 0.4 * 255)
        assert np.array_equal(read["output"], expected.astype(np.uint8))
        assert read["error"].shape == read["outside"].shape == (crop.height, crop.width)
        assert (item.below, item.above, item.non_finite, item.share_outside) == (0, 0, 0, 0.0)


def test_pictures_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    report = made.full()
    made.save(tmp_path / "pictures", report)
    before = {p.name: p.read_bytes() for p in (tmp_path / "pictures").iterdir()}

    def fails(x: np.ndarray) -> np.ndarray:
        raise ModelFailed("no", found="more")

    with pytest.raises(ModelFailed):
        save_pictures(
            tmp_path / "pictures",
            run=fails,
            read=lambda place: (np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9, 3), np.uint8)),
            fidelity=report.evidence.fidelity,
            scale=1,
            artifact_sha256="x",
        )
    assert {p.name: p.read_bytes() for p in (tmp_path / "pictures").iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["pictures"]


def test_a_folder_that_may_be_replaced(tmp_path: Path) -> None:
    check_pictures_folder(tmp_path / "new" / "deep")
    made.save(tmp_path / "pictures", made.full())
    check_pictures_folder(tmp_path / "pictures")
    (tmp_path / "pictures" / "holiday.png").write_bytes(b"")
    with pytest.raises(CallError, match=r"pictures alone; found holiday\.png"):
        check_pictures_folder(tmp_path / "pictures")
    (tmp_path / "file").write_text("")
    with pytest.raises(CallError, match="must be a folder"):
        check_pictures_folder(tmp_path / "file")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    with pytest.raises(CallError, match="must be a folder"):
        check_pictures_folder(tmp_path / "nowhere")
    with pytest.raises(EnvironmentFault):
        check_pictures_folder(tmp_path / "file" / "below")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=0o500)
    with pytest.raises(EnvironmentFault, match="writable"):
        check_pictures_folder(tmp_path / "shut" / "pictures")


def test_odd_folders_of_pictures_are_refused(tmp_path: Path) -> None:
    report = made.full()
    folder = made.save(tmp_path / "pictures", report)
    assert html_of(report, pictures=folder).count("data:image/png;base64,") == 15
    index = json.loads((folder / INDEX).read_text())

    def refused(match: str) -> None:
        with pytest.raises(InputError, match=match):
            html_of(report, pictures=folder)

    def changed(**keys: object) -> None:
        document = json.loads(json.dumps(index))
        document["images"][0].update(keys)
        (folder / INDEX).write_text(json.dumps(document))

    with pytest.raises(InputError, match="no folder"):
        html_of(report, pictures=tmp_path / "absent")
    with pytest.raises(InputError, match=r"must hold pictures\.json; found none"):
        html_of(report, pictures=tmp_path)
    for text in ("{", "[]", '{"schema_version": 2}', "\xff", "[" * 100_000):
        (folder / INDEX).write_text(text, encoding="latin-1")
        refused("pictures.json must")
    changed(psnr_db="much")
    refused(r"images\[0\]\.psnr_db must be a number")
    changed(surprise=1)
    refused("not a known key")
    for name in ("../secret.png", "/etc/passwd", "..", ""):
        changed(files={**index["images"][0]["files"], "output": name})
        refused("must name files beside it|must be a file")
    changed(name="of another.png")
    refused("of the report's judgement")
    changed()
    (folder / "worst-input.png").write_bytes(b"GIF89a")
    refused("must be a PNG file")
    (folder / "worst-input.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(500_000))
    refused("at most 400,000 bytes")
    (folder / "worst-input.png").unlink()
    refused("found nothing at")
    (folder / "worst-input.png").symlink_to("/etc/passwd")
    refused("found a link")
    (folder / INDEX).write_text(" " * (2 << 20))
    refused("must be small")


def test_pictures_of_another_judgement(tmp_path: Path) -> None:
    report = made.full()
    folder = made.save(tmp_path / "pictures", report)
    artifact = replace(report.evidence.artifact, sha256="0" * 64)
    for other in (replace(report, evidence=replace(report.evidence, artifact=artifact)), made.refused()):
        with pytest.raises(InputError, match="judgement"):
            gallery_of(folder, other)
