"""``pixelproof unpack-submission``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pixelproof.console import Console
    from pixelproof.submit.find_models import FoundModel
    from pixelproof.submit.unpack import Unpacked

_EPILOG = (
    "Exit codes: 0 unpacked; 1 refused; 2 no zip, or the call is wrong; 3 disk full or a folder that can't be "
    "written. docs/unpack.md lists every reason for a refusal."
)


@click.command("unpack-submission", epilog=_EPILOG)
@click.argument("path", metavar="ZIP", type=click.Path(path_type=Path))
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path), required=True, help="A new folder.")
@click.option("--force", is_flag=True, help="Replace DIR and all that is in it.")
@click.option(
    "--max-members",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="Most files and folders in the zip.",
)
@click.option("--json", "json_to", metavar="FILE|-", help="What was unpacked, or why not, as JSON.")
def unpack_submission(*, path: Path, out: Path, force: bool, max_members: int, json_to: str | None) -> None:
    """Unpack a stranger's submission, safely.

    The zip is refused if a member could leave DIR, fill the disk, hide from another reader or be taken for another:
    links, absolute or twofold names, encryption, overlaps, bombs, archives in the archive. DIR appears whole or not
    at all.

    Example: pixelproof unpack-submission team42.zip --out team42
    """
    from pixelproof.console import Console
    from pixelproof.errors import SubmissionRefused
    from pixelproof.submit import unpack
    from pixelproof.submit.find_models import find_models

    console = Console(json_to)
    try:
        with console.stages() as stage:
            limits = unpack.Limits(members=max_members)
            unpacked = unpack.unpack_submission(path, out, limits=limits, replace=force, stage=stage)
    except SubmissionRefused as error:
        refusal = {"rule": error.rule, "found": error.found, "remedy": error.remedy}
        console.json({"schema_version": 1, "unpacked": False, "path": str(path), "refused": refusal})
        raise
    models = find_models(out, [member.name for member in unpacked.members])
    _show(console, path, unpacked, models)
    console.json(_document(path, unpacked, models))


def _show(console: Console, path: Path, unpacked: Unpacked, models: Sequence[FoundModel]) -> None:
    import shlex

    count = "1 file" if len(unpacked.members) == 1 else f"{len(unpacked.members)} files"
    title = f"{path} in {unpacked.folder}: {count}, {unpacked.total_bytes} bytes"
    rows = [(member.name, str(member.size_bytes), member.sha256) for member in unpacked.members]
    console.table(title, ("Member", "Bytes", "SHA-256"), rows)
    for model in models:
        if model.format is None:
            console.line(f"No model, in spite of its name: {model.problem}", style="yellow")
        else:
            console.line(f"Model: {model.path} ({model.format})")
    usable = [model.path for model in models if model.format is not None]
    if not usable:
        console.line("There is no .pb, .tflite, .onnx or SavedModel in it to judge.", style="yellow")
    for model_path in usable:
        console.next_step(f"validate-pb {shlex.quote(str(model_path))} --track NAME")


def _document(path: Path, unpacked: Unpacked, models: Sequence[FoundModel]) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "unpacked": True,
        "path": str(path),
        "folder": str(unpacked.folder),
        "total_bytes": unpacked.total_bytes,
        "members": unpacked.members,
        "models": [{"path": str(m.path), "format": m.format, "problem": m.problem or None} for m in models],
    }
