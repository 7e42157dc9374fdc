"""The command ``pb2tflite``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixelproof.tflite.challenge_options import challenge_options, parse_challenge_options
from pixelproof.tflite.options import parse_quantize, quantize_options

if TYPE_CHECKING:
    from pixelproof.tflite.result import Converted


@click.command("pb2tflite")
@click.argument("model", required=False, type=click.Path(path_type=Path))
@click.option("--input-shape", "--input_shape", "input_shape", help="1,height,width,channels.")
@click.option("--input-arrays", "--input_arrays", "input_arrays", help="Input node [the only placeholder].")
@click.option("--output-arrays", "--output_arrays", "output_arrays", help="Output node [the only final one].")
@click.option(
    "--out",
    "--output-file",
    "--output_file",
    "out",
    type=click.Path(path_type=Path),
    help="File [MODEL.tflite]; with --challenge a folder [named as the challenge, beside MODEL].",
)
@click.option(
    "--graph_def_file", "--graph-def-file", "graph_def_file", type=click.Path(path_type=Path), hidden=True
)
@click.option("--variable", is_flag=True, help="Leave height and width open; proven at --input-shape too.")
@quantize_options
@challenge_options
@click.option("--json", "json_to", metavar="FILE|-", help="Write the proof as JSON.")
def pb2tflite(
    model: Path | None,
    input_shape: str | None,
    input_arrays: str | None,
    output_arrays: str | None,
    out: Path | None,
    graph_def_file: Path | None,
    variable: bool,
    json_to: str | None,
    **more: Any,
) -> int:
    """Convert a frozen graph to TFLite at a fixed shape, and prove it equal.

    Without MODEL it takes ./model.pb, else the newest .pb in models_converted. The option names of
    tflite_convert (--graph_def_file, --output_file, --input_shape, ...) work too. A quantised file is compared with
    the float one on images, and refused where it loses too much.

    \b
    Examples:
      pb2tflite model.pb --input-shape 1,544,960,4 --output-arrays output_l0
      pb2tflite model.pb --input-shape 1,544,960,4 --variable
      pb2tflite model.pb --input-shape 1,544,960,4 --quantize int8 --calibration raw
      pb2tflite model.pb --challenge mai2021-isp --out isp
    """
    import shlex

    from pixelproof.console import Console
    from pixelproof.contract import parse_shape
    from pixelproof.errors import CallError
    from pixelproof.measure.formats import detect_kind
    from pixelproof.tflite.challenge_files import WantedFile
    from pixelproof.tflite.choose import default_model
    from pixelproof.tflite.converter_import import converter_imported

    console = Console(json_to)
    contest, quantizing = parse_challenge_options(more)
    if input_shape is None and contest is None:
        remedy = "For example --input-shape 1,720,1280,3; a challenge's own with --challenge."
        raise CallError("pb2tflite needs a size", found="no --input-shape", remedy=remedy)
    quantization, material = parse_quantize(quantizing)
    if model is not None and graph_def_file is not None:
        raise CallError("The graph is named once", found="MODEL and --graph_def_file")
    named = model or graph_def_file
    chosen = named or default_model(Path())
    if named is None:
        console.line(f"Taking {chosen}")
    if detect_kind(chosen) != "pb":
        remedy = "convert-model writes a .pb and a .tflite from a checkpoint."
        raise CallError("pb2tflite takes a frozen .pb", found=str(chosen), remedy=remedy)
    if contest is None:
        assert input_shape is not None
        files: tuple[WantedFile, ...] = (
            WantedFile(out or chosen.with_suffix(".tflite"), parse_shape(input_shape), variable),
        )
    else:
        files = contest.files(chosen, out=out, input_shape=input_shape, variable=variable)
    made: list[Converted] = []
    with converter_imported(), console.stages() as stage:
        from pixelproof.tflite.conversion import convert_pb
        from pixelproof.tflite.say import document, lines

        try:
            for file in files:
                convert_pb(
                    chosen,
                    shape=file.shape,
                    input_name=input_arrays,
                    output_name=output_arrays,
                    out=file.path,
                    publish=made.append,
                    variable=file.variable,
                    quantization=quantization,
                    material=material,
                    stage=stage,
                )
        finally:
            documents = [document(done, source=chosen) for done in made]
            if documents:
                console.json(documents[0] if contest is None else {"schema_version": 1, "files": documents})
    for done in made:
        for line in lines(done):
            console.line(line)
    if contest is not None:
        return contest.judge(files[0].path)
    written = shlex.quote(str(made[0].path))
    if quantization.kind == "none":
        console.next_step(f"pixelproof compare {shlex.quote(str(chosen))} {written}")
    else:
        console.next_step(f"pixelproof inspect {written}")
    return 0
