"""The command ``validate-pb``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from pixelproof.errors import CallError
from pixelproof.validate.device_options import device_options, mib_of

if TYPE_CHECKING:
    from pixelproof.challenge import Challenge
    from pixelproof.console import Console
    from pixelproof.report import Report
    from pixelproof.validate.options import Options

_EPILOG = (
    "Exit codes: 0 every check passed, perhaps with a warning; 1 a rule is broken, the report is written all the "
    "same; 2 the call is wrong, or a file is not what it should be; 3 pixelproof or this machine failed. "
    "docs/validate.md explains every check."
)
_MEASURING = (
    "data",
    "baseline",
    "companion",
    "images",
    "max_runs",
    "threads",
    "time_limit",
    "total_time_limit",
    "require_sandbox",
    "device",
    "device_memory_gb",
    "pictures",
)


@click.command("validate-pb", epilog=_EPILOG)
@click.argument("model", required=False, type=click.Path(path_type=Path))
@click.option("--track", help="Track of the challenge, for example A or B.  [default: the only one]")
@click.option("--challenge", default="pirm2018", show_default=True, help="Id, or a TOML file of your own.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder that the challenge's paths start from.  [default: in PIXELPROOF_DATA, else the samples]",
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    help="Graph to time against, in the model's format.  [default: the shipped SRCNN]",
)
@click.option(
    "--companion",
    type=click.Path(path_type=Path),
    help="Second file of the same network, where the challenge takes two.  [default: beside the model]",
)
@click.option("--images", type=click.IntRange(min=1), help="Fidelity on only so many pairs.")
@click.option(
    "--max-runs", type=click.IntRange(min=2), default=60, show_default=True, help="Most timed pairs."
)
@click.option(
    "--only",
    help="Groups to judge, commas between: contract range resolution size fidelity runtime memory complexity.",
)
@click.option("--skip", help="Groups to leave out.")
@click.option(
    "--threads", type=click.IntRange(min=1), help="Threads of the model's runtime.  [default: all cores]"
)
@click.option(
    "--time-limit", type=click.FloatRange(min=1), default=600.0, show_default=True, help="Seconds a call."
)
@click.option(
    "--total-time-limit",
    type=click.FloatRange(min=1),
    default=21600.0,
    show_default=True,
    help="Seconds after which no further call is begun.",
)
@click.option(
    "--require-sandbox/--no-require-sandbox",
    default=False,
    help="Refuse to judge where neither Landlock nor bubblewrap locks the model in; for strangers' files.",
)
@device_options
@click.option("--mos", type=float, help="Mean opinion score that replaces MS-SSIM in the scores.")
@click.option("--psnr-gate", type=float, help="Gate in dB, in place of the challenge's; for other images.")
@click.option(
    "--recheck",
    type=click.Path(path_type=Path),
    help="Judge a saved report again, by other thresholds, without the model.",
)
@click.option("--json", "json_to", metavar="FILE|-", help="Write the report as JSON.")
@click.option(
    "--html",
    "html_to",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the report as a web page.",
)
@click.option(
    "--pictures",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Save the worst, median and best image, to be looked at.",
)
@click.pass_context
def validate_pb(
    ctx: click.Context,
    *,
    model: Path | None,
    track: str | None,
    challenge: str,
    data: Path | None,
    baseline: Path | None,
    companion: Path | None,
    images: int | None,
    max_runs: int,
    only: str | None,
    skip: str | None,
    threads: int | None,
    time_limit: float,
    total_time_limit: float,
    require_sandbox: bool,
    device: Literal["auto", "cpu", "gpu"],
    device_memory_gb: float | None,
    mos: float | None,
    psnr_gate: float | None,
    recheck: Path | None,
    json_to: str | None,
    html_to: Path | None,
    pictures: Path | None,
) -> None:
    """Judge a .pb, SavedModel, .tflite or .onnx by a challenge's own rules.

    The model runs in processes of its own.

    \b
    Examples:
      validate-pb model.pb --track B --data ai-challenge --json report.json
      validate-pb --recheck report.json --challenge ./stricter.toml
    """
    from pixelproof.challenge import load_challenge
    from pixelproof.console import Console
    from pixelproof.validate.judgement import rejudge
    from pixelproof.validate.options import Options
    from pixelproof.validate.outputs import check_outputs, pictures_folder, write_page
    from pixelproof.validate.selection import parse_groups
    from pixelproof.validate.verdict import next_step, show

    rules = load_challenge(challenge)
    groups = parse_groups(only, skip)
    console = Console(json_to)
    check_outputs(json_to, html_to, pictures)
    with ExitStack() as closing:
        folder = None
        if recheck is not None:
            from pixelproof.report import read_report

            _check_recheck(ctx, model)
            report = rejudge(
                read_report(recheck),
                challenge_name=challenge,
                track_name=track,
                mos=mos,
                psnr_gate=psnr_gate,
                groups=groups,
            )
        else:
            folder = closing.enter_context(pictures_folder(html_to, pictures))
            options = Options(
                groups=groups,
                images=images,
                max_runs=max_runs,
                baseline=baseline,
                companion=companion,
                threads=threads,
                time_limit_s=time_limit,
                total_time_limit_s=total_time_limit,
                require_sandbox=require_sandbox,
                device=device,
                device_memory_mib=mib_of(device_memory_gb),
                pictures=folder,
                layers=html_to is not None,
            )
            report = _judged(
                console, rules, challenge, model, track, data=data, options=options, scoring=(mos, psnr_gate)
            )
        show(console, report, rules)
        console.json(report.to_json(), what="Report")
        write_page(console, report, html_to, pictures=folder, asked=pictures is not None)
    named = {
        "--recheck": recheck,
        "--data": data,
        "--baseline": baseline,
        "--companion": companion,
        "--threads": threads,
        "--mos": mos,
        "--psnr-gate": psnr_gate,
        "--device": None if device == "auto" else device,
        "--device-memory-gb": device_memory_gb,
    }
    how = [word for option, value in named.items() if value is not None for word in (option, str(value))]
    how += ["--require-sandbox"] if require_sandbox else []
    console.next_step(next_step(report, rules, challenge_name=challenge, json_to=json_to, how=how))
    ctx.exit(0 if report.passed else 1)


def _judged(
    console: Console,
    rules: Challenge,
    challenge: str,
    model: Path | None,
    track: str | None,
    *,
    data: Path | None,
    options: Options,
    scoring: tuple[float | None, float | None],
) -> Report:
    from pixelproof.data import find_data
    from pixelproof.measure.formats import detect_kind
    from pixelproof.validate.job import needs_images
    from pixelproof.validate.judgement import check_mos, judge, with_gate

    if model is None:
        remedy = "For example: validate-pb model.pb --track B"
        raise CallError("validate-pb needs a model", found="none", remedy=remedy)
    if track is None and len(rules.tracks) == 1:
        track = next(iter(rules.tracks))
    if track is None:
        listed = ", ".join(f"{name} ({t.title})" for name, t in rules.tracks.items())
        raise CallError("--track must be given", found="none", remedy=f"Tracks of {rules.id}: {listed}.")
    chosen = rules.model_track(track)
    mos, psnr_gate = scoring
    check_mos(mos, chosen)
    with_gate(chosen, psnr_gate)
    detect_kind(model)
    source = find_data(rules.data_folder, given=data) if needs_images(chosen, options.groups) else None
    console.line(f"{model} by the rules of {rules.id}, track {track}: {chosen.title}")
    if source is not None:
        console.line(f"Images: {source.label}")
    with console.stages() as progress:
        return judge(
            model,
            challenge_name=challenge,
            track_name=track,
            data=source,
            options=options,
            progress=progress,
            mos=mos,
            psnr_gate=psnr_gate,
        )


def _check_recheck(ctx: click.Context, model: Path | None) -> None:
    """Refuse what a recheck can't honour."""
    if model is not None:
        raise CallError("--recheck judges a saved report", found=f"a model as well: {model}")
    given = [
        f"--{name.replace('_', '-')}"
        for name in _MEASURING
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        remedy = "Judge the model itself to measure otherwise."
        raise CallError("--recheck measures nothing", found=", ".join(given), remedy=remedy)
