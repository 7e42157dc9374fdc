"""PSNR, SSIM and MS-SSIM of one pair by a library: python metrics_of.py LIBRARY THREADS PAIR.npz

Answers lines of standard input, each a metric's name, with its seconds and its value; the pair is converted to what
the library takes before. Libraries: skimage (float64 arrays), tf (tf.image as one calls it), tf_function (the same,
traced), torchmetrics, pyiqa. Imports nothing of pixelproof.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

Metrics = dict[str, Callable[[], float]]


def skimage(output: np.ndarray, target: np.ndarray, threads: int) -> Metrics:
    """scikit-image; its SSIM in the Gaussian variant of Wang et al. 2004. It knows no threads."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    a, b = output.astype(np.float64), target.astype(np.float64)
    gaussian: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return {
        "psnr": lambda: peak_signal_noise_ratio(b, a, data_range=1.0),
        "ssim": lambda: structural_similarity(a, b, data_range=1.0, channel_axis=-1, **gaussian),
    }


def tf(output: np.ndarray, target: np.ndarray, threads: int) -> Metrics:
    """tf.image, op by op."""
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
    pair = tensorflow.constant(output[None]), tensorflow.constant(target[None])
    image = tensorflow.image
    return {
        "psnr": lambda: float(image.psnr(*pair, 1.0)[0]),
        "ssim": lambda: float(image.ssim(*pair, 1.0)[0]),
        "ms_ssim": lambda: float(image.ssim_multiscale(*pair, 1.0)[0]),
    }


def tf_function(output: np.ndarray, target: np.ndarray, threads: int) -> Metrics:
    """tf.image, traced once."""
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
    pair = tensorflow.constant(output[None]), tensorflow.constant(target[None])

    def traced(metric: Callable[..., Any]) -> Callable[[], float]:
        function = tensorflow.function(lambda a, b: metric(a, b, 1.0))
        return lambda: float(function(*pair)[0])

    image = tensorflow.image
    named = {"psnr": image.psnr, "ssim": image.ssim, "ms_ssim": image.ssim_multiscale}
    return {name: traced(metric) for name, metric in named.items()}


def torchmetrics(output: np.ndarray, target: np.ndarray, threads: int) -> Metrics:
    """torchmetrics' functions, with the window of Wang et al. 2004, which is their default."""
    import torch
    from torchmetrics.functional.image import (
        multiscale_structural_similarity_index_measure,
        peak_signal_noise_ratio,
        structural_similarity_index_measure,
    )

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    pair = [torch.from_numpy(picture).permute(2, 0, 1)[None].contiguous() for picture in (output, target)]
    return {
        "psnr": lambda: float(peak_signal_noise_ratio(*pair, data_range=1.0)),
        "ssim": lambda: float(structural_similarity_index_measure(*pair, data_range=1.0)),
        "ms_ssim": lambda: float(multiscale_structural_similarity_index_measure(*pair, data_range=1.0)),
    }


def pyiqa(output: np.ndarray, target: np.ndarray, threads: int) -> Metrics:
    """pyiqa on RGB."""
    import torch
    from pyiqa import create_metric

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    pair = [torch.from_numpy(picture).permute(2, 0, 1)[None].contiguous() for picture in (output, target)]
    made = {
        name: create_metric(name, device="cpu", test_y_channel=False) for name in ("psnr", "ssim", "ms_ssim")
    }
    return {name: lambda metric=metric: float(metric(*pair)) for name, metric in made.items()}


LIBRARIES = {
    "skimage": skimage,
    "tf": tf,
    "tf_function": tf_function,
    "torchmetrics": torchmetrics,
    "pyiqa": pyiqa,
}


def main() -> None:
    """Answer until standard input ends."""
    library, threads, path = sys.argv[1:]
    with np.load(path) as stored:
        pair = stored["output"], stored["target"]
    metrics = LIBRARIES[library](*pair, int(threads))
    for line in sys.stdin:
        metric = metrics[line.strip()]
        start = time.perf_counter()
        value = metric()
        print(time.perf_counter() - start, value, flush=True)


if __name__ == "__main__":
    main()
