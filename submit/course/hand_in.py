"""The second zip of AI6126, the hand-in: report, results, real-world pictures, code, training logs, checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelproof.errors import CallError
from pixelproof.files import write_bytes
from pixelproof.submit.archive import Contents
from pixelproof.submit.course import texts
from pixelproof.submit.course.checks import check_network, check_stated, honour_warnings
from pixelproof.submit.course.code_files import Code, collect_code
from pixelproof.submit.course.faults import Faults
from pixelproof.submit.course.identity import Identity
from pixelproof.submit.course.pictures import PictureRules, inputs_of, judged_pictures, picture_rules
from pixelproof.submit.course.proven_zip import Written, check_free, write_proven
from pixelproof.submit.course.real_world import RealWorld, real_world_pictures
from pixelproof.submit.course.report_page import MOST_PAGES, figures_of, scaffold
from pixelproof.submit.course.report_part import HTML, ReportPart, report_part
from pixelproof.submit.course.results import Stage, restoring_command, statements
from pixelproof.submit.course.run_folder import Run, read_run, training_files
from pixelproof.submit.course.texts import Readme


@dataclass(frozen=True)
class HandInParts:
    """What the student names; None where an option is missing.

    Attributes:
        inputs: the challenge's inputs, by which names are judged and figures shown.
        report: the student's own; a scaffold is made where it is None.
    """

    run: Path | None
    results: Path | None
    real_world: Path | None
    code: tuple[Path, ...]
    checkpoint: Path | None = None
    inputs: Path | None = None
    report: Path | None = None

    @property
    def places(self) -> list[Path]:
        """Everything that was named."""
        named = [
            self.run,
            self.results,
            self.real_world,
            self.checkpoint,
            self.inputs,
            self.report,
            *self.code,
        ]
        return [path for path in named if path is not None]


@dataclass(frozen=True)
class PackedHandIn:
    """What was packed, and what the student should know.

    Attributes:
        scaffold: where the page to be filled lies, beside the zip; None where a report was given.
    """

    written: Written
    report: ReportPart
    scaffold: Path | None
    left_out: tuple[str, ...]
    warnings: tuple[str, ...]


def pack_hand_in(
    parts: HandInParts,
    *,
    identity: Identity,
    out: Path,
    challenge: str,
    how_to_run: tuple[str, ...] = (),
    no_external_data: bool = False,
    with_pdf: bool = True,
    stage: Stage,
) -> PackedHandIn:
    """Pack ``MATRICULATION.zip``; what is missing is named, all of it at once.

    Args:
        out: the folder for the zip, and for the report's scaffold.
        challenge: id or TOML file; it says how many pictures, and of which size.
        how_to_run: lines of the student's own for Readme.txt.
        no_external_data: what the challenge's honour rules ask for is stated.
        with_pdf: print the report, where a browser is installed.
        stage: shows progress.

    Raises:
        PixelproofError: all faults at once.
    """
    rules = picture_rules(challenge)
    zip_path, page_path = out / f"{identity.matriculation}.zip", out / f"{identity.matriculation}-{HTML}"
    faults = Faults("The hand-in must be complete and keep the rules")
    with faults.noted():
        check_free(zip_path, inputs=[place for place in parts.places if place != parts.report])
    expected = None
    if parts.inputs is not None:
        with faults.noted():
            expected = inputs_of(rules, parts.inputs)
    run = read_run(parts.run, checkpoint=parts.checkpoint, faults=faults)
    results = {}
    if parts.results is None:
        remedy = "Name the folder of the result pictures with --results."
        faults.add(CallError("A hand-in needs its results", found="no --results", remedy=remedy))
    else:
        with stage("pictures", rules.results.count) as advance:
            results = dict(
                judged_pictures(parts.results, rules=rules, expected=expected, faults=faults, advance=advance)
            )
    pictures = real_world_pictures(parts.real_world, scale=rules.track.contract.scale, faults=faults)
    code = Code({}, ())
    with faults.noted():
        code = collect_code(parts.code)
    with faults.noted():
        check_stated(rules.challenge, is_stated=no_external_data)
    if run is not None:
        scale, below = rules.track.contract.scale, rules.parameters_below
        check_network(run, scale=scale, below=below, faults=faults)
    if parts.report is not None and not parts.report.is_file():
        faults.add(CallError("--report must be a file", found=f"no file {parts.report}"))
    faults.settle()
    assert run is not None  # settled otherwise

    def page() -> str:
        return scaffold(
            title=rules.challenge.title,
            identity=identity,
            run=run,
            parameters_below=rules.parameters_below,
            figures=figures_of(results, expected.sources if expected is not None else None),
            real_world=pictures,
        )

    report = report_part(parts.report, scaffold=page, with_pdf=with_pdf)
    if report.is_scaffold:
        _check_untouched(page_path, report.files[HTML])
    contents: dict[str, bytes | Path] = {
        **{f"results/{name}": path for name, path in results.items()},
        **_contents(code, pictures, report, run),
    }
    readme = _readme(rules, run, report, how_to_run)
    text = texts.readme_text(readme, identity=identity, run=run, parameters_below=rules.parameters_below)
    written = write_proven(zip_path, {**contents, "Readme.txt": text.encode()})
    if report.is_scaffold:
        write_bytes(page_path, report.files[HTML])
    return PackedHandIn(
        written=written,
        report=report,
        scaffold=page_path if report.is_scaffold else None,
        left_out=code.left_out,
        warnings=(*honour_warnings(run), *_warnings(report, names_judged=expected is not None)),
    )


def _contents(code: Code, pictures: Sequence[RealWorld], report: ReportPart, run: Run) -> Contents:
    return {
        **{f"code/{name}": path for name, path in code.files.items()},
        **{f"real-world/{one.source.name}": one.source for one in pictures},
        **{f"real-world/results/{one.result.name}": one.result for one in pictures},
        **{f"report/{name}": data for name, data in report.files.items()},
        **training_files(run, below="training"),
        **{f"training/{name}": path for name, path in run.logs.items()},
        f"checkpoint/{run.checkpoint.path.name}": run.checkpoint.path,
    }


def _readme(rules: PictureRules, run: Run, report: ReportPart, how_to_run: tuple[str, ...]) -> Readme:
    return Readme(
        title=f"{rules.challenge.title}: hand-in",
        files=(
            *((f"report/{name}", "the report") for name in sorted(report.files)),
            ("results/", "the results that were scored"),
            ("real-world/", "six real-world pictures; results/ in it holds what the network made of them"),
            ("code/", "the code"),
            ("training/", "recipe, history, curves, machine and logs of the training"),
            (
                f"checkpoint/{run.checkpoint.path.name}",
                "the network's weights and the training's whole state",
            ),
        ),
        how_to_run=how_to_run or (restoring_command(run),),
        statements=statements(rules),
    )


def _check_untouched(path: Path, page: bytes) -> None:
    """A scaffold that the student has begun to fill is not written over."""
    if path.exists() and (not path.is_file() or path.read_bytes() != page):
        remedy = f"Hand it in with --report {path}, or remove it for a new scaffold."
        raise CallError(
            "A report that was begun must not be lost", found=f"another page at {path}", remedy=remedy
        )


def _warnings(report: ReportPart, *, names_judged: bool) -> list[str]:
    warnings = []
    if report.unfilled:
        warnings.append(
            f"The report has {report.unfilled} boxes that are yours to write and are still empty."
        )
    if report.pages is None:
        warnings.append(
            "The report is HTML alone, and its pages weren't counted: print it to PDF (at most "
            f"{MOST_PAGES} pages of A4) and pack again with --report."
        )
    if not names_judged:
        warnings.append("The results' names weren't judged: --inputs names the folder of the inputs.")
    return warnings
