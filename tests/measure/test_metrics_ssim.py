"""SSIM and MS-SSIM in float64, against independent ways of computing them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, signal

from pixelproof.errors import ImageError, ShapeMismatch
from pixelproof.measure.metrics import ms_ssim_scipy_fft, ms_ssim_scipy_fft_batch, ssim_gaussian

WEIGHTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])
SIZES = [(100, 100), (37, 53), (64, 301), (11, 11), (5, 90), (1, 1), (161, 30)]


def pictures(*shape: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Smooth ground with noise, in 0..255, as uint8 target and float32 output that leaves the range."""
    rng = np.random.default_rng(seed)
    axes = tuple(range(len(shape) - 1))
    ground = ndimage.gaussian_filter(rng.random(shape), sigma=3, axes=axes[-2:])
    ground = (ground - ground.min()) / np.ptp(ground) * 255 if ground.size > 3 else ground * 255
    target = np.rint(ground).astype(np.uint8)
    return (target * 1.05 - 5 + rng.normal(0, 8, shape)).astype(np.float32), target


def wave(height: int, width: int, phase: float) -> np.ndarray:
    """A picture in [0, 1] that needs no random numbers."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    ground = 0.3 * np.sin(x * (0.11 + 0.05 * c) + phase) * np.cos(y * 0.07 + c)
    picture: np.ndarray = 0.5 + ground + 0.1 * np.sin(x * y * 0.01 + phase)
    return picture


def ms_ssim_by_fft(output: np.ndarray, target: np.ndarray) -> float:
    """The published recipe, plainly: 2-D windows by FFT, and scipy's box filter between scales."""
    x, y = output[None].astype(np.float64), target[None].astype(np.float64)
    contrasts, ssims = [], []
    for _ in WEIGHTS:
        window = window_of(min(11, *x.shape[1:3]))
        mean_x, mean_y, xx, yy, xy = (
            signal.fftconvolve(picture, window, mode="valid") for picture in (x, y, x * x, y * y, x * y)
        )
        c1, c2 = 2.55**2, 7.65**2
        contrast = (2 * (xy - mean_x * mean_y) + c2) / (xx - mean_x**2 + yy - mean_y**2 + c2)
        contrasts.append(contrast.mean())
        ssims.append((contrast * (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)).mean())
        box = np.full((1, 2, 2, 1), 0.25)
        x, y = (ndimage.convolve(picture, box, mode="reflect")[:, ::2, ::2] for picture in (x, y))
    with np.errstate(invalid="ignore"):
        return float(np.prod(np.array(contrasts[:-1]) ** WEIGHTS[:-1]) * np.array(ssims)[-1] ** WEIGHTS[-1])


def window_of(size: int) -> np.ndarray:
    offsets = np.arange(size) - (size - 1) / 2
    sigma = 1.5 * size / 11
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * sigma**2))
    normalised: np.ndarray = (window / window.sum())[None, :, :, None]
    return normalised


