"""The command ``complexity``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pixelproof.console import Console
    from pixelproof.measure.complexity import Complexity, Layer

TOP = 12
LARGEST_SIDE = 1 << 16


@click.command("complexity")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--convention", default="ntire2022", show_default=True, help="ntire2022, fvcore or 2xmac.")
@click.option(
    "--input",
    "size",
    default="256,256",
    show_default=True,
    metavar="H,W",
    help="Size of the input; 1,H,W,C where the file leaves the channels open.",
)
@click.option("--top", type=click.IntRange(min=0), help=f"Show so many of the most costly layers. [{TOP}]")
@click.option("--all", "every", is_flag=True, help="Show all layers, in their order.")
@click.option(
    "--require-sandbox/--no-require-sandbox",
    default=False,
    help="Refuse to open the file where neither Landlock nor bubblewrap locks the reader in.",
)
@click.option("--json", "json_to", metavar="FILE|-", help="Write all of it as JSON.")
def complexity(
    *,
    file: Path,
    convention: str,
    size: str,
    top: int | None,
    every: bool,
    require_sandbox: bool,
    json_to: str | None,
) -> None:
    """Parameters, FLOPs, activations and convolutions of a .pb, SavedModel, .tflite or .onnx.

    Read off the file alone, at a stated input size, by the convention of a challenge. The file is scanned and
    read in a process that is locked in.

    Example: pixelproof complexity model.pb --input 256,256
    """
    from pixelproof.console import Console
    from pixelproof.errors import CallError
    from pixelproof.measure.complexity import complexity as complexity_of
    from pixelproof.measure.cost.conventions import convention_named
    from pixelproof.measure.formats import artifact_at, detect_kind
    from pixelproof.measure.worker import Worker

    if every and top is not None:
        raise CallError("--top and --all exclude each other", found="both")
    convention_named(convention)
    height, width, channels = parse_size(size)
    console = Console(json_to)
    kind = detect_kind(file)
    with Worker(require_sandbox=require_sandbox) as worker:
        found = complexity_of(
            worker, file, kind, height=height, width=width, convention=convention, channels=channels
        )
    _show(console, file, found, shown=None if every else TOP if top is None else top)
    figures = ("params", "flops", "activations", "conv_layers")
    console.json(
        {
            "artifact": artifact_at(file),
            "format": kind,
            "convention": found.convention,
            "input": {"height": found.height, "width": found.width, "channels": found.channels},
            **{name: getattr(found, name) for name in figures},
            "layers": found.layers,
            "not_counted": found.not_counted,
            "assumptions": found.assumptions,
        }
    )
    console.next_step(f"validate-pb {shlex.quote(str(file))} --challenge NAME")


def parse_size(text: str) -> tuple[int, int, int | None]:
    """``"256,256"`` as (height, width, None), ``"1,256,256,3"`` as (height, width, channels).

    Raises:
        CallError: anything else, or sides beyond 65,536.
    """
    from pixelproof.contract import parse_shape
    from pixelproof.errors import CallError

    parts = [part for part in text.replace("x", ",").replace(" ", ",").strip("[](),").split(",") if part]
    whole = [int(part) for part in parts if part.isascii() and part.isdigit()]
    if len(whole) == len(parts) == 4:
        _, height, width, channels = parse_shape(text)
        sized: tuple[int, int, int | None] = height, width, channels
    elif len(whole) == len(parts) == 2 and min(whole) >= 1:
        sized = whole[0], whole[1], None
    else:
        remedy = "Write it as height,width, for example --input 256,256."
        raise CallError("--input must be two positive whole numbers", found=repr(text), remedy=remedy)
    if max(sized[:2]) > LARGEST_SIDE:
        rule = f"--input must be an image of at most {LARGEST_SIDE:,} pixels a side"
        raise CallError(rule, found=repr(text))
    return sized


def _show(console: Console, file: Path, found: Complexity, *, shown: int | None) -> None:
    size = f"{found.height}x{found.width}x{found.channels}"
    console.table(
        f"{file} at {size}, {found.convention}",
        ["parameters", "FLOPs", "activations", "convolutions"],
        [[_figure(found.params), _figure(found.flops), _figure(found.activations), str(found.conv_layers)]],
    )
    layers = list(found.layers)
    title = f"All {len(layers)} layers"
    if shown is not None and shown < len(layers):
        layers = sorted(layers, key=lambda layer: -layer.flops)[:shown]
        title = f"The {shown} most costly of {len(found.layers)} layers"
    if layers:
        columns = ["layer", "operation", "output", "params", "FLOPs", "activations", "share"]
        console.table(title, columns, [_cells(layer) for layer in layers])
    if found.not_counted:
        listed = ", ".join(f"{name} {times}" for name, times in found.not_counted.items())
        console.line(f"Without FLOPs under {found.convention}: {listed}.")
    for sentence in found.assumptions:
        console.line(sentence)


def _figure(number: int) -> str:
    """``19,695,306,752 (19.70 G)``."""
    for unit, size in (("G", 10**9), ("M", 10**6)):
        if number >= size:
            return f"{number:,} ({number / size:.2f} {unit})"
    return f"{number:,}" if number < 10**5 else f"{number:,} ({number / 10**6:.3f} M)"


def _cells(layer: Layer) -> list[str]:
    shape = "x".join(str(size) for size in layer.output_shape)
    numbers = (f"{n:,}" if n else "" for n in (layer.params, layer.flops, layer.activations))
    return [layer.name, layer.op, shape, *numbers, f"{layer.share:.1%}"]
