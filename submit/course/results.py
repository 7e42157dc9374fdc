"""The first zip of AI6126: the pictures for the ranking, Readme.txt, and a report folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from pixelproof.errors import CallError
from pixelproof.files import size_bytes
from pixelproof.submit.archive import Contents
from pixelproof.submit.course import texts
from pixelproof.submit.course.checks import check_network, check_stated, honour_warnings
from pixelproof.submit.course.faults import Faults
from pixelproof.submit.course.identity import Identity
from pixelproof.submit.course.pictures import (
    Advance,
    PictureRules,
    check_weight,
    inputs_of,
    judge_zip,
    judged_pictures,
    picture_rules,
    recompressed,
)
from pixelproof.submit.course.proven_zip import Written, check_free, write_proven
from pixelproof.submit.course.run_folder import Run, read_run, training_files
from pixelproof.submit.course.texts import Readme

PICTURES, REPORT, README = "results", "report", "Readme.txt"
Stage = Callable[[str, int], AbstractContextManager[Advance]]
"""``stage(title, total)`` shows a bar for the length of a block."""


@dataclass(frozen=True)
class PackedResults:
    """What was packed, and what the student should know."""

    written: Written
    pictures: int
    warnings: tuple[str, ...]


def pack_results(
    folder: Path,
    *,
    inputs: Path,
    run: Path,
    identity: Identity,
    out: Path,
    challenge: str,
    checkpoint: Path | None = None,
    how_to_run: tuple[str, ...] = (),
    no_external_data: bool = False,
    recompress: bool = False,
    stage: Stage,
) -> PackedResults:
    """Pack the results for the ranking; the zip appears when it has been judged as the organisers do.

    Args:
        folder: the result pictures.
        inputs: the challenge's inputs, which give the names.
        run: the run that made the network.
        out: the zip.
        challenge: id or TOML file; it says how many pictures, of which size, and how heavy.
        checkpoint: of the run; its last one where it is None.
        how_to_run: lines of the student's own; a command that does it where there are none.
        no_external_data: what the challenge's honour rules ask for is stated.
        recompress: pack the same pixels smaller.
        stage: shows progress.

    Raises:
        PixelproofError: all faults at once.
    """
    rules = picture_rules(challenge)
    if out.suffix != ".zip":
        raise CallError(
            "--out must be a file's name ending in .zip", found=str(out), remedy="For example results.zip."
        )
    check_free(out, inputs=(folder, inputs, run))
    faults = Faults("The results must be complete and keep the rules")
    expected = inputs_of(rules, inputs)
    with stage("pictures", rules.results.count) as advance:
        named = judged_pictures(folder, rules=rules, expected=expected, faults=faults, advance=advance)
    found = read_run(run, checkpoint=checkpoint, faults=faults)
    with faults.noted():
        check_stated(rules.challenge, is_stated=no_external_data)
    if found is not None:
        scale, below = rules.track.contract.scale, rules.parameters_below
        check_network(found, scale=scale, below=below, faults=faults)
    pictures: Mapping[str, bytes | Path] = named
    if recompress and not faults.any:
        with stage("recompress", len(named)) as advance:
            pictures = recompressed(named, advance=advance)
    with faults.noted():
        total = sum(map(_bytes_of, pictures.values()))
        check_weight(pictures, zip_bytes=total, rules=rules, is_recompressed=recompress)
    faults.settle()
    assert found is not None  # settled otherwise
    contents = _contents(pictures, run=found, rules=rules, identity=identity, how_to_run=how_to_run)
    extra = len(contents) - len(pictures)

    def judge(path: Path) -> None:
        check_weight(pictures, zip_bytes=path.stat().st_size, rules=rules, is_recompressed=recompress)
        judge_zip(path, rules=rules, expected=expected, extra_members=extra)

    written = write_proven(out, contents, judge=judge)
    return PackedResults(written, len(pictures), tuple(honour_warnings(found)))


def restoring_command(run: Run) -> str:
    """The command that makes results from inputs."""
    return f"pixelproof restore-images --model {run.model} --ckpt {run.checkpoint.path.name} INPUTS --out RESULTS"


def statements(rules: PictureRules) -> tuple[str, ...]:
    """What the student states."""
    return tuple(f"I kept this rule: {rule}" for rule in rules.challenge.honour)


def _contents(
    pictures: Mapping[str, bytes | Path],
    *,
    run: Run,
    rules: PictureRules,
    identity: Identity,
    how_to_run: tuple[str, ...],
) -> Contents:
    first = next(iter(pictures))
    readme = Readme(
        title=f"{rules.challenge.title}: results",
        files=(
            (f"{PICTURES}/", f"{len(pictures)} results, named as their inputs ({first} and so on)"),
            (f"{REPORT}/report.txt", "parameters, losses, validation PSNR, machine, hyper-parameters"),
            (f"{REPORT}/curves.png", "loss and validation PSNR over epochs"),
            (f"{REPORT}/history.csv", "the figures of each epoch"),
            (f"{REPORT}/run.toml", "the training recipe"),
            (f"{REPORT}/machine.json", "where it was trained, and with what"),
        ),
        how_to_run=how_to_run or (restoring_command(run), "The checkpoint lies in the hand-in."),
        statements=statements(rules),
    )
    cap = rules.parameters_below
    readme_text = texts.readme_text(readme, identity=identity, run=run, parameters_below=cap)
    report_text = texts.report_text(f"{rules.challenge.title}: report", run=run, parameters_below=cap)
    return {
        **{f"{PICTURES}/{name}": picture for name, picture in pictures.items()},
        **training_files(run, below=REPORT),
        f"{REPORT}/report.txt": report_text.encode(),
        README: readme_text.encode(),
    }


def _bytes_of(picture: bytes | Path) -> int:
    return len(picture) if isinstance(picture, bytes) else size_bytes(picture)
