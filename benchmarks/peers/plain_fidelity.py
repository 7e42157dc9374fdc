"""What an evaluation script does: one image a call, after each its PSNR and its MS-SSIM by SciPy.

    python plain_fidelity.py MODEL.pb AI_CHALLENGE OUT.json

Imports nothing of pixelproof.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


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


if __name__ == "__main__":
    Path(sys.argv[3]).write_text(json.dumps(plain_loop(Path(sys.argv[1]), Path(sys.argv[2]))))
