"""The command ``package-course``."""

from __future__ import annotations

from pathlib import Path

import click

_EPILOG = (
    "Exit codes: 0 packed; 1 a rule is broken; 2 the call is wrong, or a file is not what it should be; 3 disk full, "
    "or a folder that can't be written. docs/package-course.md lists every rule."
)
_PATH = click.Path(path_type=Path)
_RUN_HELP = "The folder that train-model wrote."
_CHECKPOINT = click.option("--checkpoint", type=_PATH, help="Of the run.  [default: its final.keras]")
_FIELD = click.option(
    "--readme-field",
    "fields",
    multiple=True,
    metavar="'TITLE: TEXT'",
    help="A further line; may be repeated.",
)
_JSON = click.option("--json", "json_to", metavar="FILE|-", help="What was packed, or why not, as JSON.")
_CHALLENGE = click.option("--challenge", default="ai6126-face", show_default=True, help="Id, or a TOML file.")
_MATRIC = click.option("--matric", required=True, help="Your matriculation number, for example A12345678B.")
_NAME = click.option("--name", required=True, help="Your name, for Readme.txt.")
_HONOUR = click.option(
    "--no-external-data", is_flag=True, help="You state that you kept the challenge's rule on external data."
)
_HOW = click.option("--how-to-run", multiple=True, help="A line of your own for Readme.txt; may be repeated.")


@click.group("package-course", epilog=_EPILOG)
def package_course() -> None:
    """Pack what a course challenge wants handed in.

    results and hand-in are the two zips of AI6126's face super-resolution, assignment is that of the SRCNN course.
    Every fault is told at once, and a zip is read back before it takes its name.
    """


@package_course.command("results", epilog=_EPILOG, short_help="AI6126: the zip that is scored.")
@click.argument("folder", metavar="RESULTS_DIR", type=_PATH)
@click.option(
    "--inputs", type=_PATH, required=True, help="Folder of the inputs, which give the results' names."
)
@click.option("--run", type=_PATH, required=True, help=_RUN_HELP)
@_MATRIC
@_NAME
@click.option("--codalab-user", required=True, help="Your user's name at CodaLab.")
@_HONOUR
@_CHECKPOINT
@_FIELD
@_HOW
@click.option("--recompress", is_flag=True, help="Pack the same pixels as small as PNG can.")
@_CHALLENGE
@click.option("--out", type=_PATH, default=Path("results.zip"), show_default=True, help="The zip.")
@_JSON
def results_command(
    *,
    folder: Path,
    inputs: Path,
    run: Path,
    matric: str,
    name: str,
    codalab_user: str,
    no_external_data: bool,
    checkpoint: Path | None,
    fields: tuple[str, ...],
    how_to_run: tuple[str, ...],
    recompress: bool,
    challenge: str,
    out: Path,
    json_to: str | None,
) -> None:
    """The first zip: the pictures for the ranking, Readme.txt, and a report folder.

    \b
    Example:
      pixelproof package-course results results --inputs test/LQ --run run --matric A12345678B \\
          --name "Ada Lovelace" --codalab-user ada --no-external-data
    """
    from pixelproof.console import Console
    from pixelproof.submit.course.results import pack_results
    from pixelproof.submit.course.telling import identity_of, lines_of, refusal_told, show

    console = Console(json_to)
    with refusal_told(console):
        packed = pack_results(
            folder,
            inputs=inputs,
            run=run,
            identity=identity_of(matric=matric, name=name, user=codalab_user, fields=fields),
            out=out,
            challenge=challenge,
            checkpoint=checkpoint,
            how_to_run=lines_of(how_to_run),
            no_external_data=no_external_data,
            recompress=recompress,
            stage=lambda title, total: console.progress(title, total=total),
        )
    show(console, packed.written, warnings=packed.warnings)
    console.next_step(f"hand {packed.written.path} in for scoring")


