"""``python -m pixelproof.models.training.photographs``: free photographs to train on."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from pixelproof.cli import run
from pixelproof.console import Console
from pixelproof.models.training.photographs.collection import refuse_others, write_collection
from pixelproof.models.training.photographs.reading import Sources
from pixelproof.models.training.photographs.sources import skimage_folder
from pixelproof.models.training.photographs.table import photographs
from pixelproof.temporary import temporary_folder

_EPILOG = (
    "Packages are downloaded by apt-get, from the mirrors that this machine is set up for; elsewhere give the .deb "
    "files with --debs. Every picture is compared with a table of digests, authors and licences. Exit codes: 0 the "
    "folder was written; 2 the call is wrong, or a file isn't what it should be; 3 a package can't be downloaded, or "
    "this machine failed."
)


@click.command("photographs", epilog=_EPILOG)
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder for train/ and validation/."
)
@click.option("--cache", type=click.Path(path_type=Path), help="Folder that keeps the packages [none].")
@click.option(
    "--debs",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A .deb, or a folder of them; as often as needed.",
)
@click.option(
    "--skimage", type=click.Path(path_type=Path), help="skimage/data [the installed scikit-image's]."
)
@click.option(
    "--max-side",
    type=click.IntRange(min=64),
    default=1600,
    show_default=True,
    help="Pixels of the longer side.",
)
@click.option("--allow-missing", is_flag=True, help="Leave out what can't be had, and say so.")
def main(
    *,
    out: Path,
    cache: Path | None,
    debs: tuple[Path, ...],
    skimage: Path | None,
    max_side: int,
    allow_missing: bool,
) -> int:
    """Get free photographs (Debian packages, scikit-image) and write them as PNG: OUT/train, OUT/validation.

    OUT/LICENCES.txt names authors and licences, OUT/photographs.json every file with its digest.
    """
    console = Console()
    refuse_others(out)
    with ExitStack() as stack:
        kept = cache or stack.enter_context(temporary_folder("pixelproof-debs-"))
        sources = Sources(
            debs=debs, cache=kept, skimage=skimage or skimage_folder(), allow_missing=allow_missing
        )
        record = write_collection(
            out, sources.read(photographs(), console.line), maximum_side=max_side, missing=sources.missing
        )
    roles = [entry["file"].partition("/")[0] for entry in record["photographs"]]
    console.line(f"{out}: {roles.count('train')} to learn from, {roles.count('validation')} to measure on")
    for entry in record["left_out"]:
        console.line(f"  left out: {entry['member']}: {entry['why']}")
    console.line(f"Name the authors in {out / 'LICENCES.txt'} wherever pictures or weights go.")
    return 0


if __name__ == "__main__":
    run(main, "python -m pixelproof.models.training.photographs")
