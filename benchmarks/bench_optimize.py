"""Exact speed-ups: the optimized graph beside the one that it was made from, at the challenge's resolution.

python -m benchmarks.bench_optimize [--data DIR] [--only div2k_srcnn,imdn] [--max-runs N] [--keep DIR]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.apart import apart
from benchmarks.edge_blocks import write_edge_blocks
from benchmarks.row import Row, Skip, failed
from benchmarks.setting import Setting, setting_of
from benchmarks.table import show
from pixelproof.temporary import temporary_folder

BIN = Path(sys.executable).parent
HD = (720, 1280)


@dataclass(frozen=True)
class Case:
    """One network; ``target`` is on the time of the original over the optimized one's.

    Without a checkpoint it is the network of `benchmarks.edge_blocks`.
    """

    name: str
    model: str = ""
    checkpoint: str = ""
    size: tuple[int, int] = HD
    channels: int = 3
    kind: str = "pb"
    target: float | None = None


PIRM = "ai-challenge/models_pretrained/"
ESR = "ntire2022_esr/model_zoo/"
CASES = (
    Case("resnet_6_16", "resnet_6_16", f"{PIRM}div2k_resnet_6_16", target=1.45),
    Case("resnet_8_32", "resnet_8_32", f"{PIRM}dped_resnet_8_32", target=1.3),
    Case("resnet_12_64", "resnet_12_64", f"{PIRM}dped_resnet_12_64", target=1.1),
    Case("div2k_srcnn", "srcnn", f"{PIRM}div2k_srcnn", target=1.03),
    Case("dped_srcnn", "srcnn", f"{PIRM}dped_srcnn", target=1.03),
    Case("vgg_19", "vgg_19", f"{PIRM}div2k_vgg19_vdsr.ckpt", target=1.03),
    Case("resnet_6_16_tflite", "resnet_6_16", f"{PIRM}div2k_resnet_6_16", kind="tflite", target=1.45),
    Case("resnet_8_32_tflite", "resnet_8_32", f"{PIRM}dped_resnet_8_32", kind="tflite", target=1.3),
    Case("imdn", "imdn", f"{ESR}imdn_baseline.pth", size=(339, 510)),
    Case("rfdn", "rfdn", f"{ESR}rfdn_baseline.pth", size=(339, 510)),
    Case("rlfn", "rlfn", f"{ESR}team04_rlfn.pth", size=(339, 510)),
    Case("ecb_as_trained", size=(540, 960)),
    Case("punet", "punet", "mai2021_isp/punet_8.ckpt", size=(544, 960), channels=4),
)


def measured(case: Case, data: Path, folder: Path, *, most_runs: int) -> Row:
    """Convert, optimize, and say how much faster it became; the files stay in ``folder/<name>``."""
    place = folder / case.name
    height, width = case.size
    if case.checkpoint:
        command = [BIN / "convert-model", "--model", case.model, "--ckpt", data / case.checkpoint]
        _run([*command, "--format", "pb", "--out", place])
    else:
        place.mkdir(parents=True, exist_ok=True)
        apart(write_edge_blocks, place / "model.pb")
    proof = place / "optimize.json"
    shape = f"1,{height},{width},{case.channels}"
    command = [BIN / "pixelproof", "optimize", place / "model.pb", "--for", case.kind, "--input-shape", shape]
    print(_run([*command, "--max-runs", str(most_runs), "--json", proof]), flush=True)
    said = json.loads(proof.read_text())["optimized"]
    what = f"{case.name}, {height}x{width}"
    kept = [trial["id"] for trial in said["rewrites"] if trial["verdict"] == "kept"]
    tried = [f"{t['id']} {t['verdict']} {t['ratio']['value']:.3f}" for t in said["rewrites"] if t["ratio"]]
    target = None if case.target is None else 1 / case.target
    if said["ratio"] is None:
        note = f"times as fast; nothing gains: {', '.join(tried)}"
        return Row(what, 1.0, "the plain graph", 1.0, target=target, unit="", note=note)
    gain = said["ratio"]
    note = f"{gain['value']:.3f}x ({gain['low']:.3f} to {gain['high']:.3f}) by {', '.join(kept)}; "
    note += f"largest difference {said['max_abs']:.1e}, peak memory {said['memory_ratio']:.3f}"
    if not said["gains"]:
        note += "; not confirmed by the last run, so nothing was written"
    return Row(
        what,
        said["optimized_ms"],
        "the plain graph",
        said["original_ms"],
        target=target,
        unit="ms",
        paired=1 / gain["value"],
        note=note,
    )


def rows(setting: Setting) -> Iterator[Row | Skip]:
    """One row for each network whose checkpoint is there."""
    if setting.data is None:
        yield Skip("needs the official checkpoints: set PIXELPROOF_DATA (README, 'Real data')")
        return
    yield from _rows(
        setting.data, CASES[:1] if setting.quick else CASES, most_runs=10 if setting.quick else 40
    )


def _rows(
    data: Path, cases: tuple[Case, ...], *, most_runs: int, keep: Path | None = None
) -> Iterator[Row | Skip]:
    with temporary_folder("pixelproof-bench-optimize-") as temporary:
        for case in cases:
            try:
                yield measured(case, data, keep or temporary, most_runs=most_runs)
            except RuntimeError as error:
                yield failed(case.name, str(error)[-300:])


def _run(command: list[str | Path]) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr}")
    return done.stdout


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only")
    parser.add_argument("--max-runs", type=int, default=40)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    setting = setting_of()
    setting = replace(setting, data=given.data or setting.data)
    if setting.data is None:
        raise SystemExit("Name the folder of real data with --data, or set PIXELPROOF_DATA.")
    names = given.only.split(",") if given.only else [case.name for case in CASES]
    cases = tuple(case for case in CASES if case.name in names)
    show(list(_rows(setting.data, cases, most_runs=given.max_runs, keep=given.keep)))


if __name__ == "__main__":
    main()
