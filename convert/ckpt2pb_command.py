"""The command ``ckpt2pb``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("ckpt2pb")
@click.option(
    "--in-path", "--in_path", "in_path", required=True, type=click.Path(path_type=Path), help="Checkpoint."
)
@click.option(
    "--out-path",
    "--out_path",
    "out_path",
    default="model.pb",
    show_default=True,
    type=click.Path(path_type=Path),
)
@click.option(
    "--out-nodes", "--out_nodes", "out_nodes", default="", help="Output nodes [the only candidate]."
)
@click.option("--json", "json_to", metavar="FILE|-", help="Write the proof as JSON.")
def ckpt2pb(in_path: Path, out_path: Path, out_nodes: str, json_to: str | None) -> None:
    """Freeze a TF1 checkpoint that has a .meta, and prove the graph equal to the restored session.

    \b
    Example:
      ckpt2pb --in-path punet.ckpt --out-path punet.pb --out-nodes output_l0
    """
    import shlex

    from pixelproof.console import Console
    from pixelproof.convert.checkpoint import freeze_checkpoint, prefix_of
    from pixelproof.measure.interrupts import interrupts_deferred
    from pixelproof.quiet import import_tensorflow

    console = Console(json_to)
    prefix_of(in_path)
    with interrupts_deferred():
        import_tensorflow()
    names = [part.strip().split(":")[0] for part in out_nodes.split(",") if part.strip()]
    done = freeze_checkpoint(in_path, out=out_path, output_names=names)
    for row in done.rows:
        console.line(
            f"  {row.artifact} at {row.height}x{row.width}: largest difference {row.difference.max_abs:.1e}"
        )
    console.json(
        {
            "artifact": str(out_path),
            "source": str(in_path),
            "input": done.input_name,
            "outputs": done.output_names,
            "rows": done.rows,
        }
    )
    ends = f"{done.input_name} -> {', '.join(done.output_names)}"
    console.line(f"Written: {out_path} ({done.nodes} nodes, {ends})")
    shape = ",".join(map(str, done.shape))
    console.next_step(f"pb2tflite {shlex.quote(str(out_path))} --input-shape {shape}")
