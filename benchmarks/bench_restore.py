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
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.photographs import photographs
from benchmarks.row import Row, Skip
from benchmarks.setting import Setting
from benchmarks.table import show
from benchmarks.timing import interleaved

SHARE = 0.9
LIMIT_MIB = 3.5 * 1024
LARGE = (2976, 3968)
PATCH = 256
TILES = ("2048", "1024", "auto")


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
    return Row(
        what,
        ours,
        "the same inputs, inference alone",
        peer,
        round(1 / SHARE, 2),
        paired=float(np.median(ratios)),
        note=f"speed as a share of bare inference, each round: {shares}",
    )


def memory(model: Path, label: str, folder: Path, *, tiles: Sequence[str]) -> Iterator[Row]:
    """Peaks of a whole process and its worker on a 12-megapixel RAW image."""
    large = Image.fromarray(photographs()[0]).resize(LARGE[::-1], Image.Resampling.BICUBIC)
    source = folder / "large.png"
    raw_of(np.asarray(large)).save(source)
    for tile in tiles:
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
        number = image["tiling"]["tiles"] if image["tiling"] else 1
        worker, parent = found["worker_peak_rss_mib"], found["parent_peak_rss_mib"]
        yield Row(
            f"peak memory (VmHWM) of a RAW image of {LARGE[0]}x{LARGE[1]}, {label}, --tile {tile}",
            worker + parent,
            target=LIMIT_MIB,
            bound="ours <=",
            unit="MiB",
            note=f"worker {worker:.0f}, parent {parent:.0f}; {number} tiles, inference {image['seconds']:.1f} s",
        )


def rows(setting: Setting) -> Iterator[Row | Skip]:
    """What `make bench` runs."""
    if setting.quick:
        yield from measured(bases=[8], rounds=2, patches=16, tiles=["1024"], checkpoint=None)
    else:
        yield from measured(bases=[8, 16], rounds=8, patches=100, tiles=TILES, checkpoint=None)


def measured(
    *, bases: Sequence[int], rounds: int, patches: int, tiles: Sequence[str], checkpoint: Path | None
) -> Iterator[Row]:
    """Speed and memory of each model; the checkpoint is the first one's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for base in bases:
            weights = checkpoint if base == bases[0] else None
            model, label = made_model(folder, base=base, checkpoint=weights), f"punet base {base}"
            yield speed(model, label, folder, patches=patches, rounds=rounds)
            yield from memory(model, label, folder, tiles=tiles)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--patches", type=int, default=100)
    parser.add_argument("--base", type=int, nargs="+", default=[8, 16])
    parser.add_argument("--ckpt", type=Path, help="of punet at the first --base")
    given = parser.parse_args()
    options = {"bases": given.base, "rounds": given.rounds, "patches": given.patches}
    show(list(measured(**options, tiles=TILES, checkpoint=given.ckpt)))


if __name__ == "__main__":
    main()
