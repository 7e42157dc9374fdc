"""Restoring pictures beside bare inference, and the memory that a 12-megapixel RAW image takes.

    python -m benchmarks.bench_restore [--rounds 8] [--patches 100] [--base 8 16] [--ckpt punet_8.ckpt]

The model is `punet` (with the weights of --ckpt, else random ones), the patches are 256x256 mosaics cut from the
bundled photographs. Peer: the same inputs, decoded already, one after another through one worker with all threads,
nothing written. Both are warm, and measured in turn.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.table import Row, interleaved, show

SHARE = 0.9
LIMIT_MIB = 3.5 * 1024
LARGE = (2976, 3968)
PATCH = 256


def photographs() -> list[np.ndarray]:
    """The bundled ones, uint8 (height, width, 3)."""
    from importlib import resources

    found = resources.files("pixelproof.samples").joinpath("ai-challenge")
    with resources.as_file(found) as folder:
        return [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.glob("*/HD_res/*.jpg"))]


def raw_of(picture: np.ndarray) -> Image.Image:
    """A 10-bit RGGB mosaic in 16 bit: of each 2x2 cell red, two greens and blue."""
    levels = np.rint(picture * (1020 / 255)).astype(np.uint16)
    mosaic = levels[..., 1].copy()
    mosaic[0::2, 0::2], mosaic[1::2, 1::2] = levels[0::2, 0::2, 0], levels[1::2, 1::2, 2]
    return Image.fromarray(mosaic)


def made_model(folder: Path, *, base: int, checkpoint: Path | None) -> Path:
    """punet as a proven .pb."""
    from pixelproof.quiet import import_tensorflow

    import_tensorflow()
    from pixelproof.models.registry import create

    if checkpoint is None:
        checkpoint = folder / f"punet_{base}.weights.h5"
        create("punet", num_maps_base=base).save_weights(checkpoint)
    out = folder / f"punet_{base}"
    command = [
        str(Path(sys.executable).parent / "convert-model"),
        "--model",
        "punet",
        "--ckpt",
        str(checkpoint),
    ]
    options = ["--num-maps-base", str(base), "--format", "pb", "--out", str(out)]
    subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return out / "model.pb"


def speed(model: Path, label: str, folder: Path, *, patches: int, rounds: int) -> Row:
    """Restoring a folder of patches, decoding and writing included, beside inference alone."""
    from pixelproof.convert.restore.choice import Options
    from pixelproof.convert.restore.crew import Crew, workers_for
    from pixelproof.convert.restore.engine import Engine
    from pixelproof.convert.restore.fitting import find_fit
    from pixelproof.convert.restore.items import Item, find_items
    from pixelproof.convert.restore.pipeline import restore_all
    from pixelproof.convert.restore.reading import Picture, Sensor, read_input
    from pixelproof.convert.restore.restorer import Restorer
    from pixelproof.environment import usable_cores

    images, threads = photographs(), usable_cores()
    rng, source = np.random.default_rng(0), folder / "patches"
    source.mkdir(exist_ok=True)
    for number in range(patches):
        picture = images[number % len(images)]
        top, left = (int(rng.integers(0, (side - PATCH) // 2)) * 2 for side in picture.shape[:2])
        raw_of(picture[top : top + PATCH, left : left + PATCH]).save(source / f"{number}.png")
    items = find_items([source], out=folder / "out", targets=None, overwrite=True)
    workers = workers_for(items, None, threads=threads)

    def start(share: int) -> Engine:
        return Engine(model, "pb", threads=share)

    with start(threads) as alone, Crew(start, threads=threads, workers=workers) as crew:
        alone.load()
        facts = crew.load()
        restorer = Restorer(crew, facts, find_fit(crew.run, facts), Options(), note=print)

        def read(item: Item) -> Picture:
            return read_input(item.source, channels=facts.channels, sensor=Sensor(), size=None)

        inputs = [read(item) for item in items]

        def bare() -> float:
            begin = time.perf_counter()
            for x in inputs:
                alone.run(x)
            return time.perf_counter() - begin

        def restored() -> float:
            return restore_all(
                items,
                restorer,
                read=read,
                crops_targets=False,
                stop_on_error=True,
                advance=lambda n, text: None,
            ).seconds

        bare(), restored()
        ours, peer, ratios = interleaved(restored, bare, rounds=rounds)
    what = f"{len(items)} patches of {PATCH}x{PATCH} restored, {label}, {workers} workers"
    shares = ", ".join(f"{1 / ratio:.2f}" for ratio in sorted(ratios))
    print(
        f"{label}: speed as a share of bare inference, each round: {shares}; median {1 / np.median(ratios):.2f}"
    )
    return Row(what, ours, "the same inputs, inference alone", peer, round(1 / SHARE, 2))


def memory(model: Path, label: str, folder: Path) -> list[list[str]]:
    """Peaks of a whole process and its worker on a 12-megapixel RAW image."""
    large = Image.fromarray(photographs()[0]).resize(LARGE[::-1], Image.Resampling.BICUBIC)
    source = folder / "large.png"
    raw_of(np.asarray(large)).save(source)
    rows = []
    for tile in ("2048", "1024", "auto"):
        report = folder / "report.json"
        command = [
            str(Path(sys.executable).parent / "restore-images"),
            str(model),
            str(source),
            "--overwrite",
        ]
        options = ["--tile", tile, "--out", str(folder / "large"), "--json", str(report)]
        subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)
        found = json.loads(report.read_text())
        (image,) = found["images"]
        tiles = image["tiling"]["tiles"] if image["tiling"] else 1
        total = found["worker_peak_rss_mib"] + found["parent_peak_rss_mib"]
        figures = [f"{found['worker_peak_rss_mib']:.0f}", f"{found['parent_peak_rss_mib']:.0f}"]
        verdict = "met" if total <= LIMIT_MIB else "NOT met"
        rows.append([f"{label}, --tile {tile}", str(tiles), f"{image['seconds']:.1f}", *figures, verdict])
    return rows


def main() -> None:
    """Measure and print."""
    from pixelproof.console import Console

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--patches", type=int, default=100)
    parser.add_argument("--base", type=int, nargs="+", default=[8, 16])
    parser.add_argument("--ckpt", type=Path, help="of punet at the first --base")
    given = parser.parse_args()
    rows, peaks = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for base in given.base:
            checkpoint = given.ckpt if base == given.base[0] else None
            model, label = made_model(folder, base=base, checkpoint=checkpoint), f"punet base {base}"
            rows.append(speed(model, label, folder, patches=given.patches, rounds=given.rounds))
            peaks += memory(model, label, folder)
    show(rows)
    columns = [
        "RAW image of 2976x3968",
        "tiles",
        "inference, s",
        "worker, MiB",
        "parent, MiB",
        "<= 3584 together",
    ]
    Console().table("Peak memory (VmHWM)", columns, peaks)


if __name__ == "__main__":
    main()
