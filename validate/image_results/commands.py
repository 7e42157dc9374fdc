"""``pixelproof validate-images``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pixelproof.errors import CallError

if TYPE_CHECKING:
    from pixelproof.challenge import Challenge, Track
    from pixelproof.console import Console
    from pixelproof.validate.image_results.expected import Expected
    from pixelproof.validate.image_results.image_report import ImageReport

_EPILOG = (
    "Exit codes: 0 every check passed, perhaps with a warning; 1 a rule is broken, the report is written all the "
    "same; 2 the call is wrong, or the targets are not what they should be; 3 pixelproof or this machine failed. "
    "docs/validate-images.md explains every check."
)
ROOM = 200
"""Members of a zip beside the pictures and what a Mac adds to each."""


@click.command("validate-images", epilog=_EPILOG)
@click.argument("path", metavar="DIR|ZIP", type=click.Path(path_type=Path))
@click.option("--challenge", required=True, help="Id, or a TOML file of your own.")
@click.option("--track", help="Track of the challenge.  [default: the only one that takes pictures]")
@click.option(
    "--targets",
    type=click.Path(path_type=Path),
    help="Folder of the targets.  [default: the challenge's, in PIXELPROOF_DATA]",
)
@click.option(
    "--inputs",
    type=click.Path(path_type=Path),
    help="Folder of the inputs, where the targets are secret: names and sizes are judged, PSNR is not.",
)
@click.option("--json", "json_to", metavar="FILE|-", help="Write the report as JSON.")
@click.pass_context
def validate_images(
    ctx: click.Context,
    *,
    path: Path,
    challenge: str,
    track: str | None,
    targets: Path | None,
    inputs: Path | None,
    json_to: str | None,
) -> None:
    """Judge a folder or zip of result pictures: names, sizes, format, and PSNR as the challenge scores it.

    A zip is unpacked by the rules of unpack-submission into a temporary folder.

    \b
    Examples:
      pixelproof validate-images results.zip --challenge ai6126-face --targets val/GT
      pixelproof validate-images results.zip --challenge ai6126-face --inputs test/LQ
    """
    from pixelproof.challenge import load_challenge
    from pixelproof.console import Console
    from pixelproof.validate.image_results.judgement import results_of
    from pixelproof.validate.image_results.show import next_step, show

    if targets is not None and inputs is not None:
        found = "--targets and --inputs"
        raise CallError("Results are held against one folder", found=found, remedy="Drop --inputs.")
    rules = load_challenge(challenge)
    chosen = track if track is not None else only_track_of_pictures(rules)
    results_of(rules, chosen)
    _check_path(path)
    expected = _expected(rules, rules.track(chosen), targets=targets, inputs=inputs)
    console = Console(json_to)
    console.line(f"{path} by the rules of {rules.id}, track {chosen}: {rules.track(chosen).title}")
    if expected is not None:
        console.line(f"{'Targets' if expected.are_targets else 'Inputs'}: {expected.label}")
    report = _judged(console, path, rules, challenge, chosen, expected)
    show(console, report)
    console.json(report.to_json(), what="Report")
    how = ["--challenge", challenge, *(["--track", track] if track is not None else [])]
    named = {"--targets": targets, "--inputs": inputs}
    how += [word for option, value in named.items() if value is not None for word in (option, str(value))]
    console.next_step(next_step(report, how=how, is_zip=path.is_file()))
    ctx.exit(0 if report.passed else 1)


def only_track_of_pictures(challenge: Challenge) -> str:
    """The one track that takes pictures.

    Raises:
        CallError: there is none, or several.
    """
    names = [name for name, track in challenge.tracks.items() if track.results is not None]
    if len(names) == 1:
        return names[0]
    if not names:
        remedy = "Judge the model with validate-pb."
        raise CallError(
            f"A track of {challenge.id} must take pictures", found="none that does", remedy=remedy
        )
    raise CallError("--track must be given", found="none", remedy=f"Tracks of pictures: {', '.join(names)}.")


def _check_path(path: Path) -> None:
    if path.is_dir() or (path.is_file() and path.suffix.lower() == ".zip"):
        return
    found = f"{path}, which is neither" if path.exists() else f"nothing at {path}"
    raise CallError("Results must be a folder or a .zip", found=found)


def _expected(
    challenge: Challenge, track: Track, *, targets: Path | None, inputs: Path | None
) -> Expected | None:
    import os

    from pixelproof.data import find_data
    from pixelproof.validate.image_results.expected import expected_from

    results, fidelity = track.results, track.fidelity
    if results is None or fidelity is None:
        return None
    if inputs is not None:
        scale, suffix = track.contract.scale, fidelity.input_suffix
        return expected_from(inputs, results, scale=scale, are_targets=False, input_suffix=suffix)
    if targets is None and os.environ.get("PIXELPROOF_DATA"):
        targets = find_data(challenge.data_folder, given=None).root / fidelity.targets
    if targets is None:
        return None
    return expected_from(targets, results, scale=track.contract.scale, are_targets=True)


def _judged(
    console: Console, path: Path, rules: Challenge, name: str, track: str, expected: Expected | None
) -> ImageReport:
    from contextlib import ExitStack

    from pixelproof.challenge import rules_sha256
    from pixelproof.temporary import temporary_folder
    from pixelproof.validate.image_results.judgement import judge_images, results_of

    _, results = results_of(rules, track)
    with ExitStack() as closing:
        folder, zip_path = path, None
        if path.is_file():
            folder = closing.enter_context(temporary_folder("pixelproof-results-")) / "unpacked"
            zip_path = path
            _unpack(path, folder, most=2 * results.count + ROOM)
        advance = closing.enter_context(console.progress("pictures", total=results.count))
        return judge_images(
            folder,
            challenge=rules,
            track_name=track,
            rules_sha256=rules_sha256(name),
            expected=expected,
            zip_path=zip_path,
            advance=advance,
        )


def _unpack(path: Path, folder: Path, *, most: int) -> None:
    """Unpack by the command's name, as a user would: this folder may not import the packing one.

    Raises:
        SubmissionRefused, InputError: as ``unpack-submission``.
    """
    import io
    from contextlib import redirect_stdout

    from pixelproof.cli import load_command

    command = load_command("unpack-submission")
    arguments = [str(path), "--out", str(folder), "--max-members", str(most)]
    with redirect_stdout(io.StringIO()):  # its table of members is not asked for
        command.main(arguments, prog_name="unpack-submission", standalone_mode=False)
