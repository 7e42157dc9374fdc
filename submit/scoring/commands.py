"""``pixelproof codabench-bundle`` and ``pixelproof evalai-bundle``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixelproof.errors import CallError

if TYPE_CHECKING:
    from pixelproof.submit.scoring.bundle import Plan

_EPILOG = (
    "Exit codes: 0 written; 2 the call, the challenge file or the reference data is wrong; 3 disk full or a folder "
    "that can't be written. docs/codabench.md goes from here to a running competition."
)


def _shared(default_out: str) -> Callable[[Any], Any]:
    """The options that both commands have."""
    options = [
        click.option("--challenge", required=True, help="Id, or a TOML file of your own."),
        click.option("--track", help="Track that is scored.  [default: the only one]"),
        click.option(
            "--reference",
            type=click.Path(path_type=Path),
            help="For pictures the folder of targets; for models the folder that the challenge's paths start from.",
        ),
        click.option("--start", metavar="YYYY-MM-DD", help="First day of the phase, UTC.  [default: today]"),
        click.option("--end", metavar="YYYY-MM-DD", help="Day on which it ends, UTC."),
        click.option(
            "--require-sandbox/--no-require-sandbox",
            default=True,
            show_default=True,
            help="Judge a model only where its worker is locked in.",
        ),
        click.option(
            "--out",
            type=click.Path(path_type=Path),
            default=Path(default_out),
            show_default=True,
            help="The zip.",
        ),
    ]

    def decorate(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


@click.command("codabench-bundle", epilog=_EPILOG)
@_shared("bundle.zip")
@click.option(
    "--docker-image",
    metavar="NAME",
    help="Image that the program runs in; needed for models.  [default for pictures: Codabench's with Python 3.12]",
)
def codabench_bundle(*, out: Path, reference: Path | None, docker_image: str | None, **given: Any) -> None:
    """Write a challenge as a competition bundle for Codabench.

    Upload it under Benchmarks, Management, Upload. For pictures the scoring program needs nothing but NumPy and
    Pillow; for models it needs an image with pixelproof: see docker/Dockerfile.

    Example: pixelproof codabench-bundle --challenge ai6126-face --track results --reference val/GT --out bundle.zip
    """
    from pixelproof.console import Console
    from pixelproof.submit.scoring.codabench_bundle import write_bundle

    plan = _plan(docker_image=docker_image, **given)
    if plan.kind == "model" and docker_image is None:
        remedy = "Build it by docs/codabench.md, push it to a registry, and name it here."
        raise CallError(
            "Models must be judged in an image with pixelproof", found="no --docker-image", remedy=remedy
        )
    _check_out(out, reference)
    write_bundle(out, plan, reference=reference)
    console = Console()
    _told(console, plan, out, reference, where="the task's reference data")
    console.next_step("codabench.org: Benchmarks, Management, Upload")


@click.command("evalai-bundle", epilog=_EPILOG)
@_shared("challenge_config.zip")
def evalai_bundle(*, out: Path, reference: Path | None, **given: Any) -> None:
    """Write a challenge as a challenge configuration for EvalAI.

    For pictures the evaluation script needs nothing but NumPy and Pillow; for models the worker that runs it must
    have pixelproof installed.

    Example: pixelproof evalai-bundle --challenge ai6126-face --track results --reference val/GT --end 2027-06-01
    """
    from pixelproof.console import Console
    from pixelproof.submit.scoring.evalai_bundle import write_bundle

    plan = _plan(docker_image=None, **given)
    if plan.end is None:
        raise CallError(
            "EvalAI wants to know when a challenge ends", found="no --end", remedy="Add --end YYYY-MM-DD."
        )
    _check_out(out, reference)
    write_bundle(out, plan, reference=reference)
    console = Console()
    _told(console, plan, out, reference, where="annotations/reference.zip in the bundle")
    console.next_step("eval.ai: Host challenge, Use challenge configuration")


def _plan(
    *,
    challenge: str,
    track: str | None,
    start: str | None,
    end: str | None,
    require_sandbox: bool,
    docker_image: str | None,
) -> Plan:
    from datetime import UTC, datetime

    from pixelproof.submit.scoring.bundle import Plan, load_plan_rules
    from pixelproof.submit.scoring.columns import columns_of

    rules, text, chosen = load_plan_rules(challenge, track)
    first = datetime.now(UTC).date() if start is None else _day(start, "--start")
    last = None if end is None else _day(end, "--end")
    if last is not None and last <= first:
        raise CallError("--end must come after --start", found=f"{first} and {last}")
    if not columns_of(rules.track(chosen)):
        remedy = "Give the track fidelity, runtime or complexity."
        raise CallError("A scored track must have figures", found=f"none in {chosen}", remedy=remedy)
    return Plan(
        challenge=rules,
        text=text,
        track_name=chosen,
        start=first.isoformat(),
        end=None if last is None else last.isoformat(),
        docker_image=docker_image,
        require_sandbox=require_sandbox,
    )


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise CallError(
            f"{option} must be a day", found=repr(text), remedy="Write it as 2027-01-31."
        ) from None


def _check_out(out: Path, reference: Path | None) -> None:
    from pixelproof.submit.rules import check_out

    check_out(out, inputs=[] if reference is None else [reference])


def _told(console: Any, plan: Plan, out: Path, reference: Path | None, *, where: str) -> None:
    from pixelproof.files import MIB, size_bytes
    from pixelproof.submit.scoring.columns import columns_of

    listed = ", ".join(column.key for column in columns_of(plan.track))
    console.line(
        f"Wrote {out}, {size_bytes(out) / MIB:.2f} MiB: {plan.challenge.id}, track {plan.track_name}"
    )
    console.line(f"Figures on the leaderboard: {listed}")
    if reference is None:
        console.line(f"There is no reference data in it: bring the targets as {where}.", style="yellow")
