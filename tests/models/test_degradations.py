"""The stages of the degradation agree with what BasicSR's functions gave, and with slow formulas."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage, stats

from pixelproof.errors import CallError, ImageError
from pixelproof.models.training.degradations import bands, blur, colour, jpeg, kernels, noise, resize, sharpen
from pixelproof.models.training.degradations.counts import poisson_noise

RNG_SEED = 11


@pytest.fixture(scope="module")
def reference(shared_data: Path) -> Mapping[str, np.ndarray]:
    """What the public functions gave, by names that state the parameters."""
    path = shared_data / "real_esrgan" / "degradations.npz"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    with np.load(path) as held:
        return dict(held)


@pytest.fixture(scope="module")
def image(reference: Mapping[str, np.ndarray]) -> np.ndarray:
    """The reference's picture as planes."""
    return np.ascontiguousarray(reference["image"].transpose(2, 0, 1))


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(RNG_SEED).random(shape, dtype=np.float32)


def _largest(planes: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(planes.transpose(1, 2, 0) - expected).max())


KERNELS = {
    "gauss_iso_k21_s1.7": kernels.Bell(21, "gaussian", (1.7, 1.7)),
    "gauss_aniso_k15_sx2.5_sy0.8_t0.6": kernels.Bell(15, "gaussian", (2.5, 0.8), 0.6),
    "gengauss_aniso_k13_sx1.2_sy2.1_t-0.9_b1.8": kernels.Bell(13, "generalized", (1.2, 2.1), -0.9, 1.8),
    "plateau_iso_k11_s1.5_b1.4": kernels.Bell(11, "plateau", (1.5, 1.5), 0.0, 1.4),
    "plateau_aniso_k17_sx2.0_sy1.1_t2.2_b1.9": kernels.Bell(17, "plateau", (2.0, 1.1), 2.2, 1.9),
    "sinc_w1.9_k9_pad21": kernels.Sinc(9, 1.9),
    "sinc_w1.2_k21": kernels.Sinc(21, 1.2),
}


@pytest.mark.official
@pytest.mark.parametrize("name", KERNELS)
def test_kernels_agree(reference: Mapping[str, np.ndarray], name: str) -> None:
    kernel = kernels.kernel_of(KERNELS[name])
    beyond = (len(reference[name]) - len(kernel)) // 2
    assert np.abs(np.pad(kernel, beyond) - reference[name]).max() < 1e-6


@pytest.mark.official
def test_filtering_agrees(reference: Mapping[str, np.ndarray], image: np.ndarray) -> None:
    kernel = reference["gauss_aniso_k15_sx2.5_sy0.8_t0.6"]
    assert _largest(blur.filtered(image, kernel), reference["blur_reflect"]) < 1e-4


@pytest.mark.official
def test_sharpening_agrees(reference: Mapping[str, np.ndarray], image: np.ndarray) -> None:
    sharp = sharpen.sharpened(image, weight=0.5, threshold=10)
    assert _largest(sharp, reference["usm_sharp_w0.5_r50_t10"]) < 1e-4


@pytest.mark.official
@pytest.mark.parametrize("method", ["area", "bilinear", "bicubic"])
def test_resizing_agrees(
    reference: Mapping[str, np.ndarray], image: np.ndarray, method: resize.Method
) -> None:
    for factor in (0.37, 1.4):
        assert _largest(resize.scaled(image, factor, method), reference[f"resize_{method}_{factor}"]) < 1e-4
    small = resize.resized(image, 32, 32, method)
    assert _largest(small, reference[f"resize_{method}_to_32x32"]) < 1e-4


@pytest.mark.official
@pytest.mark.parametrize("quality", [50, 75, 95])
def test_jpeg_agrees_within_two_levels_on_average(
    reference: Mapping[str, np.ndarray], image: np.ndarray, quality: int
) -> None:
    away = jpeg.compressed(image, quality).transpose(1, 2, 0) - reference[f"jpeg_q{quality}"]
    assert 255 * np.abs(away).mean() < 2


