"""The options of ``pb2tflite`` that belong to quantising, and what they come to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pixelproof.tflite.material import Material
    from pixelproof.tflite.quantize import Quantization

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--quantize", default="none", help="none, fp16, dynamic, int8 or int16x8.", show_default=True
    ),
    click.option(
        "--calibration",
        type=click.Path(path_type=Path),
        help="Folder of real inputs: RGB images, or RAW for 4 channels.",
    ),
    click.option("--calibration-images", type=int, help="At most so many of them [100]."),
    click.option(
        "--io", help="Type of input and output: uint8 or int8 with int8, int16 with int16x8 [float32]."
    ),
    click.option(
        "--images", type=click.Path(path_type=Path), help="Compare on these [images of --calibration]."
    ),
    click.option("--quality-images", type=int, help="Compare on so many [8]."),
    click.option(
        "--targets", type=click.Path(path_type=Path), help="True pictures, for a measured loss of PSNR."
    ),
    click.option("--max-psnr-loss", type=float, help="Refuse a file that loses more, in dB [0.5]."),
    click.option("--reference-psnr", type=float, help="PSNR of the float model, without --targets [30]."),
    click.option("--cfa", help="Colour order of RAW images: RGGB, BGGR, GRBG or GBRG [the file's, or RGGB]."),
    click.option("--white-level", type=float, help="RAW value of white [the file's, or 1020]."),
    click.option("--black-level", type=float, help="RAW value of black [the file's, or 0]."),
)


def quantize_options(command: CommandT) -> CommandT:
    """Add them to a command; what it takes as ``**options`` goes to `parse_quantize`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def parse_quantize(options: Mapping[str, Any]) -> tuple[Quantization, Material]:
    """The kind of quantisation, and the images for it.

    Raises:
        CallError: an option without the one that it belongs to, or a value that can't be.
    """
    from pixelproof.errors import CallError
    from pixelproof.tflite.inputs import RawOptions
    from pixelproof.tflite.material import Material
    from pixelproof.tflite.quantize import Quantization

    given = {name: value for name, value in options.items() if name != "quantize" and value is not None}
    quantization = Quantization(options["quantize"], given.pop("io", "float32"))
    if given and quantization.kind == "none":
        listed = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        rule = "Images and budgets go with --quantize fp16, dynamic, int8 or int16x8"
        raise CallError(rule, found=f"{listed} with --quantize none")
    if {"targets", "reference_psnr"} <= given.keys():
        rule = "--reference-psnr stands in for --targets"
        raise CallError(rule, found="both", remedy="Leave one of them out.")
    raw = RawOptions(*(given.pop(name, None) for name in ("cfa", "white_level", "black_level")))
    names = {"max_psnr_loss": "max_psnr_loss_db", "reference_psnr": "reference_psnr_db"}
    return quantization, Material(raw=raw, **{names.get(name, name): value for name, value in given.items()})
