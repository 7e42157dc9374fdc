"""The command ``convert-model``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixelproof.convert.architecture_options import architecture_options, given_options
from pixelproof.errors import CallError

if TYPE_CHECKING:
    from pixelproof.convert.plan import Request
    from pixelproof.measure.formats import Kind


@click.command("convert-model")
@click.option(
    "--model", required=True, help="Registered name (pixelproof models), FILE.py:FUNCTION or a .keras."
)
@click.option(
    "--ckpt",
    type=click.Path(path_type=Path),
    help="Checkpoint: TF1, .weights.h5, .keras, .pth, .safetensors.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder [models_converted/<checkpoint's name>].")
@click.option(
    "--format", "formats", default="pb,savedmodel,tflite,onnx", show_default=True, help="What to write."
)
@click.option(
    "--input-shape",
    "--input_shape",
    "input_shape",
    help="Fixed in the TFLite file only [1,720,1280,3; punet 1,544,960,4].",
)
@architecture_options
@click.option("--input-name", default="input", show_default=True, help="Node name of the input.")
@click.option("--output-name", default="output", show_default=True, help="Node name of the output.")
@click.option("--clip", is_flag=True, help="Put the clip to [0, 1] into the graph.")
@click.option("--opset", default=18, show_default=True, help="ONNX opset, 10 to 18.")
@click.option("--allow-surplus", is_flag=True, help="Leave out variables that the model doesn't have.")
@click.option("--optimize", is_flag=True, help="Exact speed-ups, kept where they are measured to gain.")
@click.option(
    "--for",
    "timed_as",
    type=click.Choice(["pb", "tflite", "onnx"]),
    help="With --optimize: format in which they are timed [the first of --format].",
)
@click.option("--json", "json_to", metavar="FILE|-", help="Write the proof as JSON there too.")
def convert_model(
    model: str,
    ckpt: Path | None,
    out: Path | None,
    formats: str,
    input_shape: str | None,
    input_name: str,
    output_name: str,
    clip: bool,
    opset: int,
    allow_surplus: bool,
    optimize: bool,
    timed_as: str | None,
    json_to: str | None,
    **architecture: Any,
) -> None:
    """Convert a checkpoint to .pb, SavedModel, TFLite and ONNX, and prove each equal to its source.

    Every file is reloaded in a fresh process and compared on uneven inputs; a file that computes another
    picture is not delivered, and the exit code is 1.

    \b
    Example:
      convert-model --model resnet_12_64 --ckpt models_pretrained/dped_resnet_12_64
    """
    import shlex
    import time

    from pixelproof.console import Console
    from pixelproof.contract import parse_shape
    from pixelproof.convert.plan import Request, check_files, default_folder, parse_formats
    from pixelproof.convert.source import Ends
    from pixelproof.convert.workers import WarmWorkers
    from pixelproof.measure.interrupts import interrupts_deferred
    from pixelproof.quiet import import_tensorflow

    start = time.monotonic()
    console = Console(json_to)
    kinds = parse_formats(formats)
    request = Request(
        model=model,
        checkpoint=ckpt,
        folder=out or default_folder(model, ckpt),
        formats=kinds,
        shape=None if input_shape is None else parse_shape(input_shape),
        ends=Ends(input_name=input_name, output_name=output_name, clip=clip),
        opset=opset,
        allow_surplus=allow_surplus,
        optimize_for=_timed_format(kinds, timed_as, optimize=optimize),
        options=given_options(architecture),
    )
    check_files(request)
    with WarmWorkers() as workers:
        workers.warm("pb" if "pb" in request.formats else request.formats[0])
        with interrupts_deferred():
            import_tensorflow()
            from pixelproof.convert.conversion import convert

        with console.stages() as stage:
            convert(request, workers=workers, note=console.line, publish=console.json, stage=stage)
    console.line(
        f"Written to {request.folder} with the proof in parity.json; {time.monotonic() - start:.1f} s."
    )
    console.next_step(_next(request, shlex.quote(str(request.files[0]))))


def _timed_format(kinds: tuple[Kind, ...], asked: str | None, *, optimize: bool) -> Kind | None:
    """The format in which speed-ups are timed, if any are asked for; a SavedModel runs as a .pb does."""
    if not optimize:
        if asked is not None:
            raise CallError("--for goes with --optimize", found=f"--for {asked} alone")
        return None
    if asked is None:
        return "pb" if kinds[0] == "savedmodel" else kinds[0]
    kind = next((kind for kind in kinds if kind == asked), None)
    if kind is None:
        raise CallError("--for must be a format that is written", found=f"{asked} beside {', '.join(kinds)}")
    return kind


def _next(request: Request, artifact: str) -> str:
    """The command that a participant types now."""
    challenge = "pirm2018"
    if request.is_registered:
        from pixelproof.models import registry

        challenge = registry.spec(request.model).challenge or challenge
    if challenge == "pirm2018":
        return f"validate-pb {artifact} --track {_usual_track(request.model, request.folder.name)}"
    from pixelproof.challenge import load_challenge

    submission = load_challenge(challenge).submission
    if submission is not None and submission.formats == ("tflite",) and request.formats[0] == "pb":
        return f"pb2tflite {artifact} --challenge {challenge}"
    return f"validate-pb {artifact} --challenge {challenge}"


def _usual_track(model: str, checkpoint: str) -> str:
    """The PIRM track for which official weights were made: those of track A bear the name of its images."""
    return "A" if model in ("vgg_19", "resnet_6_16") or checkpoint.startswith("div2k") else "B"