@pytest.mark.parametrize("drawn", KERNELS.values(), ids=KERNELS)
def test_filtering_is_the_sum_that_is_meant(drawn: kernels.Bell | kernels.Sinc) -> None:
    """Both ways, by outer products and by Fourier transform, beside a plain correlation."""
    picture, kernel = _random(3, 41, 58), kernels.kernel_of(drawn)
    expected = np.stack(
        [ndimage.correlate(plane.astype(np.float64), kernel, mode="mirror") for plane in picture]
    )
    assert np.abs(blur.filtered(picture, kernel) - expected).max() < 1e-4
    assert np.abs(blur._by_fourier(picture, kernel, len(kernel) // 2) - expected).max() < 1e-5


@pytest.mark.parametrize("factor", [0.21, 0.5, 0.93, 1.3])
@pytest.mark.parametrize("method", ["area", "bilinear", "bicubic"])
def test_filtering_and_resizing_in_one_pass_is_the_same(factor: float, method: resize.Method) -> None:
    picture = _random(3, 97, 64)
    sizes = math.floor(97 * factor), math.floor(64 * factor)
    onto = resize.resizing((97, 64), sizes, method, factor=factor)
    for drawn in KERNELS.values():
        kernel = kernels.kernel_of(drawn)
        after = bands.mapped(blur.filtered(picture, kernel), *onto)
        assert np.abs(blur.filtered(picture, kernel, onto=onto) - after).max() < 1e-4


def test_a_kernel_that_is_no_mirror_of_itself_is_not_turned() -> None:
    kernel = np.zeros((5, 5))
    kernel[0, 1] = 1.0
    picture = _random(1, 9, 12)
    moved = np.pad(picture[0], 2, mode="reflect")[0:9, 1:13]
    assert np.abs(blur.filtered(picture, kernel)[0] - moved).max() < 1e-5
    assert np.abs(blur._by_fourier(picture, kernel, 2)[0] - moved).max() < 1e-5


def test_all_kernels_sum_to_one() -> None:
    for size in range(7, 22, 2):
        for shape in ("gaussian", "generalized", "plateau"):
            kernel = kernels.bell_kernel(size, shape, (0.2, 3.0), angle=1.0, beta=0.5)
            assert kernel.shape == (size, size)
            assert kernel.sum() == pytest.approx(1) and kernel.min() >= 0
        assert kernels.sinc_kernel(size, math.pi / 3).sum() == pytest.approx(1)


def test_area_enlarged_and_reduced_keeps_means() -> None:
    picture = _random(3, 24, 36)
    assert np.allclose(
        resize.resized(picture, 6, 6, "area"), picture.reshape(3, 6, 4, 6, 6).mean((2, 4)), atol=1e-6
    )
    assert np.allclose(resize.resized(picture, 48, 72, "area"), picture.repeat(2, 1).repeat(2, 2), atol=1e-6)
    for method in ("area", "bilinear", "bicubic"):
        assert np.allclose(resize.resized(picture, 24, 36, method), picture, atol=1e-6)


def test_gaussian_noise_has_its_strength() -> None:
    flat = np.full((3, 200, 200), 0.5, np.float32)
    for grey in (False, True):
        rng = np.random.default_rng(1)
        added = noise.with_gaussian(flat, rng, sigma=10, grey=grey) - flat
        assert 255 * added.std() == pytest.approx(10, rel=0.02)
        assert np.array_equal(added[0], added[1]) == grey


def test_noise_stays_in_range_and_leaves_its_input() -> None:
    picture = _random(3, 40, 40)
    kept = picture.copy()
    for grey in (False, True):
        for noisy in (
            noise.with_gaussian(picture, np.random.default_rng(1), sigma=200, grey=grey),
            noise.with_poisson(picture, np.random.default_rng(1), strength=9, grey=grey),
        ):
            assert (noisy.min(), noisy.max()) == (0, 1)
            assert noisy.dtype == np.float32
        assert np.array_equal(picture, kept)


@pytest.mark.parametrize(
    ("quanta", "level"), [(256, 255), (256, 128), (256, 3), (64, 40), (2, 128), (1, 255)]
)
def test_counts_are_poissons(quanta: int, level: int) -> None:
    count, mean = 200_000, quanta * level / 255
    errors = poisson_noise(np.full(count, level, np.uint8), quanta, np.random.default_rng(5))
    outcomes = np.rint((errors.astype(np.float64) + level / 255) * quanta).astype(int)
    low, high = (int(stats.poisson.ppf(share, mean)) for share in (1e-3, 1 - 1e-3))
    edges = [-np.inf, *range(low, high + 1), np.inf]
    shares = np.diff(stats.poisson.cdf(edges, mean))
    found = np.histogram(outcomes, [-1e9, *(np.arange(low, high + 1) + 0.5), 1e9])[0]
    assert stats.chisquare(found, shares * count).pvalue > 1e-3


def test_black_counts_nothing_and_one_level_is_one_quantum() -> None:
    black = np.zeros((3, 30, 30), np.float32)
    assert not noise.with_poisson(black, np.random.default_rng(1), strength=1, grey=False).any()
    grey = np.full((3, 30, 30), 128 / 255, np.float32)
    noisy = noise.with_poisson(grey, np.random.default_rng(1), strength=1, grey=False)
    assert np.unique(np.round(noisy, 3)).tolist() == [0, 1]  # no light, or a whole quantum: all there is


def test_poisson_noise_grows_with_the_light() -> None:
    ramp = np.broadcast_to(np.linspace(0, 1, 256, dtype=np.float32)[:, None], (3, 256, 400)).copy()
    away = noise.with_poisson(ramp * 0.8, np.random.default_rng(2), strength=0.5, grey=False) - ramp * 0.8
    spread = away.std(axis=(0, 2))
    assert spread[250] > 1.5 * spread[60] > 2 * spread[10] > 0


def test_grey_noise_of_light_is_the_same_in_all_channels() -> None:
    picture = 0.2 + 0.6 * _random(3, 30, 30)
    away = noise.with_poisson(picture, np.random.default_rng(2), strength=0.2, grey=True) - picture
    assert np.abs(away[0] - away[1]).max() < 1e-6 < np.abs(away).max()


def test_jpeg_of_standard_tables_is_pillows() -> None:
    import io

    from PIL import Image

    picture = ndimage.gaussian_filter(_random(3, 50, 70), (0, 2, 2))
    for quality in (20, 50, 83, 100):
        packed = io.BytesIO()
        Image.fromarray(jpeg.rgb8_of(picture)).save(packed, "JPEG", quality=quality)
        expected = np.asarray(Image.open(packed)).transpose(2, 0, 1) / np.float32(255)
        assert np.array_equal(jpeg.compressed(picture, quality, tables="standard"), expected)
        assert not np.array_equal(jpeg.compressed(picture, quality), expected) or quality == 100


def test_sharpening_leaves_faint_detail_alone() -> None:
    faint = (0.5 + 0.02 * _random(3, 60, 60)).astype(np.float32)
    assert np.array_equal(sharpen.sharpened(faint), faint)


def test_colours_change_as_they_are_told() -> None:
    picture = _random(3, 12, 17)
    for name in ("brightness", "contrast", "saturation"):
        assert np.abs(colour.adjusted(picture, name, 1.0) - picture).max() < 1e-6
    assert np.abs(colour.adjusted(picture, "hue", 0.0) - picture).max() < 1e-6
    turned = colour.adjusted(picture, "hue", 1 / 3)  # red to green, green to blue, blue to red
    assert np.abs(turned - picture[[2, 0, 1]]).max() < 1e-5
    assert np.ptp(colour.adjusted(picture, "saturation", 0.0), axis=0).max() < 1e-6
    assert np.ptp(colour.adjusted(picture, "contrast", 0.0)) < 1e-6
    assert np.abs(colour.adjusted(picture, "brightness", 0.5) - picture / 2).max() < 1e-6
    changed = colour.with_colours(picture, colour.ColourChange((0.1, 0.0, -0.1), False, ()))
    assert np.abs(changed[1] - picture[1]).max() == 0 < np.abs(changed[0] - picture[0]).max()
    assert np.ptp(colour.with_colours(picture, colour.ColourChange(None, True, ())), axis=0).max() == 0


def test_what_cannot_be_is_refused() -> None:
    tiny = _random(3, 8, 30)
    with pytest.raises(ImageError, match="larger than 10x10"):
        blur.filtered(tiny, kernels.sinc_kernel(21, 2.0))
    with pytest.raises(ImageError, match="26x26"):
        sharpen.sharpened(tiny)
    with pytest.raises(CallError, match="odd"):
        kernels.bell_kernel(8, "gaussian", (1, 1))
    with pytest.raises(CallError, match="above 0"):
        kernels.bell_kernel(7, "gaussian", (1, 0))
    with pytest.raises(CallError, match="up to pi"):
        kernels.sinc_kernel(7, 4.0)
    with pytest.raises(CallError, match="one pixel"):
        resize.scaled(tiny, 0.1, "area")
    with pytest.raises(CallError, match="from 1 to 100"):
        jpeg.compressed(tiny, 0)
