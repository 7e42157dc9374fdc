"""The command ``pb2tflite``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("pb2tflite")
@click.argument("model", required=False, type=click.Path(path_type=Path))
@click.option("--input-shape", "--input_shape", "input_shape", required=True, help="1,height,width,channels.")
@click.option("--input-arrays", "--input_arrays", "input_arrays", help="Input node [the only placeholder].")
@click.option("--output-arrays", "--output_arrays", "output_arrays", help="Output node [the only final one].")
@click.option(
    "--out",
    "--output-file",
    "--output_file",
    "out",
    type=click.Path(path_type=Path),
    help="File [MODEL.tflite].",
)
@click.option(
    "--graph_def_file", "--graph-def-file", "graph_def_file", type=click.Path(path_type=Path), hidden=True
)
@click.option("--json", "json_to", metavar="FILE|-", help="Write the proof as JSON.")
def pb2tflite(
    model: Path | None,
    input_shape: str,
    input_arrays: str | None,
    output_arrays: str | None,
    out: Path | None,
    graph_def_file: Path | None,
    json_to: str | None,
) -> None:
    """Convert a frozen graph to TFLite at a fixed shape, and prove it equal.

    Without MODEL it takes ./model.pb, else the newest .pb in models_converted. The option names of
    tflite_convert (--graph_def_file, --output_file, --input_shape, ...) work too.

    \b
    Example:
      pb2tflite model.pb --input-shape 1,544,960,4 --output-arrays output_l0
    """
    import shlex

    from pixelproof.console import Console
    from pixelproof.contract import parse_shape
    from pixelproof.errors import CallError
    from pixelproof.measure.formats import detect_kind
    from pixelproof.measure.interrupts import interrupts_deferred
    from pixelproof.quiet import import_tensorflow
    from pixelproof.tflite.choose import default_model

    console = Console(json_to)
    shape = parse_shape(input_shape)
    if model is not None and graph_def_file is not None:
        raise CallError("The graph is named once", found="MODEL and --graph_def_file")
    named = model or graph_def_file
    chosen = named or default_model(Path())
    if named is None:
        console.line(f"Taking {chosen}")
    if detect_kind(chosen) != "pb":
        remedy = "convert-model writes a .pb and a .tflite from a checkpoint."
        raise CallError("pb2tflite takes a frozen .pb", found=str(chosen), remedy=remedy)
    with interrupts_deferred():
        import_tensorflow()
        from pixelproof.tflite.conversion import convert_pb

    target = out or chosen.with_suffix(".tflite")
    done = convert_pb(
        chosen,
        shape=shape,
        input_name=input_arrays,
        output_name=output_arrays,
        out=target,
        publish=lambda made: console.json(
            {
                "artifact": str(made.path),
                "source": str(chosen),
                "input": made.input_name,
                "output": made.output_name,
                "passed": made.passed,
                "rows": made.rows,
            }
        ),
    )
    for row in done.rows:
        console.line(
            f"  {row.height}x{row.width}: largest difference {row.difference.max_abs:.1e} "
            f"({row.difference.max_levels:.4f} of a level)"
        )
    ends = f"{done.input_name} -> {done.output_name}"
    console.line(f"Written: {done.path} ({ends}, input {'x'.join(map(str, shape))})")
    console.next_step(f"pixelproof compare {shlex.quote(str(chosen))} {shlex.quote(str(done.path))}")
