"""Figures of a set of pictures: against NumPy and scikit-image alone, borders, luma, what is cut and refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import structural_similarity

from pixelproof.contract import Contract
from pixelproof.data import samples_folder
from pixelproof.errors import CallError, ImageError, ShapeMismatch
from pixelproof.images import read_rgb8, unit_from_8bit
from pixelproof.models.training.data.training_data import Sample
from pixelproof.models.training.evaluation import Figures, bicubic, evaluate, fitted, validate
from pixelproof.models.training.evaluation_figures import luma_levels
from pixelproof.models.training.recipe import Validation

SET5 = Validation(crop_border=3, luma=True)
ORIGINALS = samples_folder("ai-challenge") / "div2k" / "original"


def original(name: str, scale: int = 3) -> np.ndarray:
    """A bundled picture, cut to whole multiples of the scale; uint8."""
    picture = read_rgb8(ORIGINALS / name)
    return picture[: picture.shape[0] // scale * scale, : picture.shape[1] // scale * scale]


def pillow(picture8: np.ndarray, height: int, width: int) -> np.ndarray:
    """Pillow's bicubic."""
    return np.array(Image.fromarray(picture8).resize((width, height), Image.Resampling.BICUBIC))


@pytest.fixture(scope="module")
def samples() -> tuple[Sample, ...]:
    """Two bundled pictures and their x3 bicubic versions at full size, as SRCNN takes them."""
    made = []
    for name in ("0.png", "1.png"):
        target = original(name)
        height, width = target.shape[:2]
        enlarged = pillow(pillow(target, height // 3, width // 3), height, width)
        made.append(Sample(unit_from_8bit(enlarged), unit_from_8bit(target), name))
    return tuple(made)


def psnr_by_hand(a: np.ndarray, b: np.ndarray) -> float:
    """In dB, of levels up to 255."""
    return float(10 * np.log10(255.0**2 / np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)))


def luma_by_hand(levels: np.ndarray) -> np.ndarray:
    """MATLAB's matrix, written out for levels."""
    r, g, b = (levels[..., channel].astype(np.float64) for channel in range(3))
    return 16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255


@pytest.mark.parametrize("rounded", [True, False])
@pytest.mark.parametrize("border", [0, 3, 16])
def test_figures_are_those_of_numpy_and_scikit_image(rounded: bool, border: int) -> None:
    rng = np.random.default_rng(5)
    target = unit_from_8bit(original("1.png"))
    output = (target + rng.normal(0, 0.05, target.shape)).astype(np.float32)
    found = evaluate(output, target, Validation(crop_border=border, luma=True, round_to_8_bit=rounded))
    kept, wanted = (np.clip(one.astype(np.float64) * 255, 0, 255) for one in (output, target))
    if rounded:
        kept, wanted = np.rint(kept), np.rint(wanted)
    if border:
        kept, wanted = (one[border:-border, border:-border] for one in (kept, wanted))
    assert output.min() < 0 and output.max() > 1
    assert found.psnr_db == pytest.approx(psnr_by_hand(kept, wanted), abs=1e-9)
    assert found.psnr_y_db == pytest.approx(psnr_by_hand(luma_by_hand(kept), luma_by_hand(wanted)), abs=1e-9)
    ssim, plane = structural_similarity(
        kept, wanted, channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, full=True,
    )  # fmt: skip
    assert found.ssim == pytest.approx(plane[5:-5, 5:-5].mean(), abs=1e-9)
    assert abs(ssim - found.ssim) < 0.01


def test_luma_has_matlabs_range_and_values() -> None:
    colours = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    assert luma_levels(colours).shape == (1, 5, 1)
    assert luma_levels(colours)[0, :, 0] == pytest.approx([16, 235, 81.481, 144.553, 40.966])


def test_a_grey_difference_is_219_of_255_on_luma() -> None:
    target = np.full((40, 40, 3), 0.5, np.float32)
    found = evaluate(target + 10 / 255, target, Validation(luma=True, round_to_8_bit=False))
    assert found.psnr_db == pytest.approx(28.1308, abs=1e-3)
    assert found.psnr_y_db - found.psnr_db == pytest.approx(20 * math.log10(255 / 219), abs=1e-6)


def test_only_what_lies_inside_the_border_counts() -> None:
    target = unit_from_8bit(original("0.png"))
    output = target.copy()
    output[:3] = output[-3:] = output[:, :3] = output[:, -3:] = 0
    assert evaluate(output, target, SET5) == Figures(math.inf, math.inf, pytest.approx(1.0))
    assert evaluate(output, target, Validation(crop_border=2, luma=True)).psnr_db < 40


def test_rounding_forgives_less_than_half_a_level() -> None:
    target = unit_from_8bit(original("0.png"))
    near = target + np.float32(0.4 / 255)
    assert evaluate(near, target, Validation()).psnr_db == math.inf
    assert evaluate(near, target, Validation(round_to_8_bit=False)).psnr_db == pytest.approx(56.1, abs=0.2)


def test_what_cannot_be_measured_is_not_a_number() -> None:
    grey = np.full((30, 30, 1), 0.25, np.float32)
    found = evaluate(grey + 0.1, grey, SET5)
    assert math.isfinite(found.psnr_db) and math.isnan(found.psnr_y_db) and math.isfinite(found.ssim)
    small = np.full((16, 40, 3), 0.25, np.float32)
    found = evaluate(small + 0.1, small, SET5)
    assert math.isfinite(found.psnr_y_db) and math.isnan(found.ssim)
    broken = small.copy()
    broken[8, 8, 1] = np.nan
    assert all(math.isnan(one) for one in vars(evaluate(broken, small, SET5)).values())
    assert math.isnan(evaluate(small + 0.1, small, Validation()).psnr_y_db)


def test_bicubic_is_pillows(samples: tuple[Sample, ...]) -> None:
    target = original("1.png")
    height, width = target.shape[:2]
    small = pillow(target, height // 3, width // 3)
    enlarged = bicubic(unit_from_8bit(small), height, width)
    assert enlarged.dtype == np.float32
    assert np.array_equal(enlarged, samples[1].input)
    with pytest.raises(ImageError, match="RGB"):
        bicubic(enlarged[..., :1], 9, 9)


def test_a_set_has_the_mean_of_its_pictures_and_bicubics_beside(samples: tuple[Sample, ...]) -> None:
    done = validate(lambda image: (image + 0.02).astype(np.float32), samples, SET5)
    assert [(row.name, row.height, row.width) for row in done.images] == [
        ("0.png", 255, 399), ("1.png", 246, 312),
    ]  # fmt: skip
    for row, sample in zip(done.images, samples, strict=True):
        assert row.model == evaluate(sample.input + np.float32(0.02), sample.target, SET5)
        assert row.bicubic == evaluate(sample.input, sample.target, SET5)
    assert done.bicubic is not None
    for name in ("psnr_db", "psnr_y_db", "ssim"):
        mean = np.mean([getattr(row.model, name) for row in done.images])
        assert getattr(done, name) == pytest.approx(mean)
    others = [row.bicubic.psnr_y_db for row in done.images if row.bicubic]
    assert done.bicubic.psnr_y_db == pytest.approx(np.mean(others))
    assert done.psnr_db < done.bicubic.psnr_db
    again = validate(lambda image: image, samples, SET5, earlier=done)
    assert again.bicubic == done.bicubic
    assert again.images[0].model == done.images[0].bicubic


def test_bicubic_enlarges_where_the_model_does(samples: tuple[Sample, ...]) -> None:
    small = [
        Sample(
            unit_from_8bit(pillow(original(one.name), *(s // 3 for s in one.target.shape[:2]))),
            one.target,
            one.name,
        )
        for one in samples
    ]
    enlarged = validate(lambda image: image.repeat(3, 0).repeat(3, 1), small, SET5)
    same = validate(lambda image: image, samples, SET5)
    assert enlarged.bicubic == same.bicubic
    assert enlarged.psnr_db < same.psnr_db


def test_sides_that_the_model_cannot_take_are_cut(samples: tuple[Sample, ...]) -> None:
    seen = []

    def predict(image: np.ndarray) -> np.ndarray:
        seen.append(image.shape[:2])
        return image

    contract = Contract(size_multiple=16, minimum_size=32)
    rows = validate(predict, samples, SET5, contract=contract).images
    assert seen == [(row.height, row.width) for row in rows] == [(240, 384), (240, 304)]
    doubled = Sample(samples[0].input[:37, :33], np.zeros((74, 66, 3), np.float32), "a")
    cut = fitted(doubled, contract)
    assert (cut.input.shape, cut.target.shape) == ((32, 32, 3), (64, 64, 3))
    with pytest.raises(ImageError, match=r"32x32.*found 31x40 in b"):
        fitted(Sample(np.zeros((31, 40, 3), np.float32), np.zeros((31, 40, 3), np.float32), "b"), contract)


def test_planes_have_no_bicubic() -> None:
    sample = Sample(np.zeros((20, 20, 4), np.float32), np.full((40, 40, 3), 0.5, np.float32), "raw")
    done = validate(lambda image: np.zeros((40, 40, 3), np.float32), [sample], Validation(luma=True))
    assert done.bicubic is None and done.images[0].bicubic is None
    assert done.psnr_db == pytest.approx(20 * math.log10(255 / 128))


def test_what_does_not_fit_is_named(samples: tuple[Sample, ...]) -> None:
    with pytest.raises(CallError, match="at least one"):
        validate(lambda image: image, [], SET5)
    with pytest.raises(ShapeMismatch, match=r"output must have.*in 0\.png"):
        validate(lambda image: image[1:], samples, SET5)
    odd = Sample(samples[0].input, samples[0].target[1:], "odd.png")
    with pytest.raises(ShapeMismatch, match=r"whole multiple.*in odd\.png"):
        validate(lambda image: image, [odd], SET5)
    tiny = Sample(samples[0].input[:6, :9], samples[0].target[:6, :9], "tiny.png")
    with pytest.raises(ImageError, match=r"larger than 6x6.*in tiny\.png"):
        validate(lambda image: image, [tiny], SET5)
    first = validate(lambda image: image, samples[:1], SET5)
    with pytest.raises(CallError, match="same pictures"):
        validate(lambda image: image, samples[1:], SET5, earlier=first)
    with pytest.raises(ShapeMismatch, match="one shape"):
        evaluate(samples[0].input, samples[0].input[1:], SET5)
