"""Degrading pictures of 512x512 to 128x128 by AI6126's recipe: CPU time a picture, by stage, and the command's speed.

CPU time, and not the clock's, so that a busy machine spoils it less. The pictures are made here (random fields of
all sizes, as natural images have them) unless ``--images`` names a folder. The target of 30 pictures a second on two
cores leaves 66 ms of CPU time for each.

    python -m benchmarks.bench_degrade [--count 60] [--images FOLDER] [--recipe ai6126] [--jobs 2]
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in the command's processes; before NumPy is loaded

import argparse
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.row import Row, Skip
from benchmarks.setting import Setting
from pixelproof.images import Rgb8, list_images, read_rgb8, write_png
from pixelproof.models.training.degradations import pipeline
from pixelproof.models.training.degradations.recipe_file import load_recipe

SIDE = 512
SEED = 7
TARGET_MS = 66.0
TARGET_A_SECOND = 30.0
STAGES = (
    "sharpened", "filtered", "mapped", "resizing", "with_gaussian", "with_poisson", "compressed",
    "planes_of", "rgb8_of", "draw_plan", "kernel_of",
)  # fmt: skip


def main() -> None:
    """Print the stages, the whole, and the command, with their targets."""
    parser = argparse.ArgumentParser(description="degradation of pictures")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--recipe", default="ai6126")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        images = pictures(given.images, given.count)
        in_memory(images, given.recipe)
        for place, image in enumerate(images):
            write_png(Path(folder) / "in" / f"{place:04d}.png", image)
        as_command(Path(folder), given.recipe, given.count, given.jobs)


def in_memory(images: list[Rgb8], name: str) -> None:
    """One process, no files."""
    recipe = load_recipe(name)
    for index in range(3):
        pipeline.degraded_pair(images[index % len(images)], recipe, seed=SEED, index=index)
    begun = time.process_time()
    for index, image in enumerate(images):
        pipeline.degraded_pair(image, recipe, seed=SEED, index=index)
    whole_ms = 1e3 * (time.process_time() - begun) / len(images)
    spent = stage_times(images, name)
    print(f"{name}, {len(images)} pictures of {SIDE}x{SIDE}, CPU time a picture, one process:")
    for stage in sorted(spent, key=lambda stage: -spent[stage]):
        print(f"  {stage:<14} {1e3 * spent[stage] / len(images):6.2f} ms")
    print(f"  {'whole':<14} {whole_ms:6.2f} ms (target <= {TARGET_MS:g}): {met(whole_ms <= TARGET_MS)}")


def stage_times(images: list[Rgb8], name: str) -> dict[str, float]:
    """CPU seconds in each of the pipeline's functions."""
    recipe, spent = load_recipe(name), defaultdict[str, float](float)

    def watched(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            begun = time.process_time()
            try:
                return function(*arguments, **options)
            finally:
                spent[stage] += time.process_time() - begun

        return timed

    kept = {stage: getattr(pipeline, stage) for stage in STAGES}
    try:
        for stage, function in kept.items():
            setattr(pipeline, stage, watched(stage, function))
        for index, image in enumerate(images):
            pipeline.degraded_pair(image, recipe, seed=SEED, index=index)
    finally:
        for stage, function in kept.items():
            setattr(pipeline, stage, function)
    return spent


def as_command(folder: Path, name: str, count: int, jobs: int) -> None:
    """degrade-images as a process, PNGs read and written, with its start and without it."""
    command = [sys.executable, "-c", "from pixelproof.cli import main; main()", "degrade-images"]
    options = ["--recipe", name, "--seed", str(SEED), "--jobs", str(jobs)]
    few = folder / "few"
    few.mkdir()
    for place in range(jobs):  # as many processes as with all of them
        (few / f"{place}.png").write_bytes((folder / "in" / "0000.png").read_bytes())
    start_s, start_cpu_s = ran([*command, str(few), str(folder / "out_few"), *options])
    wall_s, cpu_s = ran([*command, str(folder / "in"), str(folder / "out"), *options])
    cpu_ms = 1e3 * (cpu_s - start_cpu_s) / max(1, count - jobs)
    print(
        f"command, {jobs} processes, PNGs read and written: {wall_s:.2f} s; with {jobs} pictures {start_s:.2f} s"
    )
    print(f"  CPU time a picture {cpu_ms:.1f} ms (target <= {TARGET_MS:g}): {met(cpu_ms <= TARGET_MS)}")
    a_second = (count - jobs) / max(1e-9, wall_s - start_s)
    verdict = met(a_second >= TARGET_A_SECOND)
    print(f"  {a_second:.1f} pictures a second by the clock (target >= {TARGET_A_SECOND:g}): {verdict}")


def as_trained(folder: Path, name: str, count: int, jobs: int) -> float:
    """Pairs a second that a training gets: files read, pictures degraded by processes, batches of 8 made."""
    from pixelproof.contract import Contract
    from pixelproof.models.training.data.degraded import KIND
    from pixelproof.models.training.data.training_data import Setting as DataSetting
    from pixelproof.models.training.run.distribution import Share
    from pixelproof.models.training.run.loader import Batches

    given = DataSetting(folder, None, 4, Contract(scale=4), SEED)
    data = KIND.open(KIND.options(recipe=name, crop=128), given)
    batches = Batches(data, first=0, batch_size=8, share=Share(), processes=jobs)
    for index in range(2):
        batches[index]
    begun = time.perf_counter()
    for index in range(2, 2 + count // 8):
        batches[index]
    took = time.perf_counter() - begun
    batches.close()
    return (count // 8 * 8) / took


def rows(setting: Setting) -> Iterator[Row | Skip]:
    """The rows of `make bench`."""
    count, jobs, name = (16 if setting.quick else 160), 2, "ai6126"
    with tempfile.TemporaryDirectory() as folder:
        for place, image in enumerate(pictures(None, min(count, 40))):
            write_png(Path(folder) / f"{place:04d}.png", image)
        yield Row(
            f"degradation {name}, {SIDE}x{SIDE} to a quarter, {jobs} processes, pairs a second for a training",
            as_trained(Path(folder), name, count, jobs),
            target=TARGET_A_SECOND,
            bound="ours >=",
            unit="1/s",
            note="the public functions do about 3",
        )


def ran(command: list[str]) -> tuple[float, float]:
    """Seconds by the clock, and CPU seconds of a command and its children."""
    before, begun = os.times(), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall_s, after = time.perf_counter() - begun, os.times()
    user_s = after.children_user - before.children_user
    return wall_s, user_s + after.children_system - before.children_system


def pictures(folder: Path | None, count: int) -> list[Rgb8]:
    """Crops of a folder's pictures, or made-up ones."""
    if folder is None:
        return [made_up(index) for index in range(count)]
    crops = []
    for path in list_images(folder):
        image8 = read_rgb8(path)
        if min(image8.shape[:2]) >= SIDE:
            crops.append(np.ascontiguousarray(image8[:SIDE, :SIDE]))
    if not crops:
        raise SystemExit(f"no pictures of {SIDE}x{SIDE} or more in {folder}")
    return [crops[index % len(crops)] for index in range(count)]


def made_up(index: int) -> Rgb8:
    """Random fields of all sizes, the stronger the larger."""
    from PIL import Image

    rng = np.random.default_rng(index)
    total = np.zeros((SIDE, SIDE, 3))
    for side in (4, 8, 16, 32, 64, 128, 256, 512):
        field = Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))
        total += (np.asarray(field.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) - 127.5) / side**0.7
    return np.rint(np.clip(127.5 + 2 * total, 0, 255)).astype(np.uint8)


def met(reached: bool) -> str:
    """In words."""
    return "met" if reached else "NOT met"


if __name__ == "__main__":
    main()
