"""The command ``scan``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pixelproof.console import Console
    from pixelproof.safety import Scan

MIB = 1024 * 1024
MEMORY_MIB = 2048


@click.command("scan")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--max-mib", type=click.FloatRange(min=0, min_open=True), help="Largest file that is opened. [2048]"
)
@click.option(
    "--time-limit",
    type=click.FloatRange(min=1),
    default=60.0,
    show_default=True,
    help="Seconds for the scan.",
)
@click.option(
    "--require-sandbox/--no-require-sandbox",
    default=False,
    help="Refuse to open the file where neither Landlock nor bubblewrap locks the reader in.",
)
@click.option("--json", "json_to", metavar="FILE|-", help="Write the result as JSON.")
@click.pass_context
def scan(
    ctx: click.Context,
    *,
    file: Path,
    max_mib: float | None,
    time_limit: float,
    require_sandbox: bool,
    json_to: str | None,
) -> None:
    """What a .pb, SavedModel, .tflite or .onnx holds, and whether it may be loaded. Nothing is loaded.

    The file is read in a process that is locked in. Exit code 0 if it holds only what an image model needs, 1 if
    something in it is refused, 2 if it is no such file.
    """
    from pixelproof.console import Console
    from pixelproof.measure.formats import artifact_at, detect_kind
    from pixelproof.measure.inbox import DEFAULT_MAX_BYTES
    from pixelproof.measure.worker import Worker
    from pixelproof.safety import missing_walls

    console = Console(json_to)
    kind, artifact = detect_kind(file), artifact_at(file)
    most = DEFAULT_MAX_BYTES if max_mib is None else round(max_mib * MIB)
    with Worker(
        threads=1,
        timeout_s=time_limit,
        memory_limit_mib=MEMORY_MIB + 4 * artifact.size_bytes / MIB,
        require_sandbox=require_sandbox,
        max_bytes=most,
    ) as worker:
        found = worker.scan(file, kind)
        layers = worker.sandbox
    _show(console, file, found, size_bytes=artifact.size_bytes)
    if missing := missing_walls(layers):
        console.line(f"The file was read without walls: {missing}.", style="yellow")
    console.json({"artifact": artifact, "passed": not found.refusals, "scan": found, "sandbox": layers})
    if not found.refusals:
        console.line("Nothing in it is refused.", style="green")
        console.next_step(f"validate-pb {shlex.quote(str(file))} --track NAME")
    ctx.exit(1 if found.refusals else 0)


def _show(console: Console, file: Path, found: Scan, *, size_bytes: int) -> None:
    console.line(f"{file}: {found.format}")
    console.table("", ["operation", "times"], [[name, str(n)] for name, n in found.operations.items()])
    console.line(
        f"{size_bytes / MIB:.2f} MiB; {found.nodes} nodes, {found.functions} functions, "
        f"{found.constant_bytes / MIB:.2f} MiB of constants"
    )
    for refusal in found.refusals:
        console.line(f"REFUSED: {refusal.rule}; found {refusal.found}.", style="bold red")
    for remedy in dict.fromkeys(refusal.remedy for refusal in found.refusals if refusal.remedy):
        console.line(remedy)
