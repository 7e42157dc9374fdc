"""Makes core/samples/ai-challenge and raw_images from scikit-image's free photographs; run it from the root.

Needs scikit-image (the extra ``dev``). Pixels are deterministic; encoded bytes depend on Pillow's version.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

SAMPLES = Path("core/samples")
ROOT = SAMPLES / "ai-challenge"
ISP_ROOT = SAMPLES / "raw_images" / "val"
PATCH = 100
PATCHES = 12
GRID_START = 6
SUPER_RESOLUTION_CROPS = ((0, 56, 256, 400), (264, 200, 248, 312))  # top, left, height, width
HD_HEIGHT, HD_WIDTH = 720, 1280
GAINS = (0.74, 0.70, 0.60)  # darker, with a warm cast
BLUR_SIGMA = 0.7
NOISE_LEVELS = 3.0
SEED = 2018
ISP_CROPS = ((40, 100), (232, 230))  # top, left
ISP_PATCH = 256
ISP_EXPONENT = 2.0  # a sensor counts light, a picture is brightened for the eye
ISP_GAINS = (0.55, 0.9, 0.65)  # before white balance
ISP_WHITE_LEVEL = 4 * 255
ISP_NOISE = 4.0


def crop(image: Any, top: int, left: int, height: int, width: int) -> Any:
    """A part of an image."""
    return image[top : top + height, left : left + width]


def patch_corners(image: Any) -> list[tuple[int, int]]:
    """Top left corners of the most textured, not overlapping patches, in reading order."""
    starts = range(GRID_START, image.shape[0] - PATCH + 1, PATCH)
    corners = [(top, left) for top in starts for left in starts]
    textured = sorted(corners, key=lambda c: -float(crop(image, *c, PATCH, PATCH).std()))[:PATCHES]
    return sorted(textured)


def degraded(target: Any, rng: np.random.Generator) -> Any:
    """The same photograph as a weak camera would take it: slight blur, darker with a cast, noise."""
    blurred = Image.fromarray(target).filter(ImageFilter.GaussianBlur(BLUR_SIGMA))
    darker = np.asarray(blurred, np.float64) * np.array(GAINS)
    noisy = darker + rng.normal(0, NOISE_LEVELS, darker.shape)
    return np.rint(np.clip(noisy, 0, 255)).astype(np.uint8)


def hd(image: Any) -> Image.Image:
    """The middle of a photograph at 16:9, enlarged to 1280x720."""
    height = image.shape[1] * HD_HEIGHT // HD_WIDTH
    top = (image.shape[0] - height) // 3
    part = Image.fromarray(crop(image, top, 0, height, image.shape[1]))
    return part.resize((HD_WIDTH, HD_HEIGHT), Image.Resampling.BICUBIC)


def save(image: Image.Image, name: str, *, quality: int | None = None) -> None:
    """Write one sample."""
    path = ROOT / name
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"optimize": True} if quality is None else {"quality": quality, "optimize": True}
    image.save(path, **options)


def mosaic(target: Any, rng: np.random.Generator) -> Any:
    """The same photograph as a 10-bit RGGB sensor would see it: linear, unbalanced, noisy, one colour a pixel."""
    light = (target / 255.0) ** ISP_EXPONENT * np.array(ISP_GAINS) * ISP_WHITE_LEVEL
    light += rng.normal(0, ISP_NOISE, light.shape)
    colours = np.array([[0, 1], [1, 2]])
    rows, columns = np.indices(light.shape[:2])
    seen = np.take_along_axis(light, colours[rows % 2, columns % 2][..., None], axis=2)[..., 0]
    return np.rint(np.clip(seen, 0, ISP_WHITE_LEVEL + 3)).astype(np.uint16)


def make_isp(photograph: Any) -> None:
    """RAW inputs and their targets."""
    rng = np.random.default_rng(SEED)
    for number, corner in enumerate(ISP_CROPS):
        target = crop(photograph, *corner, ISP_PATCH, ISP_PATCH)
        for folder in ("mediatek_raw", "fujifilm"):
            (ISP_ROOT / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(mosaic(target, rng)).save(ISP_ROOT / "mediatek_raw" / f"{number}.png", optimize=True)
        Image.fromarray(target).save(ISP_ROOT / "fujifilm" / f"{number}.jpg", quality=95, optimize=True)


def main() -> None:
    """Write all samples."""
    from skimage import data

    if not Path("core/samples").is_dir():
        sys.exit("Run this from the checkout's root.")
    astronaut, rocket = data.astronaut(), data.rocket()
    rng = np.random.default_rng(SEED)
    for number, corner in enumerate(patch_corners(astronaut)):
        target = crop(astronaut, *corner, PATCH, PATCH)
        save(Image.fromarray(target), f"dped/patches/canon/{number}.jpg", quality=95)
        save(Image.fromarray(degraded(target, rng)), f"dped/patches/iphone/{number}.jpg", quality=90)
    for number, part in enumerate(SUPER_RESOLUTION_CROPS):
        save(Image.fromarray(crop(astronaut, *part)), f"div2k/original/{number}.png")
    for number, photograph in enumerate((astronaut, rocket)):
        for folder in ("dped", "div2k"):
            save(hd(photograph), f"{folder}/HD_res/{number}.jpg", quality=80)
    make_isp(astronaut)


if __name__ == "__main__":
    main()