@package_course.command("hand-in", epilog=_EPILOG, short_help="AI6126: the zip that is handed in.")
@_MATRIC
@_NAME
@click.option("--run", type=_PATH, help=_RUN_HELP)
@click.option("--results", type=_PATH, help="Folder of the result pictures.")
@click.option(
    "--real-world", type=_PATH, help="Folder of the six pictures; results/ in it holds their results."
)
@click.option("--code", type=_PATH, multiple=True, help="File or folder of your code; may be repeated.")
@click.option(
    "--inputs", type=_PATH, help="Folder of the inputs: judges names, and shows inputs in the report."
)
@click.option("--report", type=_PATH, help="Your report, PDF or HTML.  [default: a scaffold to be filled]")
@click.option("--codalab-user", help="Your user's name at CodaLab.")
@_HONOUR
@_CHECKPOINT
@_FIELD
@_HOW
@click.option(
    "--pdf/--no-pdf", "with_pdf", default=True, help="Print the report, where Chromium is installed."
)
@_CHALLENGE
@click.option(
    "--out", type=_PATH, default=Path(), help="Folder for the zip and the scaffold.  [default: here]"
)
@_JSON
def hand_in_command(
    *,
    matric: str,
    name: str,
    run: Path | None,
    results: Path | None,
    real_world: Path | None,
    code: tuple[Path, ...],
    inputs: Path | None,
    report: Path | None,
    codalab_user: str | None,
    no_external_data: bool,
    checkpoint: Path | None,
    fields: tuple[str, ...],
    how_to_run: tuple[str, ...],
    with_pdf: bool,
    challenge: str,
    out: Path,
    json_to: str | None,
) -> None:
    """The second zip, A12345678B.zip: report, results, real-world pictures, code, logs, checkpoint.

    Without --report a scaffold is made, with curves and pictures; what only you can say is marked in it.

    \b
    Example:
      pixelproof package-course hand-in --matric A12345678B --name "Ada Lovelace" --run run --results results \\
          --real-world real --code code --no-external-data --out handed-in
    """
    from pixelproof.console import Console
    from pixelproof.submit.course.hand_in import HandInParts, pack_hand_in
    from pixelproof.submit.course.telling import identity_of, lines_of, refusal_told, show

    console = Console(json_to)
    with refusal_told(console):
        packed = pack_hand_in(
            HandInParts(
                run=run,
                results=results,
                real_world=real_world,
                code=code,
                checkpoint=checkpoint,
                inputs=inputs,
                report=report,
            ),
            identity=identity_of(matric=matric, name=name, user=codalab_user, fields=fields),
            out=out,
            challenge=challenge,
            how_to_run=lines_of(how_to_run),
            no_external_data=no_external_data,
            with_pdf=with_pdf,
            stage=lambda title, total: console.progress(title, total=total),
        )
    show(
        console,
        packed.written,
        warnings=packed.warnings,
        left_out=packed.left_out,
        pages=packed.report.pages,
    )
    if packed.scaffold is not None:
        console.next_step(
            f"write into {packed.scaffold} in a browser, print it to PDF, and pack again with --report"
        )
    elif packed.report.unfilled:
        console.next_step("fill the report, and pack again")
    else:
        console.next_step(f"hand {packed.written.path} in")


@package_course.command("assignment", epilog=_EPILOG, short_help="The SRCNN assignment's zip.")
@click.option("--student", required=True, help="Your student number: ten digits that begin with 1155.")
@click.option("--last-name", required=True, help="In ASCII letters.")
@click.option("--first-name", required=True, help="In ASCII letters.")
@click.option("--run", type=_PATH, help=_RUN_HELP)
@click.option("--code", type=_PATH, multiple=True, help="Training or model file, or folder; may be repeated.")
@_CHECKPOINT
@_FIELD
@click.option("--out", type=_PATH, default=Path(), help="Folder for the zip.  [default: here]")
@_JSON
def assignment_command(
    *,
    student: str,
    last_name: str,
    first_name: str,
    run: Path | None,
    code: tuple[Path, ...],
    checkpoint: Path | None,
    fields: tuple[str, ...],
    out: Path,
    json_to: str | None,
) -> None:
    """The SRCNN assignment: 1155xxxxxx_lastname_firstname.zip with code, info.txt and checkpoint.

    \b
    Example:
      pixelproof package-course assignment --student 1155123456 --last-name Lovelace --first-name Ada \\
          --run run --code train.py --code model.py
    """
    from pixelproof.console import Console
    from pixelproof.submit.course.assignment import pack_assignment
    from pixelproof.submit.course.identity import further_fields
    from pixelproof.submit.course.telling import refusal_told, show

    console = Console(json_to)
    with refusal_told(console):
        packed = pack_assignment(
            student=student,
            last_name=last_name,
            first_name=first_name,
            run=run,
            code=code,
            out=out,
            checkpoint=checkpoint,
            fields=further_fields(fields),
        )
    show(console, packed.written, warnings=packed.warnings, left_out=packed.left_out)
    console.next_step(f"hand {packed.written.path} in")
