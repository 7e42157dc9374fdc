"""The command ``restore-images``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixelproof.convert.architecture_options import architecture_options, given_options
from pixelproof.errors import CallError

if TYPE_CHECKING:
    from pixelproof.convert.restore.source import Named

_EPILOG = (
    "Lengths are in pixels of the image; of RAW that is the mosaic. Exit codes: 0 all images restored; 1 the model "
    "failed; 2 the call is wrong, or an image couldn't be used (the others are done); 3 pixelproof or this machine "
    "failed. docs/restore.md explains the tiles."
)
_CFA = ("RGGB", "BGGR", "GRBG", "GBRG")


@click.command("restore-images", epilog=_EPILOG)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[MODEL] IMAGES...")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the PNGs.")
@click.option("--model", help="Architecture of a checkpoint (pixelproof models), in place of MODEL.")
@click.option(
    "--ckpt",
    type=click.Path(path_type=Path),
    help="Its checkpoint, as for convert-model.",
)
@architecture_options
@click.option("--input-name", help="Node name of the input [the only one; of a checkpoint input].")
@click.option("--output-name", help="Node name of the output [the only one; of a checkpoint output].")
@click.option("--size", metavar="HEIGHT,WIDTH", help="Crop to this from the top left.")
@click.option(
    "--pad/--no-pad",
    default=None,
    help="Continue images to a size that the model takes [where that changes the border only].",
)
@click.option("--tile", default="auto", show_default=True, metavar="auto|off|SIDE", help="Largest tile.")
@click.option("--overlap", type=click.IntRange(min=1), help="Of tiles, on each side [found by trial].")
@click.option(
    "--allow-global-statistics",
    is_flag=True,
    help="Tile also a model that sees the whole image; each tile then has statistics of its own.",
)
@click.option(
    "--cfa",
    type=click.Choice(_CFA, case_sensitive=False),
    metavar="|".join(_CFA),
    help="Colours of a RAW image's first 2x2 pixels [of the file, else RGGB].",
)
@click.option("--white-level", type=float, help="Value that becomes 1 [of the file, else 1020].")
@click.option("--black-level", type=float, help="Value that becomes 0 [of the file, else 0].")
@click.option(
    "--targets", type=click.Path(path_type=Path), help="Folder of pictures with the images' names: PSNR."
)
@click.option(
    "--save-pb",
    is_flag=False,
    flag_value="",
    metavar="[FILE.pb]",
    help="Write the graph bound to --size too [OUT/MODEL_HEIGHTxWIDTH.pb].",
)
@click.option("--latency-only", is_flag=True, help="Measure the model's time, and write no pictures.")
@click.option("--runs", type=click.IntRange(min=1), default=20, show_default=True, help="Of --latency-only.")
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@click.option("--stop-on-error", is_flag=True, help="End at the first image that can't be restored.")
@click.option("--threads", type=click.IntRange(min=1), help="Of the model's runtime [all cores].")
@click.option(
    "--time-limit", type=click.FloatRange(min=1), default=600.0, show_default=True, help="Seconds a call."
)
@click.option("--json", "json_to", metavar="FILE|-", help="Write the report as JSON.")
@click.pass_context
def restore_images(
    ctx: click.Context,
    /,
    *,
    paths: tuple[Path, ...],
    out: Path | None,
    model: str | None,
    ckpt: Path | None,
    input_name: str | None,
    output_name: str | None,
    size: str | None,
    pad: bool | None,
    tile: str,
    overlap: int | None,
    allow_global_statistics: bool,
    cfa: str | None,
    white_level: float | None,
    black_level: float | None,
    targets: Path | None,
    save_pb: str | None,
    latency_only: bool,
    runs: int,
    overwrite: bool,
    stop_on_error: bool,
    threads: int | None,
    time_limit: float,
    json_to: str | None,
    **architecture: Any,
) -> None:
    """Restore RAW or RGB images (files, or all of a folder) and write 8-bit PNGs of the same names.

    MODEL is a .pb, SavedModel, .tflite or .onnx; with --model and --ckpt a checkpoint takes its place. Models of
    four input channels take RAW, models of three RGB. Large images go through in tiles.

    \b
    Examples:
      restore-images punet.pb raw_images --out restored --size 1088,1920
      restore-images --model punet --ckpt punet_8.ckpt raw_images --out restored --targets fujifilm
      restore-images model.tflite --latency-only --size 1088,1920
    """
    from pixelproof.console import Console
    from pixelproof.convert.restore.items import find_items
    from pixelproof.convert.restore.reading import Sensor
    from pixelproof.convert.restore.report import document, exit_code, show
    from pixelproof.convert.restore.session import Request, run
    from pixelproof.convert.restore.source import Named, check_named

    console = Console(json_to)
    named = Named(
        artifact=None if model is not None else _first(paths),
        model=model,
        checkpoint=ckpt,
        options=given_options(architecture),
        input_name=input_name,
        output_name=output_name,
    )
    images = paths if model is not None else paths[1:]
    _check_call(images, out=out, latency_only=latency_only, targets=targets)
    crop = None if size is None else _parsed_size(size)
    saved = None if save_pb is None else _pb_path(save_pb, named, crop, out=out, overwrite=overwrite)
    request = Request(
        named=named,
        items=find_items(images, out=None if latency_only else out, targets=targets, overwrite=overwrite),
        size=crop,
        sensor=Sensor(None if cfa is None else cfa.upper(), white_level, black_level),
        pad=pad,
        tile=_parsed_tile(tile),
        overlap=overlap,
        allow_global=allow_global_statistics,
        save_pb=saved,
        latency_runs=runs if latency_only else 0,
        threads=threads,
        time_limit_s=time_limit,
        stop_on_error=stop_on_error,
    )
    check_named(named)
    outcome = run(
        request,
        progress=lambda title, total: console.progress(title, total=total),
        note=lambda text: console.line(f"  {text.strip()}"),
    )
    show(console, outcome, request)
    console.json(document(outcome, request), what="Report")
    ctx.exit(exit_code(outcome))


def _first(paths: tuple[Path, ...]) -> Path:
    if not paths:
        remedy = "For example: restore-images model.pb images --out restored"
        raise CallError("restore-images needs a model, or --model and --ckpt", found="none", remedy=remedy)
    return paths[0]


def _check_call(
    images: tuple[Path, ...], *, out: Path | None, latency_only: bool, targets: Path | None
) -> None:
    if latency_only:
        if targets is not None:
            raise CallError("--latency-only makes no pictures", found="--targets as well")
        return
    if not images:
        remedy = "Name files or a folder behind the model."
        raise CallError("restore-images needs images", found="none", remedy=remedy)
    if out is None:
        raise CallError("--out must name the folder for the PNGs", found="none")


def _parsed_size(text: str) -> tuple[int, int]:
    parts = text.replace("x", ",").split(",")
    if len(parts) != 2 or not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        remedy = "Write it as height,width, for example 1088,1920."
        raise CallError("--size must be two positive whole numbers", found=repr(text), remedy=remedy)
    return int(parts[0]), int(parts[1])


def _parsed_tile(text: str) -> int | None:
    """The side; 0 for none, None for a choice of ours."""
    if text == "auto":
        return None
    if text == "off":
        return 0
    if not text.isdecimal() or int(text) < 2:
        raise CallError("--tile must be auto, off, or the side of a tile", found=repr(text))
    return int(text)


def _pb_path(
    text: str, named: Named, size: tuple[int, int] | None, *, out: Path | None, overwrite: bool
) -> Path:
    from pixelproof.measure.formats import detect_kind

    if size is None:
        raise CallError("--save-pb binds the graph to a --size", found="none")
    if named.artifact is not None and detect_kind(named.artifact) != "pb":
        remedy = "Use a .pb, or --model and --ckpt."
        raise CallError("--save-pb needs a frozen graph", found=str(named.artifact), remedy=remedy)
    if not text and out is None:
        raise CallError("--save-pb needs a file's name where there is no --out", found="none")
    path = Path(text) if text or out is None else out / f"{named.stem}_{size[0]}x{size[1]}.pb"
    if path.suffix != ".pb":
        remedy = "A name behind --save-pb is the file that it writes; write images before it."
        raise CallError("--save-pb must write a .pb", found=str(path), remedy=remedy)
    if named.artifact is not None and path.resolve() == named.artifact.resolve():
        raise CallError("--save-pb must not replace the model", found=str(path))
    if path.exists() and not overwrite:
        raise CallError("--save-pb must write a new file", found=str(path), remedy="--overwrite replaces it.")
    return path
