"""The six official PIRM 2018 checkpoints all the way: convert, judge, compare with the reference, pack.

    python -m benchmarks.official --data ai-challenge --out DIR [--shape 1,720,1280,3] [--max-runs 60]

``--data`` must also hold reference_scores.json, the original evaluation code's figures an image.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

MODELS = (
    ("srcnn", "div2k_srcnn", "A"),
    ("resnet_6_16", "div2k_resnet_6_16", "A"),
    ("vgg_19", "div2k_vgg19_vdsr.ckpt", "A"),
    ("srcnn", "dped_srcnn", "B"),
    ("resnet_8_32", "dped_resnet_8_32", "B"),
    ("resnet_12_64", "dped_resnet_12_64", "B"),
)


def run(*words: str) -> float:
    """Seconds of one command.

    Raises:
        RuntimeError: it failed.
    """
    start = time.perf_counter()
    command = [str(Path(sys.executable).parent / words[0]), *words[1:]]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout.decode()[-3000:]}")
    return time.perf_counter() - start


def deviations(fidelity: dict[str, Any], reference: dict[str, Any]) -> tuple[float, float]:
    """Largest deviation of any image from the reference: (dB, MS-SSIM)."""
    psnr = ssim = 0.0
    for image in fidelity["per_image"]:
        known = reference["per_image"][image["name"]]
        pair = (known["psnr_db"], known["ms_ssim"]) if isinstance(known, dict) else known
        psnr = max(psnr, abs(image["psnr_db"] - pair[0]))
        ssim = max(ssim, abs(image["ms_ssim"] - pair[1]))
    return psnr, ssim


def main() -> None:
    """Run all six and print a table."""
    from pixelproof.console import Console

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--shape", default="1,720,1280,3")
    parser.add_argument("--max-runs", default="60")
    options = parser.parse_args()
    references = json.loads((options.data / "reference_scores.json").read_text())
    lines = []
    for model, checkpoint, track in MODELS:
        name = checkpoint.removesuffix(".ckpt")
        folder = options.out / name
        weights = str(options.data / "models_pretrained" / checkpoint)
        pb, report = str(folder / "model.pb"), str(folder / "report.json")
        convert_s = run(
            "convert-model", "--model", model, "--ckpt", weights, "--out", str(folder), "--input-shape", options.shape
        )  # fmt: skip
        judge_s = run(
            "validate-pb", pb, "--track", track, "--data", str(options.data), "--json", report,
            "--max-runs", options.max_runs,
        )  # fmt: skip
        pack_s = run(
            "package-submission", "--track", track, "--team-id", "42", "--team-name", "Name",
            "--model", pb, "--report", report, "--out", str(folder / "submission.zip"),
        )  # fmt: skip
        found = json.loads(Path(report).read_text())
        parity = json.loads((folder / "parity.json").read_text())
        worst = {a["format"]: max(r["difference"]["max_abs"] for r in a["rows"]) for a in parity["artifacts"]}
        psnr, ssim = deviations(found["fidelity"], references[f"track_{track}"][name])
        runtime, memory = found["runtime"], found["memory"]
        lines.append(
            [
                name,
                " ".join(f"{kind} {value:.0e}" for kind, value in worst.items()),
                f"{found['fidelity']['psnr_db']:.4f} {found['fidelity']['ms_ssim']:.5f}",
                f"{psnr:.0e} dB {ssim:.0e}",
                f"{runtime['speedup']:.3f} ({runtime['speedup_low']:.3f}-{runtime['speedup_high']:.3f})"
                + ("" if runtime["converged"] else " *"),
                f"{memory['peak_rss_mib']:.0f} ({memory['model_mib']:.0f})",
                " ".join(f"{value:.2f}" for value in found["scores"].values()),
                f"{convert_s:.0f} / {judge_s:.0f} / {pack_s:.0f}",
            ]
        )
        print(" | ".join(lines[-1]), flush=True)
    columns = [
        "checkpoint",
        "largest difference",
        "PSNR, MS-SSIM",
        "off the reference",
        "speed-up",
        "MiB (model's)",
    ]
    Console().table("", [*columns, "scores A B C", "convert / judge / pack, s"], lines)
    print("* the interval stayed wider than 1 %")


if __name__ == "__main__":
    main()
