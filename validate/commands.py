"""The command ``validate-pb``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pixelproof.console import Console
    from pixelproof.report import Report
    from pixelproof.validate.checks.base import Group


@click.command("validate-pb")
@click.argument("model", required=False, type=click.Path(path_type=Path))
@click.option("--track", help="Track of the challenge, for example A or B.")
@click.option("--challenge", default="pirm2018", show_default=True, help="Id, or a TOML file of your own.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder that the challenge's paths start from.")
@click.option(
    "--baseline", type=click.Path(path_type=Path), help="Graph to time against [the shipped SRCNN]."
)
@click.option("--images", type=click.IntRange(min=1), help="Only so many image pairs.")
@click.option(
    "--max-runs", type=click.IntRange(min=2), default=60, show_default=True, help="Most timed pairs."
)
@click.option("--only", help="Groups to judge: contract,range,resolution,size,fidelity,runtime,memory.")
@click.option("--skip", help="Groups to leave out.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of the model's runtime [all cores].")
@click.option(
    "--time-limit", type=click.FloatRange(min=1), default=600.0, show_default=True, help="Seconds a call."
)
@click.option("--mos", type=float, help="Mean opinion score that replaces MS-SSIM in the scores.")
@click.option(
    "--recheck", type=click.Path(path_type=Path), help="Judge a saved report again, without the model."
)
@click.option("--json", "json_to", metavar="FILE|-", help="Write the report as JSON.")
@click.pass_context
def validate_pb(
    ctx: click.Context,
    model: Path | None,
    track: str | None,
    challenge: str,
    data: Path | None,
    baseline: Path | None,
    images: int | None,
    max_runs: int,
    only: str | None,
    skip: str | None,
    threads: int | None,
    time_limit: float,
    mos: float | None,
    recheck: Path | None,
    json_to: str | None,
) -> None:
    """Judge a .pb, SavedModel, .tflite or .onnx by a challenge's own rules.

    The model runs in processes of its own. Exit code 0 if every check passed, 1 if a rule is broken.

    \b
    Examples:
      validate-pb model.pb --track B --data ai-challenge --json report.json
      validate-pb --recheck report.json --track B --challenge ./stricter.toml
    """
    from pixelproof.challenge import load_challenge
    from pixelproof.console import Console
    from pixelproof.data import find_data
    from pixelproof.errors import CallError

    console = Console(json_to)
    rules = load_challenge(challenge)
    _check_mos(mos, challenge, track)
    if recheck is not None:
        if model is not None:
            raise CallError("--recheck judges a saved report", found=f"a model as well: {model}")
        report = _rechecked(recheck, challenge, track, mos)
        source = recheck
    else:
        if model is None:
            raise CallError(
                "validate-pb needs a model",
                found="none",
                remedy="For example: validate-pb model.pb --track B",
            )
        if track is None:
            listed = ", ".join(f"{name} ({t.title})" for name, t in rules.tracks.items())
            raise CallError("--track must be given", found="none", remedy=f"Tracks of {rules.id}: {listed}.")
        rules.track(track)
        groups = parse_groups(only, skip)
        if baseline is not None and not baseline.exists():
            raise CallError("The baseline must exist", found=str(baseline))
        from pixelproof.validate.gather import Options
        from pixelproof.validate.judgement import judge

        found = find_data(rules.data_folder, given=data)
        console.line(f"{model} by the rules of {rules.id}, track {track}: {rules.tracks[track].title}")
        console.line(f"Images: {found.label}")
        options = Options(
            groups=groups,
            images=images,
            max_runs=max_runs,
            baseline=baseline,
            threads=threads,
            time_limit_s=time_limit,
        )
        with console.stages() as progress:
            report = judge(
                model,
                challenge_name=challenge,
                track_name=track,
                data=found,
                options=options,
                progress=progress,
                mos=mos,
            )
        source = model
    _show(console, report)
    console.json(report.to_json())
    _next(console, report, source, json_to)
    ctx.exit(0 if report.passed else 1)


def parse_groups(only: str | None, skip: str | None) -> frozenset[Group]:
    """The groups of checks that ``--only`` and ``--skip`` leave.

    Raises:
        CallError: both given, an unknown group, or none left.
    """
    from pixelproof.errors import CallError, did_you_mean
    from pixelproof.validate.checks.base import GROUPS

    if only is not None and skip is not None:
        raise CallError("--only and --skip exclude each other", found="both")
    named = [part.strip() for part in (only or skip or "").split(",") if part.strip()]
    for part in named:
        if part not in GROUPS:
            raise CallError(
                "--only and --skip name groups", found=repr(part), remedy=did_you_mean(part, GROUPS)
            )
    if only is not None:
        chosen = frozenset(group for group in GROUPS if group in named)
    else:
        chosen = frozenset(group for group in GROUPS if group not in named)
    if not chosen:
        raise CallError(
            "Something must be left to judge", found="nothing", remedy=f"Groups: {', '.join(GROUPS)}."
        )
    return chosen


def _check_mos(mos: float | None, challenge: str, track: str | None) -> None:
    from pixelproof.challenge import load_challenge
    from pixelproof.errors import CallError

    if mos is None:
        return
    if not 0 <= mos <= 5:
        raise CallError("--mos must be between 0 and 5", found=f"{mos:g}")
    tracks = load_challenge(challenge).tracks
    scores = tracks[track].scores if track is not None and track in tracks else None
    if scores is not None and not scores.mos_may_replace_ms_ssim:
        raise CallError("--mos must be foreseen by the rules", found=f"not in {challenge}, track {track}")


def _rechecked(path: Path, challenge: str, track: str | None, mos: float | None) -> Report:
    from pixelproof.report import read_report
    from pixelproof.validate.judgement import rejudge

    saved = read_report(path)
    return rejudge(saved, challenge_name=challenge, track_name=track or saved.track, mos=mos)


def _show(console: Console, report: Report) -> None:
    rows = [[c.title, c.status, c.found, c.expected] for c in report.checks]
    console.table("", ["check", "verdict", "found", "expected"], rows, status_column=1)
    for check in report.checks:
        if check.remedy:
            console.line(f"{check.title}: {check.remedy}")
    if report.scores is not None:
        listed = ", ".join(f"{name} {value:.3f}" for name, value in report.scores.items())
        quality = "" if report.mos is None else f" (with the mean opinion score {report.mos:g} for MS-SSIM)"
        console.line(f"Scores: {listed}{quality}")
    if not report.official_data:
        console.line(
            "These figures are of the bundled samples, a demonstration; not the challenge's figures."
        )
    failed = [check.title for check in report.checks if check.status == "failed"]
    warned = [check.title for check in report.checks if check.status == "warning"]
    if failed:
        console.line(f"FAILED: {', '.join(failed)}", style="bold red")
    elif warned:
        console.line(f"PASSED with warnings: {', '.join(warned)}", style="yellow")
    else:
        console.line("PASSED", style="green")


def _next(console: Console, report: Report, source: Path, json_to: str | None) -> None:
    if not report.passed:
        console.next_step("mend what failed, then judge again")
        return
    if json_to in (None, "-"):
        console.next_step(f"judge with --json report.json, then package-submission --model {source}")
        return
    console.next_step(
        f"package-submission --challenge {report.challenge} --track {report.track} --team-id ID --team-name NAME "
        f"--model {report.evidence.artifact.path} --report {json_to}"
    )
