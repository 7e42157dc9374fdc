"""The command ``optimize``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("optimize")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="File [MODEL.optimized.pb].")
@click.option(
    "--for",
    "timed_as",
    type=click.Choice(["pb", "tflite", "onnx"]),
    default="pb",
    show_default=True,
    help="Format in which candidates are timed.",
)
@click.option(
    "--input-shape",
    "--input_shape",
    "input_shape",
    help="1,height,width,channels at which they are timed [1,720,1280,3; a fixed graph's own].",
)
@click.option("--input-arrays", "--input_arrays", "input_arrays", help="Input node [the only placeholder].")
@click.option("--output-arrays", "--output_arrays", "output_arrays", help="Output node [the only final one].")
@click.option(
    "--max-runs",
    type=click.IntRange(min=10),
    default=40,
    show_default=True,
    help="Most timed pairs a rewrite.",
)
@click.option("--threads", type=click.IntRange(min=1), help="Threads of the runtime.  [default: all cores]")
@click.option("--json", "json_to", metavar="FILE|-", help="What each rewrite did, as JSON.")
def optimize(
    *,
    model: Path,
    out: Path | None,
    timed_as: str,
    input_shape: str | None,
    input_arrays: str | None,
    output_arrays: str | None,
    max_runs: int,
    threads: int | None,
    json_to: str | None,
) -> None:
    """Make a frozen graph faster without changing its picture.

    Rewrites that are exact are tried one after another, each timed beside the graph before it; what isn't measured
    to gain is left out. The result equals the original within 1e-5 on uneven sizes, or nothing is written. Nothing
    is written either where nothing gains.

    \b
    Examples:
      pixelproof optimize model.pb
      pixelproof optimize model.pb --for tflite --input-shape 1,720,1280,3 --out faster.pb
    """
    import shlex

    from pixelproof.console import Console
    from pixelproof.contract import parse_shape
    from pixelproof.convert.optimize.file import optimize_file
    from pixelproof.measure.formats import KINDS

    console = Console(json_to)
    (kind,) = (kind for kind in KINDS if kind == timed_as)
    with console.stages() as stage:
        done = optimize_file(
            model,
            out=out or model.with_name(f"{model.stem}.optimized.pb"),
            kind=kind,
            shape=None if input_shape is None else parse_shape(input_shape),
            names=(input_arrays, output_arrays),
            most_pairs=max_runs,
            threads=threads,
            note=console.line,
            stage=stage,
        )
    for line in done.lines():
        console.line(line)
    console.json(done.document())
    if done.written is not None:
        console.next_step(f"pixelproof compare {shlex.quote(str(model))} {shlex.quote(str(done.written))}")