class TestMsSsimScipyFft:
    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize("channels", [1, 3])
    def test_is_what_the_fft_recipe_gives(self, size: tuple[int, int], channels: int) -> None:
        output, target = pictures(*size, channels)
        assert ms_ssim_scipy_fft(output, target) == pytest.approx(ms_ssim_by_fft(output, target), abs=1e-11)

    def test_a_picture_wider_than_one_block_of_columns_too(self) -> None:
        output, target = pictures(300, 700, 3)
        assert ms_ssim_scipy_fft(output, target) == pytest.approx(ms_ssim_by_fft(output, target), abs=1e-11)

    @pytest.mark.parametrize(
        ("size", "expected"),
        [((100, 100), 0.9141747021146683), ((37, 53), 0.9137531315396319), ((175, 200), 0.9048857516715083)],
    )
    def test_keeps_its_figures(self, size: tuple[int, int], expected: float) -> None:
        found = ms_ssim_scipy_fft(wave(*size, 0.4) * 255, wave(*size, 0.0) * 255)
        assert found == pytest.approx(expected, abs=1e-12)

    def test_a_batch_is_its_images_in_order(self) -> None:
        outputs, targets = pictures(23, 40, 31, 3)
        found = ms_ssim_scipy_fft_batch(outputs, targets)
        assert found.shape == (23,)
        assert found.dtype == np.float64
        alone = [ms_ssim_scipy_fft(output, target) for output, target in zip(outputs, targets, strict=True)]
        assert found == pytest.approx(alone, abs=1e-13)
        assert len(set(alone)) == 23

    def test_the_range_may_be_another(self) -> None:
        output, target = pictures(50, 60, 3)
        expected = ms_ssim_scipy_fft(output, target)
        found = ms_ssim_scipy_fft(output / 255.0, target / 255.0, max_value=1.0)
        assert found == pytest.approx(expected, abs=1e-6)

    def test_flat_pictures_differ_by_their_brightness_at_the_coarsest_scale(self) -> None:
        output, target = np.full((100, 100, 3), 251.9), np.full((100, 100, 3), 255.0)
        c1 = 2.55**2
        luminance = (2 * 251.9 * 255 + c1) / (251.9**2 + 255**2 + c1)
        assert ms_ssim_scipy_fft(output, target) == pytest.approx(luminance**0.1333, abs=1e-9)

    def test_a_negative_factor_gives_nan_as_in_the_original(self) -> None:
        _, target = pictures(64, 64, 3)
        opposed = 255.0 - target
        assert math.isnan(ms_ssim_by_fft(opposed, target))
        assert math.isnan(ms_ssim_scipy_fft(opposed, target))

    @pytest.mark.parametrize("wrong", [np.nan, np.inf])
    def test_what_is_not_finite_spoils_its_own_image_only(self, wrong: float) -> None:
        outputs, targets = pictures(3, 40, 40, 3)
        outputs[1, 20, 20, 1] = wrong
        found = ms_ssim_scipy_fft_batch(outputs, targets)
        assert np.isnan(found).tolist() == [False, True, False]

    def test_wrong_shapes_are_errors(self) -> None:
        output, target = pictures(20, 20, 3)
        with pytest.raises(ShapeMismatch, match=r"\(20, 20, 3\) and \(20, 19, 3\)"):
            ms_ssim_scipy_fft(output, target[:, :19])
        with pytest.raises(ShapeMismatch, match=r"\(images, height, width, channels\)"):
            ms_ssim_scipy_fft_batch(output, target)
        with pytest.raises(ShapeMismatch, match="empty"):
            ms_ssim_scipy_fft_batch(output[None][:0], target[None][:0])


class TestSsimGaussian:
    @pytest.mark.parametrize("size", [(11, 11), (37, 53), (120, 701)])
    @pytest.mark.parametrize("channels", [1, 3, 4])
    def test_is_scikit_images(self, size: tuple[int, int], channels: int) -> None:
        from skimage.metrics import structural_similarity

        output, target = (picture / 255.0 for picture in pictures(*size, channels))
        expected = structural_similarity(
            output.astype(np.float64),
            target,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1.0,
            channel_axis=-1,
        )
        assert ssim_gaussian(output.astype(np.float64), target) == pytest.approx(expected, abs=1e-10)

    def test_keeps_its_figure(self) -> None:
        found = ssim_gaussian(wave(175, 200, 0.4), wave(175, 200, 0.0))
        assert found == pytest.approx(0.9131443383547317, abs=1e-12)

    def test_smaller_than_the_window_is_an_error(self) -> None:
        with pytest.raises(ImageError, match="at least 11x11") as refused:
            ssim_gaussian(np.zeros((10, 50, 3)), np.zeros((10, 50, 3)))
        assert "10x50" in refused.value.found

    def test_wrong_shapes_are_errors(self) -> None:
        with pytest.raises(ShapeMismatch):
            ssim_gaussian(np.zeros((20, 20, 3)), np.zeros((20, 20, 1)))
        with pytest.raises(ShapeMismatch, match=r"\(height, width, channels\)"):
            ssim_gaussian(np.zeros((20, 20)), np.zeros((20, 20)))


@settings(max_examples=30, deadline=None)
@given(st.integers(11, 40), st.integers(11, 40), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_properties(height: int, width: int, channels: int, seed: int) -> None:
    output, target = pictures(height, width, channels, seed=seed)
    for metric in (ssim_gaussian, ms_ssim_scipy_fft):
        in_range = {"data_range": 255.0} if metric is ssim_gaussian else {}
        there, back = metric(output, target, **in_range), metric(target, output, **in_range)
        assert there == pytest.approx(back, abs=1e-12, nan_ok=True)
        assert not there > 1.0
        assert metric(target, target, **in_range) == pytest.approx(1.0, abs=1e-12)
        turned = metric(output.transpose(1, 0, 2), target.transpose(1, 0, 2), **in_range)
        assert turned == pytest.approx(there, abs=1e-10, nan_ok=True)
        brighter = [metric(target + shift, target, **in_range) for shift in (1.0, 10.0, 60.0)]
        assert 1.0 > brighter[0] > brighter[1] > brighter[2] > 0.0
