"""PSNR, means over images, and plain differences."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from pixelproof.errors import CallError, ImageError, ShapeMismatch
from pixelproof.measure.metrics import (
    Difference,
    difference,
    mean_of_image_ms_ssim,
    mean_of_image_psnr_db,
    ms_ssim_scipy_fft,
    ms_ssim_tf,
    psnr_db,
    ssim_gaussian,
)

SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 4))
UNIT = st.floats(0, 1, width=32)
UNIT_IMAGES = SHAPES.flatmap(lambda shape: npst.arrays(np.float32, shape, elements=UNIT))


def pictures(*shape: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    target = rng.random(shape)
    return np.clip(target + rng.normal(0, 0.1, shape), 0, 1), target


class TestPsnr:
    def test_of_a_known_error(self) -> None:
        target = np.full((4, 5, 3), 0.25)
        assert psnr_db(target + 0.1, target) == pytest.approx(20.0, abs=1e-9)
        assert psnr_db(target * 255 + 25.5, target * 255, data_range=255) == pytest.approx(20.0, abs=1e-9)

    def test_is_one_mean_over_all_channels(self) -> None:
        output, target = np.zeros((2, 2, 3)), np.zeros((2, 2, 3))
        output[..., 0] = 0.1
        assert psnr_db(output, target) == pytest.approx(-10 * math.log10(0.01 / 3), abs=1e-12)

    def test_is_of_what_lies_inside_the_border(self) -> None:
        output, target = pictures(40, 50, 3)
        output[:4], output[-4:], output[:, :4], output[:, -4:] = 9, 9, 9, 9
        assert psnr_db(output, target, crop_border=4) == psnr_db(output[4:-4, 4:-4], target[4:-4, 4:-4])
        assert psnr_db(output, target) < 0 < psnr_db(output, target, crop_border=4)

    def test_uint8_does_not_wrap_round(self) -> None:
        dark, light = np.full((3, 3, 3), 10, np.uint8), np.full((3, 3, 3), 20, np.uint8)
        assert psnr_db(dark, light, data_range=255) == pytest.approx(20 * math.log10(25.5))

    def test_float32_is_summed_in_float64(self) -> None:
        target = np.full((1000, 1000, 3), 0.3, np.float32)
        output = target + np.float32(0.01)
        error = np.float64(output[0, 0, 0]) - np.float64(target[0, 0, 0])
        assert psnr_db(output, target) == pytest.approx(-20 * math.log10(error), abs=1e-10)

    @given(UNIT_IMAGES)
    def test_of_an_image_and_itself_is_infinite(self, image: np.ndarray) -> None:
        assert psnr_db(image, image) == math.inf

    @given(UNIT_IMAGES, st.floats(1e-3, 0.5))
    def test_of_a_shift_is_its_size(self, image: np.ndarray, shift: float) -> None:
        exact = image.astype(np.float64)
        assert psnr_db(exact + shift, exact) == pytest.approx(-20 * math.log10(shift), abs=1e-6)

    @given(UNIT_IMAGES)
    def test_is_symmetric(self, image: np.ndarray) -> None:
        assert psnr_db(image, image[::-1]) == psnr_db(image[::-1], image)

    def test_is_not_a_number_where_the_output_is_not(self) -> None:
        output, target = pictures(4, 4, 3)
        output[0, 0, 0] = np.nan
        assert math.isnan(psnr_db(output, target))
        output[0, 0, 0] = np.inf
        assert psnr_db(output, target) == -math.inf

    def test_wrong_shapes_are_errors(self) -> None:
        output, target = pictures(8, 8, 3)
        with pytest.raises(ShapeMismatch, match=r"\(8, 8, 3\) and \(8, 7, 3\)"):
            psnr_db(output, target[:, :7])
        with pytest.raises(ShapeMismatch, match=r"\(height, width, channels\)"):
            psnr_db(output[..., 0], target[..., 0])
        with pytest.raises(ShapeMismatch, match="empty"):
            psnr_db(output[:0], target[:0])
        with pytest.raises(ImageError, match="larger than 8x8"):
            psnr_db(output, target, crop_border=4)
        with pytest.raises(CallError, match="-1"):
            psnr_db(output, target, crop_border=-1)


class TestMeans:
    def test_are_of_the_figures(self) -> None:
        assert mean_of_image_psnr_db([20.0, 30.0]) == 25.0
        assert mean_of_image_psnr_db([20.0, math.inf]) == math.inf
        assert math.isnan(mean_of_image_ms_ssim([0.5, math.nan]))

    @pytest.mark.parametrize("mean", [mean_of_image_psnr_db, mean_of_image_ms_ssim])
    def test_of_nothing_is_an_error(self, mean: object) -> None:
        with pytest.raises(CallError, match="at least one image"):
            mean([])  # type: ignore[operator]


class TestDifference:
    def test_of_known_arrays(self) -> None:
        a = np.zeros((1, 2, 2, 3), np.float32)
        b = a.copy()
        b[0, 0, 0] = [0.0, 0.0, 0.25]  # one pixel changes its level
        b[0, 1, 1] = [0.001, 0.0, 0.0]  # 0.255 of a level: it doesn't
        found = difference(a, b)
        assert found == Difference(
            max_abs=0.25,
            mean_abs=pytest.approx(0.251 / 12),
            max_levels=63.75,
            mean_levels=pytest.approx(0.251 / 12 * 255),
            share_changed=0.25,
            non_finite_a=0,
            non_finite_b=0,
        )

    def test_of_an_array_and_itself_is_nothing(self) -> None:
        output, _ = pictures(9, 7, 4)
        assert difference(output, output) == Difference(0.0, 0.0, 0.0, 0.0, 0.0, 0, 0)

    def test_what_is_clipped_counts_as_difference_but_not_as_changed(self) -> None:
        a = np.full((2, 2, 3), 1.1)
        found = difference(a, a + 0.5)
        assert found.max_abs == pytest.approx(0.5)
        assert found.share_changed == 0.0

    def test_what_is_not_finite_is_never_within_a_tolerance(self) -> None:
        a, _ = pictures(4, 5, 3)
        b = a.copy()
        b[0, 0, 0], b[1, 1, 1] = np.nan, -np.inf
        found = difference(a, b)
        assert (found.non_finite_a, found.non_finite_b) == (0, 2)
        assert found.max_abs == found.mean_abs == found.max_levels == found.mean_levels == math.inf
        assert found.share_changed == pytest.approx(2 / 20)
        same = difference(b, b)
        assert (same.non_finite_a, same.non_finite_b, same.max_abs) == (2, 2, math.inf)

    def test_uint8_does_not_wrap_round(self) -> None:
        assert difference(np.zeros((1, 1, 3), np.uint8), np.ones((1, 1, 3), np.uint8)).max_abs == 1.0

    @given(UNIT_IMAGES)
    def test_is_symmetric_and_bounds_the_change(self, image: np.ndarray) -> None:
        there, back = difference(image, image[::-1]), difference(image[::-1], image)
        assert there == back
        assert there.mean_abs <= there.max_abs * (1 + 1e-12)
        assert (there.share_changed > 0) <= (there.max_abs > 0)

    def test_wrong_shapes_are_errors(self) -> None:
        with pytest.raises(ShapeMismatch):
            difference(np.zeros((1, 4, 4, 3)), np.zeros((4, 4, 3)))
        with pytest.raises(ShapeMismatch, match="empty"):
            difference(np.zeros((0, 3)), np.zeros((0, 3)))


def test_several_threads_find_what_one_finds() -> None:
    jobs = [pictures(170, 180, 3, seed=seed) for seed in range(8)]

    def measure(job: tuple[np.ndarray, np.ndarray]) -> tuple[float, ...]:
        output, target = job
        return (
            psnr_db(output, target),
            ssim_gaussian(output, target),
            ms_ssim_tf(output, target),
            ms_ssim_scipy_fft(output * 255, target * 255),
        )

    alone = [measure(job) for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(measure, jobs)) == alone
