"""The command ``convert-onnx``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("convert-onnx")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder [models_converted/MODEL's name].")
@click.option(
    "--formats",
    "--format",
    "formats",
    help="Of pb, tflite, savedmodel [pb, and tflite where its size is known].",
)
@click.option(
    "--input-shape",
    "--input_shape",
    "input_shape",
    help="1,height,width,channels of the TFLite file, channels last.",
)
@click.option("--input-name", default="input", show_default=True, help="Node name of the input.")
@click.option("--output-name", default="output", show_default=True, help="Node name of the output.")
@click.option("--json", "json_to", metavar="FILE|-", help="Write the proof as JSON there too.")
def convert_onnx(
    model: Path,
    out: Path | None,
    formats: str | None,
    input_shape: str | None,
    input_name: str,
    output_name: str,
    json_to: str | None,
) -> None:
    """Convert an .onnx, as PyTorch exports it, to .pb and TFLite with channels last, and prove them equal to it.

    The file is scanned, and read in a locked process. What comes out is compared with what onnxruntime computes,
    at uneven sizes; on a mismatch the first layer that differs is named, nothing is delivered, and the exit code
    is 1.

    \b
    Examples:
      pixelproof convert-onnx model.onnx --out converted
      pixelproof convert-onnx model.onnx --input-shape 1,544,960,3 --formats pb,tflite,savedmodel
    """
    import shlex
    import time

    from pixelproof.console import Console
    from pixelproof.contract import parse_shape
    from pixelproof.convert.from_onnx.call import Request, check_model, chosen_formats, told, wanted_formats
    from pixelproof.convert.from_onnx.importer import Importer
    from pixelproof.convert.plan import FILE_NAMES
    from pixelproof.convert.source import Ends
    from pixelproof.convert.workers import WarmWorkers
    from pixelproof.measure.interrupts import interrupts_deferred
    from pixelproof.quiet import import_tensorflow

    start = time.monotonic()
    console = Console(json_to)
    check_model(model)
    request = Request(
        path=model,
        folder=out or Path("models_converted") / model.name.removesuffix(".onnx"),
        formats=wanted_formats(formats),
        shape=None if input_shape is None else parse_shape(input_shape),
        ends=Ends(input_name=input_name, output_name=output_name),
    )
    with Importer() as importer, WarmWorkers() as workers:
        described = importer.read(model)
        kinds = chosen_formats(request, described)
        console.line(told(request, described))
        importer.begin(input_name=input_name, output_name=output_name)
        workers.warm("onnx")
        workers.warm("pb")
        with interrupts_deferred():
            import_tensorflow()
            from pixelproof.convert.from_onnx.conversion import convert_file

        convert_file(request, described, importer, workers=workers, note=console.line, publish=console.json)
    console.line(
        f"Written to {request.folder} with the proof in parity.json; {time.monotonic() - start:.1f} s."
    )
    first = shlex.quote(str(request.folder / FILE_NAMES[kinds[0]]))
    console.next_step(f"validate-pb {first} --challenge NAME (pixelproof challenges lists them)")
