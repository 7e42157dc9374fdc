"""Makes the .onnx files of this folder with PyTorch's exporters; see README.md. Not part of the tests.

python make.py [FOLDER]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn
from torch.nn import functional as F

SIZE = 24
SIDES = {"input": {2: "height", 3: "width"}, "output": {2: "out_height", 3: "out_width"}}


class PixelShuffle(nn.Module):
    """Convolutions, PReLU and a pixel shuffle by 3, on top of the enlarged input."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 12, 3, padding=1)
        self.act = nn.PReLU(12)
        self.deep = nn.Conv2d(12, 12, 3, padding=1, groups=4)
        self.tail = nn.Conv2d(12, 27, 3, padding=1)
        self.up = nn.PixelShuffle(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.act(self.head(x))
        maps = maps + F.leaky_relu(self.deep(maps) + maps, 0.05)
        return self.up(self.tail(maps)) + F.interpolate(x, scale_factor=3, mode="nearest")


class Attention(nn.Module):
    """ESA as in RFDN: a strided convolution, a pooling, and back to the size by bilinear interpolation."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 16, 3, padding=1)
        self.conv1 = nn.Conv2d(16, 4, 1)
        self.conv2 = nn.Conv2d(4, 4, 3, stride=2)
        self.conv3 = nn.Conv2d(4, 4, 3, padding=1)
        self.conv_f = nn.Conv2d(4, 4, 1)
        self.conv4 = nn.Conv2d(4, 16, 1)
        self.squeeze = nn.Conv2d(16, 16, 1)
        self.tail = nn.Conv2d(16, 12, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = F.silu(self.head(x))
        inner = self.conv1(maps)
        pooled = self.conv3(F.max_pool2d(self.conv2(inner), kernel_size=7, stride=3))
        mask = F.interpolate(pooled, x.shape[2:], mode="bilinear", align_corners=False)
        maps = maps * torch.sigmoid(self.conv4(mask + self.conv_f(inner)))
        maps = maps * torch.sigmoid(self.squeeze(F.adaptive_avg_pool2d(maps, 1)))
        first, second = torch.chunk(maps, 2, dim=1)
        return F.pixel_shuffle(self.tail(torch.cat([second, first], dim=1)), 2)


class Normalised(nn.Module):
    """Instance, group and layer normalisation, GELU, Hardswish, reflected borders."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect")
        self.instance = nn.InstanceNorm2d(8, affine=True)
        self.group = nn.GroupNorm(2, 8)
        self.layer = nn.LayerNorm(8)
        self.tail = nn.Conv2d(8, 3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = F.gelu(self.instance(self.head(x)))
        maps = F.hardswish(self.group(maps))
        maps = maps + self.layer(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.tail(F.pad(maps, (1, 1, 1, 1), mode="replicate")).clamp(0, 1)


class UNet(nn.Module):
    """Two levels: pooling, transposed convolutions, batch normalisation, a crop to the input's size."""

    def __init__(self) -> None:
        super().__init__()
        self.down1 = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU6())
        self.down2 = nn.Sequential(nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ELU())
        self.up2 = nn.ConvTranspose2d(16, 8, 3, stride=2, padding=1, output_padding=1)
        self.up1 = nn.ConvTranspose2d(16, 3, 4, stride=2, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        height, width = x.shape[2], x.shape[3]
        padded = F.pad(x, (0, (4 - width % 4) % 4, 0, (4 - height % 4) % 4))
        first = F.avg_pool2d(self.down1(padded), 2)
        second = self.up2(self.down2(first))
        return self.up1(torch.cat([first, torch.tanh(second)], dim=1))[:, :, :height, :width]


class Windows(nn.Module):
    """Attention inside 8x8 windows, as Swin's networks write it; sides are multiples of 8."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.LayerNorm(8)
        self.qkv = nn.Linear(8, 24)
        self.proj = nn.Linear(8, 8)
        self.tail = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.head(x)
        batch, channels, height, width = maps.shape
        rows = self.norm(maps.flatten(2).transpose(1, 2)).view(batch, height, width, channels)
        cut = rows.view(batch, height // 8, 8, width // 8, 8, channels).permute(0, 1, 3, 2, 4, 5)
        windows = cut.reshape(-1, 64, channels)
        qkv = self.qkv(windows).reshape(-1, 64, 3, 2, channels // 2).permute(2, 0, 3, 1, 4)
        query, key, value = qkv[0], qkv[1], qkv[2]
        weights = (query * 0.5 @ key.transpose(-2, -1)).softmax(dim=-1)
        mixed = self.proj((weights @ value).transpose(1, 2).reshape(-1, 64, channels))
        back = mixed.view(batch, height // 8, width // 8, 8, 8, channels).permute(0, 1, 3, 2, 4, 5)
        rows = rows + back.reshape(batch, height, width, channels)
        return x + self.tail(rows.permute(0, 3, 1, 2))


def randomised(model: nn.Module) -> nn.Module:
    """The model with statistics and slopes that are no longer those that it starts with."""
    generator = torch.Generator().manual_seed(7)
    for name, values in [*model.named_parameters(), *model.named_buffers()]:
        if name.endswith(("running_mean", "act.weight")):
            values.data = 0.2 * torch.rand(values.shape, generator=generator)
        elif name.endswith("running_var"):
            values.data = 0.5 + torch.rand(values.shape, generator=generator)
    return model.eval()


def export(build: Callable[[], nn.Module], path: Path, *, sides: Any = None, **options: Any) -> None:
    """Export one network; without `sides` its size is fixed."""
    torch.manual_seed(3)
    model = randomised(build())
    if options.get("dynamo"):
        free = torch.export.Dim.DYNAMIC
        options["dynamic_shapes"] = None if sides is None else ({2: free, 3: free},)
        options |= {"external_data": False, "verbose": False}
    else:
        options["dynamic_axes"] = sides
    image = torch.rand(1, 3, SIZE, SIZE + 8)
    torch.onnx.export(model, (image,), path, input_names=["input"], output_names=["output"], **options)
    made = onnx.load(path)
    strip(made)
    onnx.save(made, path)


def strip(model: Any) -> None:
    """Without the exporter's notes, which hold paths of the machine and take more room than the weights."""
    for message in (model, model.graph, *model.graph.node, *model.graph.input, *model.graph.value_info):
        if hasattr(message, "metadata_props"):
            del message.metadata_props[:]
        if hasattr(message, "doc_string"):
            message.doc_string = ""


def main() -> None:
    """All files."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, build in (
        ("pixel_shuffle", PixelShuffle),
        ("attention", Attention),
        ("normalised", Normalised),
        ("unet", UNet),
        ("windows", Windows),
    ):
        export(build, folder / f"{name}_script.onnx", sides=SIDES, dynamo=False, opset_version=17)
        export(build, folder / f"{name}_dynamo.onnx", sides=SIDES, dynamo=True, opset_version=20)
    export(PixelShuffle, folder / "pixel_shuffle_opset11.onnx", sides=SIDES, dynamo=False, opset_version=11)
    export(UNet, folder / "unet_fixed.onnx", dynamo=False, opset_version=13)


if __name__ == "__main__":
    main()
