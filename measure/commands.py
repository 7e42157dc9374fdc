"""The command ``compare``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("compare")
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("--shape", "shapes", multiple=True, help="1,height,width,channels; may be repeated.")
@click.option("--tolerance", type=float, help="Largest absolute difference [1e-4; see docs/compare.md].")
@click.option(
    "--require-sandbox/--no-require-sandbox",
    default=False,
    help="Refuse to run them where neither Landlock nor bubblewrap locks them in; for strangers' files.",
)
@click.option("--json", "json_to", metavar="FILE|-", help="Write the result as JSON.")
@click.pass_context
def compare(
    ctx: click.Context,
    first: Path,
    second: Path,
    shapes: tuple[str, ...],
    tolerance: float | None,
    require_sandbox: bool,
    json_to: str | None,
) -> None:
    """Do two artifacts compute the same picture? Each runs in a fresh process, on uneven inputs.

    Exit code 0 if they do, 1 if not.
    """
    from pixelproof.console import Console
    from pixelproof.contract import parse_shape
    from pixelproof.errors import CallError
    from pixelproof.measure.comparison import compare_artifacts

    if tolerance is not None and not tolerance > 0:
        raise CallError("--tolerance must be above 0", found=str(tolerance))
    console = Console(json_to)
    rows = compare_artifacts(
        first,
        second,
        shapes=[parse_shape(s) for s in shapes],
        tolerance=tolerance,
        require_sandbox=require_sandbox,
    )
    console.table(
        f"{second} against {first}",
        ["size", "largest", "in levels", "mean", "pixels changed", "tolerance", "verdict"],
        [
            [
                f"{row.height}x{row.width}",
                f"{row.difference.max_abs:.2e}",
                f"{row.difference.max_levels:.4f}",
                f"{row.difference.mean_abs:.2e}",
                f"{row.difference.share_changed:.3%}",
                f"{row.tolerance:g}",
                "passed" if row.passed else "failed",
            ]
            for row in rows
        ],
        status_column=6,
    )
    passed = all(row.passed for row in rows)
    console.json({"first": str(first), "second": str(second), "passed": passed, "rows": rows})
    console.line("Equal within the tolerance." if passed else "They compute different pictures.")
    ctx.exit(0 if passed else 1)
