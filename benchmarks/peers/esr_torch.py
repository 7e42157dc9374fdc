"""IMDN, RFDN and RLFN in PyTorch, for bench_esr: python esr_torch.py MODEL WEIGHTS.pth THREADS

The networks of the papers and of NTIRE 2022's public repository (ofsoundof/NTIRE2022_ESR), written down once more as
functions of their state dicts; `bench_esr` compares their outputs with those that the original gave. Answers lines
on standard input: ``time HEIGHT WIDTH`` with the seconds of one image, ``check IO.npz`` with the largest difference
from the original's output. Imports nothing of pixelproof.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

SLOPE = 0.05
SEED = 2022
Weights = dict[str, Tensor]


def conv(weights: Weights, name: str, x: Tensor, *, stride: int = 1, padding: int | None = None) -> Tensor:
    """A convolution with bias, which keeps the size unless told otherwise."""
    kernel = weights[f"{name}.weight"]
    around = kernel.shape[-1] // 2 if padding is None else padding
    return F.conv2d(x, kernel, weights[f"{name}.bias"], stride, around)


def leaky(x: Tensor) -> Tensor:
    """Leaky rectification, in place."""
    return F.leaky_relu(x, SLOPE, inplace=True)


def attention(weights: Weights, name: str, x: Tensor, middle: tuple[str, ...]) -> Tensor:
    """Enhanced spatial attention; ``middle`` names the convolutions on the coarse maps."""
    few = conv(weights, f"{name}.conv1", x)
    coarse = F.max_pool2d(conv(weights, f"{name}.conv2", few, stride=2, padding=0), 7, 3)
    for inner in middle[:-1]:
        coarse = F.relu(conv(weights, f"{name}.{inner}", coarse), inplace=True)
    coarse = conv(weights, f"{name}.{middle[-1]}", coarse)
    coarse = F.interpolate(coarse, x.shape[2:], mode="bilinear", align_corners=False)
    mask = torch.sigmoid(conv(weights, f"{name}.conv4", coarse + conv(weights, f"{name}.conv_f", few)))
    return x * mask


def imdn(weights: Weights, x: Tensor) -> Tensor:
    """Information multi-distillation, images in [0, 1]."""
    head = conv(weights, "model.0", x)
    maps = head
    for block in range(8):
        name = f"model.1.sub.{block}"
        kept, rest = [], maps
        for step in (1, 2, 3):
            inner = leaky(conv(weights, f"{name}.conv{step}.0", rest))
            part, rest = torch.split(inner, (16, 48), dim=1)
            kept.append(part)
        kept.append(conv(weights, f"{name}.conv4", rest))
        maps = maps + conv(weights, f"{name}.conv1x1", torch.cat(kept, 1))
    maps = head + conv(weights, "model.1.sub.8", maps)
    return F.pixel_shuffle(conv(weights, "model.2", maps), 4)


def rfdn(weights: Weights, x: Tensor) -> Tensor:
    """Residual feature distillation, images in 0..255."""
    head = conv(weights, "fea_conv", x)
    maps, blocks = head, []
    for number in range(1, 5):
        name, kept = f"B{number}", []
        for step in (1, 2, 3):
            kept.append(leaky(conv(weights, f"{name}.c{step}_d", maps)))
            maps = leaky(conv(weights, f"{name}.c{step}_r", maps) + maps)
        kept.append(leaky(conv(weights, f"{name}.c4", maps)))
        maps = conv(weights, f"{name}.c5", torch.cat(kept, 1))
        maps = attention(weights, f"{name}.esa", maps, ("conv_max", "conv3", "conv3_"))
        blocks.append(maps)
    joined = leaky(conv(weights, "c.0", torch.cat(blocks, 1)))
    return F.pixel_shuffle(conv(weights, "upsampler.0", conv(weights, "LR_conv", joined) + head), 4)


def rlfn(weights: Weights, x: Tensor) -> Tensor:
    """Residual local features, images in 0..255."""
    head = conv(weights, "fea_conv", x)
    maps = head
    for number in range(1, 5):
        name, inner = f"B{number}", maps
        for step in (1, 2, 3):
            inner = leaky(conv(weights, f"{name}.c{step}_r", inner))
        maps = conv(weights, f"{name}.c5", inner + maps)
        maps = attention(weights, f"{name}.esa", maps, ("conv3",))
    return F.pixel_shuffle(conv(weights, "upsampler.0", conv(weights, "LR_conv", maps) + head), 4)


NETWORKS: dict[str, tuple[Callable[[Weights, Tensor], Tensor], float]] = {
    "imdn": (imdn, 1.0),
    "rfdn": (rfdn, 255.0),
    "rlfn": (rlfn, 255.0),
}


def seconds(network: Callable[[Tensor], Tensor], height: int, width: int) -> float:
    """One image, already a tensor, to its output."""
    x = torch.rand((1, 3, height, width), generator=torch.Generator().manual_seed(SEED))
    start = time.perf_counter()
    network(x)
    return time.perf_counter() - start


def difference(network: Callable[[Tensor], Tensor], path: str, data_range: float) -> float:
    """Largest absolute difference from the output that the original gave, of [0, 1]."""
    with np.load(path) as stored:
        x, y = (torch.from_numpy(stored[key]).permute(0, 3, 1, 2) for key in ("x", "y"))
    return float((network(x * data_range) / data_range - y).abs().max())


def main() -> None:
    """Answer until standard input ends."""
    name, checkpoint, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    function, data_range = NETWORKS[name]
    network = partial(function, torch.load(checkpoint, map_location="cpu", weights_only=True))
    with torch.inference_mode():
        for line in sys.stdin:
            command, *words = line.split()
            if command == "time":
                print(seconds(network, *map(int, words)), flush=True)
            else:
                print(difference(network, words[0], data_range), flush=True)


if __name__ == "__main__":
    main()
