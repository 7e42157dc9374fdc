"""The metrics against TensorFlow's own, and against the challenge's published figures."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof import images
from pixelproof.errors import ImageError
from pixelproof.measure.metrics import (
    ms_ssim_scipy_fft,
    ms_ssim_scipy_fft_batch,
    ms_ssim_tf,
    psnr_db,
    ssim_gaussian,
    ssim_tf,
)

Figures = Callable[[np.ndarray, np.ndarray], dict[str, float]]
FLAT = (103, 177, 221)


@pytest.fixture(scope="module")
def tf_figures() -> Iterator[Figures]:
    """``figures(output, target)`` of one image by ``tf.image``, run as the 2018 scripts run it: in a session."""
    import tensorflow as tf

    v1 = tf.compat.v1
    sessions: dict[int, tuple[Any, ...]] = {}

    def prepared(channels: int) -> tuple[Any, ...]:
        with tf.Graph().as_default() as graph:
            a, b = (v1.placeholder(tf.float32, [1, None, None, channels]) for _ in range(2))
            fetches = {"psnr": tf.image.psnr, "ssim": tf.image.ssim, "ms_ssim": tf.image.ssim_multiscale}
            results = {name: function(a, b, 1.0)[0] for name, function in fetches.items()}
            return v1.Session(graph=graph), a, b, results

    def figures(output: np.ndarray, target: np.ndarray) -> dict[str, float]:
        channels = output.shape[-1]
        if channels not in sessions:
            sessions[channels] = prepared(channels)
        session, a, b, results = sessions[channels]
        feed = {a: output[None], b: target[None]}
        # One fetch a run: the graph optimizer rounds differently when figures share their steps.
        return {name: float(session.run(result, feed)) for name, result in results.items()}

    yield figures
    for session, *_ in sessions.values():
        session.close()


def run_frozen(path: Path, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """Outputs of a frozen graph, one image a call."""
    import tensorflow as tf

    v1 = tf.compat.v1
    definition = v1.GraphDef.FromString(path.read_bytes())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
    with v1.Session(graph=graph) as session:
        return [session.run("output:0", {"input:0": image[None]})[0] for image in inputs]


def pictures(*shape: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A bright target with a saturated sky, and a noisy output, float32 in [0, 1]."""
    rng = np.random.default_rng(seed)
    target = np.clip(np.cumsum(rng.normal(0, 0.03, shape), axis=1) + 0.6, 0, 1)
    target[: shape[0] // 3] = 1.0
    output = np.clip(target * 0.97 + 0.02 + rng.normal(0, 0.02, shape), 0, 1)
    return output.astype(np.float32), target.astype(np.float32)


@pytest.mark.parametrize("size", [(161, 161), (175, 201), (401, 640)])
@pytest.mark.parametrize("channels", [1, 3])
def test_figures_are_tensorflows(tf_figures: Figures, size: tuple[int, int], channels: int) -> None:
    output, target = pictures(*size, channels)
    expected = tf_figures(output, target)
    assert psnr_db(output, target) == pytest.approx(expected["psnr"], abs=1e-4)
    assert ssim_tf(output, target) == pytest.approx(expected["ssim"], abs=5e-6)
    assert ms_ssim_tf(output, target) == pytest.approx(expected["ms_ssim"], abs=5e-6)


def test_large_pictures_carry_tensorflows_rounding(tf_figures: Figures) -> None:
    output, target = pictures(900, 1300, 3)
    expected = tf_figures(output, target)
    assert ssim_tf(output, target) == pytest.approx(expected["ssim"], abs=1e-5)
    assert ms_ssim_tf(output, target) == pytest.approx(expected["ms_ssim"], abs=1e-5)
    assert abs(ssim_gaussian(output, target) - expected["ssim"]) > 1e-4


@pytest.mark.parametrize(("level", "shift"), [(143, 2), (255, -3), (17, 1)])
def test_flat_colours_are_tensorflows(tf_figures: Figures, level: int, shift: int) -> None:
    target = images.unit_from_8bit(np.full((200, 240, 3), level, np.uint8))
    target[60:120, 80:150] = pictures(60, 70, 3)[1]
    output = np.clip(target + np.float32(shift / 255), 0, 1)
    expected = tf_figures(output, target)
    assert ms_ssim_tf(output, target) == pytest.approx(expected["ms_ssim"], abs=1e-5)


def test_opposed_pictures_count_as_nothing(tf_figures: Figures) -> None:
    _, target = pictures(200, 200, 3)
    target[:70] = target[70:140]
    opposed = np.float32(1) - target
    assert ms_ssim_tf(opposed, target) == tf_figures(opposed, target)["ms_ssim"] == 0.0


@pytest.mark.parametrize("metric", [ssim_tf, ms_ssim_tf])
def test_identity_symmetry_and_nan(metric: Callable[..., float]) -> None:
    output, target = pictures(180, 170, 3)
    assert metric(target, target) == pytest.approx(1.0, abs=1e-5)
    assert metric(output, target) == pytest.approx(metric(target, output), abs=1e-6)
    assert metric(output * 255, target * 255, data_range=255.0) == pytest.approx(
        metric(output, target), abs=1e-4
    )
    output[90, 80, 1] = np.nan
    assert math.isnan(metric(output, target))


def test_the_smallest_size_is_tensorflows(tf_figures: Figures) -> None:
    import tensorflow as tf

    small = np.zeros((160, 300, 3), np.float32)
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf_figures(small, small)
    with pytest.raises(ImageError, match="at least 161x161") as refused:
        ms_ssim_tf(small, small)
    assert refused.value.found == "160x300"
    assert ms_ssim_tf(small[:, :161].repeat(2, axis=0)[:161], np.zeros((161, 161, 3))) == pytest.approx(1.0)
    with pytest.raises(ImageError, match="at least 11x11"):
        ssim_tf(small[:10], small[:10])


@pytest.mark.official
def test_track_b_patches_have_the_published_figures(official_data: Path) -> None:
    numbers = (*range(24), *FLAT)
    published = json.loads((official_data / "reference_scores.json").read_text())
    expected = published["track_B"]["dped_srcnn"]["per_image"]
    folder = official_data / "dped" / "patches"
    inputs = [images.unit_from_8bit(images.read_rgb8(folder / "iphone" / f"{n}.jpg")) for n in numbers]
    targets = [images.read_rgb8(folder / "canon" / f"{n}.jpg") for n in numbers]
    outputs = run_frozen(official_data / "models_pretrained" / "dped_srcnn.pb", inputs)
    batch = ms_ssim_scipy_fft_batch(np.stack(outputs) * 255, np.stack(targets))
    for number, output, target, score in zip(numbers, outputs, targets, batch, strict=True):
        psnr, ms_ssim = expected[f"{number}.jpg"]
        found = psnr_db(np.clip(output, 0, 1), images.unit_from_8bit(target))
        assert found == pytest.approx(psnr, abs=2e-5), number
        assert score == pytest.approx(ms_ssim, abs=1e-6), number
        assert ms_ssim_scipy_fft(output * 255, target) == pytest.approx(score, abs=1e-12)


@pytest.mark.official
def test_track_a_images_have_the_published_figures(official_data: Path) -> None:
    published = json.loads((official_data / "reference_scores.json").read_text())
    expected = published["track_A"]["div2k_srcnn"]["per_image"]["1.png"]
    target = images.read_rgb8(official_data / "div2k" / "original" / "1.png")
    height, width = target.shape[:2]
    small = images.bicubic_resize_8bit(target, height // 4, width // 4)
    source = images.bicubic_resize_8bit(small, height, width)
    graph = official_data / "models_pretrained" / "div2k_srcnn.pb"
    (output,) = run_frozen(graph, [images.unit_from_8bit(source)])
    found = np.clip(images.crop_border(output, 16), 0, 1)
    wanted = images.crop_border(images.unit_from_8bit(target), 16)
    assert psnr_db(found, wanted) == pytest.approx(expected["psnr_db"], abs=1e-4)
    assert ms_ssim_tf(found, wanted) == pytest.approx(expected["ms_ssim"], abs=2e-6)
