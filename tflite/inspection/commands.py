"""The command ``inspect``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("inspect")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--input-shape",
    "--input_shape",
    "input_shape",
    help="1,height,width,channels; for a file whose sizes are free.",
)
@click.option("--time/--no-time", "timed", default=True, help="Run it, and measure every operation. [time]")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of the runtime [all usable cores].")
@click.option(
    "--runs", type=click.IntRange(min=1), default=10, show_default=True, help="Runs to take the median of."
)
@click.option("--top", type=click.IntRange(min=1), default=15, show_default=True, help="Operations to show.")
@click.option("--all", "show_all", is_flag=True, help="Show every operation, in the file's order.")
@click.option(
    "--time-limit",
    type=click.FloatRange(min=1),
    default=600.0,
    show_default=True,
    help="Seconds for each measurement.",
)
@click.option(
    "--require-sandbox/--no-require-sandbox",
    default=False,
    help="Refuse to run the file where neither Landlock nor bubblewrap locks it in; for strangers' files.",
)
@click.option("--json", "json_to", metavar="FILE|-", help="Write the result as JSON.")
def inspect_tflite(
    *,
    file: Path,
    input_shape: str | None,
    timed: bool,
    threads: int | None,
    runs: int,
    top: int,
    show_all: bool,
    time_limit: float,
    require_sandbox: bool,
    json_to: str | None,
) -> None:
    """Operations of a .tflite file, what they cost here, and what phones' delegates would take of it.

    Time is measured on this machine's CPU, each operation alone. The delegates (GPU, NNAPI, XNNPACK) are judged by
    static rules, not run on a device. The file is scanned first, and run in a process that is locked in.

    \b
    Examples:
      pixelproof inspect model.tflite
      pixelproof inspect model_none.tflite --input-shape 1,544,960,4 --threads 1
    """
    from pixelproof.console import Console
    from pixelproof.contract import parse_shape
    from pixelproof.environment import usable_cores
    from pixelproof.tflite.inspection.inspection import inspect_file
    from pixelproof.tflite.inspection.showing import show

    console = Console(json_to)
    shape = None if input_shape is None else parse_shape(input_shape)
    found = inspect_file(
        file,
        input_shape=shape,
        timed=timed,
        threads=threads or usable_cores(),
        runs=runs,
        timeout_s=time_limit,
        require_sandbox=require_sandbox,
        progress=lambda total: console.progress("Timing", total=total),
    )
    show(console, found, top=None if show_all else top)
    console.json(found.document())
