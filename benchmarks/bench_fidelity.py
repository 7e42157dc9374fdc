"""``validate-pb --only fidelity`` beside a plain loop over the same pairs; prints both times and their ratio.

The plain loop is what an evaluation script does: one image a call in one process, after each its PSNR and its
MS-SSIM with ``scipy.signal.fftconvolve``. Both are whole processes, TensorFlow's import included. They run in
turn, and the best of three of each counts.

    python -m benchmarks.bench_fidelity --data ai-challenge [--model dped_srcnn.pb] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

TARGET = 0.7
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def main() -> None:
    """Print the two times, their ratio and the target."""
    parser = argparse.ArgumentParser(description="validate-pb --only fidelity beside a plain loop")
    parser.add_argument("--data", type=Path, required=True, help="the folder ai-challenge")
    parser.add_argument(
        "--model", type=Path, help="a frozen .pb of track B [DATA/models_pretrained/dped_srcnn.pb]"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plain-loop", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    model = given.model or given.data / "models_pretrained" / "dped_srcnn.pb"
    if given.plain_loop:
        given.plain_loop.write_text(json.dumps(plain_loop(model, given.data)))
        return
    compare(model, given.data, rounds=given.rounds)


def compare(model: Path, data: Path, *, rounds: int) -> None:
    """Run both in turn and print what came out."""
    from benchmarks.table import Row, show, timed

    ours: list[float] = []
    plain: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        report, figures = Path(folder) / "report.json", Path(folder) / "plain.json"
        judge = ["-c", "from pixelproof.cli import validate_pb; validate_pb()", str(model), "--track", "B"]
        judge += ["--data", str(data), "--only", "fidelity", "--json", str(report)]
        loop = [__file__, "--data", str(data), "--model", str(model), "--plain-loop", str(figures)]
        for _ in range(rounds):
            ours.append(timed([[sys.executable, *judge]]))
            plain.append(timed([[sys.executable, *loop]]))
        measured, expected = json.loads(report.read_text())["fidelity"], json.loads(figures.read_text())
    what = f"validate-pb --only fidelity, {expected['images']} pairs, best of {rounds}"
    show([Row(what, min(ours), "plain loop, one process", min(plain), TARGET)])
    print(f"ours, s: {_listed(ours)}; plain loop, s: {_listed(plain)}")
    print(f"ratios of the rounds: {_listed([a / b for a, b in zip(ours, plain, strict=True)])}")
    print(
        f"figures apart by {abs(measured['psnr_db'] - expected['psnr_db']):.1e} dB and "
        f"{abs(measured['ms_ssim'] - expected['ms_ssim']):.1e} of MS-SSIM"
    )


def plain_loop(model: Path, data: Path) -> dict[str, float]:
    """Mean PSNR and MS-SSIM of a frozen graph over the patch pairs, image by image."""
    import numpy as np
    import tensorflow as tf
    from PIL import Image

    folder = data / "dped" / "patches"
    names = sorted(path.name for path in (folder / "canon").iterdir())
    definition = tf.compat.v1.GraphDef()
    definition.ParseFromString(model.read_bytes())
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(definition, name="")
    psnr, ssim = [], []
    with tf.compat.v1.Session(graph=graph) as session:
        for name in names:
            x = np.asarray(Image.open(folder / "iphone" / name), dtype=np.float32)[None] / 255
            target = np.asarray(Image.open(folder / "canon" / name), dtype=np.float32)[None] / 255
            y = session.run("output:0", {"input:0": x})
            error = np.mean(np.square(np.clip(y, 0, 1).astype(np.float64) - target))
            psnr.append(10 * np.log10(1 / error))
            ssim.append(plain_ms_ssim(y * 255, target * 255))
    return {"images": len(names), "psnr_db": float(np.mean(psnr)), "ms_ssim": float(np.mean(ssim))}


def plain_ms_ssim(output: Any, target: Any) -> float:
    """Track B's MS-SSIM of one image (1, height, width, 3) in [0, 255], by FFT convolution."""
    import numpy as np
    from scipy.ndimage import convolve

    a, b = output.astype(np.float64), target.astype(np.float64)
    box = np.ones((1, 2, 2, 1)) / 4
    contrasts = []
    for level in range(len(WEIGHTS)):
        if level:
            a, b = (convolve(image, box, mode="reflect")[:, ::2, ::2, :] for image in (a, b))
        whole, contrast = _plain_ssim(a, b)
        contrasts.append(contrast)
    return float(np.prod(np.array([*contrasts[:-1], whole]) ** np.array(WEIGHTS)))


def _plain_ssim(a: Any, b: Any) -> tuple[float, float]:
    import numpy as np
    from scipy.signal import fftconvolve

    size = min(11, a.shape[1], a.shape[2])
    offsets = np.arange(size) - (size - 1) / 2
    taps = np.exp(-np.square(offsets) / (2 * (1.5 * size / 11) ** 2))
    window = (np.outer(taps, taps) / np.square(taps.sum())).reshape(1, size, size, 1)
    mean_a, mean_b = fftconvolve(a, window, mode="valid"), fftconvolve(b, window, mode="valid")
    var_a = fftconvolve(a * a, window, mode="valid") - mean_a * mean_a
    var_b = fftconvolve(b * b, window, mode="valid") - mean_b * mean_b
    both = fftconvolve(a * b, window, mode="valid") - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    contrast = (2 * both + c2) / (var_a + var_b + c2)
    luminance = (2 * mean_a * mean_b + c1) / (mean_a * mean_a + mean_b * mean_b + c1)
    return float(np.mean(luminance * contrast)), float(np.mean(contrast))


def _listed(seconds: list[float]) -> str:
    return ", ".join(f"{s:.2f}" for s in seconds)


if __name__ == "__main__":
    main()
