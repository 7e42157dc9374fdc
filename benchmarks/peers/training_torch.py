"""Training steps of SRCNN and MSRResNet in PyTorch, for bench_training: python training_torch.py MODEL THREADS LAYOUT

Answers ``steps COUNT`` with the seconds of a step: a batch from NumPy, forward, loss, backward, Adam. The batch is
made beforehand, so no loader is in it. Imports nothing of pixelproof.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

SHAPES = {"srcnn_915": ((128, 3, 33, 33), 1), "msrresnet": ((8, 3, 32, 32), 4)}


class Srcnn(nn.Module):
    """9-1-5 with 64 and 32 maps, sizes kept."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 64, 9, padding=4), nn.Conv2d(64, 32, 1)
        self.conv3 = nn.Conv2d(32, 3, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        """An image of the same size."""
        maps: Tensor = self.conv3(F.relu(self.conv2(F.relu(self.conv1(x)))))
        return maps


class Block(nn.Module):
    """Two convolutions and a skip."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Maps of the same shape."""
        maps: Tensor = x + self.conv2(F.relu(self.conv1(x), inplace=True))
        return maps


class Msrresnet(nn.Module):
    """BasicSR's: 16 blocks of 64 features, two pixel shuffles, bilinear enlargement added."""

    def __init__(self, features: int = 64, blocks: int = 16) -> None:
        super().__init__()
        self.conv_first = nn.Conv2d(3, features, 3, padding=1)
        self.body = nn.Sequential(*(Block(features) for _ in range(blocks)))
        self.upconv1 = nn.Conv2d(features, features * 4, 3, padding=1)
        self.upconv2 = nn.Conv2d(features, features * 4, 3, padding=1)
        self.conv_hr = nn.Conv2d(features, features, 3, padding=1)
        self.conv_last = nn.Conv2d(features, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Four times as high and wide."""
        maps = self.body(F.leaky_relu(self.conv_first(x), 0.1, inplace=True))
        for conv in (self.upconv1, self.upconv2):
            maps = F.leaky_relu(F.pixel_shuffle(conv(maps), 2), 0.1, inplace=True)
        maps = self.conv_last(F.leaky_relu(self.conv_hr(maps), 0.1, inplace=True))
        base = F.interpolate(x, scale_factor=4, mode="bilinear", align_corners=False)
        out: Tensor = maps + base
        return out


def main(name: str, threads: int, layout: str) -> None:
    """Answer until standard input ends."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    order = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    model: nn.Module = Srcnn() if name == "srcnn_915" else Msrresnet()
    model = model.to(memory_format=order)
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)
    shape, scale = SHAPES[name]
    rng = np.random.default_rng(0)
    inputs = rng.random(shape, np.float32)
    targets = rng.random((*shape[:2], shape[2] * scale, shape[3] * scale), np.float32)
    for line in sys.stdin:
        steps = int(line.split()[1])
        begun = time.perf_counter()
        for _ in range(steps):
            x = torch.from_numpy(inputs).contiguous(memory_format=order)
            y = torch.from_numpy(targets).contiguous(memory_format=order)
            optimizer.zero_grad(set_to_none=True)
            loss = F.mse_loss(model(x), y) if name == "srcnn_915" else F.l1_loss(model(x), y)
            loss.backward()
            optimizer.step()
            if not np.isfinite(loss.item()):
                raise RuntimeError("the loss is not finite")
        print((time.perf_counter() - begun) / steps, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
